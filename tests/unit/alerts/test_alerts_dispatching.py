"""Who is sent, and how long a courier waits."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.commands import Change, EndDispatch, SeekOfficer, SetTimer
from alerts.delivery import LONGEST_WAIT_S, wait_s
from alerts.dispatching import Chosen, Crew, Nobody, choose_officer, send
from alerts.lifecycle import AlertKind, State
from alerts.policy import Policy
from alerts.reasons import Choice, Why
from alerts.timers import TimerFacts, on_timer
from alerts.values import Alert, Dispatch, Timer, TimerKind
from monitor.domain.levels import Level
from tests.doubles.alert_story import CITY, NOON, PLACE, uid


def choose(site_id: str = "s1", city: Any = CITY, **crew: Any) -> Chosen | Nobody:
    return choose_officer(site_id, PLACE, city, Crew(**crew), Policy(), NOON)


def earlier(officer: str, why: str) -> Dispatch:
    return Dispatch(dispatch_id=uid(officer), alert_id=uid("x"), team_id="near", officer=officer,
                    dispatched_at=NOON, ended_at=NOON, end_reason=why)  # fmt: skip


@pytest.mark.parametrize(
    ("crew", "officer", "choice"),
    [
        ({}, "ann", Choice.NEAREST_FREE),
        ({"running": {"ann": 1}}, "bo", Choice.NEAREST_FREE),
        ({"running": {"ann": 1, "bo": 1}}, "cai", Choice.NEAREST_FREE),  # far but free
        ({"running": {"ann": 2, "bo": 1, "cai": 1}}, "bo", Choice.LEAST_LOADED),
        ({"earlier": (earlier("ann", "declined"),)}, "bo", Choice.NEAREST_FREE),
        ({"earlier": (earlier("ann", "went_dark"),)}, "bo", Choice.NEAREST_FREE),
        ({"earlier": (earlier("ann", "recalled"),)}, "ann", Choice.NEAREST_FREE),
        (
            {"earlier": tuple(earlier(user, "went_dark") for user in ("ann", "bo", "cai"))},
            "ann",
            Choice.ASKED_AGAIN,
        ),
    ],
)
def test_the_best_officer(crew: dict[str, Any], officer: str, choice: Choice) -> None:
    """Free before busy, near before far; who declined is spared, who did not answer comes last."""
    chosen = choose(**crew)
    assert isinstance(chosen, Chosen)
    assert (chosen.officer, chosen.choice) == (officer, choice)


def test_a_team_covers_its_sites_only() -> None:
    """The near team does not go to s2; a team without sites covers all."""
    chosen = choose(site_id="s2")
    assert isinstance(chosen, Chosen)
    assert chosen.officer == "cai"


@pytest.mark.parametrize(
    ("city", "crew", "choice"),
    [
        (msgspec.structs.replace(CITY, teams=()), {}, Choice.NOBODY_COVERS),
        (CITY, {"running": {"ann": 5, "bo": 5, "cai": 5}}, Choice.ALL_AT_LIMIT),
        (CITY, {"earlier": tuple(earlier(u, "declined") for u in ("ann", "bo", "cai"))}, Choice.ALL_DECLINED),
    ],
)
def test_nobody_says_why(city: Any, crew: dict[str, Any], choice: Choice) -> None:
    """When nobody can be sent the reason is a value, not an exception."""
    nobody = choose(city=city, **crew)
    assert isinstance(nobody, Nobody)
    assert nobody.choice == choice


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_waiting_is_bounded_and_never_zero(attempts: int, jitter: float) -> None:
    """However often it failed: between half a second and five minutes."""
    assert 0.5 <= wait_s(attempts, jitter) <= LONGEST_WAIT_S


def test_waiting_doubles() -> None:
    """1, 2, 4 … seconds at full jitter's end, half of it at its beginning."""
    assert [wait_s(n, 0.0) for n in (1, 2, 3)] == [0.5, 1.0, 2.0]


def test_somebody_who_is_sent_lets_a_held_alert_ring() -> None:
    """Held, its clocks would stand still although an officer was sent: nobody would hear that they did not come."""
    held = Alert(
        alert_id=uid("held"), kind=AlertKind.VIOLATION, state=State.OPEN, violation="on_pipe", subject="s1", site_id="s1",
        level=Level.III, reasons=(), weights_version="1", opened_at=NOON, onset_at=NOON, last_seen_at=NOON,
        held_by="shelf", held_until=NOON,
    )  # fmt: skip
    chosen = choose()
    sent = send(SeekOfficer(alert=held, why=Why.AFTER_DECLINE), held, chosen, CITY, Policy(), NOON, uid("d"))
    changes = [one for one in sent if isinstance(one, Change)]
    assert [change.move.step for change in changes] == ["ring", "dispatch"]
    last = changes[-1].after
    assert (last.held_by, last.rung_at, last.state, last.version) == (None, NOON, State.DISPATCHED, 3)


@pytest.mark.parametrize(
    ("visit", "level", "ends"),
    [
        ({}, Level.III, None),
        ({"ended_at": NOON - timedelta(minutes=4), "end_reason": "resolved"}, Level.III, None),
        ({"ended_at": NOON - timedelta(minutes=6), "end_reason": "resolved"}, Level.III, "visit_over"),
        ({"ended_at": NOON, "end_reason": "recalled"}, Level.III, "visit_over"),
        ({}, Level.I, "went_dark"),
    ],
)
def test_what_was_taken_along_waits_for_its_visit(
    visit: dict[str, Any], level: Level, ends: str | None
) -> None:
    """Nobody is called back from where they stand; a red one is given to somebody who begins at once."""
    alert = Alert(
        alert_id=uid("a"), kind=AlertKind.VIOLATION, state=State.DISPATCHED, violation="on_pipe", subject="s1",
        site_id="s1", level=level, reasons=(), weights_version="1", opened_at=NOON, onset_at=NOON, last_seen_at=NOON,
    )  # fmt: skip
    red = Dispatch(dispatch_id=uid("v"), alert_id=uid("red"), team_id="near", officer="ann",
                   dispatched_at=NOON - timedelta(hours=1))  # fmt: skip
    along = msgspec.structs.replace(red, dispatch_id=uid("d"), alert_id=uid("a"), choice="same_visit")
    facts = TimerFacts(
        running=along, visit=msgspec.structs.replace(red, **visit), accept_within=timedelta(minutes=5)
    )
    timer = Timer(
        timer_id=7, alert_id=uid("a"), what=TimerKind.ACCEPT_OVERDUE, due_at=NOON, dispatch_id=uid("d")
    )
    follows = on_timer(timer, alert, facts, Policy(), NOON)
    ended = [one for one in follows if isinstance(one, EndDispatch)]
    assert [one.why for one in ended] == ([ends] if ends else [])
    assert all(one.recall == (ends == "went_dark") for one in ended)
    again = [one.timer for one in follows if isinstance(one, SetTimer)]
    assert [(one.what, one.dispatch_id) for one in again] == ([] if ends else [(timer.what, uid("d"))])
    assert all(NOON < one.due_at <= NOON + timedelta(minutes=1) for one in again)
