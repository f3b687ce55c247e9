"""The centre's processes: ingest, loop and courier over one database, killed and started by the plan.

The turns are those of monitor.ingest.worker and alerts.worker without their threads: store, then receipts,
then acknowledge; work first, then what is due; a database that is away is tried again, and nothing else.
"""

from __future__ import annotations

import contextlib
import functools
import random
from collections.abc import Callable
from datetime import datetime

import psycopg

from alerts.calm.desk import ShelfDesk
from alerts.courier import Courier
from alerts.engine import AlertEngine
from alerts.errors import Conflict
from alerts.messages import MQTT
from monitor.domain.assets import City
from monitor.domain.events import Receipt, encode, topic
from monitor.ingest.insisting import BACKOFF_MAX_S, BACKOFF_MIN_S
from monitor.ingest.judge import read_topic
from monitor.ingest.ports import Arrived, Outcome, Verdict
from monitor.ingest.status import read_online, read_status
from monitor.ingest.worker import BATCH_MAX, BATCH_WINDOW_S, Timing
from tests.sim import scene
from tests.sim.broker import Broker, Message
from tests.sim.clock import Agenda, Ids
from tests.sim.database import Database
from tests.sim.plan import Plan

AWAY = (psycopg.OperationalError, Conflict)
PAUSE_S = 0.5
HEAD_S = 600.0


class SimCentre:
    """See the module. `refused` collects what ingest did not accept."""

    def __init__(
        self, city: City, plan: Plan, agenda: Agenda, broker: Broker, database: Database, rng: random.Random,
        ids: Ids, log: Callable[[str, str], None], timing: Timing | None = None,
    ) -> None:  # fmt: skip
        self._city, self._plan, self._agenda, self._broker, self._db = city, plan, agenda, broker, database
        self._rng, self._ids, self._log = rng, ids, log
        self.alive = False
        self._life = 0
        self._timing = timing or Timing()
        self.refused: list[Outcome] = []
        self.duplicates = 0
        database.on_work = self._wake_loop
        self.engine = self._new_engine()
        self.shelves = self._new_desk()
        for outage in plan.centre_restarts:
            agenda.at(outage.from_s, self._die)
            agenda.at(outage.until_s, self._start_again)

    def _new_engine(self) -> AlertEngine:
        return AlertEngine(self._db, self._city, new_id=self._ids)

    def _new_desk(self) -> ShelfDesk:
        return ShelfDesk(self._db, self._city, new_id=self._ids)

    # ------------------------------------------------------------------ life and death
    def start(self) -> None:
        """All three parts begin, knowing nothing but what the database holds."""
        self._life += 1
        self.alive = True
        self._arrived: list[tuple[Message, datetime]] = []
        self._batch: list[tuple[Message, datetime]] = []
        self._steps: list[Callable[[], None]] = []
        self._turning = False
        self._backoff_s = BACKOFF_MIN_S
        self._looping = False
        self._next_look_s = float("inf")
        self._db.forget_caches()
        self.engine = self._new_engine()
        self.shelves = self._new_desk()
        self._courier = Courier(self._db, {MQTT: self._send_message}, self.engine, jitter=self._rng.random)
        self._log("centre", "starts")
        self._every(
            self._timing.gap_every_s,
            lambda: self._db.note_missing(self._agenda.utc, self._timing.gap_limit_s),
        )
        self._every(self._timing.unwatched_every_s,
                    lambda: self._db.note_unwatched(self._agenda.utc, self._timing.unwatched_grace_s))  # fmt: skip
        self._every(HEAD_S, self._db.sign_head)
        self._broker.join_centre(self)
        self._wake_loop()

    def _die(self) -> None:
        if self.alive:
            self._log("centre", "kill -9")
            self.alive = False
            self._life += 1
            self._broker.drop_centre()

    def _start_again(self) -> None:
        if not self.alive and not any(o.covers(self._agenda.now_s) for o in self._plan.centre_restarts):
            self.start()

    def _every(self, step_s: float, do: Callable[[], object]) -> None:
        life = self._life

        def again() -> None:
            if life == self._life:
                with contextlib.suppress(*AWAY):  # waits for the next time
                    do()
                self._agenda.after(step_s, again)

        self._agenda.after(step_s, again)

    def _soon(self, wait_s: float, do: Callable[[], None]) -> None:
        life = self._life
        self._agenda.after(wait_s, lambda: do() if life == self._life else None)

    # ------------------------------------------------------------------ ingest
    def connected(self) -> None:
        self._soon(0.01, self._republish)

    def _republish(self) -> None:
        try:
            for receipt in self._db.receipts():
                self._publish_receipt(receipt)
        except AWAY:
            self._soon(PAUSE_S, self._republish)

    def _publish_receipt(self, receipt: Receipt) -> None:
        with contextlib.suppress(ConnectionError):  # all are published again when the broker is back
            self._broker.from_centre(topic("receipt", receipt.edge_id), encode(receipt), retain=True)

    def delivered(self, message: Message, at: datetime) -> None:
        self._arrived.append((message, at))
        if not self._turning:
            self._turning = True
            self._soon(BATCH_WINDOW_S, self._turn)

    def _turn(self) -> None:
        """Stores, then sends receipts, then acknowledges; a step that the database refuses is tried again by itself."""
        if not self._batch:
            self._batch, self._arrived = self._arrived[:BATCH_MAX], self._arrived[BATCH_MAX:]
            self._steps = self._steps_of(self._batch)
        while self._steps:
            try:
                self._steps[0]()
            except psycopg.OperationalError:
                self._soon(self._backoff_s * self._rng.uniform(0.8, 1.2), self._turn)
                self._backoff_s = min(2 * self._backoff_s, BACKOFF_MAX_S)
                return
            self._backoff_s = BACKOFF_MIN_S
            self._steps.pop(0)
        for message, _ in self._batch:
            self._broker.acknowledge(message.mid)
        self._batch = []
        self._turning = bool(self._arrived)
        if self._turning:
            self._soon(0.005, self._turn)

    def _steps_of(self, batch: list[tuple[Message, datetime]]) -> list[Callable[[], None]]:
        arrived = [
            Arrived(topic=m.topic, payload=m.payload, pairs=m.pairs, received_at=at) for m, at in batch
        ]
        numbered = [one for one in arrived if not _is_spoken(one)]
        notes = [functools.partial(self._note, one) for one in arrived if _is_spoken(one)]
        return [functools.partial(self._store, numbered), *notes] if numbered else [*notes]

    def _store(self, numbered: list[Arrived]) -> None:
        result = self._db.store(numbered, self._agenda.utc)
        self.duplicates += sum(o.verdict is Verdict.DUPLICATE for o in result.outcomes)
        self.refused += [o for o in result.outcomes if o.verdict not in (Verdict.STORED, Verdict.DUPLICATE)]
        for (edge_id, epoch), stored in result.receipts.items():
            self._publish_receipt(
                Receipt(edge_id=edge_id, epoch=epoch, stored_through=stored.through, ranges=stored.ranges)
            )

    def _note(self, one: Arrived) -> None:
        address = read_topic(one.topic)
        assert address is not None
        if address.name == "status":
            self._db.note_status(read_status(one.payload, address.edge_id), self._agenda.utc)
        else:
            self._db.note_online(address.edge_id, read_online(one.payload), self._agenda.utc)

    # ------------------------------------------------------------------ the loop and the courier
    def _wake_loop(self) -> None:
        if self.alive and not self._looping:
            self._looping = True
            self._soon(0.01, self._loop_turn)

    def _loop_turn(self) -> None:
        self._looping = False
        now = self._agenda.utc
        try:
            while self.engine.take_work(now, limit=1):
                pass
            while self.engine.run_due(now) or self.shelves.run_due(now):
                pass
            while self._courier.deliver(now, limit=10):
                pass
        except AWAY:
            self._looping = True
            self._soon(PAUSE_S, self._loop_turn)
            return
        self._look_when_due()

    def _look_when_due(self) -> None:
        """Wakes when the next timer or message is due; the real worker looks every second instead."""
        tables, now = self._db.book.tables, self._agenda.utc
        due = [timer.due_at for timer, done_at in tables.timers.values() if done_at is None]
        due += [shelf.until_at for shelf in tables.shelves.values() if shelf.ended_at is None]
        due += [at for key, at in tables.next_try_at.items() if key not in tables.sent_at]
        if not due:
            return
        wait_s = max(0.0, (min(due) - now).total_seconds()) + 0.5
        when_s = self._agenda.now_s + wait_s
        if when_s < self._next_look_s or self._next_look_s <= self._agenda.now_s:
            self._next_look_s = when_s
            self._soon(wait_s, self._wake_loop)

    def _send_message(self, address: str, payload: bytes, retain: bool) -> None:
        self._broker.from_centre(address, payload, retain=retain)

    def stepped(self) -> None:
        """Somebody took a step: the database tells the loop, as NOTIFY does."""
        self._wake_loop()


def _is_spoken(arrived: Arrived) -> bool:
    address = read_topic(arrived.topic)
    return address is not None and address.name in ("status", "online") and address.edge_id == scene.EDGE
