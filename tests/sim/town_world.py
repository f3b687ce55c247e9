"""One day of the town: its events, the centre's loop, people with phones, and what must be true at the end.

The parts are those of world.py without an edge. `run(seed)` returns what is wrong.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import psycopg

from alerts.lifecycle import Step
from alerts.policy import Policy
from alerts.reasons import Health, Why
from monitor.ingest.worker import Timing
from tests.doubles.ingest_messages import arrived
from tests.sim import answers, invariants, town
from tests.sim.broker import Broker
from tests.sim.centre_side import SimCentre
from tests.sim.clock import Agenda, Ids
from tests.sim.database import Database
from tests.sim.people import People
from tests.sim.story import Outage
from tests.sim.truth import second

CHECK_S = 600.0
SETTLE_S = 60.0
#: phones hear messages at once; they look at pages this seldom, so that a day costs seconds
LOOK_S = 300.0
#: gaps and unwatched minutes are not what a day of the town is about
TIMING = Timing(gap_every_s=600.0, unwatched_every_s=3600.0)


class TownWorld:
    """See the module. `say` gets (simulated second, who, text)."""

    def __init__(self, plan: town.TownPlan, say: Callable[[float, str, str], None] = lambda *_: None) -> None:
        self.plan, self.agenda, self.city = plan, Agenda(), town.city()
        chance = {
            name: random.Random(f"{plan.seed} town {name}")
            for name in ("ids", "broker", "db", "centre", "people", "edge")
        }

        def log(who: str, text: str) -> None:
            say(self.agenda.now_s, who, text)

        self.log, self.faults = log, list[str]()
        self.ids = Ids(self.agenda, chance["ids"])
        self.broker = Broker(self.agenda, plan, chance["broker"], log)
        self.database = Database(self.agenda, plan, chance["db"])
        self.centre = SimCentre(
            self.city, plan, self.agenda, self.broker, self.database, chance["centre"], self.ids, log, TIMING
        )
        self.people = People(
            self.city, plan, self.agenda, self.centre, self.database, chance["people"], log, look_s=LOOK_S
        )
        self.broker.phones.append(self.people.message)
        self._rng, self._queue, self._seq = chance["edge"], deque[Any](), 0
        #: what checks ask of an edge: when each number was given out, and that none ever died
        self.edge = SimpleNamespace(outbox=SimpleNamespace(numbered_at_s={}), lives={})

    def run(self) -> TownWorld:
        """From the first second to the last; what is found wrong is in `faults`."""
        for permit in self.plan.permits:
            self.database.book.add_permit(permit)
        self.centre.start()
        for doing in self.plan.doings:
            episode_id = self.ids()
            for at_s, phase in town.told(doing):
                self.agenda.at(at_s, lambda d=doing, s=at_s, p=phase, e=episode_id: self._number(d, s, p, e))  # type: ignore[misc]
        self.agenda.every(CHECK_S, self._check)
        self.agenda.run_until(self.plan.story.ends_s + SETTLE_S)
        self.database.sign_head()
        checks = (_on_the_way, _events, _lies, answers.dispatches, answers.answered, answers.escalated, answers.verified,
                  answers.healthy, _lawful, invariants._replayed, invariants._tree)  # fmt: skip
        self.faults += [fault for check in checks for fault in check(self)]  # type: ignore[arg-type]
        return self

    def nobody_could_be_sent(self) -> list[Outage]:
        """While an alert says so, as in a flood; and until it is tried again."""
        said = [a for a in self.database.book.tables.alerts.values() if a.health == Health.NOBODY_TO_DISPATCH]
        retry_s = Policy().retry_dispatch_after.total_seconds()
        return [
            Outage(from_s=second(a.opened_at), until_s=second(a.closed_at or self.agenda.utc) + retry_s)
            for a in said
        ]

    # ------------------------------------------------------------------ the edge's outbox
    def _number(self, doing: town.Doing, at_s: float, phase: str, episode_id: str) -> None:
        self._seq += 1
        message = town.event(doing, at_s, phase, self._seq, self.ids(), episode_id)
        self.edge.outbox.numbered_at_s[self._seq] = at_s
        self.log("edge", f"{phase} of {message.violation} at {message.site_id}")
        self._queue.append(arrived(message, at=self.agenda.utc))
        if len(self._queue) == 1:
            self._send()

    def _send(self) -> None:
        """In order, again until it is stored; some twice, as a broker may."""
        while self._queue and self.centre.alive:
            again = self._rng.random() < self.plan.duplicated
            try:
                self.database.store([self._queue[0]] * (2 if again else 1), self.agenda.utc)
            except psycopg.OperationalError:
                break
            self._queue.popleft()
        if self._queue:
            self.agenda.after(2.0, self._send)

    def _check(self) -> None:
        self.faults += [fault for fault in _on_the_way(self) if fault not in self.faults]


# ---------------------------------------------------------------- what must hold
def _on_the_way(world: TownWorld) -> Iterator[str]:
    running = [d for d in world.database.book.tables.dispatches.values() if d.ended_at is None]
    for alert_id, n in Counter(d.alert_id for d in running).items():
        if n > 1:
            yield f"duplicate: alert {alert_id} has {n} running dispatches"
    for officer, n in Counter(d.officer for d in running).items():
        if n > Policy().most_per_officer:
            yield f"overload: {officer} has {n} running dispatches"


def _events(world: TownWorld) -> Iterator[str]:
    """Each number is stored once, each episode belongs to one alert and ended there, and no work waits."""
    tables, book = world.database.store_tables, world.database.book.tables
    if sorted(e.seq for e in tables.events) != list(range(1, len(world.edge.outbox.numbered_at_s) + 1)):
        yield f"lost: of {len(world.edge.outbox.numbered_at_s)} numbers {len(tables.events)} are stored"
    if set(book.episodes) != {e.episode_id for e in tables.events}:
        yield "episodes: the loop does not hold those that the events tell of"
    for episode in book.episodes.values():
        if episode.ended_at is None:
            yield f"episode {episode.episode_id} never ended in the loop"
    if waiting := [work for work, done_at in book.work.values() if done_at is None]:
        yield f"stuck: {len(waiting)} pieces of work wait, the first is {waiting[0].kind}"


def _lies(world: TownWorld) -> Iterator[str]:
    """Who says that they arrived and is elsewhere is written down as far off; nobody resolves without evidence."""
    for alert_id, moves in world.database.book.tables.moves.items():
        alert = world.database.book.tables.alerts[alert_id]
        steps = [move.step for move in moves]
        for move in moves:
            if move.step == Step.ARRIVE and alert.lon is not None and move.lon is not None:
                far = abs(move.lon - alert.lon) > 0.01
                if far != (move.reason == Why.ARRIVED_FAR):
                    yield f"lie: an arrival of {alert_id} at {move.lon}, {move.lat} is {move.reason}"
        if Step.RESOLVE in steps and Step.COLLECT not in steps[: steps.index(Step.RESOLVE)]:
            yield f"lie: {alert_id} was resolved without evidence"


def _lawful(world: TownWorld) -> Iterator[str]:
    """Only what the law knows a permit for, at a permit's place, is recorded without anybody being sent."""
    tables, by_number = world.database.book.tables, {p.permit_number: p for p in world.plan.permits}
    for alert in answers.violations(world):  # type: ignore[arg-type]
        if alert.state != "supervised":
            continue
        named = [by_number.get(reason.detail) for reason in alert.reasons if reason.key == "permit"]
        permit = named[0] if named else None
        if permit is None or alert.violation == "excavation_5m" or permit.violation != alert.violation:
            yield f"permit: {alert.violation} at {alert.site_id} is supervised by {permit}"
        elif (
            alert.chainage_m is None
            or not permit.from_m <= alert.chainage_m <= permit.to_m
            or alert.onset_at > permit.valid_to
        ):
            yield f"permit: {alert.violation} at {alert.chainage_m} m is not where or when {permit.permit_number} holds"
        if any(d.alert_id == alert.alert_id for d in tables.dispatches.values()):
            yield f"permit: somebody was sent to lawful work {alert.alert_id}"


def run(seed: int, say: Callable[[float, str, str], None] = lambda *_: None) -> TownWorld:
    """The town after the day of a seed."""
    return TownWorld(town.drawn(seed), say).run()
