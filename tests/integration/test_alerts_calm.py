"""Shelves, inhibition, coming and going and bundles on a database: the same on PostgreSQL and in memory."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from alerts import replay
from alerts.calm.desk import ShelfDesk
from alerts.calm.shelves import EndOfShelf, Scope, Shelf, ShelfAsk, ShelfReason, ShelfRefused
from alerts.engine import AlertEngine
from alerts.lifecycle import AlertKind, State, Step
from alerts.reasons import Why
from alerts.rebuilding import shelves
from alerts.values import Alert, LastWord
from monitor.audit.entries import read
from monitor.domain.levels import Level
from tests.doubles.alert_story import CITY, NOON, OPERATOR, SUPERVISOR, event, mild
from tests.integration.test_alerts_book import Book, book, engine, outgoing, take, the_alert

__all__ = ["book", "engine"]
#: level II by the weights: a machine that stands within 50 m in a site of grade III
ORANGE: dict[str, Any] = {"violation": "works_50m", "rule_id": "works-50m", "activity": "working"}


@pytest.fixture
def desk(book: Book) -> ShelfDesk:
    return ShelfDesk(book, CITY)


def shelve(desk: ShelfDesk, after_s: float = 0, **changes: Any) -> Shelf:
    now = NOON + timedelta(seconds=after_s)
    given: dict[str, Any] = {
        "actor": SUPERVISOR, "scope": Scope.CAMERA, "camera_id": "c1", "worst": Level.II,
        "reason": ShelfReason.NUISANCE, "note": "flag in the wind", "until_at": now + timedelta(hours=1),
    }  # fmt: skip
    return desk.shelve(ShelfAsk(**{**given, **changes}), now)


def at(after_s: float) -> Any:
    return NOON + timedelta(seconds=after_s)


def turn(engine: AlertEngine, desk: ShelfDesk, after_s: float) -> None:
    """What is due happens."""
    desk.run_due(at(after_s))
    engine.take_work(at(after_s))
    engine.run_due(at(after_s))


def explained(book: Book) -> list[Any]:
    """Differences between the log and the alerts."""
    if hasattr(book, "tables"):
        entries, tables = book.tables.entries, book.tables
        beside = [e for e in entries if e.kind in shelves.KINDS]
        return [*replay.compare(replay.replay(entries), tables.alerts.values()),
                *shelves.compare(beside, tables.shelves.values())]  # fmt: skip
    with book.pool.connection() as conn:
        return replay.check(conn)


def entries(book: Book, kind: str) -> list[Any]:
    if hasattr(book, "tables"):
        return [e for e in book.tables.entries if e.kind.startswith(kind)]
    rows = book.run("SELECT body FROM audit_entry WHERE kind LIKE %s ORDER BY entry_id", f"{kind}%")
    return [read(bytes(row["body"])) for row in rows]


def steps(engine: AlertEngine, alert: Alert) -> list[tuple[str, str]]:
    return [(m.step, m.reason) for m in engine.view(alert.alert_id).transitions]


def test_what_is_shelved_is_stored_and_asks_nobody(book: Book, engine: AlertEngine, desk: ShelfDesk) -> None:
    """Graded, in the list, in the log; no officer, no message, no clock. When the shelf is due it rings, if still there."""
    shelf = shelve(desk)
    take(book, engine, event(**ORANGE), after_s=10)
    alert = the_alert(engine)
    assert (alert.level, alert.held_by, alert.shelf_id) == (Level.II, "shelf", shelf.shelf_id)
    assert alert.held_until == shelf.until_at
    turn(engine, desk, 3500)
    assert (engine.view(alert.alert_id).dispatches, outgoing(book)) == ((), [])
    turn(engine, desk, 3600)
    alert = the_alert(engine)
    assert (alert.held_by, alert.rung_at) == (None, at(3600))
    said = [body for body in outgoing(book) if body["what"] == "shelf_ended"]
    assert [body["officer"] for body in said] == ["supervisor"]
    assert said[0]["rings"] == [alert.number]
    turn(engine, desk, 3600 + 121)
    assert the_alert(engine).state is State.DISPATCHED
    assert [e.kind for e in entries(book, "shelf.")] == ["shelf.begin", "shelf.end"]
    assert explained(book) == []


def test_red_goes_through_a_shelf(book: Book, engine: AlertEngine, desk: ShelfDesk) -> None:
    """A machine that digs is dispatched in the same second, whatever is shelved."""
    shelve(desk)
    take(book, engine, event(), after_s=10)
    assert (the_alert(engine).level, the_alert(engine).state) == (Level.I, State.DISPATCHED)


def test_what_gets_worse_while_shelved_rings_at_once(
    book: Book, engine: AlertEngine, desk: ShelfDesk
) -> None:
    """From III, shelved, to I: dispatched with the look that shows it."""
    shelve(desk, worst=Level.III, actor=OPERATOR)
    first = event(
        activity="passing", within_band=0.1, violation="works_50m", rule_id="works-50m", dwell_s=1.0
    )
    take(book, engine, first, after_s=10)
    alert = the_alert(engine)
    if alert.level is Level.II:  # the weights grade it so: then the operator's shelf holds nothing
        assert alert.held_by is None
        return
    assert alert.held_by == "shelf"
    worse = event(episode="a", phase="update", after_s=20, seq=2)
    take(book, engine, worse, after_s=20)
    view = engine.view(alert.alert_id)
    assert (view.alert.level, view.alert.state, view.alert.held_by) == (Level.I, State.DISPATCHED, None)
    assert ("ring", Why.NOTHING_HOLDS) in steps(engine, alert)
    assert explained(book) == []


def test_another_camera_that_sees_it_lets_it_ring(book: Book, engine: AlertEngine, desk: ShelfDesk) -> None:
    """A shelf is of a source; what a second camera confirms is no nuisance of the first."""
    shelve(desk)
    take(book, engine, event(**ORANGE), after_s=10)
    take(book, engine, event(episode="b", camera_id="c9", after_s=30, **ORANGE), after_s=30)
    alert = the_alert(engine)
    assert alert.held_by is None
    turn(engine, desk, 30 + 121)
    assert the_alert(engine).state is State.DISPATCHED


def test_what_came_and_went_waits_for_a_look(book: Book, engine: AlertEngine, desk: ShelfDesk) -> None:
    """It is listed when the shelf ends, nobody is sent for it, and a person can still judge it or it comes back."""
    shelf = shelve(desk)
    take(book, engine, event(**ORANGE), event(phase="end", after_s=60, **ORANGE), after_s=70)
    turn(engine, desk, 3600)
    alert = the_alert(engine)
    assert (alert.held_by, alert.state, alert.closed_at) == ("shelf_over", State.OPEN, None)
    (message,) = [body for body in outgoing(book) if body["what"] == "shelf_ended"]
    assert (message["rings"], message["gone"]) == ([], [alert.number])
    assert [a.number for a in desk.view(shelf.shelf_id).alerts] == [alert.number]
    engine.step(alert.alert_id, Step.CONFIRM, SUPERVISOR, at(3700))
    assert (the_alert(engine).state, the_alert(engine).held_by) == (State.DISPATCHED, None)
    assert explained(book) == []


def test_a_shelf_keeps_quiet_what_rings_already(book: Book, engine: AlertEngine, desk: ShelfDesk) -> None:
    """The operator shelves one alert: its escalation ends, and its clocks begin anew when the shelf is ended by hand."""
    take(book, engine, mild())
    alert = the_alert(engine)
    assert alert.level in (Level.III, Level.IV)
    shelf = shelve(desk, 60, scope=Scope.ALERT, camera_id=None, alert_id=alert.alert_id, actor=OPERATOR)
    assert (shelf.worst, the_alert(engine).held_by) == (alert.level, "shelf")
    with pytest.raises(ShelfRefused, match="shelf_stands_already"):
        shelve(desk, 61, scope=Scope.ALERT, camera_id=None, alert_id=alert.alert_id)
    turn(engine, desk, 3000)
    ended = desk.end(shelf.shelf_id, OPERATOR, "seen to", at(3000))
    assert (ended.end_reason, ended.ended_by) == (EndOfShelf.BY_HAND, "olga")
    assert the_alert(engine).rung_at == at(3000)
    assert steps(engine, alert)[-2:] == [("hold", Why.SHELVED), ("ring", Why.SHELF_ENDED)]
    with pytest.raises(ShelfRefused, match="shelf_is_over"):
        desk.end(shelf.shelf_id, OPERATOR, "", at(3001))
    assert desk.running() == ()
    assert [v.shelf.end_note for v in desk.ended()] == ["seen to"]
    assert explained(book) == []


def test_a_covered_camera_inhibits_its_own_and_says_so(
    book: Book, engine: AlertEngine, desk: ShelfDesk
) -> None:
    """Recorded with the reason; the health alert rings instead, also if somebody had cleared it; well again, it rings."""
    book.set_camera("c1", LastWord(state="obscured", since=NOON))
    take(book, engine, event(after_s=5, **ORANGE), after_s=10)
    alert = the_alert(engine)
    assert alert.held_by == "inhibited"
    assert [(r.key, r.detail, r.points) for r in alert.reasons][-1] == ("inhibited", "obscured", 0)
    (health,) = engine.list_alerts(kind=AlertKind.HEALTH, running=True)
    assert (health.alert.health, health.alert.subject) == ("camera_not_watching", "c1")
    turn(engine, desk, 200)
    assert engine.view(alert.alert_id).dispatches == ()
    book.set_camera("c1", LastWord(state="streaming", since=at(210)))
    take(book, engine, event(phase="update", after_s=220, seq=2, **ORANGE), after_s=220)
    assert the_alert(engine).held_by is None
    turn(engine, desk, 220 + 121)
    assert the_alert(engine).state is State.DISPATCHED
    assert explained(book) == []


def test_a_covered_camera_that_sees_red_is_believed(book: Book, engine: AlertEngine) -> None:
    """Better a way for nothing than a pipe that is hit."""
    book.set_camera("c1", LastWord(state="dark", since=NOON))
    take(book, engine, event(after_s=5), after_s=10)
    assert the_alert(engine).state is State.DISPATCHED


def test_a_camera_that_comes_and_goes_is_one_alert(book: Book, engine: AlertEngine, desk: ShelfDesk) -> None:
    """The third loss in a quarter of an hour stays open and counts, and clears once the camera stayed well."""
    for n in range(6):
        for state, after_s in (("stalled", 60 * n + 10), ("streaming", 60 * n + 40)):
            word = LastWord(state=state, since=at(after_s))
            book.set_camera("c1", word)
            body = {"camera_id": "c1", "edge_id": "e1", "state": state, "since": at(after_s), "reason": ""}
            book.add_work("camera_state", body, at(after_s))
            turn(engine, desk, after_s)
    rows = engine.list_alerts(kind=AlertKind.HEALTH)
    assert len(rows) == 3
    (running,) = [row.alert for row in rows if row.alert.closed_at is None]
    assert running.flapping_since is not None
    assert running.came_back == 4
    turn(engine, desk, 340 + 899)
    assert engine.list_alerts(kind=AlertKind.HEALTH, running=True) != ()
    turn(engine, desk, 340 + 1900)
    assert engine.list_alerts(kind=AlertKind.HEALTH, running=True) == ()
    assert explained(book) == []


def test_many_overdue_clocks_come_in_one_message(book: Book, engine: AlertEngine, desk: ShelfDesk) -> None:
    """Twelve alerts that nobody acknowledges: three messages by themselves, one with the rest within the minute."""
    for n in range(12):
        one = mild(episode=f"m{n}", zone_id=f"z{n}", camera_id="c2", seq=n + 1)
        take(book, engine, one)
    rows = engine.list_alerts(kind=AlertKind.VIOLATION)
    assert len(rows) == 12
    after_s = 4000.0 if rows[0].alert.level is Level.III else 9 * 3600.0
    turn(engine, desk, after_s)
    said = outgoing(book)
    singles = [body for body in said if body["what"] == "escalation" and body["officer"] == "operator"]
    (bundle,) = [body for body in said if body["what"] == "escalations" and body["officer"] == "operator"]
    assert len(singles) == 3
    assert bundle["count"] == 9
    named = {body["alert_id"] for body in singles} | {item["alert_id"] for item in bundle["items"]}
    assert named == {row.alert.alert_id for row in rows}
    # it waits a minute and no longer; whoever reads an alert's page sees that it went
    with book.begin() as tx:
        now = [o.body["what"] for o in tx.take_outgoing(at(after_s + 1), 100)]
        later = [o for o in tx.take_outgoing(at(after_s + 60), 100) if o.body["what"] == "escalations"]
        assert "escalations" not in now
        tx.outgoing_sent([o.outgoing_id for o in later], at(after_s + 60))
    bundled = engine.view(bundle["items"][0]["alert_id"]).told
    assert [t.sent_at for t in bundled] == [at(after_s + 60)]


def test_many_onsets_of_a_shelved_camera_at_once(book: Book, engine: AlertEngine, desk: ShelfDesk) -> None:
    """The fast way for many onsets knows shelves too."""
    shelve(desk)
    many = [event(episode=f"e{n}", position=None, zone_id=f"z{n}", seq=n + 1, **ORANGE) for n in range(5)]
    take(book, engine, *many, after_s=5)
    rows = engine.list_alerts(kind=AlertKind.VIOLATION)
    assert len(rows) == 5
    assert {row.alert.held_by for row in rows if row.alert.level is not Level.I} == {"shelf"}
    assert explained(book) == []


def test_many_onsets_of_a_covered_camera_at_once(book: Book, engine: AlertEngine) -> None:
    """… and cameras that cannot be trusted."""
    book.set_camera("c1", LastWord(state="moved", since=NOON))
    many = [event(episode=f"e{n}", position=None, zone_id=f"z{n}", seq=n + 1, **ORANGE) for n in range(5)]
    take(book, engine, *many, after_s=5)
    held = {row.alert.held_by for row in engine.list_alerts(kind=AlertKind.VIOLATION)}
    assert held == {"inhibited"}
