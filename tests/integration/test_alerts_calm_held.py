"""What is held is never silent for good, and what it was told as is so: on PostgreSQL and in memory."""

from __future__ import annotations

import threading
from typing import Any

import msgspec
import pytest

from alerts.calm.desk import ShelfDesk
from alerts.calm.running import Chosen
from alerts.calm.shelves import Scope
from alerts.engine import AlertEngine
from alerts.lifecycle import AlertKind, Step
from alerts.postgres_rows import PostgresRows
from alerts.values import LastWord
from monitor.domain.levels import Level
from tests.doubles.alert_book import MemoryAlertBook
from tests.doubles.alert_story import NOON, OPERATOR, SUPERVISOR, event, mild, uid
from tests.integration.test_alerts_book import Book, book, engine, outgoing, take, the_alert
from tests.integration.test_alerts_calm import ORANGE, at, desk, explained, shelve, steps, turn

__all__ = ["book", "desk", "engine"]


def not_watching(engine: AlertEngine) -> list[str]:
    """Cameras whose own alert rings."""
    return [row.alert.subject for row in engine.list_alerts(kind=AlertKind.HEALTH, running=True)]


def test_what_goes_on_under_a_covered_lens_is_not_silent(book: Book, engine: AlertEngine) -> None:
    """Somebody cleared the camera's alert by hand, and it is covered still: the next look at the violation rings it."""
    book.set_camera("c1", LastWord(state="obscured", since=NOON))
    take(book, engine, event(after_s=5, **ORANGE), after_s=10)

    def cleared(after_s: float) -> None:
        (health,) = engine.list_alerts(kind=AlertKind.HEALTH, running=True)
        engine.step(health.alert.alert_id, Step.CLEAR, OPERATOR, at(after_s))
        assert not_watching(engine) == []

    cleared(60)
    take(book, engine, event(phase="update", after_s=120, seq=2, **ORANGE), after_s=120)
    assert (the_alert(engine).held_by, not_watching(engine)) == ("inhibited", ["c1"])
    cleared(180)
    take(book, engine, event(episode="next", after_s=240, seq=3, **ORANGE), after_s=240)
    assert (the_alert(engine).level, the_alert(engine).held_by) == (Level.II, "inhibited")
    assert not_watching(engine) == ["c1"]
    assert explained(book) == []


def test_a_device_that_says_it_again_rings_what_nothing_holds(
    book: Book, engine: AlertEngine, desk: ShelfDesk
) -> None:
    """A smart camera's alarm came while its lens was covered; once that is well, its next word is not only a time."""

    def says(after_s: float) -> None:
        body = {
            "camera_id": "c1", "violation": "works_50m", "device_key": "fence", "message_key": f"m{after_s}",
            "active": True, "at": at(after_s), "said": "field crossed",
        }  # fmt: skip
        book.add_work("device_alarm", body, at(after_s))
        turn(engine, desk, after_s)

    book.set_camera("c1", LastWord(state="obscured", since=NOON))
    says(10)
    assert the_alert(engine).held_by == "inhibited"
    book.set_camera("c1", LastWord(state="streaming", since=at(20)))
    says(30)
    assert (the_alert(engine).held_by, the_alert(engine).rung_at) == (None, at(30))
    assert explained(book) == []


def test_a_red_clock_never_waits_behind_reminders(book: Book, engine: AlertEngine, desk: ShelfDesk) -> None:
    """Three reminders of mild alerts were told within the minute: level I, overdue as well, is told by itself."""
    for n in range(4):
        take(book, engine, mild(episode=f"m{n}", zone_id=f"z{n}", camera_id="c2", seq=n + 1))
    level = engine.list_alerts()[0].alert.level
    limits = {one: engine.policy.response.limit("operator_patrol", one).acknowledge_s or 0 for one in Level}
    overdue_s = limits[level]
    red_s = overdue_s + 2 - limits[Level.I]
    take(book, engine, event(episode="red", after_s=red_s, seq=9), after_s=red_s)
    for n in range(4):
        turn(engine, desk, overdue_s + n)
    said = [body for body in outgoing(book) if body["what"] in ("escalation", "escalations")]
    mine = [(body["what"], body["level"]) for body in said if body["officer"] == "operator"]
    assert mine.count(("escalation", level.value)) == 3
    assert mine.count(("escalations", level.value)) == 1
    assert ("escalation", "I") in mine


def test_why_it_was_held_outlives_a_worse_grade(book: Book, engine: AlertEngine, desk: ShelfDesk) -> None:
    """Inhibited, then graded worse and inhibited still: whoever reads the alert sees what kept it quiet."""
    book.set_camera("c1", LastWord(state="obscured", since=NOON))
    first = event(
        activity="passing",
        within_band=0.1,
        violation="works_50m",
        rule_id="works-50m",
        dwell_s=1.0,
        after_s=5,
    )
    take(book, engine, first, after_s=10)
    mildly = the_alert(engine).level
    take(book, engine, event(phase="update", seq=2, after_s=60, **ORANGE), after_s=60)
    alert = the_alert(engine)
    assert alert.level.is_worse_than(mildly)
    assert (alert.held_by, [r.detail for r in alert.reasons if r.key == "inhibited"]) == (
        "inhibited",
        ["obscured"],
    )
    assert [m.held_by for m in engine.view(alert.alert_id).transitions] == ["inhibited", "inhibited"]
    assert explained(book) == []


def test_a_shelf_that_ends_over_a_covered_lens_says_what_holds_now(
    book: Book, engine: AlertEngine, desk: ShelfDesk
) -> None:
    """Shelved at first, inhibited from the shelf's end on: both reasons are there, and the history tells which when."""
    shelve(desk)
    take(book, engine, event(after_s=5, **ORANGE), after_s=10)
    book.set_camera("c1", LastWord(state="dark", since=at(20)))
    take(book, engine, event(phase="update", seq=2, after_s=3000, **ORANGE), after_s=3000)
    turn(engine, desk, 3600)
    alert = the_alert(engine)
    assert alert.held_by == "inhibited"
    assert [r.key for r in alert.reasons][-2:] == ["shelved", "inhibited"]
    assert [m.held_by for m in engine.view(alert.alert_id).transitions] == ["shelf", "inhibited"]
    assert [step for step, _ in steps(engine, alert)] == ["open", "hold"]
    assert explained(book) == []


def test_a_camera_lost_while_it_is_being_shelved_does_not_ring(
    book: Book, engine: AlertEngine, desk: ShelfDesk
) -> None:
    """Both at the same moment: one waits for the other, so that the shelf holds what it says."""
    shelf = shelve(desk)
    desk.end(shelf.shelf_id, SUPERVISOR, "", at(1))
    book.set_camera("c1", LastWord(state="obscured", since=at(2)))
    body = {"camera_id": "c1", "edge_id": "e1", "state": "obscured", "since": at(2), "reason": ""}
    book.add_work("camera_state", body, at(2))
    lost = threading.Thread(target=lambda: engine.take_work(at(3)))
    with book.begin() as tx:  # as the desk does it
        tx.lock("site:s1")
        lost.start()
        lost.join(0.7)
        tx.put_shelf(msgspec.structs.replace(shelf, shelf_id=uid("another")))
    lost.join(60)
    (row,) = engine.list_alerts(kind=AlertKind.HEALTH, running=True)
    assert row.alert.held_by == "shelf"


def test_a_flood_never_pushes_the_oldest_red_alert_out_of_the_list(
    book: Book, engine: AlertEngine, desk: ShelfDesk
) -> None:
    """Newer mild alerts and held ones do not: the list is cut at its mild and new end."""
    take(book, engine, event())
    red = the_alert(engine)
    for n in range(3):
        take(book, engine, mild(episode=f"m{n}", zone_id=f"z{n}", camera_id="c2", seq=n + 2), after_s=n + 1)
    shelve(desk, 5)
    take(
        book,
        engine,
        event(episode="held", position=None, zone_id="far", seq=9, after_s=9, **ORANGE),
        after_s=10,
    )
    rows = engine.urgent_alerts(held=False, limit=2)
    assert [row.alert.number for row in rows] == [red.number, red.number + 1]
    (held,) = engine.urgent_alerts(held=True, limit=2)
    assert held.alert.held_by == "shelf"


def test_a_list_goes_on_after_its_end_and_can_be_narrowed(book: Book, engine: AlertEngine) -> None:
    """Page after page has each alert once; of one level, place or kind only those."""
    take(book, engine, event())
    for n in range(4):
        take(book, engine, mild(episode=f"m{n}", zone_id=f"z{n}", camera_id="c2", seq=n + 2), after_s=n + 1)
    every = [row.alert for row in engine.urgent_alerts(held=False, limit=10)]
    pages = [engine.urgent_alerts(held=False, limit=2, after=after) for after in (0, 2, 4, 6)]
    assert [row.alert for page in pages for row in page] == every
    red = every[0]
    for chosen in (Chosen(level=Level.I), Chosen(what=red.violation), Chosen(level=Level.I, state=red.state)):
        found = [row.alert for row in engine.urgent_alerts(held=False, limit=10, chosen=chosen)]
        assert found == [alert for alert in every if chosen.takes(alert)]
        assert found[0] == red
    assert engine.urgent_alerts(held=False, limit=10, chosen=Chosen(site_id="")) == ()


def test_shelves_are_read_and_ended_with_as_few_questions_as_one(
    book: Book, engine: AlertEngine, desk: ShelfDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many shelves, and many alerts on one: the page and the shelf's end ask no oftener than for a single one."""
    if isinstance(book, MemoryAlertBook):
        return  # no statements to count
    asked: list[str] = []
    run = PostgresRows._run

    def counting(self: PostgresRows, query: str, **given: Any) -> Any:
        asked.append(query)
        return run(self, query, **given)

    monkeypatch.setattr(PostgresRows, "_run", counting)
    first = shelve(desk, camera_id="c1")
    for code in ("on_pipe", "works_50m", "fire_5m"):
        shelve(desk, camera_id="c2", scope=Scope.RULE, violation=code)
    for n in range(5):
        take(
            book,
            engine,
            event(episode=f"h{n}", position=None, zone_id=f"far{n}", seq=n + 1, after_s=n, **ORANGE),
            after_s=n + 1,
        )
    asked.clear()
    views = desk.running()
    assert asked == ["running_shelves", "alerts_of_shelves"]
    assert sorted(len(view.alerts) for view in views) == [0, 0, 0, 5]
    asked.clear()
    desk.end(first.shelf_id, SUPERVISOR, "", at(60))
    questions = [query for query in asked if query.startswith(("shelves_of", "last_word"))]
    assert questions == ["shelves_of_many", "last_words_of_cameras"]
    assert {row.alert.held_by for row in engine.list_alerts(kind=AlertKind.VIOLATION)} == {None}
    assert explained(book) == []
