"""What a report means: graded as it was said, joined as a camera's event is, and never taken for a measurement."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from alerts.commands import Change, Commands, HoldEpisode, Open, SeekOfficer, SetTimer
from alerts.decide import Nearby
from alerts.lifecycle import State
from alerts.policy import Policy
from alerts.reasons import Why
from alerts.reporting.sighting import entry_of, on_report
from alerts.reporting.values import Report
from alerts.values import Alert, Confirmation, Permit
from monitor.domain.levels import Level
from tests.doubles import reports
from tests.doubles.alert_story import CITY, NOON, event, officer, uid
from tests.unit.alerts.test_alerts_decide import opened as opened_by_camera

replace = msgspec.structs.replace


def decide(one: Report, nearby: Nearby = Nearby()) -> Commands:  # noqa: B008 - frozen
    return on_report(one, nearby, CITY, Policy(), NOON, uid("new"))


def said(**changes: Any) -> Report:
    return reports.report(**changes)[0]


def opened(commands: Commands) -> Alert:
    command = commands[0]
    assert isinstance(command, Open)
    return command.alert


def points(alert: Alert) -> dict[str, int]:
    return {reason.key: reason.points for reason in alert.reasons}


def test_a_call_opens_an_alert_that_says_so() -> None:
    """Severity, distance as it was said, HCA grade; no probability; the room has seen it, nobody confirmed it."""
    alert = opened(decide(said()))
    assert points(alert) == {"violation": 50, "by_report": 0, "said_within": 15, "hca_grade": 15}
    assert (alert.source, alert.level, alert.confirmation) == ("report", Level.II, Confirmation.PENDING)
    assert (alert.camera_id, alert.activity, alert.object_class) == (None, None, None)
    assert (alert.acknowledged_at, alert.condition_ended_at) == (NOON, None)
    assert any(isinstance(command, SetTimer) for command in decide(said()))


@pytest.mark.parametrize(
    ("changes", "key", "gives"),
    [
        ({"offset_m": "25"}, "said_within", 15),  # 25 - 20 m of error: in favour of the pipe
        ({"offset_m": "25.1"}, "said_outside", 0),
        ({"offset_m": None, "side": None}, "said_within", 15),
        ({"stake": None, "offset_m": None, "side": None, "camera": "c1"}, "said_within", 15),
    ],
)
def test_the_distance_counts_as_it_was_said(changes: dict[str, Any], key: str, gives: int) -> None:
    """Both sides of the boundary, and what nobody said."""
    assert points(opened(decide(said(**changes))))[key] == gives


def test_what_is_done_there_counts() -> None:
    """A digger at work within 5 m in the worst HCA is red, whoever saw it: it is sent at once."""
    commands = decide(said(activity="working", machine="excavator"))
    assert opened(commands).level is Level.I
    assert [c.why for c in commands if isinstance(c, SeekOfficer)] == [Why.LEVEL_I_AT_ONCE]


def test_repeats_count() -> None:
    """Third time this month."""
    assert points(opened(decide(said(), Nearby(repeats=(uid("r1"), uid("r2"))))))["repeat"] == 10


def test_what_an_officer_saw_is_confirmed_and_sent() -> None:
    """Level IV waits for a person's word, and this is one; the room is told and has not acknowledged."""
    commands = decide(said(actor=officer("ann"), violation="marker_damaged"))
    alert = opened(commands)
    assert (alert.level, alert.confirmation, alert.acknowledged_at) == (
        Level.IV,
        Confirmation.CONFIRMED,
        None,
    )
    assert [c.why for c in commands if isinstance(c, SeekOfficer)] == [Why.SEEN_ON_SITE]
    assert isinstance(commands[0], Open)
    assert (commands[0].move.actor, commands[0].move.role) == ("ann", "officer")


def test_a_report_joins_what_a_camera_saw_and_moves_nothing() -> None:
    """One case; the place that a camera measured stays; a patrol's word confirms it and sends somebody."""
    running = replace(opened_by_camera(event(activity="stopped")), state=State.OPEN)
    joined, hold, *rest = decide(said(via="patrol", stake="K9+520"), Nearby(alerts=(running,)))
    assert isinstance(joined, Change)
    assert (joined.move.step, joined.move.reason, joined.move.actor) == ("join", Why.SAME_PLACE, "olga")
    assert (joined.after.place, joined.after.accuracy_m) == (running.place, running.accuracy_m)
    assert (joined.after.source, joined.after.activity) == ("edge", "stopped")
    assert joined.after.confirmation is Confirmation.CONFIRMED
    assert isinstance(hold, HoldEpisode)
    assert hold.episode.ended_at == NOON  # nothing will tell its end, so it holds no condition open
    assert [c.why for c in rest if isinstance(c, SeekOfficer)] == [Why.SEEN_ON_SITE]


@pytest.mark.parametrize("changes", [{"stake": "K9+600"}, {"violation": "fire_5m"}])
def test_another_place_or_act_is_another_case(changes: dict[str, Any]) -> None:
    """As for cameras: 50 m, one violation."""
    running = opened_by_camera(event())
    assert isinstance(decide(said(**changes), Nearby(alerts=(running,)))[0], Open)


def test_a_call_about_a_refuted_alert_asks_again() -> None:
    """Who refuted what the camera saw has not heard this caller."""
    running = replace(opened_by_camera(event(activity="stopped")), confirmation=Confirmation.REFUTED)
    joined = decide(said(), Nearby(alerts=(running,)))[0]
    assert isinstance(joined, Change)
    assert joined.after.confirmation is Confirmation.PENDING


def permit(**changes: Any) -> Permit:
    values: dict[str, Any] = {
        "permit_number": "P-7", "violation": "works_50m", "pipeline_id": "p1", "from_m": 9400, "to_m": 9600,
        "valid_from": NOON - timedelta(hours=1), "valid_to": NOON + timedelta(hours=1),
        "machine_limits": {"excavator": 2},
    }  # fmt: skip
    return Permit(**{**values, **changes})


def test_lawful_work_that_somebody_reports_disturbs_nobody() -> None:
    """A worried neighbour calls about work with a permit: a supervised record, no officer."""
    works = said(violation="works_50m", machine="excavator", machines="2", offset_m="20")
    commands = decide(works, Nearby(permits=(permit(),)))
    assert isinstance(commands[-1], Change)
    assert commands[-1].after.state is State.SUPERVISED
    assert not any(isinstance(command, SeekOfficer | SetTimer) for command in commands)


def test_more_machines_than_allowed_are_a_breach() -> None:
    """Three were counted, two are allowed: the permit is named."""
    works = said(violation="works_50m", machine="excavator", machines="3", offset_m="20")
    alert = opened(decide(works, Nearby(permits=(permit(),))))
    assert ("permit_too_many_machines", "P-7") in {(r.key, r.detail) for r in alert.reasons}


def test_the_log_never_holds_the_caller() -> None:
    """What an auditor exports has a hash of who called, and nothing else of them."""
    one, caller = reports.report()
    body = entry_of(one, uid("new"), NOON).canonical().decode()
    assert caller.name not in body
    assert caller.phone not in body
    assert one.caller_sha256 in body
