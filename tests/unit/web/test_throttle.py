"""How often somebody may try to log in."""

from datetime import UTC, datetime, timedelta

from monitor.web.throttle import Limit, wait_s

NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_the_wait_begins_with_the_last_free_failure_and_ends_with_the_window() -> None:
    """With three failures free in 60 s, the third closes the door until the first is 60 s old."""
    limit = Limit(failures=3, window_s=60)
    assert wait_s([NOW, after(10)], limit, after(11)) == 0
    assert wait_s([NOW, after(10), after(20)], limit, after(20)) == 40
    assert wait_s([NOW, after(10), after(20)], limit, after(59.9)) > 0
    assert wait_s([NOW, after(10), after(20)], limit, after(60)) == 0
