"""Random stories told to the loop in memory: whatever happens, its promises hold."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings

from monitor.domain.levels import Level
from tests.doubles.alert_book import MemoryAlertBook
from tests.doubles.alert_random import Action, Teller, check, check_log, stories


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(stories)
def test_the_promises_hold_in_any_story(story: list[Action]) -> None:
    """One running dispatch and one alert per episode, gapless histories, levels that fall by name only, a true log."""
    book = MemoryAlertBook()
    teller = Teller(book)
    known: dict[str, Level] = {}
    for action in story:
        teller.tell(action)
        views = teller.views()
        check(views, known)
    check_log(book.tables.entries, teller.views())
    held = set(book.tables.episodes)
    assert {event.episode_id for event in book.tables.events} == held, "no violation is lost"
