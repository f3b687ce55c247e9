"""How many of a camera's pictures come broken, and when that is worth telling.

Pure. A lost packet now and then is what UDP is; from TELL_SHARE on somebody should look at the line.
"""

from __future__ import annotations

from typing import Final

import msgspec

#: Counted over so long; told and taken back at the end of it, so within a minute.
WINDOW_S: Final = 25.0
TELL_SHARE: Final = 0.02
QUIET_SHARE: Final = 0.01


class Losses(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of a line. Counts are those of the camera's process since it began."""

    #: share (0..1) of the last window's pictures that came broken; None while that is not worth telling
    share: float | None = None
    since_s: float | None = None
    arrived: int = 0
    broken: int = 0


def counted(losses: Losses, now_s: float, arrived: int, broken: int) -> Losses:
    """The word at `now_s` (monotonic seconds), with the whole pictures and the broken ones so far.

    >>> counted(Losses(since_s=0.0), 25.0, arrived=90, broken=10).share
    0.1
    """
    if losses.since_s is None:
        return Losses(since_s=now_s, arrived=arrived, broken=broken)
    if now_s - losses.since_s < WINDOW_S:
        return losses
    lost, whole = broken - losses.broken, arrived - losses.arrived
    share = lost / (lost + whole) if lost else 0.0
    least = QUIET_SHARE if losses.share is not None else TELL_SHARE
    return Losses(share=share if share >= least else None, since_s=now_s, arrived=arrived, broken=broken)
