"""How often somebody may try to log in."""

from datetime import UTC, datetime, timedelta

from monitor.web.throttle import NAME_AND_ADDRESS, Limit, LoginThrottle, wait_s

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


def test_a_stranger_elsewhere_does_not_lock_a_colleague_out() -> None:
    """Failures for a name from one address leave the same name at another address free."""
    throttle = LoginThrottle()
    for _ in range(NAME_AND_ADDRESS.failures):
        throttle.failed("olga", "203.0.113.9", NOW)
    assert throttle.wait_s("olga", "203.0.113.9", NOW) > 0
    assert throttle.wait_s("olga", "10.0.0.5", NOW) == 0


def test_many_names_from_one_address_are_throttled_too() -> None:
    """Trying one password on many names does not get around the limit."""
    throttle = LoginThrottle()
    for i in range(30):
        throttle.failed(f"user{i}", "203.0.113.9", NOW)
    assert throttle.wait_s("somebody-new", "203.0.113.9", NOW) > 0


def test_the_right_password_starts_afresh() -> None:
    """After a success the few failures before are forgotten."""
    throttle = LoginThrottle()
    for _ in range(4):
        throttle.failed("olga", "10.0.0.5", NOW)
    throttle.succeeded("olga", "10.0.0.5")
    throttle.failed("olga", "10.0.0.5", NOW)
    assert throttle.wait_s("olga", "10.0.0.5", NOW) == 0


def test_the_memory_is_bounded() -> None:
    """Invented names cannot fill the memory."""
    throttle = LoginThrottle(keys=10)
    for i in range(100):
        throttle.failed(f"user{i}", f"10.0.0.{i}", NOW)
    assert len(throttle._failures) == 10
