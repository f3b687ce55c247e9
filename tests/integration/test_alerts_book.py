"""The loop on a database: the same tests on PostgreSQL and on the book in memory, so that both mean the same."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from alerts import replay
from alerts.engine import AlertEngine
from alerts.errors import Conflict, NotFound
from alerts.lifecycle import AlertKind, IllegalStep, Incomplete, NotAllowed, State, Step
from alerts.reasons import Health, Why
from alerts.values import Alert, EvidenceItem, LastWord, Permit, PermitState, Timer
from monitor.audit.entries import read
from monitor.audit.log import append
from monitor.domain.events import NO_LOOK, EvidenceRef
from monitor.domain.hours import Hours
from monitor.domain.levels import Level
from monitor.store.pool import make_pool
from tests.doubles.alert_book import MemoryAlertBook
from tests.doubles.alert_seeds import SeededPostgresBook
from tests.doubles.alert_story import (
    CITY,
    NOON,
    OPERATOR,
    SUPERVISOR,
    at_metres,
    event,
    mild,
    officer,
    uid,
)

Book = Any


@pytest.fixture(params=["memory", "postgres"])
def book(request: pytest.FixtureRequest) -> Iterator[Book]:
    if request.param == "memory":
        yield MemoryAlertBook()
        return
    with make_pool(request.getfixturevalue("postgres_dsn"), "test", min_size=1, max_size=6) as pool:
        yield SeededPostgresBook(pool)


@pytest.fixture
def engine(book: Book) -> AlertEngine:
    return AlertEngine(book, CITY)


def outgoing(book: Book) -> list[dict[str, Any]]:
    """All messages that wait, in the order in which a courier would send them; they go on waiting."""
    found: list[dict[str, Any]] = []
    with contextlib.suppress(InterruptedError), book.begin() as tx:
        while taken := tx.take_outgoing(NOON + timedelta(days=9), 1):
            found.append(taken[0].body)
            tx.outgoing_sent([taken[0].outgoing_id], NOON)
        raise InterruptedError
    return found


def the_alert(engine: AlertEngine) -> Alert:
    (row,) = engine.list_alerts(kind=AlertKind.VIOLATION)
    return row.alert


def take(book: Book, engine: AlertEngine, *events: Any, after_s: float = 0) -> None:
    at = NOON + timedelta(seconds=after_s)
    for one in events:
        book.add_event(one, at)
    engine.take_work(at)


def photo(book: Book, alert_id: str, sha256: str = "f" * 64, stored: bool = True) -> str:
    item = EvidenceItem(sha256=sha256, kind="photo", content_type="image/jpeg", bytes=9, uploaded_by="ann",
                        announced_at=NOON, stored_at=NOON if stored else None)  # fmt: skip
    book.add_evidence(item, alert_id)
    return sha256


def on_the_way(book: Book, engine: AlertEngine, until: Step = Step.RESOLVE) -> str:
    """A level I alert whose officer ann has gone as far as `until`."""
    take(book, engine, event())
    alert_id = the_alert(engine).alert_id
    sha256 = photo(book, alert_id)
    for n, step in enumerate((Step.ACCEPT, Step.DEPART, Step.ARRIVE, Step.COLLECT, Step.RESOLVE)):
        attachments = (sha256,) if step is Step.COLLECT else ()
        engine.step(
            alert_id, step, officer("ann"), NOON + timedelta(seconds=10 * n + 10), lon=121.5, lat=31.2,
            attachments=attachments, reason="rectified" if step is Step.RESOLVE else "",
        )  # fmt: skip
        if step is until:
            break
    return alert_id


WORKS = {"violation": "works_50m", "rule_id": "works-50m"}


def permit(**changes: Any) -> Permit:
    values: dict[str, Any] = {
        "permit_number": "P-7", "violation": "works_50m", "pipeline_id": "p1", "from_m": 9400, "to_m": 9600,
        "valid_from": NOON - timedelta(hours=1), "valid_to": NOON + timedelta(hours=1),
    }  # fmt: skip
    return Permit(**{**values, **changes})


# ---------------------------------------------------------------- opening and dispatching
def test_a_red_event_sends_the_nearest_officer_in_the_same_transaction(
    book: Book, engine: AlertEngine
) -> None:
    """Level I: alert, dispatch and message to the team exist as soon as the work is taken."""
    take(book, engine, event())
    view = engine.view(the_alert(engine).alert_id)
    assert view.alert.state is State.DISPATCHED
    assert view.alert.level is Level.I
    assert [(t.n, t.step, t.reason) for t in view.transitions] == [
        (1, "open", Why.NEW_PLACE),
        (2, "dispatch", Why.LEVEL_I_AT_ONCE),
    ]
    (dispatch,) = view.dispatches
    assert dispatch.officer == "ann"
    (message,) = outgoing(book)
    assert message["officer"] == "ann"
    assert message["what"] == "dispatch"
    assert message["number"] == view.alert.number > 0
    assert [v.dispatch.officer for v in engine.dispatches_for("ann")] == ["ann"]
    assert engine.dispatches_for("bo") == ()
    assert view.events[0].episode_id == uid("a")
    assert view.article is not None
    assert "30(2)" in view.article["en"]


def test_the_same_work_done_twice_opens_one_alert(book: Book, engine: AlertEngine) -> None:
    """An event whose work was repeated joins the alert that it opened."""
    take(book, engine, event(), event())
    assert len(engine.view(the_alert(engine).alert_id).dispatches) == 1
    assert len(outgoing(book)) == 1


def test_episodes_of_one_place_join_one_alert(book: Book, engine: AlertEngine) -> None:
    """A second machine 30 m away on the same side is the same alert; its episode is in its history."""
    take(book, engine, event(), event(episode="b", position=at_metres(30, 3), after_s=60))
    view = engine.view(the_alert(engine).alert_id)
    assert [(t.step, t.reason) for t in view.transitions][-1] == ("join", Why.SAME_PLACE)
    assert {e.episode_id for e in view.events} == {uid("a"), uid("b")}


def test_level_ii_waits_two_minutes_for_a_person(book: Book, engine: AlertEngine) -> None:
    """Level II is dispatched by its timer when nobody refuted it, not before."""
    take(book, engine, event(activity="stopped"))
    assert the_alert(engine).level is Level.II
    assert engine.run_due(NOON + timedelta(seconds=119)) == 0
    assert the_alert(engine).state is State.OPEN
    assert engine.run_due(NOON + timedelta(seconds=120)) == 1
    assert the_alert(engine).state is State.DISPATCHED


def test_a_refuted_level_ii_sends_nobody(book: Book, engine: AlertEngine) -> None:
    """What an operator refuted within two minutes is not dispatched, and can be dismissed by a supervisor."""
    take(book, engine, event(activity="stopped"))
    alert_id = the_alert(engine).alert_id
    engine.step(alert_id, Step.REFUTE, OPERATOR, NOON + timedelta(seconds=60))
    engine.run_due(NOON + timedelta(seconds=300))
    assert the_alert(engine).state is State.OPEN
    with pytest.raises(NotAllowed):
        engine.step(alert_id, Step.DISMISS, OPERATOR, NOON)
    view = engine.step(
        alert_id, Step.DISMISS, SUPERVISOR, NOON, reason="false_alarm", cause="animal", note="a cow"
    )
    assert (view.alert.closing_reason, view.alert.outcome, view.alert.cause) == (
        "false_alarm",
        "false_alarm",
        "animal",
    )


def test_a_mild_alert_is_sent_once_a_person_confirms(book: Book, engine: AlertEngine) -> None:
    """Levels III and IV wait for confirmation, however long."""
    take(book, engine, mild())
    engine.run_due(NOON + timedelta(hours=1))
    alert = the_alert(engine)
    assert alert.state is State.OPEN
    view = engine.step(alert.alert_id, Step.CONFIRM, OPERATOR, NOON + timedelta(hours=1))
    assert view.alert.state is State.DISPATCHED
    assert view.transitions[-1].reason == Why.CONFIRMED


def test_a_level_rises_at_once_and_then_sends(book: Book, engine: AlertEngine) -> None:
    """A machine that stopped (II) and begins to dig (I) is dispatched at that moment."""
    take(book, engine, event(activity="stopped"))
    take(book, engine, event(phase="update", after_s=30), after_s=30)
    view = engine.view(the_alert(engine).alert_id)
    assert view.alert.level is Level.I
    assert [t.step for t in view.transitions] == ["open", "rise", "dispatch"]
    take(book, engine, event(phase="update", activity="passing", after_s=60), after_s=60)
    assert the_alert(engine).level is Level.I, "a milder look lowers nothing"


def test_lawful_work_is_recorded_and_disturbs_nobody(book: Book, engine: AlertEngine) -> None:
    """Inside a permit that the law knows: supervised, no dispatch; outside its hours: an alert that names it."""
    permit = Permit(permit_number="P-7", violation="works_50m", pipeline_id="p1", from_m=9000, to_m=10_000,
                    valid_from=NOON - timedelta(hours=1), valid_to=NOON + timedelta(hours=1))  # fmt: skip
    book.add_permit(permit)
    work = {"violation": "works_50m", "rule_id": "works-50m"}
    take(book, engine, event(**work))
    first = the_alert(engine)
    assert first.state is State.SUPERVISED
    assert outgoing(book) == []
    take(book, engine, event(**work, phase="update", after_s=3700), after_s=3700)
    later = engine.list_alerts(running=True)[0].alert
    assert later.occurrence_of == first.alert_id
    assert "permit_outside_time" in {reason.key for reason in later.reasons}


def test_a_permit_never_lowers_what_the_law_does_not_permit(book: Book, engine: AlertEngine) -> None:
    """Excavation within 5 m is dispatched even if somebody registered a permit for it."""
    book.add_permit(
        Permit(permit_number="P-8", violation="excavation_5m", pipeline_id="p1", from_m=0, to_m=20_000,
               valid_from=NOON - timedelta(hours=1), valid_to=NOON + timedelta(hours=1))
    )  # fmt: skip
    take(book, engine, event())
    alert = the_alert(engine)
    assert alert.state is State.DISPATCHED
    assert ("permit_not_known_to_law", "P-8") in {(r.key, r.detail) for r in alert.reasons}


# ---------------------------------------------------------------- the case
def test_a_case_from_dispatch_to_verified(book: Book, engine: AlertEngine) -> None:
    """Accept, depart, arrive, photo, resolve, verify: each step is in the history with its actor."""
    alert_id = on_the_way(book, engine)
    view = engine.step(alert_id, Step.VERIFY, SUPERVISOR, NOON + timedelta(seconds=90))
    assert view.alert.state is State.VERIFIED
    assert [t.step for t in view.transitions] == [
        "open", "dispatch", "accept", "depart", "arrive", "collect", "resolve", "verify",
    ]  # fmt: skip
    assert view.running is None
    assert view.dispatches[0].end_reason == "resolved"
    assert view.durations.closed_s == 90
    assert view.durations.arrived_s == 30


def test_the_same_key_is_the_same_step(book: Book, engine: AlertEngine) -> None:
    """A phone that repeats its request after a lost answer gets the answer, not a second step."""
    take(book, engine, event())
    alert_id = the_alert(engine).alert_id
    first = engine.step(alert_id, Step.ACCEPT, officer("ann"), NOON, idempotency_key="k1")
    again = engine.step(alert_id, Step.ACCEPT, officer("ann"), NOON, idempotency_key="k1")
    assert again == first
    with pytest.raises(IllegalStep):
        engine.step(alert_id, Step.ACCEPT, officer("ann"), NOON, idempotency_key="k2")


def test_only_the_officer_sent_takes_field_steps(book: Book, engine: AlertEngine) -> None:
    """A colleague of the same team cannot accept somebody else's dispatch."""
    take(book, engine, event())
    with pytest.raises(NotAllowed):
        engine.step(the_alert(engine).alert_id, Step.ACCEPT, officer("bo"), NOON)


def test_no_collecting_without_a_stored_photo(book: Book, engine: AlertEngine) -> None:
    """An announced photo, another alert's photo or none at all is no evidence."""
    alert_id = on_the_way(book, engine, until=Step.ARRIVE)
    pending = photo(book, alert_id, "e" * 64, stored=False)
    for attachments in ((), (pending,), ("d" * 64,)):
        with pytest.raises(Incomplete):
            engine.step(alert_id, Step.COLLECT, officer("ann"), NOON, attachments=attachments)
    assert engine.view(alert_id).alert.state is State.ON_SITE


def test_an_arrival_far_away_is_flagged(book: Book, engine: AlertEngine) -> None:
    """Who says 'arrived' 400 m away is believed, but it is written down."""
    alert_id = on_the_way(book, engine, until=Step.DEPART)
    lon, lat = at_metres(400).lon, at_metres(400).lat
    view = engine.step(alert_id, Step.ARRIVE, officer("ann"), NOON, lon=lon, lat=lat)
    assert view.transitions[-1].reason == Why.ARRIVED_FAR


def test_nobody_verifies_what_they_resolved(book: Book, engine: AlertEngine) -> None:
    """A supervisor under the officer's name is refused; another is not."""
    alert_id = on_the_way(book, engine)
    with pytest.raises(NotAllowed):
        engine.step(alert_id, Step.VERIFY, SUPERVISOR.__class__(user="ann", role=SUPERVISOR.role), NOON)


def test_reopening_sends_somebody_again(book: Book, engine: AlertEngine) -> None:
    """A supervisor who is not satisfied has a new dispatch made; the case is not resolved any more."""
    alert_id = on_the_way(book, engine)
    view = engine.step(alert_id, Step.REOPEN, SUPERVISOR, NOON + timedelta(minutes=5))
    assert view.alert.state is State.DISPATCHED
    assert view.alert.resolved_by is None
    assert len(view.dispatches) == 2
    assert view.running is not None


def test_declining_sends_the_next(book: Book, engine: AlertEngine) -> None:
    """The next officer is sent at once, and the one who declined is not asked again."""
    take(book, engine, event())
    alert_id = the_alert(engine).alert_id
    order = []
    for _ in range(3):
        running = engine.view(alert_id).running
        assert running is not None
        order.append(running.officer)
        engine.step(alert_id, Step.DECLINE, officer(running.officer), NOON)
    assert order == ["ann", "bo", "cai"]
    assert the_alert(engine).state is State.OPEN
    (problem,) = engine.list_alerts(kind=AlertKind.HEALTH)
    assert problem.alert.health == Health.NOBODY_TO_DISPATCH


def test_an_officer_who_does_not_answer_is_replaced(book: Book, engine: AlertEngine) -> None:
    """After ten minutes the system gives the dispatch to the next and recalls the first phone."""
    take(book, engine, event())
    engine.step(the_alert(engine).alert_id, Step.ACKNOWLEDGE, OPERATOR, NOON + timedelta(seconds=5))
    engine.run_due(NOON + timedelta(seconds=599))
    assert [d.officer for d in engine.view(the_alert(engine).alert_id).dispatches] == ["ann"]
    engine.run_due(NOON + timedelta(seconds=600))
    view = engine.view(the_alert(engine).alert_id)
    assert [d.officer for d in view.dispatches] == ["ann", "bo"]
    steps = [t.step for t in view.transitions if t.step != "escalate"]
    assert steps == ["open", "dispatch", "acknowledge", "go_dark", "dispatch"]
    assert [(m["officer"], m["what"]) for m in outgoing(book) if m["what"] != "escalation"] == [
        ("ann", "dispatch"), ("ann", "recall"), ("bo", "dispatch"),
    ]  # fmt: skip


def test_an_old_dispatchs_timer_does_not_hurry_the_next_officer(book: Book, engine: AlertEngine) -> None:
    """Ann declines after nine minutes; Bo has ten minutes of his own."""
    take(book, engine, event())
    alert_id = the_alert(engine).alert_id
    engine.step(alert_id, Step.DECLINE, officer("ann"), NOON + timedelta(minutes=9))
    engine.run_due(NOON + timedelta(minutes=18, seconds=59))
    assert [d.officer for d in engine.view(alert_id).dispatches] == ["ann", "bo"]
    engine.run_due(NOON + timedelta(minutes=19))
    assert [d.officer for d in engine.view(alert_id).dispatches] == ["ann", "bo", "cai"]


def test_whom_the_room_recalled_no_timer_sends_again(book: Book, engine: AlertEngine) -> None:
    """Level II, confirmed, dispatched and recalled within two minutes: the timer keeps its hands off."""
    take(book, engine, event(activity="stopped"))
    alert_id = the_alert(engine).alert_id
    engine.step(alert_id, Step.CONFIRM, OPERATOR, NOON + timedelta(seconds=10))
    engine.step(alert_id, Step.RECALL, OPERATOR, NOON + timedelta(seconds=20))
    engine.run_due(NOON + timedelta(seconds=130))
    assert the_alert(engine).state is State.OPEN


def test_many_dead_letters_are_one_alert_with_a_short_history(book: Book, engine: AlertEngine) -> None:
    """A flood of unusable messages does not flood the alert's history."""
    for n in range(3):
        body = {"dead_letter_id": n, "edge_id": "e1", "topic": "t", "reason": f"reason {n}"}
        book.add_work("dead_letter", body, NOON + timedelta(seconds=n))
    engine.take_work(NOON)
    (row,) = engine.list_alerts()
    assert len(engine.view(row.alert.alert_id).transitions) == 1
    assert row.alert.last_seen_at == NOON + timedelta(seconds=2)


def test_who_accepted_in_time_is_left_alone(book: Book, engine: AlertEngine) -> None:
    """The timer of an accepted dispatch does nothing."""
    on_the_way(book, engine, until=Step.ACCEPT)
    engine.run_due(NOON + timedelta(minutes=14))
    assert the_alert(engine).state is State.ACCEPTED


def test_who_accepts_and_never_leaves_is_called_back(book: Book, engine: AlertEngine) -> None:
    """Accepting stops no clock but the first: after a quarter of an hour the next officer is sent."""
    on_the_way(book, engine, until=Step.ACCEPT)
    engine.run_due(NOON + timedelta(minutes=17))
    view = engine.view(the_alert(engine).alert_id)
    assert [(d.officer, d.end_reason) for d in view.dispatches] == [("ann", "went_dark"), ("bo", None)]
    assert ("ann", "recall") in [(m["officer"], m["what"]) for m in outgoing(book)]


def test_who_left_and_never_arrives_is_called_back(book: Book, engine: AlertEngine) -> None:
    """Half as long again as the limit, and an officer on the way counts as dark."""
    on_the_way(book, engine, until=Step.DEPART)
    engine.run_due(NOON + timedelta(minutes=89))
    assert the_alert(engine).state is State.EN_ROUTE
    engine.run_due(NOON + timedelta(minutes=91))
    assert [d.officer for d in engine.view(the_alert(engine).alert_id).dispatches] == ["ann", "bo"]


def test_a_clock_that_runs_out_is_kept_with_whom_it_told(book: Book, engine: AlertEngine) -> None:
    """Nobody looks for five minutes: row, message and history say the same, in both books, once."""
    take(book, engine, event())
    alert_id = the_alert(engine).alert_id
    for after_s in (299, 300, 300, 301):
        engine.run_due(NOON + timedelta(seconds=after_s))
    view = engine.view(alert_id)
    assert [(t.person, t.clock, t.channel, t.sent_at) for t in view.told] == [
        ("operator", "operator_patrol:acknowledge", "mqtt", None)
    ]
    assert [(c.at, c.who) for c in view.coming] == [(NOON + timedelta(minutes=7), ("operator",))]
    assert [t.reason for t in view.transitions if t.step == "escalate"] == ["acknowledge_overdue"]
    rung = [m for m in outgoing(book) if m["what"] == "escalation"]
    assert [(m["officer"], m["overdue"]) for m in rung] == [("operator", "acknowledge")]
    (row,) = [r for r in engine.list_alerts() if r.alert.alert_id == alert_id]
    assert row.escalates_at == NOON + timedelta(minutes=7)
    with book.begin() as tx:
        assert tx.take_outgoing(
            NOON + timedelta(minutes=6), 10
        )  # waits for no dispatch message that is stuck
    engine.step(alert_id, Step.ACKNOWLEDGE, OPERATOR, NOON + timedelta(minutes=6))
    with book.begin() as tx:
        assert [(e.end_reason, e.next_at) for e in tx.escalations(alert_id)] == [("acknowledged", None)]
    assert engine.view(alert_id).coming == ()
    (row,) = [r for r in engine.list_alerts() if r.alert.alert_id == alert_id]
    assert row.escalates_at is None


def test_a_dispatch_keeps_why_and_how_far(book: Book, engine: AlertEngine) -> None:
    """Choice, what spoke for the officer, departure and arrival come back as they were written."""
    alert_id = on_the_way(book, engine, until=Step.ARRIVE)
    (sent,) = engine.view(alert_id).dispatches
    assert (sent.choice, sent.chosen["standing"]) == ("nearest_free", "on_shift")
    assert (sent.departed_at, sent.arrived_at) == (NOON + timedelta(seconds=20), NOON + timedelta(seconds=30))


def test_what_a_visit_takes_along_keeps_nobody_from_being_sent(book: Book, engine: AlertEngine) -> None:
    """Ten small things at one site do not use up an officer's limit: the next red alert still gets them."""
    take(book, engine, event(), mild(episode="b"))
    (waits,) = [r.alert for r in engine.list_alerts(kind=AlertKind.VIOLATION) if r.alert.state is State.OPEN]
    with book.begin() as tx:
        (visit,) = tx.running_dispatches(None)
        along = msgspec.structs.replace(
            visit, dispatch_id=uid("along"), alert_id=waits.alert_id, choice="same_visit"
        )
        tx.add_dispatch(along)
        assert tx.running_by_officer({visit.officer}) == {visit.officer: 1}
        assert len(tx.running_dispatches(visit.officer)) == 2
        assert (tx.dispatch(along.dispatch_id), tx.dispatch(uid("none"))) == (along, None)


def test_nobody_to_dispatch_is_an_alert_and_is_tried_again(book: Book) -> None:
    """A city without teams: the alert stays open, says so, and is sent as soon as there is a team."""
    empty = AlertEngine(book, msgspec.structs.replace(CITY, teams=()))
    take(book, empty, event())
    assert the_alert(empty).state is State.OPEN
    (problem,) = empty.list_alerts(kind=AlertKind.HEALTH)
    assert problem.alert.health == Health.NOBODY_TO_DISPATCH
    staffed = AlertEngine(book, CITY)
    staffed.run_due(NOON + timedelta(seconds=60))
    assert the_alert(staffed).state is State.DISPATCHED
    (problem,) = staffed.list_alerts(kind=AlertKind.HEALTH)
    assert problem.alert.state is State.CLEARED


def test_a_room_that_asks_for_nobody_is_refused(book: Book) -> None:
    """An operator's dispatch with no team covering the site is refused with what is missing."""
    empty = AlertEngine(book, msgspec.structs.replace(CITY, teams=()))
    take(book, empty, mild())
    with pytest.raises(Incomplete, match="nobody can be sent"):
        empty.step(the_alert(empty).alert_id, Step.DISPATCH, OPERATOR, NOON)


# ---------------------------------------------------------------- condition and occurrence
def test_the_end_of_the_condition_does_not_close_the_case(book: Book, engine: AlertEngine) -> None:
    """The machine left, the officer is still on the way; it comes back, and it is still one alert."""
    take(book, engine, event())
    take(book, engine, event(phase="end", after_s=60), after_s=60)
    alert = the_alert(engine)
    assert alert.condition_ended_at == NOON + timedelta(seconds=60)
    assert alert.state is State.DISPATCHED
    take(book, engine, event(episode="b", after_s=600), after_s=600)
    assert the_alert(engine).condition_ended_at is None


def test_after_closing_a_new_onset_is_a_new_occurrence(book: Book, engine: AlertEngine) -> None:
    """Updates of a closed case change nothing; a new onset at the place opens one that names the old."""
    alert_id = on_the_way(book, engine)
    engine.step(alert_id, Step.VERIFY, SUPERVISOR, NOON + timedelta(seconds=90))
    take(book, engine, event(phase="update", after_s=100), event(phase="end", after_s=120), after_s=120)
    assert the_alert(engine).state is State.VERIFIED
    take(book, engine, event(episode="b", after_s=300), after_s=300)
    new, old = (row.alert for row in engine.list_alerts(kind=AlertKind.VIOLATION))
    assert (new.occurrence_of, old.alert_id) == (alert_id, alert_id)
    assert "repeat" in {reason.key for reason in new.reasons}


# ---------------------------------------------------------------- health
def test_a_camera_that_stops_watching_is_an_alert_until_it_streams_again(
    book: Book, engine: AlertEngine
) -> None:
    """One running health alert per camera, whatever its state; it clears by itself."""
    for n, state in enumerate(("stalled", "frozen", "frozen")):
        at = NOON + timedelta(seconds=n)
        book.set_camera("c1", LastWord(state=state, since=at))
        book.add_work("camera_state", {"camera_id": "c1", "edge_id": "e1", "state": state, "since": at}, at)
    engine.take_work(NOON)
    (row,) = engine.list_alerts(kind=AlertKind.HEALTH)
    assert row.alert.reasons[0].key == "camera_frozen"
    assert row.alert.level is Level.III
    assert row.alert.site_id == "s1"
    book.set_camera("c1", LastWord(state="streaming", since=NOON + timedelta(seconds=9)))
    book.add_work(
        "camera_state",
        {"camera_id": "c1", "state": "streaming", "since": NOON + timedelta(seconds=9), "reason": ""},
        NOON,
    )
    engine.take_work(NOON + timedelta(seconds=9))
    (row,) = engine.list_alerts(kind=AlertKind.HEALTH)
    assert row.alert.state is State.CLEARED


def test_a_late_report_does_not_blind_a_camera_that_streams(book: Book, engine: AlertEngine) -> None:
    """Two workers may take 'stalled' after 'streaming': the newest word in the database counts."""
    book.set_camera("c1", LastWord(state="streaming", since=NOON + timedelta(seconds=5)))
    book.add_work("camera_state", {"camera_id": "c1", "state": "stalled", "since": NOON}, NOON)
    engine.take_work(NOON)
    assert engine.list_alerts(kind=AlertKind.HEALTH) == ()


def test_a_device_that_is_heard_and_let_in_clears_its_own_alerts(book: Book, engine: AlertEngine) -> None:
    """Each by its own word; another device's stay."""
    for subject, what in (("a", "silent"), ("b", "silent"), ("a", "refused"), ("a", "heard")):
        book.add_work("gb_device", {"subject": subject, "what": what, "at": NOON, "camera_id": "c1"}, NOON)
    engine.take_work(NOON)
    running = {(row.alert.subject, row.alert.health) for row in engine.list_alerts(running=True)}
    assert running == {("b", Health.DEVICE_SILENT), ("a", Health.DEVICE_REFUSED)}
    book.add_work("gb_device", {"subject": "a", "what": "let_in", "at": NOON}, NOON)
    engine.take_work(NOON)
    (row,) = engine.list_alerts(running=True)
    assert (row.alert.subject, row.alert.camera_id, row.alert.site_id) == ("b", "c1", "s1")


@pytest.mark.parametrize(
    ("kind", "body", "health"),
    [
        ("edge_online", {"edge_id": "e1", "online": False, "at": NOON}, Health.EDGE_OFFLINE),
        ("number_gap", {"edge_id": "e1", "epoch": "x", "missing": [[3, 4]]}, Health.NUMBER_GAP),
        ("dead_letter", {"dead_letter_id": 1, "edge_id": None, "topic": "t", "reason": "unreadable"}, Health.DEAD_LETTER),
        ("loss", {"edge_id": "e1", "what": "evidence", "count": 1, "reason": "disk"}, Health.LOSS),
        ("same_number_other_hash", {"edge_id": "e1", "epoch": "x", "seq": 4}, Health.SAME_NUMBER_OTHER_HASH),
        ("gb_device", {"subject": "34020000001180000001", "what": "silent", "at": NOON}, Health.DEVICE_SILENT),
        ("gb_device", {"subject": "192.0.2.1", "what": "refused", "at": NOON, "detail": "x"}, Health.DEVICE_REFUSED),
        ("event", {"schema": "hcawatch.event/1", "nonsense": True}, Health.WORK_FAILED),
        ("event", ["not", "an", "object"], Health.WORK_FAILED),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_watching_is_an_alert(
    book: Book, engine: AlertEngine, kind: str, body: dict[str, Any], health: Health
) -> None:
    """Each kind of trouble has one running alert, however often it is reported, and the queue goes on."""
    for _ in range(2):
        book.add_work(kind, body, NOON)
    assert engine.take_work(NOON) == 2
    (row,) = engine.list_alerts(kind=AlertKind.HEALTH, running=True)
    assert row.alert.health == health


def test_a_filled_gap_and_an_edge_that_is_back_clear_themselves(book: Book, engine: AlertEngine) -> None:
    """Nobody has to tick off what is over."""
    book.add_work("number_gap", {"edge_id": "e1", "epoch": "x", "missing": [[3, 4]]}, NOON)
    book.add_work("edge_online", {"edge_id": "e1", "online": False, "at": NOON}, NOON)
    book.add_work("number_gap", {"edge_id": "e1", "epoch": "x", "missing": []}, NOON)
    book.add_work("edge_online", {"edge_id": "e1", "online": True, "at": NOON + timedelta(seconds=1)}, NOON)
    engine.take_work(NOON)
    assert {row.alert.state for row in engine.list_alerts()} == {State.CLEARED}


def test_evidence_that_does_not_arrive_is_an_alert(book: Book, engine: AlertEngine) -> None:
    """Announced ten minutes ago on an open alert and not here: said; arrived: cleared."""
    item = EvidenceRef(sha256="a" * 64, kind="clip", bytes=5, content_type="video/mp4")
    take(book, engine, mild(evidence=(item,)))
    engine.run_due(NOON + timedelta(seconds=599))
    assert engine.list_alerts(kind=AlertKind.HEALTH) == ()
    engine.run_due(NOON + timedelta(seconds=600))
    (row,) = engine.list_alerts(kind=AlertKind.HEALTH)
    assert (row.alert.health, row.alert.subject) == (Health.EVIDENCE_OVERDUE, the_alert(engine).alert_id)
    stored = EvidenceItem(sha256="a" * 64, kind="clip", content_type="video/mp4", bytes=5, episode_id=uid("a"),
                          announced_at=NOON, stored_at=NOON)  # fmt: skip
    book.add_evidence(stored)
    engine.run_due(NOON + timedelta(seconds=900))
    (row,) = engine.list_alerts(kind=AlertKind.HEALTH)
    assert row.alert.state is State.CLEARED


def test_a_timer_of_another_release_does_not_block_the_others(book: Book, engine: AlertEngine) -> None:
    """What this release cannot handle is said; what is due beside it still happens."""
    take(book, engine, event(activity="stopped"))
    with book.begin() as tx:
        strange = Timer(alert_id=the_alert(engine).alert_id, what="from_the_future", due_at=NOON)
        tx.add_timer(strange, once=False)
    assert engine.run_due(NOON + timedelta(minutes=2)) == 2
    assert the_alert(engine).state is State.DISPATCHED
    (row,) = engine.list_alerts(kind=AlertKind.HEALTH)
    assert row.alert.health == Health.WORK_FAILED


# ---------------------------------------------------------------- transactions
def test_a_crash_before_the_commit_leaves_nothing_and_loses_nothing(
    book: Book, engine: AlertEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Work whose transaction died half-way is done again, with one alert and one dispatch in the end."""

    class Died(BaseException):
        """Not an Exception: as if the process were killed."""

    class Dying(AlertEngine):
        def _performer(self, tx: Any, now: Any) -> Any:
            performer = super()._performer(tx, now)
            monkeypatch.setattr(tx.__class__, "finish_work", die)
            return performer

    def die(*_: Any) -> None:
        raise Died

    book.add_event(event(), NOON)
    with pytest.raises(Died):
        Dying(book, CITY).take_work(NOON)
    monkeypatch.undo()
    assert engine.list_alerts() == ()
    assert outgoing(book) == []
    assert engine.take_work(NOON) == 1
    assert len(engine.list_alerts()) == 1
    assert len(outgoing(book)) == 1


def test_a_version_that_moved_on_is_a_conflict(book: Book, engine: AlertEngine) -> None:
    """An update names the version that it starts from."""
    take(book, engine, mild())
    alert = the_alert(engine)
    with pytest.raises(Conflict), book.begin() as tx:
        tx.update_alert(alert, alert.version + 1)


def test_an_unknown_alert_is_not_found(engine: AlertEngine) -> None:
    """A wrong id and one that is no id at all are both simply not found."""
    for alert_id in (uid("nowhere"), "nonsense"):
        with pytest.raises(NotFound):
            engine.view(alert_id)


def test_the_log_alone_rebuilds_every_alert(book: Book, engine: AlertEngine) -> None:
    """After a whole story the audit entries give the same cases as the table; a forged row is found."""
    alert_id = on_the_way(book, engine)
    engine.step(alert_id, Step.VERIFY, SUPERVISOR, NOON + timedelta(seconds=90), note="seen it")
    take(book, engine, mild(), event(episode="b", after_s=300, activity="stopped"), after_s=300)
    book.add_work("camera_state", {"camera_id": "c1", "state": "dark", "since": NOON}, NOON)
    engine.take_work(NOON)
    if isinstance(book, MemoryAlertBook):
        rebuilt = replay.replay(book.tables.entries)
        assert replay.compare(rebuilt, book.tables.alerts.values()) == []
        return
    with book.pool.connection() as conn:
        assert replay.check(conn) == []
        conn.execute("UPDATE alert SET level = 'IV' WHERE alert_id = %s", (alert_id,))
        (difference,) = replay.check(conn)
        assert (difference.subject, difference.what, difference.log) == (alert_id, "level", "I")
        conn.rollback()
        (row,) = conn.execute("SELECT body FROM audit_entry WHERE kind = 'alert.open' LIMIT 1").fetchall()
        stray = msgspec.structs.replace(read(bytes(row["body"])), subject=uid("gone"))
        append(conn, stray)
        assert [(d.subject, d.what) for d in replay.check(conn)] == [(uid("gone"), "not in the table")]


# ---------------------------------------------------------------- what must not be muted, nor disturb twice
@pytest.mark.parametrize(
    ("first", "changes"),
    [
        ({}, {"valid_from": NOON + timedelta(seconds=30)}),  # digging began before the permit's hours
        ({"chainage_m": 9700.0}, {}),  # … or beside its stretch
        ({"also": ("on_pipe",)}, {}),  # … or was more than the work that it allows
    ],
)
def test_work_outside_its_permit_stays_a_case_when_the_machine_is_back_inside(
    book: Book, engine: AlertEngine, first: dict[str, Any], changes: dict[str, Any]
) -> None:
    """The violation happened: neither does its level fall, nor does it close unseen."""
    book.add_permit(permit(**changes))
    take(book, engine, event(**WORKS, **first))
    level = the_alert(engine).level
    take(book, engine, event(**WORKS, phase="update", after_s=40), after_s=40)
    assert (the_alert(engine).state, the_alert(engine).level) == (State.OPEN, level)


def test_a_permit_registered_later_makes_a_record_of_what_it_covers(book: Book, engine: AlertEngine) -> None:
    """All that was seen lies within the permit: nobody is disturbed, the level falls by its reason."""
    take(book, engine, event(**WORKS), event(**WORKS, phase="update", reason="heartbeat", after_s=10))
    book.add_permit(permit())
    take(book, engine, event(**WORKS, phase="update", after_s=40), after_s=40)
    alert = the_alert(engine)
    assert alert.state is State.SUPERVISED
    assert Why.PERMIT_REGISTERED in [m.reason for m in engine.view(alert.alert_id).transitions]


@pytest.mark.parametrize(
    ("limits", "first", "second", "key"),
    [
        ({"hours": (Hours(from_min=8 * 60, to_min=14 * 60 + 1),)}, {}, {"after_s": 60}, "permit_outside_hours"),
        ({"from_offset_m": 0.0}, {"offset_m": 20.0}, {"offset_m": -1.0, "after_s": 9}, "permit_outside_offset"),
        ({"activities": ("stopped",)}, {"activity": "stopped"}, {"after_s": 9}, "permit_outside_activity"),
        ({"machine_limits": {"excavator": 1}}, {}, {"after_s": 9, "episode": "b"}, "permit_too_many_machines"),
        ({"machine_limits": {"excavator": 1}}, {}, {"after_s": 9, "episode": "b", "object_class": "crane"},
         "permit_outside_machine"),
        ({}, {}, {"after_s": 9, "violation": "engineering_200m", "rule_id": "works-200m"}, "permit_outside_kind"),
        ({}, {"also": ("engineering_200m",)}, {"after_s": 9, "also": ("engineering_200m", "heavy_vehicle_on_track")},
         "permit_outside_kind"),
    ],
)  # fmt: skip
def test_each_limit_of_a_permit_holds_in_the_loop(
    book: Book,
    engine: AlertEngine,
    limits: dict[str, Any],
    first: dict[str, Any],
    second: dict[str, Any],
    key: str,
) -> None:
    """What lies inside is a record; what then lies outside is a case of its own that names the permit."""
    book.add_permit(permit(**limits))
    take(book, engine, event(**{**WORKS, **first}))
    assert the_alert(engine).state is State.SUPERVISED
    phase = "onset" if "episode" in second else "update"
    take(book, engine, event(**{**WORKS, "phase": phase, **second}), after_s=second["after_s"])
    (case,) = [row.alert for row in engine.list_alerts(running=True)]
    assert (key, "P-7") in {(reason.key, reason.detail) for reason in case.reasons}


def test_the_one_too_many_stays_a_case_after_the_first_has_left(book: Book, engine: AlertEngine) -> None:
    """Both books count what was there since it came, not only what is there now."""
    book.add_permit(permit(machine_limits={"excavator": 1}))
    take(book, engine, event(**WORKS), event(**WORKS, episode="b", after_s=9), after_s=9)
    take(book, engine, event(**WORKS, phase="end", reason="gone", after_s=20), after_s=20)
    take(book, engine, event(**WORKS, episode="b", phase="update", after_s=40), after_s=40)
    states = sorted(row.alert.state for row in engine.list_alerts(kind=AlertKind.VIOLATION))
    assert states == [State.OPEN, State.SUPERVISED]


def test_a_permit_that_is_only_asked_for_disturbs_as_none_would(book: Book, engine: AlertEngine) -> None:
    """An approval counts, a request does not; the alert says that there is one."""
    book.add_permit(permit(state=PermitState.REQUESTED))
    take(book, engine, event(**WORKS))
    assert the_alert(engine).state is State.OPEN
    assert ("permit_not_approved", "P-7") in {(r.key, r.detail) for r in the_alert(engine).reasons}


@pytest.mark.parametrize("reason", sorted(NO_LOOK))
def test_a_clip_that_closes_after_the_permits_hours_is_no_work_after_hours(
    book: Book, engine: AlertEngine, reason: str
) -> None:
    """The clip of lawful work, or its full-size picture, comes some seconds after the work; no officer is sent for that."""
    book.add_permit(permit(valid_to=NOON + timedelta(seconds=60)))
    take(book, engine, event(**WORKS), event(**WORKS, phase="end", after_s=55), after_s=55)
    take(book, engine, event(**WORKS, phase="update", reason=reason, after_s=65), after_s=65)
    assert the_alert(engine).state is State.SUPERVISED


def test_a_machine_that_comes_after_the_case_was_resolved_is_a_new_occurrence(
    book: Book, engine: AlertEngine
) -> None:
    """The officer has left, nobody verified yet: somebody is sent again, and verifying closes the old case only."""
    old_id = on_the_way(book, engine)
    take(book, engine, event(phase="end", after_s=45), after_s=52)
    take(book, engine, event(episode="late", after_s=44), after_s=53)  # seen before: the same case
    take(book, engine, event(episode="b", after_s=600), after_s=600)
    engine.step(old_id, Step.VERIFY, SUPERVISOR, NOON + timedelta(seconds=610))
    new, old = (row.alert for row in engine.list_alerts(kind=AlertKind.VIOLATION))
    assert (old.state, new.state, new.occurrence_of) == (State.VERIFIED, State.DISPATCHED, old_id)


def test_an_episode_that_gets_worse_after_the_case_was_resolved_sends_somebody(
    book: Book, engine: AlertEngine
) -> None:
    """The machine stood still while the officer was there, and digs when the officer has left."""
    take(book, engine, event(activity="stopped"))
    alert_id = the_alert(engine).alert_id
    engine.step(alert_id, Step.DISPATCH, OPERATOR, NOON)
    sha256 = photo(book, alert_id)
    for step in (Step.ACCEPT, Step.DEPART, Step.ARRIVE, Step.COLLECT, Step.RESOLVE):
        engine.step(
            alert_id, step, officer("ann"), NOON, attachments=(sha256,) if step is Step.COLLECT else (),
            reason="rectified" if step is Step.RESOLVE else "",
        )  # fmt: skip
    take(book, engine, event(phase="update", reason="risk_changed", after_s=60), after_s=60)
    new, old = (row.alert for row in engine.list_alerts(kind=AlertKind.VIOLATION))
    assert (old.state, new.state, new.occurrence_of) == (State.RESOLVED, State.DISPATCHED, alert_id)


def test_what_was_no_violation_is_no_repeat(book: Book, engine: AlertEngine) -> None:
    """A case that was verified as a false alarm makes the next one at the site no worse."""
    alert_id = on_the_way(book, engine)
    engine.step(
        alert_id,
        Step.VERIFY,
        SUPERVISOR,
        NOON + timedelta(seconds=100),
        reason="false_alarm",
        cause="wrong_class",
    )
    take(book, engine, event(episode="b", position=at_metres(300, 3), after_s=200), after_s=200)
    latest = engine.list_alerts(kind=AlertKind.VIOLATION)[0].alert
    assert "repeat" not in {reason.key for reason in latest.reasons}


def test_who_declines_a_refuted_alert_is_not_replaced(book: Book, engine: AlertEngine) -> None:
    """The room said that it is nothing; the next officer stays where they are."""
    take(book, engine, event())
    alert_id = the_alert(engine).alert_id
    engine.step(alert_id, Step.REFUTE, OPERATOR, NOON)
    engine.step(alert_id, Step.DECLINE, officer("ann"), NOON)
    assert the_alert(engine).state is State.OPEN


def test_no_waiting_try_sends_again_whom_the_room_recalled(book: Book, engine: AlertEngine) -> None:
    """Nobody could be sent at first, the room found somebody, and called them back: the retry keeps its hands off."""
    empty = AlertEngine(book, msgspec.structs.replace(CITY, teams=()))
    take(book, empty, event())
    alert_id = the_alert(engine).alert_id
    engine.step(alert_id, Step.DISPATCH, OPERATOR, NOON + timedelta(seconds=20))
    engine.step(alert_id, Step.RECALL, OPERATOR, NOON + timedelta(seconds=40))
    engine.run_due(NOON + timedelta(seconds=61))
    assert the_alert(engine).state is State.OPEN


def test_that_nobody_can_be_sent_is_over_when_nobody_is_wanted(book: Book) -> None:
    """The alert was dismissed before anybody came free: its health alert does not stand for ever."""
    empty = AlertEngine(book, msgspec.structs.replace(CITY, teams=()))
    take(book, empty, event())
    empty.step(the_alert(empty).alert_id, Step.DISMISS, SUPERVISOR, NOON + timedelta(seconds=20),
               reason="duplicate", note="the same machine")  # fmt: skip
    empty.run_due(NOON + timedelta(seconds=61))
    assert empty.list_alerts(kind=AlertKind.HEALTH, running=True) == ()


def test_who_refuted_one_machine_has_not_refuted_the_next(book: Book, engine: AlertEngine) -> None:
    """Another machine joins the refuted alert: it is open to doubt again, and two minutes later somebody is sent."""
    take(book, engine, event(activity="stopped"))
    alert_id = the_alert(engine).alert_id
    engine.step(alert_id, Step.REFUTE, OPERATOR, NOON + timedelta(seconds=5))
    engine.run_due(NOON + timedelta(seconds=121))
    assert the_alert(engine).state is State.OPEN
    take(
        book,
        engine,
        event(episode="b", activity="stopped", position=at_metres(20, 3), after_s=300),
        after_s=300,
    )
    assert the_alert(engine).confirmation == "pending"
    engine.run_due(NOON + timedelta(seconds=421))
    assert the_alert(engine).state is State.DISPATCHED


def test_an_edge_whose_clock_was_set_back_leaves_no_alert_behind(book: Book, engine: AlertEngine) -> None:
    """The database says that the camera streams; that an older report has a later time changes nothing."""
    book.set_camera("c1", LastWord(state="streaming", since=NOON - timedelta(hours=1)))
    for state, since in (("streaming", NOON - timedelta(hours=1)), ("dark", NOON)):
        body = {"camera_id": "c1", "edge_id": "e1", "state": state, "since": since, "reason": ""}
        book.add_work("camera_state", body, NOON)
    engine.take_work(NOON)
    assert engine.list_alerts(kind=AlertKind.HEALTH, running=True) == ()


def test_a_late_onset_gives_the_place_that_the_end_did_not_have(book: Book, engine: AlertEngine) -> None:
    """Order of arrival is free: the officer must know where to go."""
    take(book, engine, event(phase="end", after_s=60, position=None), event())
    assert the_alert(engine).place is not None
