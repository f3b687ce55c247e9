"""Days of a city in simulated time: the loop keeps its promises, whoever answers, lies or dies; and each check can fail."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import alerts.steps
from alerts.policy import DISPATCH_POLICY, Sending
from alerts.reasons import Why
from monitor.domain.levels import Level
from tests.sim import town, town_world
from tests.sim.plan import HOUR_S, Habits

Patch = pytest.MonkeyPatch


def short(**changes: object) -> town.TownPlan:
    """Four things in two hours, two of them lawful or mild, and people who answer."""
    doings = tuple(
        town.Doing(n=n, at_s=300.0 + 900.0 * n, lasts_s=400.0, site=n, metres=700.0, kind=kind)
        for n, kind in enumerate((0, 1, 3, 0))
    )
    drawn = town.drawn(1)
    given = {
        "seed": 1, "doings": doings, "habits": Habits(), "calm_from_s": 0.0, "permits": (), "answer_lost": 0.0,
        "centre_restarts": (), "database_outages": (), "broker_deaths": (), "duplicated": 0.0,
        "story": type(drawn.story)(acts=(), blackouts=(), ends_s=10 * HOUR_S),
    }  # fmt: skip
    return town.TownPlan(**{**given, **changes})  # type: ignore[arg-type]


def test_a_quiet_day_is_well() -> None:
    """Without a mutation no check complains, so that each complaint below is the mutation's."""
    assert town_world.TownWorld(short()).run().faults == []


@pytest.mark.parametrize("seed", [2, 9])
def test_a_day_with_whatever_fails(seed: int) -> None:
    """A flood, silent and lying officers, permits, restarts: nothing is lost, late, doubled or muted."""
    world = town_world.run(seed)
    assert not world.faults, "\n".join([*world.faults, f"replay: python -m tests.sim --town {seed}"])


def _believe_who_lies(patch: Patch) -> None:
    patch.setattr(alerts.steps, "distance_m", lambda *_: 0.0)


def _ask_a_person_first(patch: Patch) -> None:
    patch.setitem(DISPATCH_POLICY, Level.I, Sending.ONCE_CONFIRMED)


def _resolve_without_evidence(patch: Patch) -> None:
    from alerts import lifecycle
    from alerts.lifecycle import AlertKind, State, Step

    table = lifecycle.TRANSITIONS
    patch.setitem(table, (AlertKind.VIOLATION, State.ON_SITE, Step.RESOLVE),
                  table[AlertKind.VIOLATION, State.EVIDENCE_COLLECTED, Step.RESOLVE])  # fmt: skip


@pytest.mark.parametrize(
    ("mutate", "complaint"),
    [
        (_believe_who_lies, "lie: an arrival"),
        (_ask_a_person_first, "late: level I"),
        (_resolve_without_evidence, "lie: "),
    ],
)
def test_each_promise_that_is_broken_is_told(
    mutate: Callable[[Patch], None], complaint: str, monkeypatch: Patch
) -> None:
    """A check that can't fail is no check."""
    mutate(monkeypatch)
    world = town_world.TownWorld(short(habits=Habits(lies=1.0, asleep=1.0))).run()
    assert any(fault.startswith(complaint) for fault in world.faults), world.faults


def test_days_hold_what_they_are_meant_to_try() -> None:
    """Lies, floods and permits happen, else the hours prove nothing."""
    plans = [town.drawn(seed) for seed in range(1, 40)]
    assert any(plan.habits.lies for plan in plans)
    assert any(plan.permits for plan in plans)
    assert any(len(plan.doings) > 45 for plan in plans)
    worlds = [town_world.TownWorld(short(habits=Habits(lies=1.0))).run()]
    moves = [m for w in worlds for found in w.database.book.tables.moves.values() for m in found]
    assert any(move.reason == Why.ARRIVED_FAR for move in moves)
