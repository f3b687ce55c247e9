"""Two times for each frame: seconds that never go back, and the UTC at which it was caught.

Decides how a stream's timestamps, which jitter, wrap and restart, become `media_s` (monotonic) and
`captured_at` (the edge's clock at arrival, smoothed by the stream's own spacing). Pure; the arrival's
clocks are passed in. Dwell and speed use `media_s` only.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

#: A step of the stream's own time beyond this against the arrival's is a restart or a splice.
JUMP_S: Final = 3.0
#: Share of a packet's lateness that moves the smoothed anchor; a packet can't arrive early.
LATE_SHARE: Final = 0.002
#: The wall clock was set when it moved by more than this against the monotonic clock.
CLOCK_STEP_S: Final = 1.0
#: For so long after the wall clock was set, times are marked uncertain.
UNCERTAIN_S: Final = 60.0


class StreamClock(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of a stream's time. A fresh one stands for a stream that has not begun."""

    begun: bool = False
    #: media_s = stream seconds + shift_s
    shift_s: float = 0.0
    last_media_s: float = 0.0
    last_arrival_s: float = 0.0
    #: smoothed: arrival_s - media_s
    lag_s: float = 0.0
    #: UTC less monotonic time, and until when it is not to be trusted
    utc_anchor: datetime | None = None
    uncertain_until_s: float = 0.0


class SenderClock(msgspec.Struct, frozen=True, kw_only=True):
    """A camera's own clock, as its RTCP sender reports tell it."""

    #: the stream's time of one moment, and its date by the camera
    stream_s: float
    at: datetime

    def utc(self, stream_s: float) -> datetime:
        """The camera's date of a moment of its stream."""
        return self.at + timedelta(seconds=stream_s - self.stream_s)


class Stamp(msgspec.Struct, frozen=True, kw_only=True):
    """The times of one frame."""

    media_s: float
    captured_at: datetime
    time_uncertain: bool


def stamp(
    clock: StreamClock, stream_s: float | None, arrival_s: float, arrival_utc: datetime
) -> tuple[StreamClock, Stamp]:
    """The times of a frame that arrived now.

    Args:
        stream_s: the frame's own timestamp in seconds; None if the stream gives none.
        arrival_s: the edge's monotonic clock. arrival_utc: its UTC clock at the same moment.
    """
    media_s, shift_s = _media(clock, stream_s, arrival_s)
    if not clock.begun or abs(arrival_s - media_s - clock.lag_s) > JUMP_S:
        lag_s = arrival_s - media_s
    else:  # the earliest arrival is the truest; later ones pull slowly, to follow a drifting camera
        lateness_s = arrival_s - media_s - clock.lag_s
        lag_s = clock.lag_s + (lateness_s if lateness_s < 0 else LATE_SHARE * lateness_s)
    anchor = arrival_utc - timedelta(seconds=arrival_s)
    stepped = clock.utc_anchor is not None and abs((anchor - clock.utc_anchor).total_seconds()) > CLOCK_STEP_S
    uncertain_until_s = arrival_s + UNCERTAIN_S if stepped else clock.uncertain_until_s
    after = StreamClock(
        begun=True, shift_s=shift_s, last_media_s=media_s, last_arrival_s=arrival_s, lag_s=lag_s,
        utc_anchor=anchor, uncertain_until_s=uncertain_until_s,
    )  # fmt: skip
    captured_at = anchor + timedelta(seconds=media_s + lag_s)
    return after, Stamp(
        media_s=media_s, captured_at=captured_at, time_uncertain=arrival_s < uncertain_until_s and clock.begun
    )


def stamp_late(clock: StreamClock, stream_s: float) -> Stamp:
    """The times of a frame that came before the last one stamped and is looked at only now."""
    media_s = stream_s + clock.shift_s
    captured_at = (clock.utc_anchor or datetime.fromtimestamp(0, UTC)) + timedelta(
        seconds=media_s + clock.lag_s
    )
    return Stamp(media_s=media_s, captured_at=captured_at,
                 time_uncertain=clock.last_arrival_s < clock.uncertain_until_s)  # fmt: skip


def rebegin(clock: StreamClock, first_stream_s: float | None, arrival_s: float) -> StreamClock:
    """A stream was opened again (reconnect, loop): its first timestamp continues where the last one ended."""
    if not clock.begun or first_stream_s is None:
        return clock if clock.begun else msgspec.structs.replace(clock, shift_s=-(first_stream_s or 0.0))
    goes_on_at_s = clock.last_media_s + max(arrival_s - clock.last_arrival_s, 0.001)
    return msgspec.structs.replace(clock, shift_s=goes_on_at_s - first_stream_s)


def _media(clock: StreamClock, stream_s: float | None, arrival_s: float) -> tuple[float, float]:
    """(media_s, shift_s): the stream's time where it goes on sensibly, else the arrival's."""
    if not clock.begun:
        shift_s = clock.shift_s if clock.shift_s else -(stream_s or 0.0)
        return max(0.0, (stream_s or 0.0) + shift_s), shift_s
    waited_s = max(0.0, arrival_s - clock.last_arrival_s)
    if stream_s is not None:
        media_s = stream_s + clock.shift_s
        step_s = media_s - clock.last_media_s
        if step_s > 0.0 and abs(step_s - waited_s) <= JUMP_S:
            return media_s, clock.shift_s
    media_s = clock.last_media_s + max(waited_s, 0.001)
    return media_s, media_s - (stream_s if stream_s is not None else media_s)
