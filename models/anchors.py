"""Where a YOLOv8-like head's anchors lie, which are neighbours, and how distances from them are boxes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Where the anchors of all levels lie: N of them, level after level, row by row."""

    #: Each level's first anchor, and N.
    first: tuple[int, ...]
    #: (N, 9) anchors in and around each, row by row; -1 outside of its level's map.
    near: NDArray[np.int64]
    #: (N, 2) middles of their cells, x and y in cells.
    middles: NDArray[np.float32]
    #: (N,) how many rows its level has.
    rows: NDArray[np.int64]


@lru_cache(maxsize=64)
def anchor_grid(shapes: tuple[tuple[int, int], ...]) -> Grid:
    """The grid of levels of these rows and columns."""
    first, near, middles, rows = [0], [], [], []
    for height, width in shapes:
        y, x = np.divmod(np.arange(height * width), width)
        near_y, near_x = y[:, None] + np.repeat([-1, 0, 1], 3), x[:, None] + np.tile([-1, 0, 1], 3)
        inside = (near_y >= 0) & (near_y < height) & (near_x >= 0) & (near_x < width)
        near.append(np.where(inside, first[-1] + near_y * width + near_x, -1))
        middles.append(np.stack([x, y], axis=1).astype(np.float32) + np.float32(0.5))
        rows.append(np.full(height * width, height))
        first.append(first[-1] + height * width)
    return Grid(
        first=tuple(first),
        near=np.concatenate(near),
        middles=np.concatenate(middles),
        rows=np.concatenate(rows),
    )


def from_distances(
    distances: NDArray[np.float32], middles: NDArray[np.float32], strides_px: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Boxes (K, 4) in input pixels from distances left, top, right, bottom of middles (K, 2), all in cells."""
    boxes = np.concatenate([middles - distances[:, :2], middles + distances[:, 2:]], axis=1)
    return np.asarray(boxes * strides_px, dtype=np.float32)
