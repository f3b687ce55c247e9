"""Supervision rules in the loop, on PostgreSQL and on the book in memory: fewer visits where it is clean, more where it
repeats, and each time the alert names the rule.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from alerts import replay
from alerts.clocks import clocks
from alerts.engine import AlertEngine
from alerts.lifecycle import AlertKind, State, Step
from alerts.policy import Policy
from alerts.reasons import Why
from alerts.supervising import is_kept
from alerts.values import Alert
from alerts.views import AlertView
from monitor.domain.levels import Level
from monitor.domain.response import Response
from monitor.domain.supervision import Supervision, SupervisionRule, Then
from monitor.store.pool import make_pool
from tests.doubles.alert_book import MemoryAlertBook
from tests.doubles.alert_seeds import SeededPostgresBook
from tests.doubles.alert_story import CITY, NOON, OPERATOR, event, mild

RULES = (
    SupervisionRule(rule_id="repeats", name={"en": "Repeats", "zh": "屡次"}, levels=(Level.III, Level.IV),
                    then=Then.SOONER, repeats=1),
    SupervisionRule(rule_id="clean", name={"en": "Clean", "zh": "清白"}, levels=(Level.III, Level.IV),
                    then=Then.BUNDLED, clean_months=6, at_most_days=2),
)  # fmt: skip
Book = Any


@pytest.fixture(params=["memory", "postgres"])
def book(request: pytest.FixtureRequest) -> Iterator[Book]:
    if request.param == "memory":
        yield MemoryAlertBook()
        return
    with make_pool(request.getfixturevalue("postgres_dsn"), "test", min_size=1, max_size=4) as pool:
        yield SeededPostgresBook(pool)


@pytest.fixture
def engine(book: Book) -> AlertEngine:
    book.keeps_records_since(NOON - timedelta(days=400))
    return AlertEngine(book, CITY, Policy(supervision=Supervision(rules=RULES)))


def take(book: Book, engine: AlertEngine, one: Any, after_s: float = 0) -> None:
    at = NOON + timedelta(seconds=after_s)
    book.add_event(one, at)
    engine.take_work(at)
    engine.run_due(at)


def newest(engine: AlertEngine) -> AlertView:
    return engine.view(engine.list_alerts(kind=AlertKind.VIOLATION)[0].alert.alert_id)


def explained(book: Book) -> bool:
    """The audit log alone gives the same cases."""
    if isinstance(book, MemoryAlertBook):
        return not replay.compare(replay.replay(book.tables.entries), book.tables.alerts.values())
    with book.pool.connection() as conn:
        return replay.check(conn) == []


def test_where_the_record_is_clean_a_confirmed_case_waits_for_the_next_visit(
    book: Book, engine: AlertEngine
) -> None:
    """Nobody is sent, nobody's clock runs, the alert names the rule; after its days it is dispatched by itself."""
    take(book, engine, mild())
    alert = newest(engine).alert
    assert alert.level in (Level.III, Level.IV)
    kept = engine.step(alert.alert_id, Step.CONFIRM, OPERATOR, NOON + timedelta(minutes=1))
    assert (kept.alert.state, kept.dispatches) == (State.OPEN, ())
    assert kept.transitions[-1].reason == Why.KEPT_FOR_VISIT
    assert kept.transitions[-1].note == "clean: Clean / 清白"
    assert [r.detail for r in kept.alert.reasons if r.key == "kept_by_rule"] == ["clean"]
    assert is_kept(kept.alert)
    waited_for = [c.milestone.value for c in clocks(kept.alert, (), CITY, Response()) if c.runs]
    assert "accept" not in waited_for
    engine.run_due(NOON + timedelta(days=1))
    assert newest(engine).alert.state is State.OPEN
    engine.run_due(NOON + timedelta(days=2, minutes=1))
    sent = newest(engine)
    assert (sent.alert.state, sent.transitions[-1].reason) == (State.DISPATCHED, Why.KEPT_LONG_ENOUGH)
    assert not is_kept(sent.alert)
    assert explained(book)


def test_a_person_may_always_send(book: Book, engine: AlertEngine) -> None:
    """The rule spares a visit; it forbids none, and afterwards nothing is sent a second time."""
    take(book, engine, mild())
    alert = newest(engine).alert
    engine.step(alert.alert_id, Step.CONFIRM, OPERATOR, NOON)
    assert engine.step(alert.alert_id, Step.DISPATCH, OPERATOR, NOON).alert.state is State.DISPATCHED
    engine.run_due(NOON + timedelta(days=2, minutes=1))
    assert [m.reason for m in newest(engine).transitions].count(Why.KEPT_LONG_ENOUGH) == 0


def test_what_gets_worse_is_sent_to_at_once(book: Book, engine: AlertEngine) -> None:
    """Kept as III, then graded I: the rule holds for what it was, not for what it became."""
    take(book, engine, mild())
    alert = newest(engine).alert
    engine.step(alert.alert_id, Step.CONFIRM, OPERATOR, NOON)
    assert is_kept(newest(engine).alert)
    take(
        book,
        engine,
        mild(phase="update", reason="activity", after_s=30, dwell_s=9000.0, activity="working"),
        31,
    )
    view = newest(engine)
    assert view.alert.level.is_worse_than(alert.level)
    assert view.alert.state is State.DISPATCHED


def test_where_it_repeats_a_suspicion_is_sent_to_without_waiting(book: Book, engine: AlertEngine) -> None:
    """One confirmed violation of the site within the days: the next one of level III does not wait, and says why."""
    take(book, engine, event(violation="excavation_5m"))
    first = newest(engine).alert
    engine.step(first.alert_id, Step.CONFIRM, OPERATOR, NOON)
    tree = event(episode="tree", violation="planting_5m", rule_id="by-hand", activity="passing", after_s=4)
    take(book, engine, tree, after_s=5)
    view = newest(engine)
    assert view.alert.alert_id != first.alert_id
    assert (view.alert.state, view.alert.confirmation) == (State.DISPATCHED, "pending")
    assert [m.reason for m in view.transitions[1:]] == [Why.SOONER_BY_RULE, Why.SOONER_BY_RULE]
    assert [r.detail for r in view.alert.reasons if r.key == "sooner_by_rule"] == ["repeats"]
    assert explained(book)


@pytest.mark.parametrize("known_days", [None, 30])
def test_without_a_long_enough_record_nothing_is_kept(book: Book, known_days: int | None) -> None:
    """A new installation knows nothing of anybody's past: a confirmed case is dispatched as ever."""
    if known_days is not None:
        book.keeps_records_since(NOON - timedelta(days=known_days))
    engine = AlertEngine(book, CITY, Policy(supervision=Supervision(rules=RULES)))
    take(book, engine, mild())
    sent = engine.step(newest(engine).alert.alert_id, Step.CONFIRM, OPERATOR, NOON)
    assert sent.alert.state is State.DISPATCHED


def test_red_is_dispatched_and_orange_too_whatever_the_rules_say(book: Book, engine: AlertEngine) -> None:
    """Level I at once with the cleanest record; level II after its two minutes."""
    take(book, engine, event())
    red: Alert = newest(engine).alert
    assert (red.level, red.state) == (Level.I, State.DISPATCHED)
    take(book, engine, event(episode="o", violation="works_50m", rule_id="works-50m", after_s=1), after_s=1)
    assert (newest(engine).alert.level, newest(engine).alert.state) == (Level.II, State.OPEN)
    engine.run_due(NOON + timedelta(minutes=3))
    assert newest(engine).alert.state is State.DISPATCHED
