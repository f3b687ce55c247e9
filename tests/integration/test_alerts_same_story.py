"""Random stories told to PostgreSQL and to the book in memory: both end the same, and the promises hold."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from alerts import replay
from monitor.store.pool import make_pool
from tests.doubles.alert_book import MemoryAlertBook
from tests.doubles.alert_random import Action, Teller, check, comparable, stories
from tests.doubles.alert_seeds import SeededPostgresBook


@pytest.fixture
def real(postgres_dsn: str) -> Iterator[SeededPostgresBook]:
    with make_pool(postgres_dsn, "test", min_size=1, max_size=2) as pool:
        yield SeededPostgresBook(pool)


@settings(
    # shrinking against a real database takes minutes; the book in memory shrinks in seconds
    phases=[Phase.generate],
    max_examples=12, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(story=stories)
def test_both_books_tell_the_same_story(real: SeededPostgresBook, story: list[Action]) -> None:
    """Same alerts, histories, dispatches and messages from the same actions; the audit log explains the table."""
    real.run(
        "TRUNCATE alert, alert_episode, alert_transition, alert_work, dispatch, timer, outgoing, permit, evidence,"
        " risk_event, audit_entry CASCADE"
    )
    memory = MemoryAlertBook()
    tellers = [Teller(real), Teller(memory)]
    for action in story:
        for teller in tellers:
            teller.tell(action)
    views = [teller.views() for teller in tellers]
    check(views[0], {})
    assert comparable(views[0]) == comparable(views[1])
    sent = [row["body"] | {"number": 0} for row in real.run("SELECT body FROM outgoing ORDER BY outgoing_id")]
    assert sent == [one.body | {"number": 0} for one in memory.tables.outgoing.values()]
    with real.pool.connection() as conn:
        assert replay.check(conn) == []
