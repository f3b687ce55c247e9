"""Whether a camera's time agrees with the edge's: the pace of its stream, and the clock on its wall.

Pure. Dwell and speed are measured in the stream's own seconds, so a stream whose seconds are longer or
shorter than the edge's is told. `captured_at` is the edge's in any case: a wrong clock of the camera is
told, and nothing of ours follows it.
"""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import Final

import msgspec

#: The earliest arrival in each window counts: what came late was held up on its way.
WINDOW_S: Final = 10.0
#: So many windows in a row must grow alike: a jam on the line is one step, a wrong pace goes on.
WINDOWS: Final = 4
#: Share by which the pace is wrong, each window and all together; half of it ends the drift.
DRIFT_SHARE: Final = 0.02
#: A step beyond this is a new beginning of the stream, no drift.
STEP_S: Final = 2.5
#: The camera's clock is told when it is off by this much for so long, and no longer when it is within the half.
CLOCK_OFF_S: Final = 2.0
CLOCK_HOLD_S: Final = 20.0


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of a stream's pace. All seconds are the edge's monotonic ones."""

    #: share by which the stream's clock is slow (positive) or fast; None while it is right
    drift: float | None = None
    window_since_s: float | None = None
    #: the least of now - media_s in the running window; and (begin, least) of the ones before it, oldest first
    least_s: float = 0.0
    past: tuple[tuple[float, float], ...] = ()


def paced(pace: Pace, now_s: float, media_s: float) -> Pace:
    """The pace after a frame with the stream's time `media_s` was taken at `now_s`."""
    behind_s = now_s - media_s
    if pace.window_since_s is None or abs(behind_s - pace.least_s) > STEP_S:
        return Pace(drift=pace.drift, window_since_s=now_s, least_s=behind_s)
    if now_s - pace.window_since_s < WINDOW_S:
        return msgspec.structs.replace(pace, least_s=min(pace.least_s, behind_s))
    past = (*pace.past, (pace.window_since_s, pace.least_s))[-WINDOWS - 1 :]
    return Pace(drift=_drift(pace.drift, past), window_since_s=now_s, least_s=behind_s, past=past)


def _drift(before: float | None, past: tuple[tuple[float, float], ...]) -> float | None:
    steps = [(b - a) / (to_s - from_s) for (from_s, a), (to_s, b) in pairwise(past)]
    if before is not None and len(steps) >= 2 and max(map(abs, steps[-2:])) < DRIFT_SHARE / 2:
        return None
    if before is None and len(steps) >= WINDOWS:
        mean = sum(steps) / len(steps)
        same_way = all(step * mean > 0 and abs(step) >= DRIFT_SHARE / 2 for step in steps)
        return mean if same_way and abs(mean) >= DRIFT_SHARE else None
    return before


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of a camera's own clock."""

    #: seconds by which it is ahead (positive) or behind; None while it is right or unknown
    off_s: float | None = None
    against_since_s: float | None = None


def compared(clock: Clock, now_s: float, camera_utc: datetime, captured_at: datetime) -> Clock:
    """The word after a frame that the camera dates `camera_utc` and the edge `captured_at` (both aware)."""
    ahead_s = (camera_utc - captured_at).total_seconds()
    against = abs(ahead_s) < CLOCK_OFF_S / 2 if clock.off_s is not None else abs(ahead_s) >= CLOCK_OFF_S
    if not against:
        return Clock(off_s=clock.off_s)
    since_s = now_s if clock.against_since_s is None else clock.against_since_s
    if now_s - since_s >= CLOCK_HOLD_S:
        return Clock(off_s=None if clock.off_s is not None else ahead_s)
    return Clock(off_s=clock.off_s, against_since_s=since_s)
