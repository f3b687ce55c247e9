"""Time drift: a stream whose seconds are not the edge's, and a camera whose clock is wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from edge.pace import Clock, Pace, compared, paced

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def run(seconds: float, slow: float = 0.0, *, pace: Pace | None = None, late: object = None, step_s: float = 0.2,
        from_s: float = 0.0) -> tuple[Pace, float | None]:  # fmt: skip
    """The pace after a while, and when a drift was first told."""
    rng = np.random.default_rng(3)
    pace, told = pace or Pace(), None
    for i in range(round(seconds / step_s)):
        now_s = from_s + i * step_s
        jitter_s = float(rng.uniform(0, 0.3)) + (late(now_s) if callable(late) else 0.0)
        pace = paced(pace, now_s + jitter_s, now_s * (1.0 - slow))
        if told is None and pace.drift is not None:
            told = now_s
    return pace, told


@pytest.mark.parametrize("step_s", [0.2, 2.0, 4.0])
@pytest.mark.parametrize("slow", [0.05, -0.05])
def test_a_stream_that_runs_slow_or_fast_is_told_within_a_minute(slow: float, step_s: float) -> None:
    """Dwell is counted in the stream's seconds: with a wrong pace every rule waits too long or too short."""
    pace, told = run(90, slow, step_s=step_s)
    assert told is not None
    assert told <= 62
    assert pace.drift == pytest.approx(slow, abs=0.02)


@pytest.mark.parametrize(
    "late", [lambda s: 1.0 * (60 < s < 150), lambda s: 1.5 * (int(s) % 20 < 4), lambda s: 0.0]
)
def test_a_jam_on_the_line_is_no_drift(late: object) -> None:
    """Late packets, for a while or again and again, and the crystal of any camera (100 ppm)."""
    assert run(300, 1e-4, late=late)[1] is None


def test_a_drift_ends_when_the_pace_is_right_again() -> None:
    """The remark goes within a minute."""
    pace, _ = run(90, 0.05)
    assert run(60, 0.0, pace=pace, from_s=200.0)[0].drift is None


def test_a_new_beginning_of_the_stream_is_no_drift() -> None:
    """After a reconnect the stream's seconds step."""
    assert run(200, late=lambda s: 30.0 * (s > 100))[1] is None


def test_a_wrong_clock_is_told_after_its_seconds_and_has_its_way_back() -> None:
    """The camera says 03:00:12 and it is 03:00:00; a frame that is dated wrong by chance says nothing."""

    def after(clock: Clock, ahead_s: float, from_s: float, seconds: int) -> Clock:
        for i in range(seconds):
            clock = compared(clock, from_s + i, NOW + timedelta(seconds=ahead_s), NOW)
        return clock

    clock = after(Clock(), 12.0, 0.0, 15)
    assert clock.off_s is None
    clock = after(clock, 0.3, 15.0, 1)
    clock = after(clock, 12.0, 16.0, 25)
    assert clock.off_s == pytest.approx(12.0)
    clock = after(clock, 1.5, 41.0, 60)
    assert clock.off_s is not None  # between the two limits the word stands
    assert after(clock, 0.2, 101.0, 25).off_s is None
