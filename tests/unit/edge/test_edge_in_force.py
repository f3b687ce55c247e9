"""A camera's own numbers, nights and hours in its decision core, without losing what runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from edge import watcher
from edge.episodes import Emission
from edge.watcher import Seen, Setup
from monitor.domain.assets import PictureZone
from monitor.domain.hours import Hours, Schedule
from monitor.domain.risk import Weights
from monitor.domain.rulebook import ClassNumbers, RuleNumbers, RuleSetting
from tests.doubles.edge_things import NOON, ids, looks, setup
from tests.unit.edge.test_edge_watcher import HOLE, digger, drive, phases

#: noon in Shanghai, when the looks of `edge_things` begin, and five seconds later
NOON_S = 12 * 60
FIELD = ((0.0, 0.0), (1280.0, 0.0), (1280.0, 720.0), (0.0, 720.0))


def core(*rules: RuleSetting, zones: tuple[PictureZone, ...] = (), **schedules: Hours) -> Setup:
    named = {name: Schedule(schedule_id=name, hours=(hours,)) for name, hours in schedules.items()}
    return setup(HOLE.camera(zones=zones), settings=rules, schedules=named)


def dig(**changes: Any) -> RuleSetting:
    return RuleSetting(**{"rule_id": "dig-5m", "reason": "r", **changes})


def person(s: float) -> tuple[Seen, ...]:
    return (Seen(track_id=1, class_name="person", score=0.9, xyxy=(600, 300, 640, 400), box_motion=0.1),)


@pytest.mark.parametrize(
    ("numbers", "told"),
    [({}, True), ({"enter_score": 0.75}, False), ({"dwell_s": 25.0}, False), ({"min_box_px": 1000.0}, False),
     ({"dwell_s": 6.0}, True), ({"min_box_px": 20.0}, True)],
)  # fmt: skip
def test_a_cameras_own_numbers_hold(numbers: dict[str, float], told: bool) -> None:
    """A digger of score 0.7 for ten seconds: higher thresholds, longer dwell and larger boxes keep it quiet."""
    own = core(dig(numbers=RuleNumbers(**numbers)))
    assert bool(drive(lambda s: (digger(score=0.7),), 10.0, core=own)[1]) is told


@pytest.mark.parametrize(
    ("object_class", "numbers", "told"),
    [("excavator", {"enter_score": 0.75}, False), ("excavator", {"dwell_s": 25.0}, False),
     ("loader", {"enter_score": 0.75}, True), ("loader", {"dwell_s": 25.0}, True)],
)  # fmt: skip
def test_a_class_has_numbers_of_its_own(object_class: str, numbers: dict[str, float], told: bool) -> None:
    """An excavator of score 0.7 for ten seconds: a loader's numbers say nothing of it, its own do."""
    own = ClassNumbers(object_class=object_class, numbers=RuleNumbers(**numbers))
    assert bool(drive(lambda s: (digger(score=0.7),), 10.0, core=core(dig(by_class=(own,))))[1]) is told


def test_the_night_has_numbers_of_its_own() -> None:
    """The same look, once in colour and once by infrared."""
    own = core(dig(night=RuleNumbers(enter_score=0.75)))
    state, new_id, told = watcher.WatcherState(), ids(), []
    for look in looks(lambda s: (digger(score=0.7),), seconds=10.0):
        state, emissions = watcher.step(own, state, msgspec.structs.replace(look, infrared=True), new_id)
        told.extend(emissions)
    assert told == []
    assert phases(drive(lambda s: (digger(score=0.7),), 10.0, core=own)[1]) == [("onset", "onset")]


def test_a_zone_has_hours() -> None:
    """Children cross above the pipe at noon, which is lawful then and not at other times."""

    def crossing(begin: int, end: int) -> Setup:
        zone = PictureZone(zone_id="z", kind="on_pipe", polygon_px=FIELD, outside="school")
        return core(zones=(zone,), school=Hours(from_min=begin, to_min=end))

    assert drive(person, 10.0, core=crossing(NOON_S - 30, NOON_S + 30))[1] == []
    assert phases(drive(person, 10.0, core=crossing(NOON_S + 60, NOON_S + 90))[1]) == [("onset", "onset")]


def test_an_ignore_zone_has_hours_too() -> None:
    """What is left out by day only is seen at night."""
    zones = (PictureZone(zone_id="z", kind="on_pipe", polygon_px=FIELD),
             PictureZone(zone_id="i", kind="ignore", polygon_px=FIELD, within="lunch"))  # fmt: skip
    lunch, later = Hours(from_min=NOON_S, to_min=NOON_S + 60), Hours(from_min=NOON_S + 60, to_min=NOON_S + 90)
    assert drive(person, 10.0, core=core(zones=zones, lunch=lunch))[1] == []
    assert len(drive(person, 10.0, core=core(zones=zones, lunch=later))[1]) == 1


def test_when_its_hours_begin_an_episode_ends_by_name() -> None:
    """A person stands in a zone that stops holding at 12:01: told once that it does not hold any more."""
    zone = PictureZone(zone_id="z", kind="on_pipe", polygon_px=FIELD, outside="school")
    own = core(zones=(zone,), school=Hours(from_min=NOON_S + 1, to_min=NOON_S + 30))
    _, told = drive(person, 80.0, core=own)
    assert [p for p in phases(told) if p[0] != "update"] == [("onset", "onset"), ("end", "not_in_force")]
    assert (told[-1].captured_at - NOON).total_seconds() == pytest.approx(60.0, abs=0.3)


def test_other_numbers_lose_no_running_episode() -> None:
    """A higher threshold comes into force while a machine digs: its episode goes on, and ends when it leaves."""
    new_id = ids()
    state, told = drive(lambda s: (digger(score=0.7),), 10.0, core=core(), new_id=new_id)
    stricter = core(dig(numbers=RuleNumbers(enter_score=0.75, leave_score=0.5)))
    state, more = drive(lambda s: (digger(score=0.7),) if s < 20 else (), 40.0, state=state, core=stricter, from_s=10.0,
                        new_id=new_id)  # fmt: skip
    assert phases(told) == [("onset", "onset")]
    assert [p for p in phases(more) if p[0] != "update"] == [("end", "gone")]
    assert {e.episode.episode_id for e in (*told, *more)} == {told[0].episode.episode_id}


def test_two_looks_are_no_evidence_whatever_the_dwell() -> None:
    """A box seen twice, three seconds apart, is not three looks."""
    zone = PictureZone(zone_id="z", kind="on_pipe", polygon_px=FIELD)
    own = core(zones=(zone,))
    assert drive(person, 6.0, core=own, per_s=1 / 3)[1] == []
    assert len(drive(person, 9.0, core=own, per_s=1 / 2.9)[1]) == 1


@pytest.mark.parametrize(("after_noon_h", "night"), [(5.0, False), (5.6, True), (17.9, True), (18.9, False)])
def test_the_grade_knows_the_night_by_the_sun_over_the_site(after_noon_h: float, night: bool) -> None:
    """A November evening in Shanghai is dark at half past five: the same digger weighs more, as at the centre."""
    told: list[Emission] = []
    for setting in (0.0, after_noon_h):
        state, new_id = watcher.WatcherState(), ids()
        for look in looks(lambda s: (digger(),), seconds=10.0):
            later = msgspec.structs.replace(look, captured_at=look.captured_at + timedelta(hours=setting))
            state, emissions = watcher.step(core(), state, later, new_id)
            told.extend(emissions)
    points = [emission.episode.worst.points for emission in told if emission.phase == "onset"]
    assert points[1] - points[0] == (Weights().night if night else 0)
