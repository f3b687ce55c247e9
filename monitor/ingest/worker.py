"""From the broker into the store: collects what arrives into batches, stores them, then publishes receipts and
acknowledges. In this order, so that nothing is acknowledged that is not committed.

While the database is away nothing is acknowledged and the batch in hand is tried again; a broker that
forgets everything does no harm, since edges resend what no receipt covers.
"""

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import psycopg
import structlog

from monitor.domain.assets import Device
from monitor.domain.events import TOPICS, Receipt, encode, topic
from monitor.domain.numbers import Stored
from monitor.ingest.devices import SUBSCRIPTION, is_device, judge_device
from monitor.ingest.insisting import BACKOFF_MIN_S, Result, insist
from monitor.ingest.judge import DeadLetter, DeadReason, read_topic
from monitor.ingest.mqtt import Delivery, MqttConnection, MqttSettings
from monitor.ingest.ports import Arrived, IngestStore, Source, Verdict
from monitor.ingest.postgres_batch import POISON
from monitor.ingest.status import read_online, read_status

log = structlog.get_logger(__name__)

SUBSCRIPTIONS = (
    *(f"{TOPICS}/{tail}" for tail in ("event/+/+", "watch/+", "status/+", "online/+")),
    SUBSCRIPTION,
)

BATCH_MAX = 200
#: a batch is closed when nothing came for LINGER_S, and after BATCH_WINDOW_S at the latest
BATCH_WINDOW_S, LINGER_S = 0.05, 0.005


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Limits and intervals, in seconds."""

    gap_limit_s: float = 60.0  # a hole that stands so long is reported (docs/contracts.md)
    gap_every_s: float = 5.0
    silent_limit_s: float = 60.0  # an edge says its status every ten seconds
    silent_every_s: float = 5.0
    unwatched_grace_s: float = 180.0  # after the end of a minute
    unwatched_every_s: float = 20.0
    prune_every_s: float = 3600.0
    numbers_kept: timedelta = timedelta(days=7)


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How ingest is, for /readyz and logs."""

    running: bool
    broker: bool
    database: bool
    waiting: int  # messages that arrived and are not committed yet
    last_commit_at: datetime | None
    failures: int  # unforeseen errors since the start

    @property
    def ok(self) -> bool:
        """Whether events get through."""
        return self.running and self.broker and self.database


def _utc_now() -> datetime:
    return datetime.now(UTC)


class IngestWorker:
    """start() and stop(); in between two threads of its own do everything."""

    def __init__(
        self,
        store: IngestStore,
        mqtt: MqttSettings,
        *,
        clock: Callable[[], datetime] = _utc_now,
        timing: Timing | None = None,
        devices: Sequence[Device] = (),
    ) -> None:
        """`devices`: smart cameras whose own alarms count."""
        self._devices = tuple(devices)
        self._store, self._clock, self._timing = store, clock, timing or Timing()
        self._arrived: queue.SimpleQueue[Delivery] = queue.SimpleQueue()
        self._in_hand = 0
        self._stopping = threading.Event()
        self._republish = threading.Event()
        self._database_ok = True
        self._last_commit_at: datetime | None = None
        self._failures = 0
        self._due: dict[str, float] = {}
        self._deaf_until_s = time.monotonic() + self._timing.silent_limit_s
        #: verdicts since the start
        self.counts: Counter[Verdict] = Counter()
        self._mqtt = MqttConnection(
            mqtt,
            topics=SUBSCRIPTIONS,
            on_delivery=self._arrived.put,
            on_connected=self._republish.set,
            clock=clock,
        )
        self._thread = threading.Thread(target=self._run, name="ingest", daemon=True)

    def start(self) -> None:
        """Starts both threads; connecting goes on in the background."""
        self._thread.start()
        self._mqtt.start()

    def stop(self, timeout_s: float = 15.0) -> None:
        """Ends after the batch in hand; what is not committed stays unacknowledged and comes again."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        self._mqtt.stop()

    def __enter__(self) -> "IngestWorker":
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def healthy(self) -> bool:
        """Whether events get through."""
        return self.health().ok

    def health(self) -> Health:
        """How ingest is."""
        return Health(
            running=self._thread.is_alive() and self._mqtt.alive,
            broker=self._mqtt.connected,
            database=self._database_ok,
            waiting=self._arrived.qsize() + self._in_hand,
            last_commit_at=self._last_commit_at,
            failures=self._failures,
        )

    @property
    def connections(self) -> int:
        """How often the broker let us in: it may have forgotten what was retained."""
        return self._mqtt.connections

    def wait_connected(self, timeout_s: float) -> bool:
        """Waits for the broker; False after `timeout_s`."""
        return self._mqtt.wait_connected(timeout_s)

    def publish(
        self, topic: str, payload: bytes, properties: Sequence[tuple[str, str]] = (), retain: bool = False
    ) -> None:
        """Publishes for others of the centre; returns when the broker has it, PublishError otherwise."""
        self._mqtt.publish(topic, payload, user_properties=properties, retain=retain)

    def begin_publish(self, topic: str, payload: bytes, retain: bool = False) -> Callable[[], None]:
        """As `publish`, but only what it returns waits for the broker: several go out in the time of one."""
        return self._mqtt.begin(topic, payload, retain=retain)

    # ------------------------------------------------------------------ the loop

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._turn()
            except Exception:
                self._failures += 1
                log.exception("ingest.turn_failed", failures=self._failures)
                self._stopping.wait(BACKOFF_MIN_S)

    def _turn(self) -> None:
        """One batch, and whatever else is due."""
        if self._republish.is_set():
            self._republish.clear()
            found = self._insist(self._store.receipts)
            for receipt in found or ():
                self._send(receipt)
        batch = self._collect()
        self._in_hand = len(batch)
        if batch:
            self._process(batch)
        self._in_hand = 0
        self._keep_house()

    def _collect(self) -> list[Delivery]:
        """What has arrived: the first waited for, then what follows closely."""
        batch: list[Delivery] = []
        closes_s = 0.0
        while len(batch) < BATCH_MAX:
            wait_s = min(LINGER_S, closes_s - time.monotonic()) if batch else 0.25
            try:
                batch.append(self._arrived.get(timeout=max(wait_s, 0.0)))
            except queue.Empty:
                break
            if len(batch) == 1:
                closes_s = time.monotonic() + BATCH_WINDOW_S
        return batch

    def _process(self, batch: Sequence[Delivery]) -> None:
        """Stores, then publishes receipts, then acknowledges. Returns early, without these, when stopping."""
        spoken = [d.arrived for d in batch if _is_spoken(d.arrived)]
        numbered = [d.arrived for d in batch if not _is_spoken(d.arrived)]
        if numbered:
            result = self._insist(lambda: self._store.store(numbered, self._clock()))
            if result is None:
                return
            for arrived, outcome in zip(numbered, result.outcomes, strict=True):
                self.counts[outcome.verdict] += 1
                if outcome.reason is not None:
                    facts = {"verdict": outcome.verdict.value, "reason": outcome.reason.value}
                    log.warning("ingest.not_accepted", topic=arrived.topic, detail=outcome.detail, **facts)
            self._send_receipts(result.receipts)
        for arrived in spoken:
            if self._insist(lambda arrived=arrived: self._note(arrived)) is None:  # type: ignore[misc]
                return
        self._last_commit_at = self._clock()
        self._mqtt.ack(batch)

    def _note(self, arrived: Arrived) -> bool:
        """What an edge says of itself, or a device of what it sees; True when it is committed.

        Whatever fails again with the same bytes becomes a dead letter: tried for ever, it would hold back all others.
        """
        now = self._clock()
        if not arrived.payload:  # somebody cleared the retained message
            return True
        try:
            self._note_said(arrived, now)
        except Exception as exc:
            if isinstance(exc, psycopg.Error) and not isinstance(exc, POISON):
                raise  # the database's fault, not this message's
            log.warning("ingest.not_understood", topic=ascii(arrived.topic), detail=str(exc))
            self._store.keep_dead_letter(arrived, DeadReason.UNREADABLE, ascii(str(exc)), now)
        return True

    def _note_said(self, arrived: Arrived, now: datetime) -> None:
        if is_device(arrived):
            self._note_device(arrived, now)
            return
        address = read_topic(arrived.topic)
        assert address is not None
        if address.name == "status":
            self._store.note_status(read_status(arrived.payload, address.edge_id), now)
        else:
            self._store.note_online(address.edge_id, read_online(arrived.payload), now)

    def _note_device(self, arrived: Arrived, now: datetime) -> None:
        """A smart camera's own alarm; what cannot be used is a dead letter."""
        judged = judge_device(arrived, self._devices)
        if isinstance(judged, DeadLetter):
            log.warning("ingest.device_not_accepted", topic=ascii(arrived.topic), reason=judged.reason.value)
            self._store.keep_dead_letter(arrived, judged.reason, judged.detail, now)
        else:
            self._store.note_device(judged, now)

    def _insist(self, step: Callable[[], Result]) -> Result | None:
        """Does `step` until it succeeds; None only when we are told to stop meanwhile."""

        def well() -> Result:
            result = step()
            self._database_ok = True
            return result

        return insist(well, self._stopping, self._step_failed)

    def _step_failed(self, exc: Exception, retry_in_s: float) -> None:
        self._database_ok = False
        if isinstance(exc, psycopg.Error):
            log.warning("ingest.database_away", error=str(exc).strip(), retry_in_s=round(retry_in_s, 2))
        else:
            self._failures += 1
            log.exception("ingest.step_failed", failures=self._failures)

    def _send_receipts(self, receipts: Mapping[Source, Stored]) -> None:
        for (edge_id, epoch), stored in receipts.items():
            self._send(
                Receipt(edge_id=edge_id, epoch=epoch, stored_through=stored.through, ranges=stored.ranges)
            )

    def _send(self, receipt: Receipt) -> None:
        self._mqtt.send(topic("receipt", receipt.edge_id), encode(receipt), retain=True)

    def _keep_house(self) -> None:
        """Gaps, unwatched minutes and pruning, each when it is due; a failure waits for the next time."""
        timing, now = self._timing, self._clock()
        try:
            if self._is_due("gaps", timing.gap_every_s):
                for report in self._store.note_missing(now, timing.gap_limit_s):
                    log.warning("ingest.number_gap", edge=report.edge_id, missing=report.missing)
            if self._hears_since(timing.silent_limit_s) and self._is_due("silent", timing.silent_every_s):
                for edge_id in self._store.note_silent(now, timing.silent_limit_s):
                    log.warning("ingest.edge_silent", edge=edge_id)
            if self._is_due("unwatched", timing.unwatched_every_s):
                self._store.note_unwatched(now, timing.unwatched_grace_s)
            if self._is_due("prune", timing.prune_every_s):
                self._store.prune_numbers(now, timing.numbers_kept)
            self._database_ok = True
        except psycopg.Error as exc:
            self._database_ok = False
            log.warning("ingest.housekeeping_failed", error=str(exc).strip())

    def _hears_since(self, limit_s: float) -> bool:
        """Whether we could have heard every edge for so long: connected, and nothing waits unread."""
        if not self._mqtt.connected or not self._arrived.empty() or not self._database_ok:
            self._deaf_until_s = time.monotonic() + limit_s
        return time.monotonic() >= self._deaf_until_s

    def _is_due(self, what: str, every_s: float) -> bool:
        at_s = time.monotonic()
        if at_s < self._due.get(what, 0.0):
            return False
        self._due[what] = at_s + every_s
        return True


def _is_spoken(arrived: Arrived) -> bool:
    """Whether an edge speaks of itself here, or a device of somebody else's: such messages have no number."""
    if is_device(arrived):
        return True
    address = read_topic(arrived.topic)
    return address is not None and address.name in ("status", "online")
