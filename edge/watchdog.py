"""Whether a camera is truly watching: starting, streaming, stalled, frozen, dark, obscured, ended, …

Pure: a few figures of each look and the link's word in, a state with its reason out. A suspicion must
hold for some seconds before it becomes a state, and its absence as long before it is over, so that a
passing truck or a flash is no alarm. Times are monotonic seconds, passed in.
"""

from __future__ import annotations

from typing import Final

import cv2
import msgspec
import numpy as np

from edge.frames import Luma
from edge.reader import LinkStatus
from monitor.domain.events import CameraState

#: Without a frame for so long a stream counts as stalled.
STALLED_S: Final = 5.0
#: The same pixels for so long: no live picture is without noise. Above a smart codec's still seconds.
FROZEN_S: Final = 15.0
#: Brightness (0..255) and spread below which nothing can be seen.
DARK_MEAN: Final = 16.0
BRIGHT_MEAN: Final = 243.0
FLAT_SPREAD: Final = 9.0
#: A block of the picture has collapsed when its detail falls below this share of its own reference.
COLLAPSE: Final = 0.35
#: So many of the blocks that used to have detail must collapse.
COLLAPSED_SHARE: Final = 0.7
#: Mean gradient (grey levels a pixel) below which a block never had anything to see.
BLOCK_DETAIL_MIN: Final = 1.0
#: A whole picture below it shows nothing from the start; so does one that is flat and has little more than noise.
DETAIL_MIN: Final = 0.6
NOISE_DETAIL: Final = 1.6
NOISE_SPREAD: Final = 6.0
#: Hysteresis: seconds that a suspicion must hold, and must be gone.
ENTER_S: Final = 4.0
LEAVE_S: Final = 3.0
#: The reference of detail follows daylight with this time constant, and settles this fast at first.
REFERENCE_TAU_S: Final = 600.0
SETTLE_TAU_S: Final = 3.0
SETTLE_S: Final = 10.0

GRID: Final = (6, 8)


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What the watchdog needs to know of one picture."""

    mean: float
    spread: float
    #: mean absolute gradient per block of the GRID, row by row
    detail: tuple[float, ...]
    #: exactly the same pixels as the picture before
    same: bool


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The watchdog's memory and its present word."""

    state: CameraState = CameraState.STARTING
    reason: str = ""
    since_s: float = 0.0
    #: what is suspected, and since when
    suspect: CameraState | None = None
    suspect_since_s: float = 0.0
    last_frame_s: float | None = None
    same_since_s: float | None = None
    looks: int = 0
    first_look_s: float | None = None
    reference: tuple[float, ...] = ()


_BY_LINK: Final = {
    "blocked": CameraState.BLOCKED,
    "ended": CameraState.ENDED,
    "unreachable": CameraState.UNREACHABLE,
}
#: States that come from the link or the lack of frames, and are believed at once.
_AT_ONCE: Final = frozenset({*_BY_LINK.values(), CameraState.STALLED})


def measure(small: Luma, before: Luma | None) -> Figures:
    """The figures of a small brightness picture, shape (h, w)."""
    gradient = np.abs(cv2.Laplacian(cv2.GaussianBlur(small, (3, 3), 0), cv2.CV_16S))
    blocks = cv2.resize(gradient.astype(np.float32), (GRID[1], GRID[0]), interpolation=cv2.INTER_AREA)
    mean, spread = cv2.meanStdDev(small)
    same = before is not None and before.shape == small.shape and not cv2.absdiff(small, before).any()
    return Figures(mean=float(mean[0][0]), spread=float(spread[0][0]), detail=tuple(map(float, blocks.ravel())),
                   same=same)  # fmt: skip


def assess(health: Health, now_s: float, link: LinkStatus, figures: Figures | None) -> Health:
    """The word on the camera after one more look (`figures`), or after a while without one (None)."""
    if figures is not None:
        health = _learn(health, now_s, figures)
    suspect, reason = _suspicion(health, now_s, link, figures)
    if suspect is None:  # nothing new was seen: keep what was said
        return health
    if suspect == health.state:
        return msgspec.structs.replace(health, suspect=None, reason=reason or health.reason)
    if suspect != health.suspect:
        health = msgspec.structs.replace(health, suspect=suspect, suspect_since_s=now_s)
    if now_s - health.suspect_since_s >= _patience_s(health.state, suspect):
        return msgspec.structs.replace(health, state=suspect, reason=reason, since_s=now_s, suspect=None)
    return health


def _patience_s(state: CameraState, suspect: CameraState) -> float:
    if suspect in _AT_ONCE or state in _AT_ONCE or state is CameraState.STARTING:
        return 0.0
    if suspect is CameraState.FROZEN:  # FROZEN_S has passed already
        return 0.0
    return LEAVE_S if suspect is CameraState.STREAMING else ENTER_S


def _learn(health: Health, now_s: float, figures: Figures) -> Health:
    """Take a picture's figures into the memory; the reference learns from good pictures only."""
    first_s = health.first_look_s if health.first_look_s is not None else now_s
    reference = health.reference
    if not reference:
        reference = figures.detail
    elif health.state in (CameraState.STREAMING, CameraState.STARTING) and health.suspect is None:
        tau_s = SETTLE_TAU_S if now_s - first_s < SETTLE_S else REFERENCE_TAU_S
        dt_s = max(0.0, now_s - (health.last_frame_s if health.last_frame_s is not None else now_s))
        share = min(1.0, dt_s / tau_s)
        reference = tuple(r + share * (d - r) for r, d in zip(reference, figures.detail, strict=True))
    same_since_s = (
        (health.same_since_s if health.same_since_s is not None else now_s) if figures.same else None
    )
    return msgspec.structs.replace(
        health, first_look_s=first_s, reference=reference, last_frame_s=now_s, looks=health.looks + 1,
        same_since_s=same_since_s,
    )  # fmt: skip


def _suspicion(
    health: Health, now_s: float, link: LinkStatus, figures: Figures | None
) -> tuple[CameraState | None, str]:
    if link.link in _BY_LINK:
        return _BY_LINK[link.link], link.reason
    if figures is None:
        silent_s = now_s - (health.last_frame_s if health.last_frame_s is not None else health.since_s)
        if health.last_frame_s is not None and silent_s > STALLED_S:
            return CameraState.STALLED, f"no picture for {STALLED_S:.0f} s"
        return None, ""
    if health.same_since_s is not None and now_s - health.same_since_s >= FROZEN_S:
        return CameraState.FROZEN, f"the same pixels for {FROZEN_S:.0f} s"
    if figures.spread < FLAT_SPREAD and figures.mean < DARK_MEAN:
        return CameraState.DARK, "the picture is black"
    if figures.spread < FLAT_SPREAD and figures.mean > BRIGHT_MEAN:
        return CameraState.OBSCURED, "the picture is white"
    return _covered(health, figures)


def _covered(health: Health, figures: Figures) -> tuple[CameraState, str]:
    detail = sum(figures.detail) / len(figures.detail)
    if detail < DETAIL_MIN or (detail < NOISE_DETAIL and figures.spread < NOISE_SPREAD):
        return CameraState.OBSCURED, "nothing can be made out in the picture"
    with_detail = [
        (d, r) for d, r in zip(figures.detail, health.reference, strict=True) if r >= BLOCK_DETAIL_MIN
    ]
    if with_detail:
        collapsed = sum(d < COLLAPSE * r for d, r in with_detail) / len(with_detail)
        if collapsed >= COLLAPSED_SHARE:
            return (
                CameraState.OBSCURED,
                f"detail is gone from {collapsed:.0%} of the picture: covered or blurred",
            )
    return CameraState.STREAMING, ""
