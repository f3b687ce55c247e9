"""Reports on a database: the same tests on PostgreSQL and on the book in memory, so that both mean the same."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest

from alerts import replay
from alerts.engine import AlertEngine
from alerts.errors import Conflict, NotFound
from alerts.lifecycle import State, Step
from alerts.reporting.desk import KeyUsed, ReportDesk
from alerts.reporting.values import Caller
from alerts.steps import Outcome
from tests.doubles import reports
from tests.doubles.alert_story import NOON, OPERATOR, SUPERVISOR, event, officer
from tests.integration.test_alerts_book import book, engine, outgoing, take

__all__ = ["book", "engine"]

Book = Any
#: level I: somebody digs within 5 m in the worst HCA
RED = {"activity": "working", "machine": "excavator"}


@pytest.fixture
def desk(engine: AlertEngine) -> ReportDesk:
    return ReportDesk(engine)


def entries(book: Book) -> list[Any]:
    if hasattr(book, "tables"):
        return list(book.tables.entries)
    from monitor.audit.entries import read

    return [read(bytes(row["body"])) for row in book.run("SELECT body FROM audit_entry ORDER BY entry_id")]


def test_a_red_report_sends_the_officer_in_the_same_transaction(book: Book, desk: ReportDesk) -> None:
    """Alert, report, dispatch, message and entries are there at once."""
    taken = desk.take(*reports.report(**RED), NOON)
    assert (taken.new, taken.opened) == (True, True)
    assert (taken.view.alert.source, taken.view.alert.state) == ("report", State.DISPATCHED)
    assert [one.said for one in taken.view.reports] == ["an excavator digs at the lake"]
    (message,) = outgoing(book)
    assert (message["what"], message["source"]) == ("dispatch", "report")
    assert [e.kind for e in entries(book)] == ["alert.open", "alert.dispatch", "report.received"]
    assert entries(book)[-1].body["alert_id"] == taken.view.alert.alert_id


def test_the_same_form_twice_is_one_alert(book: Book, desk: ReportDesk) -> None:
    """Whoever presses twice, or whose line broke, gets the same case back."""
    first = desk.take(*reports.report(key="k1"), NOON)
    again = desk.take(*reports.report(key="k1"), NOON + timedelta(minutes=1))
    assert (again.new, again.view.alert.alert_id) == (False, first.view.alert.alert_id)
    assert len(again.view.reports) == 1


@pytest.mark.parametrize("other", [{"violation": "fire_5m"}, {"said": "a fire"}, {"caller_name": "Li"}])
def test_another_report_under_a_used_key_is_never_dropped(
    book: Book, desk: ReportDesk, other: dict[str, Any]
) -> None:
    """A second emergency typed into the form of the first: it is refused aloud, and taken under a key of its own."""
    first = desk.take(*reports.report(key="k1"), NOON)
    with pytest.raises(KeyUsed, match=f"alert {first.view.alert.number}:"):
        desk.take(*reports.report(key="k1", **other), NOON)
    assert len(desk.list(10, NOON)[0]) == 1
    assert desk.take(*reports.report(key="k2", **other), NOON).new


def test_two_of_one_key_at_the_same_moment_are_one(book: Book, desk: ReportDesk) -> None:
    """Eight threads, one key."""
    found: list[str] = []
    barrier = threading.Barrier(8)

    def press() -> None:
        one = reports.report(key="k1")
        barrier.wait()
        found.append(desk.take(*one, NOON).view.alert.alert_id)

    threads = [threading.Thread(target=press) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_a_call_joins_what_a_camera_saw_and_the_camera_joins_a_call(
    book: Book, engine: AlertEngine, desk: ReportDesk
) -> None:
    """Whichever is first: one case, whose page tells both."""
    take(book, engine, event())
    joined = desk.take(*reports.report(), NOON + timedelta(minutes=1))
    assert (joined.new, joined.opened, joined.view.alert.source) == (True, False, "edge")
    other = desk.take(*reports.report(stake="K10+500"), NOON)
    lon, lat = other.view.alert.lon, other.view.alert.lat
    assert lon is not None
    assert lat is not None
    from monitor.domain.events import Position

    take(book, engine, event(episode="b", position=Position(lon=lon, lat=lat, accuracy_m=0.5)), after_s=60)
    view = engine.view(other.view.alert.alert_id)
    assert [move.step for move in view.transitions][:2] == ["open", "join"]
    assert (view.alert.source, len(view.events), len(view.reports)) == ("report", 1, 1)
    # from here on the camera's own place counts
    assert view.alert.accuracy_m == 0.5


def test_who_called_is_read_apart_and_every_look_is_an_entry(book: Book, desk: ReportDesk) -> None:
    """No view, message or entry has the caller; the room's look at the caller is in the log."""
    one, caller = reports.report(**RED)
    taken = desk.take(one, caller, NOON)
    assert "Wang" not in repr(taken.view)
    assert "Wang" not in repr(outgoing(book))
    row, read = desk.show(one.report_id, OPERATOR, NOON)
    assert (read.name, read.phone, row.number) == ("Wang", "+86 138 0000 0000", taken.view.alert.number)
    assert [(e.kind, e.actor) for e in entries(book)][-1] == ("report.caller_seen", "olga")
    assert "Wang" not in repr(entries(book))
    for unknown in ("x", taken.view.alert.alert_id):
        with pytest.raises(NotFound):
            desk.show(unknown, OPERATOR, NOON)


def test_false_reports_are_counted_apart_from_cameras(
    book: Book, engine: AlertEngine, desk: ReportDesk
) -> None:
    """A caller who was wrong makes no camera worse."""
    take(book, engine, event(activity="stopped"))
    camera = engine.list_alerts()[0].alert.alert_id
    engine.step(camera, Step.CONFIRM, OPERATOR, NOON)
    false = desk.take(*reports.report(stake="K11+000"), NOON).view.alert.alert_id
    engine.step(
        false,
        Step.DISMISS,
        SUPERVISOR,
        NOON,
        note="nobody there",
        reason=Outcome.FALSE_ALARM,
        cause="wrong_place",
    )
    later = NOON + timedelta(minutes=1)
    desk.take(*reports.report(now=later, stake="K12+000"), later)
    rows, figures = desk.list(10, NOON)
    of = {one.source: one for one in figures}
    assert (of["edge"].opened, of["edge"].confirmed, of["edge"].false_alarms) == (1, 1, 0)
    assert (of["report"].opened, of["report"].false_alarms, of["report"].unjudged) == (2, 1, 1)
    assert [row.closing_reason for row in rows] == [None, "false_alarm"]


def test_a_false_alarm_is_no_repeat_of_an_offence(book: Book, engine: AlertEngine, desk: ReportDesk) -> None:
    """Neither is a verified one of another act."""
    first = desk.take(*reports.report(officer("ann")), NOON).view.alert
    engine.step(
        first.alert_id,
        Step.DISMISS,
        SUPERVISOR,
        NOON,
        note="wrong",
        reason=Outcome.FALSE_ALARM,
        cause="wrong_place",
    )
    again = desk.take(*reports.report(stake="K11+000"), NOON).view.alert
    assert "repeat" not in {reason.key for reason in again.reasons}


def test_a_key_that_was_used_is_refused_by_the_book(book: Book, desk: ReportDesk) -> None:
    """Below the desk too: no second row."""
    one, _ = reports.report(key="k1")
    desk.take(one, Caller(), NOON)
    with pytest.raises(Conflict), book.begin() as tx:
        tx.reports.add(reports.report(key="k1")[0], Caller())


def test_the_log_rebuilds_alerts_that_nobody_saw(book: Book, engine: AlertEngine, desk: ReportDesk) -> None:
    """`hcawatch db replay --check` explains reports as it does cameras."""
    desk.take(*reports.report(**RED), NOON)
    desk.take(*reports.report(officer("ann"), stake="K11+000"), NOON)
    take(book, engine, event())
    if hasattr(book, "tables"):
        assert replay.compare(replay.replay(book.tables.entries), book.tables.alerts.values()) == []
        return
    with book.pool.connection() as conn:
        assert replay.check(conn) == []


# ---------------------------------------------------------------- a device's own alarm
def alarm(book: Book, engine: AlertEngine, after_s: float = 0, **changes: Any) -> None:
    """What ingest leaves for an ONVIF event of camera c2."""
    at = NOON + timedelta(seconds=after_s)
    body = {
        "camera_id": "c2", "violation": "on_pipe", "device_key": "fence", "message_key": f"m{after_s}", "active": True,
        "at": at, "said": "ObjectsInside IsInside=true", **changes,
    }  # fmt: skip
    book.add_work("device_alarm", body, at)
    engine.take_work(at)


def test_a_cameras_own_alarm_is_an_alert_until_it_ends(book: Book, engine: AlertEngine) -> None:
    """It opens, repeats itself without a longer history, ends with the device's word; the case stays open."""
    alarm(book, engine)
    (row,) = engine.list_alerts()
    assert (row.alert.source, row.alert.camera_id, row.alert.confirmation) == ("device", "c2", "pending")
    assert {"by_device"} <= {reason.key for reason in row.alert.reasons}
    for n in (30, 60, 90):
        alarm(book, engine, after_s=n)
    alarm(book, engine, after_s=120, active=False)
    view = engine.view(row.alert.alert_id)
    assert [(m.step, m.reason) for m in view.transitions] == [
        ("open", "new_place"),
        ("note", "condition_ended"),
    ]
    assert view.alert.last_seen_at == NOON + timedelta(seconds=90)
    assert (view.alert.state, view.alert.condition_ended_at) == (State.OPEN, NOON + timedelta(seconds=120))
    assert [(one.via, one.entered_by) for one in view.reports] == [("device", "device:c2")]


def test_the_same_message_twice_is_one_alarm(book: Book, engine: AlertEngine) -> None:
    """A broker that delivers again, and a device that keeps saying so after its case is closed, open nothing."""
    alarm(book, engine)
    alarm(book, engine, message_key="m0")
    (row,) = engine.list_alerts()
    engine.step(
        row.alert.alert_id,
        Step.DISMISS,
        SUPERVISOR,
        NOON,
        note="a fox",
        reason=Outcome.FALSE_ALARM,
        cause="animal",
    )
    alarm(book, engine, after_s=60)
    assert len(engine.list_alerts()) == 1
    alarm(book, engine, after_s=70, active=False)
    alarm(book, engine, after_s=80)
    assert [one.alert.occurrence_of for one in engine.list_alerts()] == [row.alert.alert_id, None]


def test_an_end_without_a_beginning_opens_nothing(book: Book, engine: AlertEngine) -> None:
    """A device says its states when it connects: most of them are false."""
    alarm(book, engine, active=False)
    assert engine.list_alerts() == ()


def test_a_camera_that_is_gone_from_the_configuration_is_told(book: Book, engine: AlertEngine) -> None:
    """Work that nobody can decide is a health alert, never lost."""
    alarm(book, engine, camera_id="gone")
    assert [row.alert.health for row in engine.list_alerts()] == ["work_failed"]


def test_an_alarm_does_not_wait_behind_a_storm_of_updates(book: Book, engine: AlertEngine) -> None:
    """It is decided with the onsets, while all that edges left before it still waits; onsets wait behind no device."""
    for n in range(60):
        book.add_work("event", event(episode=f"u{n}", phase="update", seq=n + 1), NOON)
    for n in range(25):
        body = {"camera_id": "c2", "violation": "on_pipe", "device_key": f"k{n}", "message_key": f"k{n}", "active": True,
                "at": NOON, "said": "in"}  # fmt: skip
        book.add_work("device_alarm", body, NOON)
    book.add_work("event", event(episode="onset", seq=99), NOON)
    assert engine.take_onsets(NOON, limit=11) == 11  # ten alarms, then the onset: neither waits for the other
    assert {row.alert.source for row in engine.list_alerts()} == {"device", "edge"}
    assert engine.take_onsets(NOON) == 15
    with book.begin() as tx:
        assert tx.next_onset() is None
        assert tx.next_device_alarm() is None
        waits = tx.next_rest()
        assert waits is not None
        assert waits.body["phase"] == "update"
    assert engine.take_rest(NOON) == 60


def test_an_over_is_not_overtaken_by_the_next_alarm(book: Book, engine: AlertEngine) -> None:
    """What a device says is decided in its order, also while another worker has the first of it; others go on."""
    if hasattr(book, "tables"):
        return  # one transaction after the other
    alarm(book, engine)
    for n, (camera_id, active) in enumerate([("c2", False), ("c2", True), ("c1", True)]):
        body = {"camera_id": camera_id, "violation": "on_pipe", "device_key": camera_id if n == 2 else "fence",
                "message_key": f"o{n}", "active": active, "at": NOON + timedelta(seconds=60 + n), "said": "in"}  # fmt: skip
        book.add_work("device_alarm", body, NOON)
    with book.begin() as slow, book.begin() as other:
        first = slow.next_device_alarm()
        assert (first.body["camera_id"], first.body["active"]) == ("c2", False)
        second = other.next_device_alarm()
        assert (second.body["camera_id"], second.body["active"]) == ("c1", True)
        other.finish_work(second.work_id, NOON)
        assert other.next_device_alarm() is None
    assert engine.take_work(NOON + timedelta(seconds=70)) == 2
    (row,) = (row for row in engine.list_alerts() if row.alert.camera_id == "c2")
    view = engine.view(row.alert.alert_id)
    assert [move.reason for move in view.transitions][:2] == ["new_place", "condition_ended"]
    assert (len(view.reports), view.alert.condition_ended_at) == (2, None), "ended, and began anew"
