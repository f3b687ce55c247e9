"""Each check of the simulation fails when what it checks is broken: one mutation per promise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

import alerts.decide
import alerts.lifecycle
import alerts.steps
from alerts.policy import DISPATCH_POLICY, Sending
from alerts.values import Alert
from edge import coverage, episodes, watchdog
from monitor.domain.levels import Level
from tests.doubles.ingest_store import MemoryIngestStore
from tests.sim import invariants
from tests.sim.noise import Detector
from tests.sim.outbox import MortalOutbox
from tests.sim.plan import Kill, Plan, brief
from tests.sim.publisher_side import SimPublisher
from tests.sim.story import Outage
from tests.sim.world import World

Patch = pytest.MonkeyPatch


def test_the_brief_story_itself_is_well() -> None:
    """Without a mutation no check complains, so that each complaint below is the mutation's."""
    assert World(brief()).run().faults == []


def _lose_receipts(world: World, _: Patch) -> None:
    world.broker.lose_receipts = True


def _forget_at_puback(world: World, patch: Patch) -> None:
    """As an edge does that trusts the broker."""

    def forget(publisher: SimPublisher, mid: int) -> None:
        for seq in publisher.sent:
            publisher._outbox.rows.pop(seq, None)

    patch.setattr(SimPublisher, "acknowledged", forget)


def _store_twice(_: World, patch: Patch) -> None:
    patch.setattr(MemoryIngestStore, "_again", lambda *_: None)


def _do_not_upload(world: World, _: Patch) -> None:
    world.edge._upload = lambda _item: "unreachable"


def _forget_episodes(_: World, patch: Patch) -> None:
    """After a kill the edge begins the episode anew, and the loop does not join it."""
    patch.setattr(MortalOutbox, "episodes", lambda *_: ())
    patch.setattr(alerts.decide, "belongs", lambda *_: None)


def _never_end(_: World, patch: Patch) -> None:
    patch.setattr(episodes, "missed", lambda episode, *_: (episode, None))


def _wait_for_a_person(_: World, patch: Patch) -> None:
    patch.setitem(DISPATCH_POLICY, Level.I, Sending.ONCE_CONFIRMED)


def _verify_own(_: World, patch: Patch) -> None:
    real = alerts.lifecycle.next_state
    patch.setattr(alerts.steps, "next_state", lambda *a, **k: real(*a, **{**k, "resolved_by": None}))


def _never_say_online(world: World, _: Patch) -> None:
    real = world.broker.from_edge
    world.broker.from_edge = lambda *a, **k: None if a[1] == b'{"online":true}' else real(*a, **k)  # type: ignore[method-assign]


def _credit_blind_time(_: World, patch: Patch) -> None:
    patch.setattr(coverage, "LOOK_GAP_S", 1e9)
    patch.setattr(watchdog, "STALLED_S", 1e9)


def _leave_minutes_out(_: World, patch: Patch) -> None:
    patch.setattr(MemoryIngestStore, "note_unwatched", lambda *_: 0)


def _send_nothing(world: World, _: Patch) -> None:
    world.centre._send_message = lambda *_: (_ for _ in ()).throw(ConnectionError("no"))  # type: ignore[method-assign]


def _nothing(_: World, __: Patch) -> None:
    pass


CUT = {"link_outages": (Outage(from_s=70.0, until_s=110.0),)}
DEATH = {"centre_restarts": (Outage(from_s=70.0, until_s=95.0),), "broker_deaths": ((88.0, True),)}
KILLED = {"kills": (Kill(at_s=95.0, down_s=1.0),)}
DEAD = {"kills": (Kill(at_s=350.0, down_s=130.0),)}

MUTATIONS: list[tuple[str, str, dict[str, Any], Callable[[World, Patch], None]]] = [
    ("receipts never come", "unreceipted: ", {}, _lose_receipts),
    ("the edge trusts PUBACK", "lost: ", DEATH, _forget_at_puback),
    ("the store takes a number twice", "duplicate: two rows", {"duplicated": 0.5}, _store_twice),
    ("evidence stays on the edge", "evidence: ", {}, _do_not_upload),
    ("episodes die with the process", "duplicate: dig", KILLED, _forget_episodes),
    ("episodes never end", "episode ", {}, _never_end),
    ("level I waits for a person", "late: level I", {}, _wait_for_a_person),
    ("who resolved may verify", "verified by who resolved it", {}, _verify_own),
    ("nobody says that the edge is back", "unhealthy: edge_offline", CUT, _never_say_online),
    ("blind time is credited", "coverage: cam-trees", {}, _credit_blind_time),
    ("minutes without a record are left out", "has no row for the minute", DEAD, _leave_minutes_out),
    ("messages do not leave", "untold: ", {}, _send_nothing),
    ("the detector sees nothing", "missed: dig", {"detector": Detector(missed=1.0)}, _nothing),
]


@pytest.mark.parametrize(
    ("fault", "plan", "mutate"), [m[1:] for m in MUTATIONS], ids=[m[0] for m in MUTATIONS]
)
def test_a_broken_promise_is_noticed(
    fault: str, plan: dict[str, Any], mutate: Callable[[World, Patch], None], monkeypatch: Patch
) -> None:
    """The run ends with the fault that names the promise."""
    world = World(brief(**plan))
    mutate(world, monkeypatch)
    world.run()
    assert [found for found in world.faults if found.startswith(fault) or fault in found], world.faults


@pytest.mark.parametrize("plan", [{**CUT, **KILLED, "duplicated": 0.5}, DEATH, DEAD])
def test_the_same_faults_without_the_mutation_are_well(plan: dict[str, Any]) -> None:
    """It is the mutation that breaks the promise, not the fault that it needs."""
    assert World(brief(**plan)).run().faults == []


@pytest.fixture(scope="module")
def finished() -> World:
    return World(brief()).run()


def _faults(world: World) -> list[str]:
    return invariants.at_the_end(world)


def test_a_table_that_the_log_does_not_explain_is_noticed(finished: World) -> None:
    """A state that was written past the loop differs from the replayed one."""
    alerts_table: dict[str, Alert] = finished.database.book.tables.alerts
    alert = next(a for a in alerts_table.values() if a.violation)
    alerts_table[alert.alert_id] = msgspec.structs.replace(alert, closing_reason="false_alarm")
    try:
        assert any(fault.startswith("log and table differ") for fault in _faults(finished))
    finally:
        alerts_table[alert.alert_id] = alert


def test_an_entry_that_was_altered_is_noticed(finished: World) -> None:
    """One byte of one leaf changes the root."""
    leaves = finished.database.leaves
    before = leaves[3]
    leaves[3] = before.replace(b'"actor":"', b'"actor":"x', 1)
    try:
        assert any(fault.startswith("audit: ") for fault in _faults(finished))
    finally:
        leaves[3] = before


def test_an_alert_without_a_cause_is_noticed(finished: World) -> None:
    """What no act of the story explains is a false alarm."""
    plan: Plan = finished.plan
    finished.plan = msgspec.structs.replace(plan, story=msgspec.structs.replace(plan.story, acts=()))
    try:
        assert any(fault.startswith("false alarm: ") for fault in _faults(finished))
    finally:
        finished.plan = plan


def test_people_who_never_answer_leave_the_alert_unfinished() -> None:
    """An alert that nobody works on is not taken for done."""
    habits = msgspec.structs.replace(brief().habits, silent=1.0)
    assert any(fault.startswith("unfinished: ") for fault in World(brief(habits=habits)).run().faults)
