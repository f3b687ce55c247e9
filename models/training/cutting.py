"""Cuts a labelled object out of its photograph: GrabCut, and rules on the mask that say whether it convinces.

Decides from one picture and one box; which objects are cut and where they go is `models.training.cutouts`'.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training import photographs
from models.training.colours import own_share
from models.training.photographs import Box, Labels, Picture, Values

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A row of `KINDS`: what is known of a class's look."""

    #: How often among what is put in.
    weight: float
    #: Height of its box in metres, from and to.
    height_m: tuple[float, float]
    #: Share of its box that it fills at least.
    fills: float
    #: How much taller than wide it is at least, and how much of the box's width its lowest rows fill at most.
    slender: float = 0.0
    foot_most: float = 1.0


KINDS: Final[Mapping[str, Kind]] = MappingProxyType({
    "person": Kind(weight=3.0, height_m=(1.55, 1.85), fills=0.36, slender=1.7, foot_most=0.75),
    "excavator": Kind(weight=3.0, height_m=(3.0, 5.5), fills=0.27),
    "truck": Kind(weight=1.5, height_m=(2.8, 3.8), fills=0.55),
    "loader": Kind(weight=3.0, height_m=(2.8, 3.8), fills=0.4),
    "crane": Kind(weight=1.5, height_m=(10.0, 30.0), fills=0.2),
    "drill_rig": Kind(weight=1.0, height_m=(10.0, 22.0), fills=0.25),
})  # fmt: skip

#: A box with a shorter side can't be cut out well.
SMALLEST_CUT_PX: Final = 56
#: GrabCut works on a copy with this longer side: larger is slow and no better.
WORK_PX: Final = 200
#: How much of the box's surroundings it sees, as a share of the box's longer side.
MARGIN: Final = 0.22
#: Rules for a convincing mask: shares of the box that it may fill at most, of the mask that is one piece, of each
#: side's length that it must span, of the box's rim that it may touch, of its outline that lies on edges.
FILLS_MOST: Final = 0.9
ONE_PIECE: Final = 0.9
SPANS: Final = 0.9
RIM_MOST: Final = 0.42
ON_EDGES: Final = 0.42
#: And how much it differs from what lies around it: medians of Lab colours along the outline.
DIFFERS: Final = 14.0
#: Share of the mask whose colours are rather those of the surroundings; length of the outline by its area's root.
FOREIGN_MOST: Final = 0.2
RAGGED: Final = 14.0


def cut(bgr: Picture, box: Box, class_name: str) -> tuple[Picture, Values] | None:
    """Pixels and transparency of what is in a box, tight around it; None if the mask doesn't convince."""
    margin = MARGIN * max(box[2] - box[0], box[3] - box[1])
    left, top = int(max(0, box[0] - margin)), int(max(0, box[1] - margin))
    right, bottom = int(min(bgr.shape[1], box[2] + margin)), int(min(bgr.shape[0], box[3] + margin))
    crop = bgr[top:bottom, left:right]
    scale = min(1.0, WORK_PX / max(crop.shape[:2]))
    small = np.asarray(
        cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), dtype=np.uint8
    )
    x0, y0, x1, y1 = (round((v - o) * scale) for v, o in zip(box, (left, top, left, top), strict=True))
    mask, own = _grab(small, (x0, y0, x1, y1))
    whole = _largest_piece(mask)
    inside = whole[y0:y1, x0:x1]
    if not convincing(inside, float(mask.sum()), KINDS[class_name]) or not _stands_out(small, whole, own):
        return None
    alpha = cv2.erode(whole.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(np.float32)
    alpha = np.asarray(cv2.GaussianBlur(alpha, (0, 0), 0.8), dtype=np.float32)
    rows, columns = np.flatnonzero((alpha > 0.1).any(axis=1)), np.flatnonzero((alpha > 0.1).any(axis=0))
    window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return small[window], alpha[window]


def _grab(bgr: Picture, box_px: tuple[int, int, int, int]) -> tuple[Mask, Values]:
    """GrabCut from a box, begun with the colours that the box has more of than what lies around it.

    Without that the sky under a raised boom stays: it is a large part of the box, so GrabCut takes it for
    the object. Also returns (H, W) how much each pixel's colour is the box's own, 0 to 1.
    """
    x0, y0, x1, y1 = box_px
    box = np.zeros(bgr.shape[:2], dtype=np.bool_)
    box[y0:y1, x0:x1] = True
    own = own_share(bgr, box, ~box)
    mask = np.where(box, np.where(own > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD), cv2.GC_BGD).astype(np.uint8)
    if not (mask == cv2.GC_PR_FGD).any():
        return np.zeros_like(box), own
    cv2.setRNGSeed(1)  # it draws its first clusters at random
    nothing = np.zeros((1, 65))
    cv2.grabCut(bgr, mask, (0, 0, 1, 1), nothing, nothing.copy(), 4, cv2.GC_INIT_WITH_MASK)
    return np.asarray((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)), own


def _largest_piece(mask: Mask) -> Mask:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count < 2:
        return np.zeros_like(mask)
    return np.asarray(labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])))


def convincing(inside: Mask, found_px: float, kind: Kind) -> bool:
    """Whether a mask looks like a thing in its box, by its shape alone.

    Args:
        inside: (h, w) the mask's largest piece within the box.
        found_px: area of all pieces.
        kind: what it should be.
    """
    area = float(inside.sum())
    if area < ONE_PIECE * found_px or not kind.fills <= area / max(1, inside.size) <= FILLS_MOST:
        return False
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    tall, wide = (rows[-1] - rows[0] + 1) / inside.shape[0], (columns[-1] - columns[0] + 1) / inside.shape[1]
    rim = np.concatenate([inside[0], inside[-1], inside[:, 0], inside[:, -1]])
    # A ragged cloud of ground has an outline far too long for its area.
    outline = inside & ~np.asarray(
        cv2.erode(inside.astype(np.uint8), np.ones((3, 3), np.uint8)), dtype=np.bool_
    )
    ragged = float(outline.sum()) / math.sqrt(area)
    # Half a person ends in a straight line at the box's foot, and is not tall.
    foot = float(inside[max(0, rows[-1] - 2) : rows[-1] + 1].any(axis=0).mean())
    upright = inside.shape[0] >= kind.slender * inside.shape[1] and foot <= kind.foot_most
    return bool(min(tall, wide) >= SPANS and rim.mean() <= RIM_MOST and ragged < RAGGED and upright)


def _stands_out(bgr: Picture, mask: Mask, own: Values) -> bool:
    """Whether the outline follows edges of the picture, colours differ across it, and few are the surroundings'."""
    if float((own[mask] < 0.4).mean()) > FOREIGN_MOST:
        return False
    kernel = np.ones((3, 3), np.uint8)
    solid = mask.astype(np.uint8)
    outline = (cv2.dilate(solid, kernel) - cv2.erode(solid, kernel)) > 0
    edges = cv2.dilate(cv2.Canny(cv2.GaussianBlur(bgr, (0, 0), 1.0), 40, 110), kernel) > 0
    if float(edges[outline].mean()) < ON_EDGES:
        return False
    lab = cv2.cvtColor(bgr, cv2.COLOR_BGR2LAB).astype(np.float32)
    within = (cv2.erode(solid, kernel, iterations=2) - cv2.erode(solid, kernel, iterations=5)) > 0
    beyond = (cv2.dilate(solid, kernel, iterations=5) - cv2.dilate(solid, kernel, iterations=2)) > 0
    if not within.any() or not beyond.any():
        return False
    # Locally: the mean colour just inside against that just outside.
    local_in = _local_mean(lab, within)
    local_out = _local_mean(lab, beyond)
    known = outline & np.isfinite(local_in[..., 0]) & np.isfinite(local_out[..., 0])
    return bool(
        known.any() and float(np.median(np.linalg.norm(local_in - local_out, axis=2)[known])) > DIFFERS
    )


def _local_mean(lab: Values, where: Mask) -> Values:
    """(H, W, 3) mean colour of the pixels `where` in windows of 15 x 15; NaN where there are none."""
    weight = cv2.boxFilter(where.astype(np.float32), -1, (15, 15), normalize=False)
    total = cv2.boxFilter(lab * where[..., None].astype(np.float32), -1, (15, 15), normalize=False)
    return np.asarray(np.where(weight[..., None] > 0.5, total / np.maximum(weight, 1e-6)[..., None], np.nan))


def may_be_cut(box: Box, others: Labels, shape: tuple[int, ...]) -> bool:
    """Large enough, whole, and with no other object before or behind it."""
    height, width = shape[:2]
    x0, y0, x1, y1 = box
    if min(x1 - x0, y1 - y0) < SMALLEST_CUT_PX * 0.5 or max(x1 - x0, y1 - y0) < SMALLEST_CUT_PX * 1.3:
        return False
    if x0 < 3 or y0 < 3 or x1 > width - 3 or y1 > height - 3:
        return False
    area = (x1 - x0) * (y1 - y0)
    return all(photographs.shared_area(box, other) < 0.04 * area for _, other in others)
