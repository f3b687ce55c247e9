"""What an object does: passing, stopped or working.

A body passes when both of its sides move the same way; a boom that swings moves one side only. It works
when it stands and something inside its box moves. Pure on numbers; `box_motion` measures pixels for it.
"""

from __future__ import annotations

import math
from statistics import median
from typing import Final

import cv2
import msgspec
import numpy as np

from edge.frames import Luma
from monitor.domain.violations import Activity

Box = tuple[float, float, float, float]

#: Seconds of the track that are looked back on, and the least that an answer needs.
WINDOW_S: Final = 4.0
#: An answer needs so many looks. A dozing camera gives one in two seconds or so: then the last three count,
#: as far back as this.
LEAST_LOOKS: Final = 3
SPARSE_WINDOW_S: Final = 9.0
LEAST_S: Final = 1.5
#: Passing: the body goes faster than this over the ground, or, without ground, this share of its height a second.
PASSING_M_S: Final = 0.5
PASSING_HEIGHTS_S: Final = 0.15
#: Share of pixels inside the box that change between looks: a standing machine's noise stays below.
WORKING_SHARE: Final = 0.012
#: The share is averaged over the window; so many of its looks must show motion at all.
WORKING_LOOKS: Final = 0.5
#: Once working it takes this much less to stay so.
STAY: Final = 0.6
#: The outer rim of the box is ignored: there the background moves, and the box itself.
RIM: Final = 0.08
#: Grey levels by which a pixel must change, beyond what coding noise does.
CHANGE_LEVELS: Final = 14
#: Width to which the inside of a box is shrunk.
MOTION_WIDTH_PX: Final = 96


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One look at an object."""

    media_s: float
    xyxy: Box
    #: nearest ground point in metres, if there is one
    ground_m: tuple[float, float] | None
    #: share (0..1) of the pixels inside the box that changed since the look before; None if not measured
    box_motion: float | None


def recent(samples: tuple[Sample, ...], now_s: float) -> tuple[Sample, ...]:
    """The looks that an answer at `now_s` rests on: those of the window, or the last few if it holds fewer."""
    dense = tuple(s for s in samples if s.media_s >= now_s - WINDOW_S)
    if len(dense) >= LEAST_LOOKS:
        return dense
    return tuple(s for s in samples[-LEAST_LOOKS:] if s.media_s >= now_s - SPARSE_WINDOW_S)


def judge(samples: tuple[Sample, ...], before: Activity = "passing") -> Activity:
    """What the object does over the window that ends with the last sample (oldest first).

    Until LEAST_S of track are there it is 'passing': nobody is accused of standing after one look.
    """
    if not samples:
        return "passing"
    window = recent(samples, samples[-1].media_s)
    if window[-1].media_s - window[0].media_s < LEAST_S or len(window) < LEAST_LOOKS:
        return "passing" if before == "passing" else before
    if _passes(window):
        return "passing"
    return "working" if _works(window, stay=before == "working") else "stopped"


def _passes(window: tuple[Sample, ...]) -> bool:
    """Whether the body itself moves, steadily, over the window."""
    span_s = window[-1].media_s - window[0].media_s
    first, last = _middle(window[: len(window) // 2]), _middle(window[len(window) // 2 :])
    half_s = span_s / 2
    height_px = max(1.0, (last[3] - last[1] + first[3] - first[1]) / 2)
    across = _same_way(last[0] - first[0], last[2] - first[2])
    down = last[3] - first[3]
    grows = _same_way(first[0] - last[0], last[2] - first[2])  # both sides outwards: it comes nearer
    if across == 0.0 and grows == 0.0 and abs(down) < 0.1 * height_px:
        return False  # one side stands: an arm swings, the body does not move
    grounds = [s.ground_m for s in window]
    if all(g is not None for g in grounds) and across != 0.0:
        box_share = abs(across) / max(1.0, abs((last[0] + last[2] - first[0] - first[2]) / 2), abs(across))
        moved_m = _ground_step(window) * box_share
        return moved_m / half_s > PASSING_M_S
    if all(g is not None for g in grounds):
        return _ground_step(window) / half_s > PASSING_M_S
    return max(abs(across), abs(down)) / height_px / half_s > PASSING_HEIGHTS_S


def _middle(samples: tuple[Sample, ...]) -> Box:
    """Median of each side of the boxes."""
    return tuple(median(s.xyxy[side] for s in samples) for side in range(4))  # type: ignore[return-value]


def _ground_step(window: tuple[Sample, ...]) -> float:
    """Metres between the medians of the first and the second half of the window."""
    points = [s.ground_m for s in window if s.ground_m is not None]
    half = len(points) // 2
    before, after = (
        [median(p[way] for p in part) for way in (0, 1)] for part in (points[:half], points[half:])
    )
    return math.hypot(after[0] - before[0], after[1] - before[1])


def _same_way(a: float, b: float) -> float:
    """The smaller of two steps if they go the same way, else 0."""
    if a * b <= 0:
        return 0.0
    return a if abs(a) < abs(b) else b


def _works(window: tuple[Sample, ...], *, stay: bool) -> bool:
    shares = [s.box_motion for s in window if s.box_motion is not None]
    if len(shares) < 3:
        return stay
    least = WORKING_SHARE * (STAY if stay else 1.0)
    moving = sum(share >= least / 2 for share in shares) / len(shares)
    return sum(shares) / len(shares) >= least and moving >= WORKING_LOOKS * (STAY if stay else 1.0)


def box_motion(now: Luma, before: Luma, xyxy: Box) -> float | None:
    """Share of the pixels inside a box, less its rim, that changed between two full pictures (H, W).

    None if the box is too small to tell, or the pictures differ in size.
    """
    if now.shape != before.shape:
        return None
    x1, y1, x2, y2 = xyxy
    rim_x, rim_y = RIM * (x2 - x1), RIM * (y2 - y1)
    left, top = max(0, round(x1 + rim_x)), max(0, round(y1 + rim_y))
    right, bottom = min(now.shape[1], round(x2 - rim_x)), min(now.shape[0], round(y2 - rim_y))
    if right - left < 8 or bottom - top < 8:
        return None
    # of a near machine not every row is needed
    step = max(1, (right - left) // (2 * MOTION_WIDTH_PX))
    a, b = now[top:bottom:step, left:right], before[top:bottom:step, left:right]
    width_px = min(MOTION_WIDTH_PX, right - left)
    size = (width_px, max(8, round((bottom - top) * width_px / (right - left))))
    smooth = [cv2.GaussianBlur(cv2.resize(p, size, interpolation=cv2.INTER_AREA), (3, 3), 0) for p in (a, b)]
    return float(np.count_nonzero(cv2.absdiff(*smooth) > CHANGE_LEVELS)) / float(size[0] * size[1])
