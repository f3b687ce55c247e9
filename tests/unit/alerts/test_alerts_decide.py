"""What an event means: joining, occurrences, levels, permits, conditions. Boundaries on both sides."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from alerts.commands import Change, Commands, HoldEpisode, Open, SeekOfficer, SetTimer, Tell
from alerts.decide import Nearby, on_event
from alerts.grading import grade_event
from alerts.joining import belongs
from alerts.lifecycle import State
from alerts.permits import covering
from alerts.policy import Policy
from alerts.reasons import Why
from alerts.values import Alert, Confirmation, Episode, Permit, TimerKind
from monitor.domain.events import Position, RiskEvent
from monitor.domain.levels import Level
from monitor.domain.places import middle
from tests.doubles.alert_story import CITY, NOON, at_metres, event, mild, uid

POLICY = Policy()
replace = msgspec.structs.replace


def decide(one: RiskEvent, nearby: Nearby = Nearby(), policy: Policy = POLICY) -> Commands:  # noqa: B008 - frozen
    return on_event(one, nearby, CITY, policy, NOON, uid("new"))


def opened(one: RiskEvent, **changes: Any) -> Alert:
    """The alert that this event opens, changed as given."""
    command = decide(one)[0]
    assert isinstance(command, Open)
    return replace(command.alert, **changes)


def held(alert: Alert, episode: str = "a", ended_at: datetime | None = None) -> Nearby:
    """The alert holds this episode."""
    known = Episode(
        episode_id=uid(episode), alert_id=alert.alert_id, camera_id="c1", joined_at=NOON, ended_at=ended_at
    )
    return Nearby(alerts=(alert,), episodes=(known,))


def steps(commands: Commands) -> list[tuple[str, str]]:
    return [(str(c.move.step), str(c.move.reason)) for c in commands if isinstance(c, Open | Change)]


def has(commands: Commands, kind: type) -> bool:
    return any(isinstance(command, kind) for command in commands)


# ---------------------------------------------------------------- joining
@pytest.mark.parametrize(
    ("one", "joins"),
    [
        (event(position=at_metres(49.9, 3)), Why.SAME_PLACE),
        (event(position=at_metres(50.1, 3)), None),
        (event(position=at_metres(10, -3), offset_m=3.0), None),  # the other side of the pipe
        (
            event(position=at_metres(10, 0, accuracy_m=4.0), offset_m=3.0),
            Why.SAME_PLACE,
        ),  # its side is not known
        (event(after_s=1800), Why.SAME_PLACE),
        (event(after_s=1801), None),
        (event(after_s=-1800), Why.SAME_PLACE),  # the backlog of an edge that was cut off
        (event(after_s=-1801), None),
        (event(violation="works_50m"), None),
        (event(site_id="s2"), None),
        (event(position=None), Why.SAME_PICTURE_ZONE),  # lost its ground fix, same camera
        (event(position=None, camera_id="c9"), None),
        (event(position=None, zone_id="z"), None),
    ],
)
def test_which_events_belong_to_an_alert(one: RiskEvent, joins: Why | None) -> None:
    """Site, violation, 50 m, side and half an hour decide, each on both sides of its border."""
    assert belongs(one, opened(event()), POLICY) == joins


def test_an_event_at_another_place_opens_another_alert() -> None:
    """A running alert 200 m away holds nothing of it."""
    commands = decide(event(episode="b", position=at_metres(200, 3)), held(opened(event())))
    assert steps(commands) == [("open", Why.NEW_PLACE)]


def test_an_episode_stays_with_its_alert_wherever_it_goes() -> None:
    """A machine that moves 500 m in one episode does not open a second alert."""
    alert = opened(event())
    assert not has(decide(event(phase="update", position=at_metres(500, 3), after_s=60), held(alert)), Open)


def test_an_end_that_arrives_first_still_opens_an_alert() -> None:
    """Order of arrival is free: the violation is not lost because its onset is late."""
    first, hold, *_ = decide(event(phase="end", after_s=60))
    assert isinstance(first, Open)
    assert first.alert.condition_ended_at == NOON + timedelta(seconds=60)
    assert isinstance(hold, HoldEpisode)
    alert = first.alert
    late = decide(event(), held(alert, ended_at=alert.condition_ended_at))
    assert steps(late) == []


# ---------------------------------------------------------------- dispatching by level
@pytest.mark.parametrize(
    ("one", "level", "sends"),
    [
        (event(), Level.I, SeekOfficer),
        (event(activity="stopped"), Level.II, SetTimer),
        (mild(activity="working"), Level.III, None),
        (mild(), Level.IV, None),
    ],
)
def test_the_level_decides_who_is_sent(one: RiskEvent, level: Level, sends: type | None) -> None:
    """I at once, II by a timer, III and IV not before a person confirms."""
    commands = decide(one)
    assert opened(one).level is level
    assert has(commands, SeekOfficer) == (sends is SeekOfficer)
    assert has(commands, SetTimer) == (sends is SetTimer)


def test_level_ii_waits_exactly_two_minutes() -> None:
    """The timer is due two minutes after the opening by the centre's clock."""
    (timer,) = [c.timer for c in decide(event(activity="stopped")) if isinstance(c, SetTimer)]
    assert (timer.what, timer.due_at) == (TimerKind.DISPATCH_LEVEL_II, NOON + timedelta(minutes=2))


def test_night_is_by_the_sun_over_the_site_and_by_the_clock_only_where_there_is_none() -> None:
    """Half past five in November is dark, whatever the clock calls it; of a site that the centre doesn't know, the
    event's own place counts, and without one it is night from 22 to 6 o'clock in the city."""

    def is_night(hour: int, minute: int, **changes: Any) -> bool:
        at = datetime(2026, 11, 24, hour, minute, tzinfo=ZoneInfo("Asia/Shanghai"))
        graded = grade_event(event(captured_at=at.astimezone(UTC), **changes), (), 0, CITY, POLICY)
        return "night" in {reason.key for reason in graded.reasons}

    assert [is_night(hour, 0) for hour in (12, 16, 18, 22, 5, 8)] == [False, False, True, True, True, False]
    site = middle(CITY.hcas[0], CITY.pipelines[0])
    there = Position(lon=site[0], lat=site[1], accuracy_m=1.0)
    assert is_night(18, 0, site_id="unknown", position=there)
    nowhere = {"site_id": "unknown", "position": None}
    assert [is_night(hour, 0, **nowhere) for hour in (18, 21, 22, 5, 6)] == [False, False, True, True, False]


def test_repeats_count_but_not_the_alert_itself() -> None:
    """Two confirmed alerts of the last month make it worse; an alert is no repeat of itself."""
    alert = opened(event(activity="stopped"))
    own = replace(held(alert), repeats=(alert.alert_id,))
    assert steps(decide(event(phase="update", activity="stopped"), own)) == []
    command = decide(event(activity="stopped"), Nearby(repeats=(uid("x"), uid("y"))))[0]
    assert isinstance(command, Open)
    assert ("repeat", 10) in {(reason.key, reason.points) for reason in command.alert.reasons}


def test_what_nobody_knows_is_graded_carefully_and_never_lost() -> None:
    """An unknown site counts as the worst grade, an unknown violation keeps the edge's level."""
    assert ("unknown_site", "s9") in {(r.key, r.detail) for r in opened(event(site_id="s9")).reasons}
    assert opened(event(violation="from_the_future", risk_edge=Level.II)).level is Level.II


# ---------------------------------------------------------------- levels move
def test_a_level_rises_and_tells_who_is_on_the_way() -> None:
    """Already dispatched: nobody else is sent, the officer gets an update."""
    alert = opened(event(activity="stopped"), state=State.ACCEPTED)
    commands = decide(event(phase="update"), held(alert))
    assert steps(commands) == [("rise", Why.GRADED_WORSE)]
    assert has(commands, Tell)
    assert not has(commands, SeekOfficer)


def test_a_refuted_alert_that_gets_worse_is_open_to_doubt_again() -> None:
    """A red event is sent even if its milder beginning was refuted."""
    alert = opened(event(activity="stopped"), confirmation=Confirmation.REFUTED)
    commands = decide(event(phase="update"), held(alert))
    (rise,) = [c for c in commands if isinstance(c, Change)]
    assert rise.after.confirmation is Confirmation.PENDING
    assert has(commands, SeekOfficer)


@pytest.mark.parametrize("one", [event(phase="update", activity="passing"), event(phase="end", dwell_s=99)])
def test_no_look_lowers_or_raises_a_level_by_itself(one: RiskEvent) -> None:
    """Milder looks and ends leave the level where it is."""
    assert steps(decide(one, held(opened(event(), condition_ended_at=NOON)))) == []


def test_an_end_raises_no_level() -> None:
    """The long dwell of an ended episode sends nobody to a place where nothing is any more."""
    alert = opened(event(activity="stopped"), condition_ended_at=NOON)
    assert steps(decide(event(phase="end", after_s=5), held(alert, ended_at=NOON))) == []


# ---------------------------------------------------------------- permits
def permit(**changes: Any) -> Permit:
    values: dict[str, Any] = {
        "permit_number": "P-1", "violation": "works_50m", "pipeline_id": "p1", "from_m": 9400.0, "to_m": 9600.0,
        "valid_from": NOON - timedelta(hours=1), "valid_to": NOON + timedelta(hours=1),
    }  # fmt: skip
    return Permit(**{**values, **changes})


WORKS = {"violation": "works_50m", "rule_id": "works-50m"}


@pytest.mark.parametrize(
    ("one", "covered"),
    [
        (event(**WORKS), True),
        (event(**WORKS, chainage_m=9400.0), True),
        (event(**WORKS, chainage_m=9399.9), False),
        (event(**WORKS, chainage_m=9600.1), False),
        (event(**WORKS, after_s=3600), True),
        (event(**WORKS, after_s=3601), False),
        (event(**WORKS, after_s=-3601), False),
        (event(**WORKS, pipeline_id="p2"), False),
        (event(**WORKS, chainage_m=None), False),
        (event(), False),
    ],
)
def test_a_permit_covers_place_time_and_kind(one: RiskEvent, covered: bool) -> None:
    """Outside its stretch, hours, pipeline or kind it covers nothing."""
    assert bool(covering(one, (permit(),), (), ZoneInfo(CITY.timezone))) == covered


def test_lawful_work_is_a_supervised_record() -> None:
    """Two transitions, nobody sent, and the case is closed at once."""
    commands = decide(event(**WORKS), Nearby(permits=(permit(),)))
    assert steps(commands) == [("open", Why.NEW_PLACE), ("supervise", Why.PERMIT_COVERS)]
    assert not has(commands, SeekOfficer)
    assert not has(commands, SetTimer)


def test_a_breach_names_the_permit() -> None:
    """Same work after hours: an alert whose reasons name the permit that it is outside of."""
    command = decide(event(**WORKS, after_s=4000), Nearby(permits=(permit(),)))[0]
    assert isinstance(command, Open)
    assert ("permit_outside_time", "P-1") in {(r.key, r.detail) for r in command.alert.reasons}


def test_a_permit_does_not_mute_a_neighbour() -> None:
    """Lawful work beside a running violation opens its own record and leaves the violation alone."""
    violation = opened(event(**WORKS, chainage_m=9610.0), alert_id=uid("old"))
    nearby = replace(held(violation), permits=(permit(),))
    commands = decide(event(**WORKS, episode="b"), nearby)
    assert steps(commands) == [("open", Why.NEW_PLACE), ("supervise", Why.PERMIT_COVERS)]
    back = decide(event(**WORKS, phase="update", chainage_m=9610.0), nearby)
    assert steps(back) == []


def test_a_permit_registered_later_lowers_and_supervises() -> None:
    """The level falls by a named reason only, and an alert that nobody was sent to becomes a record."""
    alert = opened(event(**WORKS))
    commands = decide(event(**WORKS, phase="update"), replace(held(alert), permits=(permit(),)))
    assert steps(commands) == [("fall", Why.PERMIT_REGISTERED), ("supervise", Why.PERMIT_COVERS)]


def test_a_permit_for_another_violation_of_the_episode_supervises_nothing() -> None:
    """An episode that began as excavation within 5 m stays a case, whatever permitted works follow."""
    nearby = replace(held(opened(event())), permits=(permit(),))
    assert steps(decide(event(**WORKS, phase="update"), nearby)) == []


# ---------------------------------------------------------------- condition and occurrence
def test_the_condition_ends_with_its_last_episode() -> None:
    """Two machines: the first one's end does not end the condition, the second one's does."""
    alert = opened(event())
    two = Nearby(alerts=(alert,), episodes=(*held(alert).episodes, *held(alert, "b").episodes))
    assert steps(decide(event(phase="end", after_s=5), two)) == []
    one_left = Nearby(
        alerts=(alert,), episodes=(*held(alert, ended_at=NOON).episodes, *held(alert, "b").episodes)
    )
    assert steps(decide(event(phase="end", episode="b", after_s=9), one_left)) == [
        ("note", Why.CONDITION_ENDED)
    ]


def test_an_update_that_only_names_a_finished_clip_is_no_look() -> None:
    """The clip is closed seconds after the end; that does not bring the machine back."""
    ended_at = NOON + timedelta(seconds=10)
    alert = opened(event(), condition_ended_at=ended_at)
    clip = event(phase="update", reason="clip_closed", after_s=20)
    assert steps(decide(clip, held(alert, ended_at=ended_at))) == []
    late = event(phase="update", reason="position_moved", after_s=20)
    assert steps(decide(late, held(alert, ended_at=ended_at))) == []  # of a clock that was set back since


def test_the_condition_resumes_by_another_episode() -> None:
    """The machine comes back while the case runs: the edge begins a new episode, and the case says so."""
    ended_at = NOON + timedelta(seconds=10)
    alert = opened(event(), condition_ended_at=ended_at)
    assert ("note", Why.CONDITION_RESUMED) in steps(
        decide(event(episode="b", after_s=20), held(alert, ended_at=ended_at))
    )


CLOSED = {"state": State.DISMISSED, "closed_at": NOON, "closing_reason": "false_alarm"}


def test_an_update_does_not_reopen_a_closed_case() -> None:
    """A dismissed machine that stays where it is disturbs nobody again."""
    assert steps(decide(event(phase="update", after_s=60), held(opened(event(), **CLOSED)))) == []


def test_a_closed_case_that_gets_worse_is_a_new_occurrence() -> None:
    """No violation is missed because its beginning was dismissed."""
    old = opened(event(activity="stopped"), alert_id=uid("old"), **CLOSED)
    first, hold, *_ = decide(event(phase="update", after_s=60), held(old))
    assert isinstance(first, Open)
    assert (first.move.reason, first.alert.occurrence_of) == (Why.WORSE_AFTER_CLOSING, uid("old"))
    assert isinstance(hold, HoldEpisode)
    assert hold.episode.alert_id == uid("new")


def test_a_new_onset_after_closing_names_the_old_case() -> None:
    """Within half an hour at the same place; later it is simply new."""
    old = opened(event(), alert_id=uid("old"), **CLOSED)
    for after_s, why, names in ((60, Why.AFTER_CLOSING, uid("old")), (4000, Why.NEW_PLACE, None)):
        first = decide(event(episode="b", after_s=after_s), held(old))[0]
        assert isinstance(first, Open)
        assert (first.move.reason, first.alert.occurrence_of) == (why, names)


def test_work_that_goes_on_after_its_permit_is_a_new_occurrence() -> None:
    """Supervised is not a licence for ever."""
    record = replace(
        opened(event(**WORKS), alert_id=uid("old")),
        state=State.SUPERVISED,
        closed_at=NOON,
        closing_reason="permit",
    )
    nearby = replace(held(record), permits=(permit(),))
    assert steps(decide(event(**WORKS, phase="update", after_s=3600), nearby)) == []
    assert steps(decide(event(**WORKS, phase="update", after_s=3601), nearby)) == [
        ("open", Why.OUTSIDE_PERMIT),
        (
            "note",
            Why.CONDITION_ENDED,
        ),  # of the record: what goes on is the new one's, else it would be there for ever
    ]


def test_what_may_lie_within_five_metres_counts_as_within_also_for_permits() -> None:
    """A permit for works within 50 m must not send away the officer who would have measured the 5 m."""
    maybe = event(violation="works_50m", rule_id="dig-5m", within_band=0.5, may_lie_within=True)
    works = permit(violation="works_50m")

    graded = grade_event(maybe, (works,), 0, CITY, POLICY)

    assert graded.level is Level.I
    assert graded.lawful_by is None
    assert any(reason.key == "permit_not_known_to_law" for reason in graded.reasons)
    assert grade_event(event(violation="works_50m"), (works,), 0, CITY, POLICY).lawful_by is not None
