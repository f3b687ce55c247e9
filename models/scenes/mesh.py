"""Solids made of painted triangles, and the materials they are painted with.

A mesh is in its own part's frame: metres, x forward, y left, z up. Triangles wind
counter-clockwise seen from outside. Moving parts and putting them together is the machine's
matter (`models.scenes.excavator`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float, float]
Flat = tuple[float, float]


class Material(IntEnum):
    """What a surface is made of; its look is a row of `LOOKS`."""

    PAINT = 0
    PAINT_DARK = 1
    STEEL = 2
    TRACK = 3
    TRACK_SHADE = 4
    GLASS = 5
    BLACK = 6
    CHROME = 7
    DECAL = 8
    SOIL = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Mesh:
    """V points and T triangles."""

    #: (V, 3) metres.
    points: NDArray[np.float64]
    #: (T, 3) indices into points.
    triangles: NDArray[np.int64]
    #: (T,) Material.
    materials: NDArray[np.int64]

    def corners(self) -> NDArray[np.float64]:
        """(T, 3, 3) points of each triangle."""
        return np.asarray(self.points[self.triangles])


def join(meshes: Sequence[Mesh]) -> Mesh:
    """All of them as one."""
    offsets = np.cumsum([0] + [len(m.points) for m in meshes[:-1]])
    return Mesh(
        points=np.concatenate([m.points for m in meshes]),
        triangles=np.concatenate([m.triangles + o for m, o in zip(meshes, offsets, strict=True)]),
        materials=np.concatenate([m.materials for m in meshes]),
    )


def strip(
    upper: Sequence[Flat], lower: Sequence[Flat], y_low: float, y_high: float, material: Material
) -> Mesh:
    """A plate or beam: an outline in the x-z plane, thick from y_low to y_high.

    Args:
        upper: (x, z) along its upper edge, rear to front.
        lower: as many along the lower edge. Neighbouring pairs make the outline's quadrilaterals, so
            it may bend.
    """
    count = len(upper)
    points: list[Point] = []
    for y in (y_low, y_high):
        points += [(x, y, z) for x, z in upper] + [(x, y, z) for x, z in lower]
    right, left = 0, 2 * count  # y_low is the right side
    quads: list[tuple[int, int, int, int]] = []
    for i in range(count - 1):
        j = i + 1
        quads.append((right + count + i, right + count + j, right + j, right + i))
        quads.append((left + i, left + j, left + count + j, left + count + i))
        quads.append((right + i, right + j, left + j, left + i))
        quads.append((left + count + i, left + count + j, right + count + j, right + count + i))
    quads.append((right + count, right, left, left + count))
    quads.append((right + count - 1, right + 2 * count - 1, left + 2 * count - 1, left + count - 1))
    return _from_quads(points, quads, material)


def box(low: Point, high: Point, material: Material) -> Mesh:
    """A box between two opposite corners."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    return strip([(x0, z1), (x1, z1)], [(x0, z0), (x1, z0)], y0, y1, material)


def disc(centre: Point, radius: float, thickness: float, material: Material, *, sides: int = 14) -> Mesh:
    """A wheel on the y axis: centred at `centre`, thick by `thickness` in y."""
    cx, cy, cz = centre
    angles = np.linspace(0, np.pi, sides // 2 + 1)
    upper = [(cx - radius * float(np.cos(a)), cz + radius * float(np.sin(a))) for a in angles]
    lower = [(cx - radius * float(np.cos(a)), cz - radius * float(np.sin(a))) for a in angles]
    return strip(upper, lower, cy - thickness / 2, cy + thickness / 2, material)


def rod(radius: float, material: Material, *, sides: int = 8) -> Mesh:
    """A round bar of unit length along x, from 0 to 1; stretch it where it is needed."""
    angles = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    points = [(x, radius * float(np.cos(a)), radius * float(np.sin(a))) for x in (0.0, 1.0) for a in angles]
    quads = [(i, (i + 1) % sides, sides + (i + 1) % sides, sides + i) for i in range(sides)]
    return _from_quads(points, quads, material)


def _from_quads(
    points: Sequence[Point], quads: Sequence[tuple[int, int, int, int]], material: Material
) -> Mesh:
    triangles = [t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))]
    return Mesh(
        points=np.array(points, dtype=np.float64),
        triangles=np.array(triangles, dtype=np.int64),
        materials=np.full(len(triangles), int(material), dtype=np.int64),
    )
