"""Onsets are taken first and together: as if one by one, with few statements, before any backlog."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from alerts import replay
from alerts.engine import AlertEngine
from alerts.lifecycle import AlertKind, State
from alerts.policy import Policy
from alerts.reasons import Health
from alerts.values import Permit
from monitor.domain.events import RiskEvent
from monitor.store.pool import make_pool
from tests.doubles.alert_book import MemoryAlertBook
from tests.doubles.alert_seeds import SeededPostgresBook
from tests.doubles.alert_story import CITY, NOON, at_metres, event, mild, uid

Book = MemoryAlertBook | SeededPostgresBook

#: what a transaction leaves, but for what the database numbers by itself
TABLES = {
    "alert": "SELECT * FROM alert ORDER BY number",
    "alert_transition": "SELECT * FROM alert_transition ORDER BY alert_id, n",
    "alert_episode": "SELECT * FROM alert_episode ORDER BY episode_id",
    "dispatch": "SELECT * FROM dispatch ORDER BY dispatch_id",
    "timer": "SELECT alert_id, what, dispatch_id, due_at, done_at FROM timer ORDER BY alert_id, what, due_at",
    "outgoing": "SELECT * FROM outgoing ORDER BY outgoing_id",
    "audit_entry": "SELECT body, leaf_hash, kind, subject, actor, at FROM audit_entry ORDER BY entry_id",
    "alert_work": "SELECT kind, done_at FROM alert_work ORDER BY work_id",
}


@pytest.fixture
def book(postgres_dsn: str) -> Iterator[SeededPostgresBook]:
    with make_pool(postgres_dsn, "test", max_size=4) as pool:
        yield SeededPostgresBook(pool)


@pytest.fixture(params=["memory", "postgres"])
def either(request: pytest.FixtureRequest) -> Book:
    if request.param == "memory":
        return MemoryAlertBook()
    postgres: Book = request.getfixturevalue("book")
    return postgres


def counting() -> Callable[[], str]:
    """Ids that are the same in every run."""
    numbers = itertools.count(1)
    return lambda: str(uuid.UUID(int=next(numbers)))


def spread(count: int, **changes: Any) -> list[RiskEvent]:
    """Onsets a hundred metres from each other."""
    return [
        event(episode=f"e{n}", event_id=uid(f"event{n}"), position=at_metres(100.0 * n, 3), **changes)
        for n in range(count)
    ]


def mixed() -> list[RiskEvent]:
    """Every kind of opening: sent at once, in two minutes, not yet; lawful; nobody left to send; and some that meet."""
    return [
        *spread(8),
        event(episode="stopped", event_id=uid("x1"), position=at_metres(-300, 3), activity="stopped"),
        event(episode="again", event_id=uid("x2"), position=at_metres(201, 3)),
        event(episode="lawful", event_id=uid("x3"), position=at_metres(-900, 30), chainage_m=50.0,
              offset_m=-30.0, violation="works_50m", rule_id="works-50m"),
        mild(episode="mild", event_id=uid("x4")),
        mild(episode="mild too", event_id=uid("x5")),
        *(
            event(episode=f"far{n}", event_id=uid(f"far{n}"), site_id="s2", camera_id="c2", position=at_metres(300.0 * n, 9))
            for n in range(9)
        ),
    ]  # fmt: skip


def left_by(book: SeededPostgresBook, take: Callable[[AlertEngine], int]) -> dict[str, list[dict[str, Any]]]:
    book.add_permit(
        Permit(permit_number="p", violation="works_50m", pipeline_id="p1", from_m=0, to_m=100,
               valid_from=NOON - timedelta(hours=1), valid_to=NOON + timedelta(hours=1))
    )  # fmt: skip
    events = mixed()
    for one in events:
        book.add_event(one, NOON)
    assert take(AlertEngine(book, CITY, Policy(most_per_officer=2), counting())) == len(events)
    with book.pool.connection() as conn:
        assert replay.check(conn) == []
    return {table: book.run(query) for table, query in TABLES.items()}


def test_together_leaves_what_one_by_one_leaves(postgres_dsn: str, empty_copy: str) -> None:
    """Alerts, histories, officers, timers, messages and audit entries are the same, whoever they are taken with."""
    with make_pool(postgres_dsn, "together") as pool:
        together = left_by(SeededPostgresBook(pool), lambda engine: engine.take_work(NOON))
    with make_pool(empty_copy, "alone") as pool:
        # a limit of one leaves nothing to take together
        alone = left_by(
            SeededPostgresBook(pool), lambda engine: sum(engine.take_work(NOON, limit=1) for _ in mixed())
        )
    # ids are given in the order of taking: who meets another one is taken after the others
    assert {table: len(rows) for table, rows in together.items()} == {
        t: len(rows) for t, rows in alone.items()
    }
    assert by_place(together) == by_place(alone)
    assert any(row["state"] == "supervised" for row in together["alert"])
    assert any(row["health"] == Health.NOBODY_TO_DISPATCH for row in together["alert"])


def by_place(tables: dict[str, list[dict[str, Any]]]) -> dict[Any, Any]:
    """Each alert with its history, its timers and whether somebody was told, by where it is."""
    found = {}
    for alert in tables["alert"]:
        of_it = {
            table: sorted(_plain(row) for row in rows if row.get("alert_id") == alert["alert_id"])
            for table, rows in tables.items()
            if table in ("alert_transition", "dispatch", "timer")
        }
        told = sum(row["body"]["alert_id"] == str(alert["alert_id"]) for row in tables["outgoing"])
        key = (alert["kind"], alert["subject"], alert["lon"], alert["chainage_m"], alert["camera_id"])
        found[key] = (_plain(alert), of_it, told)
    return found


#: ids, and who it is of those that would do
_DIFFERS = {"alert_id", "number", "dispatch_id", "officer", "team_id", "reasons", "choice", "chosen"}


def _plain(row: dict[str, Any]) -> str:
    return repr({name: value for name, value in sorted(row.items()) if name not in _DIFFERS})


@pytest.fixture
def empty_copy(postgres_server_dsn: str, postgres_template: str) -> Iterator[str]:
    from tests.conftest import fresh_database

    yield from fresh_database(postgres_server_dsn, postgres_template)


def test_many_onsets_cost_as_many_statements_as_few(
    book: SeededPostgresBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A storm's two hundred alerts a second are waited for by nobody: statements grow with sites, not with alerts."""
    run: list[str] = []
    execute = psycopg.Cursor.execute

    def counted(self: Any, query: Any, *args: Any, **more: Any) -> Any:
        run.append(str(query))
        return execute(self, query, *args, **more)

    engine = AlertEngine(book, CITY, Policy(most_per_officer=99))
    counts = []
    for begin, count in ((0, 10), (100, 50)):
        for n in range(begin, begin + count):
            book.add_event(event(episode=f"e{n}", position=at_metres(60.0 * n, 3)), NOON)
        with monkeypatch.context() as patch:
            patch.setattr(psycopg.Cursor, "execute", counted)
            run.clear()
            assert engine.take_onsets(NOON) == count
        counts.append(len(run))
    assert counts[0] == counts[1] < 40, counts
    assert len(book.run("SELECT 1 AS one FROM dispatch")) == 60


def test_an_onset_does_not_wait_for_a_backlog(either: Book) -> None:
    """One edge sends what it kept for a day; another's excavator is alerted before all of that."""
    engine = AlertEngine(either, CITY)
    either.add_event(event(episode="old"), NOON)
    assert engine.take_work(NOON) == 1
    for n in range(30):
        either.add_event(event(episode="old", phase="update", after_s=n), NOON)
    either.add_event(event(episode="new", position=at_metres(900, 3)), NOON)
    assert engine.take_work(NOON, limit=1) == 1
    assert len(engine.list_alerts(kind=AlertKind.VIOLATION)) == 2
    assert engine.take_work(NOON) == 30


def test_an_episode_keeps_its_order(book: SeededPostgresBook) -> None:
    """While somebody opens an episode, nobody else may end it, or what it ended would be opened after."""
    book.add_event(event(episode="a"), NOON)
    book.add_event(event(episode="a", phase="end", after_s=9), NOON)
    engine = AlertEngine(book, CITY)
    with book.begin() as tx:
        assert tx.next_onset() is not None
        assert engine.take_rest(NOON) == 0
    assert engine.take_work(NOON) == 2
    (row,) = engine.list_alerts(kind=AlertKind.VIOLATION)
    assert row.alert.condition_ended_at == NOON + timedelta(seconds=9)


def test_one_onset_that_cannot_be_decided_keeps_back_no_other(either: Book) -> None:
    """The others are alerted, and a health alert says which was not."""
    engine = AlertEngine(either, CITY)
    either.add_event(event(episode="a"), NOON)
    either.add_work("event", {"phase": "onset", "nonsense": True}, NOON)
    either.add_event(event(episode="b", position=at_metres(500, 3)), NOON)
    assert engine.take_work(NOON) == 3
    assert len(engine.list_alerts(kind=AlertKind.VIOLATION)) == 2
    (row,) = engine.list_alerts(kind=AlertKind.HEALTH)
    assert row.alert.health == Health.WORK_FAILED


def test_joining_looks_at_the_place_and_not_at_the_site(either: Book) -> None:
    """A hundred thousand open alerts of a site cost the next one nothing; those that it may join are found."""
    engine = AlertEngine(either, CITY)
    either.add_event(event(episode="far", position=at_metres(900, 3)), NOON)
    either.add_event(event(episode="near", position=at_metres(0, 3)), NOON)
    either.add_event(event(episode="no place", position=None, camera_id="c7"), NOON)
    assert engine.take_work(NOON) == 3

    def met(**changes: Any) -> int:
        with either.begin() as tx:
            return len(tx.nearby(event(episode="new", **changes), Policy(), NOON).alerts)

    assert met(position=at_metres(49, 3)) == 1
    assert met(position=at_metres(0, 3), camera_id="c7") == 2
    assert met(position=at_metres(500, 3)) == 0
    assert met(position=None, camera_id="c7") == 1
    assert met(position=None, camera_id="c1") == 2
    assert met(position=at_metres(0, 3), after_s=1801) == 0


def test_two_workers_take_onsets_of_one_officer_one_after_the_other(book: SeededPostgresBook) -> None:
    """Together or not: whoever chooses knows whom the other one sent."""
    engine = AlertEngine(book, CITY)
    for one in spread(6):
        book.add_event(one, NOON)
    assert engine.take_onsets(NOON, limit=3) == 3
    assert engine.take_onsets(NOON, limit=3) == 3
    running = book.run("SELECT officer, count(*) AS n FROM dispatch GROUP BY officer ORDER BY officer")
    assert [(row["officer"], row["n"]) for row in running] == [("ann", 2), ("bo", 2), ("cai", 2)]
    assert {row.alert.state for row in engine.list_alerts()} == {State.DISPATCHED}


def test_a_site_that_has_nobody_left_has_one_alert_of_it(book: SeededPostgresBook) -> None:
    """Six onsets of a site and three officers with one each: all are taken together, and the room is told once."""
    engine = AlertEngine(book, CITY, Policy(most_per_officer=1))
    for one in spread(6):
        book.add_event(one, NOON)
    together, left = engine._onsets(NOON, 6)
    assert (together, left) == (6, 0)
    (row,) = engine.list_alerts(kind=AlertKind.HEALTH)
    assert row.alert.health == Health.NOBODY_TO_DISPATCH
    assert len(engine.list_alerts(kind=AlertKind.VIOLATION)) == 6
