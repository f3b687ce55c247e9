"""Whose colour a pixel has: two regions' histograms of Lab, compared cell by cell. Pure arithmetic."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

#: Cells along each axis, and how much of Lab's 256 steps each holds: lightness coarser than colour.
CELLS: Final = 32
STEPS: Final = (16, 8, 8)


def own_share(
    bgr: NDArray[np.uint8], region: NDArray[np.bool_], other: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """(H, W) 0 to 1: how much more often a pixel's colour occurs in `region` (H, W) than in `other`; 0.5 is the same.

    A region without pixels counts as having none of any colour.
    """
    lab = cv2.cvtColor(bgr, cv2.COLOR_BGR2LAB).astype(np.int64) // np.array(STEPS)
    cell = (lab[..., 0] * CELLS + lab[..., 1]) * CELLS + lab[..., 2]
    mine, others = (_histogram(cell[where]) for where in (region, other))
    share = mine / np.maximum(mine + others, 1e-9)
    smooth = cv2.GaussianBlur(share.reshape(-1)[cell].astype(np.float32), (0, 0), 1.0)
    return np.asarray(smooth, dtype=np.float32)


def _histogram(cells: NDArray[np.int64]) -> NDArray[np.float64]:
    """Shares of the cells; each also counts half in its neighbours along each axis, since near colours are alike."""
    counts = np.bincount(cells, minlength=CELLS**3).reshape(CELLS, CELLS, CELLS) / max(1, len(cells))
    for axis in range(3):
        counts = counts + 0.5 * (np.roll(counts, 1, axis) + np.roll(counts, -1, axis))
    return np.asarray(counts, dtype=np.float64)
