"""A case is closed with an outcome, by something that was seen or said; a false alarm with its cause."""

from typing import Any

import pytest

from alerts.commands import Change, StepRequest
from alerts.feedback.causes import CAUSES, FalseCause, Outcome, Verdict, verdict_of
from alerts.lifecycle import AlertKind, Incomplete, State, Step
from alerts.steps import MOST_JUDGED_BY, StepFacts, on_step
from alerts.values import Actor, Alert
from monitor.domain.levels import Level
from monitor.domain.roles import Role
from tests.doubles.alert_story import NOON, SUPERVISOR, uid

SHOT = "a" * 64


def alert(**changes: Any) -> Alert:
    values: dict[str, Any] = {
        "alert_id": uid("x"), "kind": AlertKind.VIOLATION, "state": State.OPEN, "violation": "excavation_5m",
        "subject": "s1", "site_id": "s1", "camera_id": "c1", "level": Level.III, "reasons": (), "weights_version": "1",
        "opened_at": NOON, "onset_at": NOON, "last_seen_at": NOON,
    }  # fmt: skip
    return Alert(**{**values, **changes})


def close(
    one: Alert, step: Step, *, seen: tuple[str, ...] = (SHOT,), actor: Actor = SUPERVISOR, **more: Any
) -> Change:
    request = StepRequest(step=step, actor=actor, at=NOON, **more)
    (change, *_) = on_step(one, request, StepFacts(seen=seen))
    assert isinstance(change, Change)
    return change


def key(one: Alert, step: Step, **more: Any) -> str:
    with pytest.raises(Incomplete) as refused:
        close(one, step, **more)
    return refused.value.key


def test_nothing_is_closed_without_saying_what_was_found() -> None:
    """Before, a press on 'dismiss' alone was a false alarm, and nobody had said so."""
    assert key(alert(), Step.DISMISS, note="n") == "outcome_needed"
    assert key(alert(), Step.DISMISS, note="n", reason="whatever") == "outcome_needed"
    closed = close(alert(), Step.DISMISS, reason="permitted_work")
    assert (closed.after.outcome, closed.after.cause, closed.after.closing_reason) == (
        "permitted_work",
        None,
        "permitted_work",
    )


def test_a_false_alarm_says_why() -> None:
    """Without the cause nothing could be learnt from it; 'another' is said in words."""
    assert key(alert(), Step.DISMISS, reason="false_alarm", note="n") == "cause_needed"
    assert key(alert(), Step.DISMISS, reason="false_alarm", note="n", cause="gremlins") == "cause_needed"
    assert key(alert(), Step.DISMISS, reason="false_alarm", cause="other") == "cause_needs_note"
    closed = close(alert(), Step.DISMISS, reason="false_alarm", cause="shadow_light")
    assert (closed.after.outcome, closed.after.cause) == ("false_alarm", "shadow_light")


def test_only_a_false_alarm_has_a_cause() -> None:
    """A form that still holds one from before must not put it beside another outcome."""
    assert close(alert(), Step.DISMISS, reason="duplicate", cause="animal").after.cause is None


def test_a_dismissal_names_the_pictures_it_was_judged_by() -> None:
    """Who looks at the case later sees what the one saw who closed it; without any the note says how one knows."""
    shots = tuple(f"{n:064x}" for n in range(9))
    change = close(alert(), Step.DISMISS, reason="duplicate", seen=shots, attachments=("f" * 64,))
    assert change.move.attachments == shots[:MOST_JUDGED_BY]
    assert key(alert(), Step.DISMISS, reason="duplicate", seen=(), note=" ") == "evidence_or_note"
    assert (
        close(alert(), Step.DISMISS, reason="duplicate", seen=(), note="I was there").move.attachments == ()
    )


def test_who_verifies_means_what_the_officer_found() -> None:
    """Or says something else; a false alarm that the officer found keeps its cause."""
    resolved = alert(state=State.RESOLVED, outcome="false_alarm", cause="animal", resolved_by="ann")
    same = close(resolved, Step.VERIFY).after
    assert (same.outcome, same.cause) == ("false_alarm", "animal")
    other = close(resolved, Step.VERIFY, reason="referred").after
    assert (other.outcome, other.cause, other.closing_reason) == ("referred", None, "referred")
    before_the_upgrade = alert(state=State.RESOLVED, resolved_by="ann")
    assert key(before_the_upgrade, Step.VERIFY) == "outcome_needed"


def test_a_health_alert_needs_no_outcome() -> None:
    """It is over when the problem is."""
    health = alert(kind=AlertKind.HEALTH, health="edge_offline", violation=None)
    change = close(health, Step.CLEAR, actor=Actor(user="olga", role=Role.OPERATOR))
    assert (change.after.state, change.after.outcome) == (State.CLEARED, None)


def test_what_a_closing_says_of_the_camera() -> None:
    """Only what somebody said counts for or against it."""

    def said(outcome: str | None, confirmation: str = "pending", closed: bool = True) -> Verdict:
        return verdict_of(outcome, confirmation, closed=closed)

    assert {outcome: said(outcome) for outcome in Outcome} == {
        "rectified": "right", "referred": "right", "permitted_work": "lawful", "false_alarm": "false",
        "duplicate": "unjudged", "no_access": "unjudged",
    }  # fmt: skip
    assert said("no_access", "confirmed") is Verdict.RIGHT
    assert said("rectified", closed=False) is Verdict.UNJUDGED
    assert said(None, "confirmed") is Verdict.UNJUDGED
    assert verdict_of("permit_covers", "pending", closed=True, supervised=True) is Verdict.LAWFUL


def test_each_cause_says_what_to_do_in_both_languages() -> None:
    """A cause without a row would teach nothing."""
    assert set(CAUSES) == set(FalseCause)
    assert all(row.text["en"] and row.text["zh"] for row in CAUSES.values())
