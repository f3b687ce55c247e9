"""The loop's fault run: what it plans, that it finds what is wrong, and that the real loop passes."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.faults.loop_plan import STEPS, Death, Fault, FaultKind, drawn
from tests.faults.loop_seed import Run, database
from tests.faults.loop_truth import both_ready, late, twice


def test_forty_seeds_have_every_fault_and_every_death() -> None:
    """Whoever runs some dozens has seen each kind of bad luck; the same seed is the same plan."""
    plans = [drawn(seed) for seed in range(1, 41)]
    deaths = {death.step for plan in plans for worker in plan.deaths for death in worker}
    assert {fault.kind for plan in plans for fault in plan.faults} == set(FaultKind) - {FaultKind.KILL_STEP}
    assert len(deaths) > len(STEPS) * 0.7
    assert drawn(7) == drawn(7)


def test_one_command_under_two_keys_is_found() -> None:
    """Also a place with two running alerts, and an alert dispatched while it was; the same key again is allowed."""
    told = {"dispatch_id": "d", "what": "dispatch", "idempotency_key": "d:dispatch"}
    assert twice([told, told], [], []) == ()
    assert len(twice([told, {**told, "idempotency_key": "other"}], [], [])) == 1
    alert = {"closed_at": None, "kind": "violation", "chainage_m": 200.0}
    assert len(twice([], [alert, alert], [])) == 1
    assert twice([], [alert, {**alert, "chainage_m": 400.0}, {**alert, "closed_at": 1}], []) == ()
    move = {"alert_id": "a", "step": "dispatch", "to_state": "dispatched"}
    assert len(twice([], [], [move, move])) == 1


def test_late_is_what_both_could_have_done_and_did_not() -> None:
    """Two seconds in one go while both were ready; what was due meanwhile counts from when they were."""
    assert late([("t", 10.0, 12.1)], [(0.0, 20.0)], 20.0) == ("t, due for 2.1 s",)
    assert late([("t", 10.0, 11.9), ("u", 19.0, None)], [(0.0, 20.0)], 20.0) == ()
    assert late([("t", 10.0, 16.9)], [(0.0, 11.0), (15.0, 20.0)], 20.0) == ()
    assert len(late([("t", 10.0, None)], [(15.0, 20.0)], 20.0)) == 1


def test_ready_is_when_both_are_and_nothing_is_wrong() -> None:
    """A fault, and the time until it is mended, cut the interval in two."""
    assert both_ready([(0, 10)], [(2, 5), (7, 12)], []) == ((2, 5), (7, 10))
    assert both_ready([(0, 10)], [(0, 10)], [(3, 4), (9, 11)]) == ((0, 3), (4, 9))


@pytest.mark.timeout(240)
def test_killed_at_a_commit_and_after_a_sending_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    """One worker dies as it commits what it opened, one between sending and marking, the database in between."""
    plan = drawn(3, lasts_s=3.0)
    plan = msgspec.structs.replace(
        plan, coming=tuple(one for one in plan.coming if one.place < 5), steps=(),
        faults=(Fault(kind=FaultKind.DATABASE_KILL, at_s=1.5, lasts_s=0.3),),
        deaths=((Death(step="flush", call=2, after=True),), (Death(step="send", call=1, after=True),)),
    )  # fmt: skip
    with database(tmp_path) as server:
        outcome = Run(plan, server, tmp_path / "seed").play()
    # lateness is the machine's here, too: `python -m tests.faults loop` judges it
    verdict = outcome.verdict
    assert (verdict.undelivered, verdict.twice_without_key, verdict.other) == ((), (), ())
    assert outcome.messages > 0
    assert outcome.struck["worker_died"] >= 1
