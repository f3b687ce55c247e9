"""A step for a camera's numbers at night, or by day, alone: what it may rest on, whom it leaves alone, what it writes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.feedback.causes import Verdict
from alerts.feedback.points import DAY_ABOVE_DEG, Point, number_at, point_of, touched, with_number
from alerts.feedback.proposing import Silence, Step, Why, propose, still_safe
from alerts.feedback.replaying import Case
from monitor.domain.rulebook import RuleNumbers, RuleSetting
from monitor.domain.sun import NIGHT_BELOW_DEG, sun_elevation_deg
from tests.doubles.alert_story import NOON
from tests.unit.alerts.test_feedback_proposing import SHORT, case, false, looks, row

#: on the coast: NOON is 14:00 there
PLACE = (121.5, 29.9)
NOW = NOON + timedelta(days=1)
BY_DAY, AT_NIGHT = timedelta(0), timedelta(hours=-14)
DUSK = next(
    timedelta(minutes=m) for m in range(600)
    if NIGHT_BELOW_DEG < sun_elevation_deg(NOON + timedelta(minutes=m), PLACE) < DAY_ABOVE_DEG - 4
)  # fmt: skip


def at(one: Case, by: timedelta) -> Case:
    """The same at another time."""
    moved = tuple(msgspec.structs.replace(look, at=look.at + by) for look in one.looks)
    return msgspec.structs.replace(one, looks=moved)


def weak(by: timedelta, n: int = 3, first: int = 1) -> list[Case]:
    """Weak false alarms that 0.54 keeps away."""
    return [at(false(first + k, looks(0.51 + k / 100, lasts_s=SHORT)), by) for k in range(n)]


def right(n: int, score: float, by: timedelta) -> Case:
    return at(case(n, Verdict.RIGHT, looks(score)), by)


def said(*cases: Case, setting: RuleSetting | None = None, place: Any = PLACE) -> Step | Silence:
    one = msgspec.structs.replace(row(setting=setting), place=place)
    return propose(one, cases, decided_at=None, now=NOW)


def own_night(score: float) -> RuleSetting:
    return RuleSetting(rule_id="dig-5m", reason="lamps", night=RuleNumbers(enter_score=score))


@pytest.mark.parametrize(("by", "point"), [(AT_NIGHT, Point.NIGHT), (BY_DAY, Point.DAY)])
def test_false_alarms_of_one_point_move_that_point_alone(by: timedelta, point: Point) -> None:
    """A weak confirmed alert of the other point, which a step for all hours would miss, stops nothing and is counted."""
    other = BY_DAY if point is Point.NIGHT else AT_NIGHT
    step = said(*weak(by), right(9, 0.505, other), right(10, 0.9, by))
    assert isinstance(step, Step)
    assert (step.point, step.from_value, step.to_value, step.untouched) == (point, 0.5, 0.54, 1)
    assert [kept.number for kept in step.kept] == [10]
    anywhere = said(*weak(by), right(9, 0.505, other), place=None)
    assert isinstance(anywhere, Silence)
    assert anywhere.why is Why.WOULD_MISS


def test_false_alarms_of_both_points_move_both_or_none() -> None:
    """One of the three came by day: the step is for all hours, and a confirmed alert of either point stops it."""
    mixed = (*weak(AT_NIGHT, 2), *weak(BY_DAY, 1, first=7))
    step = said(*mixed)
    assert isinstance(step, Step)
    assert step.point is Point.ALWAYS
    stopped = said(*mixed, right(9, 0.505, AT_NIGHT))
    assert isinstance(stopped, Silence)
    assert stopped.why is Why.WOULD_MISS


def test_twilight_and_low_sun_speak_for_neither_and_stop_both() -> None:
    """There a camera may see by infrared already, with its numbers of the night; events do not say."""
    always = said(*weak(DUSK))
    assert isinstance(always, Step)
    assert always.point is Point.ALWAYS
    for by in (AT_NIGHT, BY_DAY):
        stopped = said(*weak(by), right(9, 0.505, DUSK))
        assert isinstance(stopped, Silence)
        assert stopped.why is Why.WOULD_MISS


def test_numbers_of_its_own_at_night_are_stepped_from_where_they_are() -> None:
    """A camera with its own number at night: its night goes up from that, its day from the other, both never by one."""
    night = said(*weak(AT_NIGHT), setting=own_night(0.505))
    assert isinstance(night, Step)
    assert (night.point, night.from_value) == (Point.NIGHT, 0.505)
    day = said(*weak(BY_DAY), setting=own_night(0.6))
    assert isinstance(day, Step)
    assert (day.point, day.from_value) == (Point.DAY, 0.5)
    both = said(*weak(BY_DAY), *weak(AT_NIGHT, first=11), setting=own_night(0.6))
    assert isinstance(both, Silence)
    assert both.why is Why.OWN_NIGHT


def test_a_step_for_all_hours_asks_each_alert_by_the_numbers_of_its_light() -> None:
    """The camera's dwell at night is longer, by hand: an alert of the night, or of twilight, is proven by that one."""
    slow = RuleSetting(rule_id="dig-5m", reason="lamps", night=RuleNumbers(dwell_s=20.0))
    mixed = (*weak(AT_NIGHT, 2), *weak(BY_DAY, 1, first=7))
    short = case(9, Verdict.RIGHT, looks(0.8, 0.8, lasts_s=12))
    by_day = said(*mixed, at(short, BY_DAY), setting=slow)
    assert isinstance(by_day, Step)
    assert by_day.point is Point.ALWAYS
    for by in (AT_NIGHT, DUSK):
        missed = said(*mixed, at(short, by), setting=slow)
        assert isinstance(missed, Silence)
        assert missed.why is Why.WOULD_MISS
    quick = RuleSetting(rule_id="dig-5m", reason="lamps", night=RuleNumbers(dwell_s=2.0))
    passes = at(false(11, looks(0.9, first_dwell_s=2.0, lasts_s=0.5)), AT_NIGHT)
    step = said(*mixed, passes, setting=quick)
    assert isinstance(step, Step)
    assert [one.number for one in step.left] == [11], "at night it would have come all the same"


def test_an_approval_looks_at_its_own_point() -> None:
    """What came meanwhile by day does not stop a step at night; what came at night does."""
    one = msgspec.structs.replace(row(), place=PLACE)
    known = weak(AT_NIGHT)
    assert still_safe(one, "enter_score", 0.54, [*known, right(9, 0.505, BY_DAY)], Point.NIGHT)
    assert not still_safe(one, "enter_score", 0.54, [*known, right(9, 0.505, AT_NIGHT)], Point.NIGHT)
    assert not still_safe(one, "enter_score", 0.54, [*known, right(9, 0.505, BY_DAY)])


@given(st.integers(0, 365 * 24 * 60))
def test_whatever_the_edge_may_have_called_night_is_touched_by_a_step_at_night(minutes: int) -> None:
    """The sun below -6 degrees is night, whatever the camera; no case is left out by both points."""
    moved = at(false(1, looks(0.51)), timedelta(minutes=minutes))
    by_day, at_night = (touched([moved], point, PLACE) for point in (Point.DAY, Point.NIGHT))
    assert by_day or at_night
    if any(sun_elevation_deg(look.at, PLACE) < NIGHT_BELOW_DEG for look in moved.looks):
        assert at_night
    assert (point_of(moved, PLACE) is Point.ALWAYS) == bool(by_day and at_night)


def test_an_entry_gets_the_number_of_its_point_alone() -> None:
    """A step by day holds the night where it was; one at night leaves the day; for both, the one number."""
    bare = {"rule": "dig-5m", "reason": "r"}
    day = with_number(bare, "enter_score", 0.54, Point.DAY, 0.5)
    assert (number_at(day, "enter_score", Point.DAY), number_at(day, "enter_score", Point.NIGHT)) == (
        0.54,
        0.5,
    )
    night = with_number(bare, "enter_score", 0.54, Point.NIGHT, 0.5)
    assert (number_at(night, "enter_score", Point.DAY), number_at(night, "enter_score", Point.NIGHT)) == (
        None,
        0.54,
    )
    assert with_number(bare, "enter_score", 0.54, Point.ALWAYS, 0.5) == {**bare, "enter_score": 0.54}
    own = {**bare, "night": {"enter_score": 0.6, "dwell_s": 3.0}}
    assert with_number(own, "enter_score", 0.54, Point.DAY, 0.5)["night"] == own["night"]
