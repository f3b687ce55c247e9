"""Whether a picture shows the same scene as another one, and if not, by how much it is shifted.

Pure numbers on small brightness pictures. Compares the direction of edges, block by block, which rain,
headlights, dusk or a truck in half of the picture leave alone in most of the blocks (orientation
correlation: Fitch et al., BMVC 2002). What follows from it over time is `edge.registration`'s matter.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.frames import Luma

#: Width of a sketch; a picture that turned by 5 % of its width shows 8 px here.
WIDTH_PX: Final = 160
#: Rows and columns of blocks.
GRID: Final = (4, 5)
#: So far from its place a block is looked for at first: 1.9 % of the width. A mast in the wind moves by less.
NEAR_PX: Final = 3
#: Nearer than this the scene is in its place; between it and NEAR_PX nothing is said.
IN_PLACE_PX: Final = 2.4
#: And so far, if it is not near: 30 % of the width.
FAR_PX: Final = 48
#: A block is found where it correlates by this much. In our clips a block of the same scene has 0.7 to 0.99,
#: one of another scene under 0.4 nearly everywhere.
FOUND: Final = 0.5
#: Edge strength (0..1, mean over the block) below which a block has nothing to go by.
STRUCTURE_MIN: Final = 0.05
#: A block that correlates this well with its own surroundings (a horizon, a kerb) may slide along itself, and
#: can't say where it is.
SLIDES: Final = 0.65
SLIDE_NEAR_PX: Final = 5
SLIDE_REACH_PX: Final = 8
#: Fewer blocks with structure can't tell anything.
BLOCKS_MIN: Final = 5
#: Share of the blocks found in place from which it is the same scene, and below which it is not.
HERE_SHARE: Final = 0.35
NOT_HERE_SHARE: Final = 0.2
#: Share of the blocks that must be found elsewhere, all shifted alike.
ELSEWHERE_SHARE: Final = 0.3
ALIKE_PX: Final = 3.0
#: A roll or zoom that moves the corners by more than this (a roll of 2.5 degrees) is a move too.
TURNED_PX: Final = 4.0
TURNED_BLOCKS_MIN: Final = 7
#: Edges weaker than this (grey levels a pixel) are noise.
EDGE_MIN: Final = 3.0

Field = NDArray[np.float32]
"""The direction of edges, shape (h, 160, 2): (cos, sin) of twice the angle, so that contrast may be inverted."""


class Evidence(StrEnum):
    """What one comparison says."""

    HERE = "here"
    ELSEWHERE = "elsewhere"
    UNMATCHED = "unmatched"
    UNTELLABLE = "untellable"


_Block = tuple[int, int, int, int]
"""Top, bottom, left, right."""


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """A scene to which others are compared."""

    field: Any  # Field; msgspec does not check it
    #: the blocks that can say where they are
    blocks: tuple[_Block, ...]


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """A picture against a reference."""

    evidence: Evidence
    #: shift (x, y) in sketch pixels, of the blocks that were found
    shift_px: tuple[float, float] = (0.0, 0.0)
    #: share of the blocks that were found in place
    here_share: float = 0.0


def sketch(luma: Luma) -> Luma:
    """A picture at the width of a sketch, shape (h, 160)."""
    height_px, width_px = luma.shape
    size = (WIDTH_PX, max(8, round(height_px * WIDTH_PX / width_px)))
    return np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def field_of(drawn: Luma) -> Field:
    """The direction field of a sketch; weak edges weigh less, noise nothing."""
    smooth = cv2.GaussianBlur(drawn.astype(np.float32), (0, 0), 0.8)
    gx, gy = (cv2.Sobel(smooth, cv2.CV_32F, dx, 1 - dx, ksize=3) / 8 for dx in (1, 0))
    strength2 = gx * gx + gy * gy
    strength = np.sqrt(strength2)
    full = max(EDGE_MIN, float(np.percentile(strength, 70)))
    weight = np.where(strength < 0.4 * full, 0.0, np.minimum(1.0, strength / full)) / (strength2 + 1e-6)
    return np.stack([(gx * gx - gy * gy) * weight, 2 * gx * gy * weight], axis=-1).astype(np.float32)


def reference_of(drawn: Luma) -> Reference:
    """A sketch as a reference: its field, and those of its blocks that can say where they are."""
    field = field_of(drawn)
    blocks = tuple(
        block
        for block in _blocks(field.shape[0])
        if _structure(field, block) >= STRUCTURE_MIN and not _slides(field, block)
    )
    return Reference(field=field, blocks=blocks)


def compare(reference: Reference, now: Field, *, comparable: bool = True) -> Compared:
    """Where the reference's scene is in the picture of now.

    Args:
        comparable: the light is alike; if not, a scene that can't be found says nothing.
    """
    field, blocks = reference.field, reference.blocks
    if now.shape != field.shape:
        size = (field.shape[1], field.shape[0])
        now = np.asarray(cv2.resize(now, size, interpolation=cv2.INTER_LINEAR), dtype=np.float32)
    if len(blocks) < BLOCKS_MIN:
        return Compared(evidence=Evidence.UNTELLABLE)
    near = np.array([_find(field, now, block, NEAR_PX) for block in blocks])
    seen = near[:, 0] >= FOUND
    found = near[seen]
    here_share = len(found) / len(blocks)
    if here_share < HERE_SHARE:
        return _away(reference, now, here_share, comparable)
    shift = _middle(found)
    in_place = max(abs(shift[0]), abs(shift[1])) <= IN_PLACE_PX
    evidence = Evidence.HERE if in_place else Evidence.UNTELLABLE
    if _turned_px(np.array(blocks)[seen], found, field.shape) > TURNED_PX:
        evidence = Evidence.ELSEWHERE
    return Compared(evidence=evidence, shift_px=shift, here_share=here_share)


def _turned_px(blocks: NDArray[np.int_], found: NDArray[np.float64], shape: tuple[int, ...]) -> float:
    """By how much a roll or a zoom, fitted to the blocks' shifts, moves the picture's corners."""
    if len(found) < TURNED_BLOCKS_MIN:
        return 0.0
    x = (blocks[:, 2] + blocks[:, 3]) / 2 - shape[1] / 2
    y = (blocks[:, 0] + blocks[:, 1]) / 2 - shape[0] / 2
    one, none = np.ones(len(found)), np.zeros(len(found))
    # dx = zoom x - roll y + a; dy = zoom y + roll x + b
    rows = np.concatenate([np.stack([x, -y, one, none], 1), np.stack([y, x, none, one], 1)])
    (zoom, roll, _, _), *_ = np.linalg.lstsq(rows, np.concatenate([found[:, 1], found[:, 2]]), rcond=None)
    return float(np.hypot(zoom, roll) * np.hypot(shape[0], shape[1]) / 2)


def _away(reference: Reference, now: Field, here_share: float, comparable: bool) -> Compared:
    blocks = reference.blocks
    with_structure = sum(_structure(now, block) >= STRUCTURE_MIN for block in blocks)
    if with_structure < ELSEWHERE_SHARE * len(blocks):  # night, fog: spare the wide search
        return Compared(evidence=Evidence.UNTELLABLE, here_share=here_share)
    far = np.array([_find(reference.field, now, block, FAR_PX) for block in blocks])
    found = far[far[:, 0] >= FOUND]
    if len(found):
        # the shift that most blocks share
        alike = [np.abs(found[:, 1:] - row[1:]).max(axis=1) <= ALIKE_PX for row in found]
        together = found[max(alike, key=np.count_nonzero)]
        shift = _middle(together)
        share = len(together) / len(blocks)
        far_off = max(abs(shift[0]), abs(shift[1])) > NEAR_PX
        if far_off and share >= max(ELSEWHERE_SHARE, 1.5 * here_share) and len(together) >= 4:
            return Compared(evidence=Evidence.ELSEWHERE, shift_px=shift, here_share=here_share)
    if comparable and here_share < NOT_HERE_SHARE and 2 * with_structure >= len(blocks):
        return Compared(evidence=Evidence.UNMATCHED, here_share=here_share)
    return Compared(evidence=Evidence.UNTELLABLE, here_share=here_share)


def _blocks(height_px: int) -> list[_Block]:
    """(top, bottom, left, right) of the blocks, row by row, without the outermost pixels."""
    ys = np.linspace(2, height_px - 2, GRID[0] + 1).astype(int)
    xs = np.linspace(2, WIDTH_PX - 2, GRID[1] + 1).astype(int)
    return [
        (int(ys[j]), int(ys[j + 1]), int(xs[i]), int(xs[i + 1]))
        for j in range(GRID[0])
        for i in range(GRID[1])
    ]


def _structure(field: Field, block: _Block) -> float:
    top, bottom, left, right = block
    part = field[top:bottom, left:right]
    return float((part * part).sum()) / ((bottom - top) * (right - left))


def _slides(field: Field, block: _Block) -> bool:
    """Whether a block finds itself beside its own place."""
    score, x0, y0 = _scores(field, field, block, SLIDE_REACH_PX)
    dx, dy = np.arange(score.shape[1]) + x0, np.arange(score.shape[0]) + y0
    beside = np.maximum(np.abs(dx)[None, :], np.abs(dy)[:, None]) >= SLIDE_NEAR_PX
    return bool((score[beside] >= SLIDES).any())


def _find(reference: Field, now: Field, block: _Block, reach_px: int) -> tuple[float, float, float]:
    """(correlation -1..1, shift x, shift y) of a block's best place within reach."""
    score, x0, y0 = _scores(reference, now, block, reach_px)
    _, best, _, at = cv2.minMaxLoc(score)
    return float(best), float(at[0] + x0), float(at[1] + y0)


def _scores(
    reference: Field, now: Field, block: _Block, reach_px: int
) -> tuple[NDArray[np.float32], int, int]:
    """Correlation for each shift within reach, with the shift (x, y) of the first one."""
    top, bottom, left, right = block
    height_px, width_px = reference.shape[:2]
    y0, y1 = max(0, top - reach_px), min(height_px, bottom + reach_px)
    x0, x1 = max(0, left - reach_px), min(width_px, right + reach_px)
    wanted, window = reference[top:bottom, left:right], now[y0:y1, x0:x1]
    cos, sin = (
        cv2.matchTemplate(
            np.ascontiguousarray(window[..., i]), np.ascontiguousarray(wanted[..., i]), cv2.TM_CCORR
        )
        for i in (0, 1)
    )
    energy = float((wanted * wanted).sum())
    ones = np.ones(wanted.shape[:2], dtype=np.float32)
    energies = cv2.matchTemplate(np.square(window).sum(axis=-1), ones, cv2.TM_CCORR)
    # where the picture has next to no edges the quotient means nothing: a thousandth of the block's own is the floor
    score = (cos + sin) / np.sqrt(energy * np.maximum(energies, 1e-3 * energy))
    return score.astype(np.float32), x0 - left, y0 - top


def _middle(found: NDArray[np.float64]) -> tuple[float, float]:
    return float(np.median(found[:, 1])), float(np.median(found[:, 2]))
