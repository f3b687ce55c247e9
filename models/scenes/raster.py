"""Which triangle each pixel shows: a z-buffer in numpy, all triangles at once.

Takes triangles that are already on the picture and gives, per pixel, the nearest one and its
depth. Decides nothing about colour or light (`models.scenes.shade`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """What a picture of (H, W) pixels shows of T triangles."""

    #: (H, W) index of the nearest triangle, -1 where there is none.
    triangle: NDArray[np.int32]
    #: (H, W) its nearness there (1 / depth for a pinhole, minus depth for a parallel view); -inf where none.
    nearness: NDArray[np.float64]


def rasterise(
    xy: NDArray[np.float64],
    nearness: NDArray[np.float64],
    facing: NDArray[np.bool_],
    size_hw: tuple[int, int],
) -> Hits:
    """Fill triangles into a picture, nearest first.

    Args:
        xy: (T, 3, 2) corners in pixels; a pixel belongs to a triangle if its centre (x.5, y.5) does.
        nearness: (T, 3) at the corners, larger is nearer, and linear over the picture: 1 / depth for
            a pinhole camera.
        facing: (T,) whether to draw it at all.
        size_hw: height and width of the picture in pixels.
    """
    height, width = size_hw
    chosen = np.flatnonzero(facing)
    corners = xy[chosen]
    top = np.clip(np.ceil(corners[:, :, 1].min(axis=1) - 0.5), 0, height).astype(np.int64)
    bottom = np.clip(np.floor(corners[:, :, 1].max(axis=1) - 0.5) + 1, 0, height).astype(np.int64)
    owner, row = _expand(top, bottom)
    left, right = _spans(corners[owner], row.astype(np.float64) + 0.5)
    start = np.clip(np.ceil(left - 0.5), 0, width).astype(np.int64)
    end = np.clip(np.floor(right - 0.5) + 1, 0, width).astype(np.int64)
    span, column = _expand(start, end)
    owner, row = owner[span], row[span]

    planes = screen_planes(corners, nearness[chosen][:, :, None])[:, :, 0]
    a, b, c = planes[owner].T
    near = a * (column + 0.5) + b * (row + 0.5) + c
    flat = row * width + column
    best = np.full(height * width, -np.inf)
    np.maximum.at(best, flat, near)
    winner = np.full(height * width, -1, dtype=np.int32)
    won = near >= best[flat]
    winner[flat[won]] = chosen[owner[won]]
    return Hits(triangle=winner.reshape(height, width), nearness=best.reshape(height, width))


def screen_planes(corners: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coefficients (T, 3, K) with value = c0 x + c1 y + c2 over the picture.

    Args:
        corners: (T, 3, 2) pixels.
        values: (T, 3, K) at the corners. A triangle seen edge-on gives its mean everywhere.
    """
    edge1, edge2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = edge1[:, 0] * edge2[:, 1] - edge1[:, 1] * edge2[:, 0]
    thin = np.abs(area) < 1e-6
    area = np.where(thin, 1.0, area)[:, None]
    rise1, rise2 = values[:, 1] - values[:, 0], values[:, 2] - values[:, 0]
    rise1, rise2 = np.where(thin[:, None], 0.0, rise1), np.where(thin[:, None], 0.0, rise2)
    a = (rise1 * edge2[:, 1:2] - rise2 * edge1[:, 1:2]) / area
    b = (rise2 * edge1[:, 0:1] - rise1 * edge2[:, 0:1]) / area
    first = np.where(thin[:, None], values.mean(axis=1), values[:, 0])
    c = first - a * corners[:, 0, 0:1] - b * corners[:, 0, 1:2]
    return np.asarray(np.stack([a, b, c], axis=1))


def _expand(start: NDArray[np.int64], end: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All whole numbers of the ranges start[i] to end[i] - 1: (which range, the number)."""
    counts = np.maximum(end - start, 0)
    owner = np.repeat(np.arange(len(start)), counts)
    first = np.cumsum(counts) - counts
    return owner, np.arange(len(owner)) - first[owner] + start[owner]


def _spans(
    corners: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Left and right end (N,) of triangles (N, 3, 2) cut at heights y (N,); inf, -inf where they miss."""
    left = np.full(len(y), np.inf)
    right = np.full(len(y), -np.inf)
    for i, j in ((0, 1), (1, 2), (2, 0)):
        rise = corners[:, j, 1] - corners[:, i, 1]
        level = np.abs(rise) < 1e-12
        t = (y - corners[:, i, 1]) / np.where(level, 1.0, rise)
        x = corners[:, i, 0] + t * (corners[:, j, 0] - corners[:, i, 0])
        cuts = ~level & (t >= 0) & (t <= 1)
        left = np.where(cuts, np.minimum(left, x), left)
        right = np.where(cuts, np.maximum(right, x), right)
    # 'left' may stay infinite: an empty range after clipping.
    return np.where(np.isfinite(left), left, 1e9), np.where(np.isfinite(right), right, -1e9)
