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
    #: A second colour of the maker's: a boom, a stripe, a drum.
    ACCENT = 10
    TYRE = 11
    CONCRETE = 12
    ROPE = 13


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


def disc_up(centre: Point, radius: float, thickness: float, material: Material, *, sides: int = 16) -> Mesh:
    """A round plate or post about the z axis, from centre - thickness / 2 to centre + thickness / 2."""
    flat = disc((0.0, 0.0, 0.0), radius, thickness, material, sides=sides)
    # A turn about x takes the y axis to z and keeps the winding.
    turned = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    return Mesh(
        points=flat.points @ turned.T + np.array(centre), triangles=flat.triangles, materials=flat.materials
    )


def beams(starts: NDArray[np.float64], ends: NDArray[np.float64], half_m: float, material: Material) -> Mesh:
    """N square bars from `starts` (N, 3) to `ends` (N, 3), each `half_m` thick from its middle line."""
    along = ends - starts
    along = along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    upright = np.abs(along[:, 2:3]) > 0.95
    side = np.cross(np.where(upright, np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])), along)
    side = half_m * side / np.linalg.norm(side, axis=1, keepdims=True)
    over = np.cross(along, side)
    ring = [side + over, over - side, -side - over, side - over]
    points = np.stack([end + r for end in (starts, ends) for r in ring], axis=1).reshape(-1, 3)
    sides = [(k, (k + 1) % 4, 4 + (k + 1) % 4, 4 + k) for k in range(4)]
    quads = [(3, 2, 1, 0), (4, 5, 6, 7), *((a, b, c, d) for a, b, c, d in sides)]
    one = np.array([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))], dtype=np.int64)
    triangles = (one[None] + 8 * np.arange(len(starts))[:, None, None]).reshape(-1, 3)
    return Mesh(
        points=points,
        triangles=triangles,
        materials=np.full(len(triangles), int(material), dtype=np.int64),
    )


def truss(rings: NDArray[np.float64], chord_m: float, brace_m: float, material: Material) -> Mesh:
    """A lattice girder through `rings` (S, C, 3) of C corners: chords along, frames around, diagonals between.

    Args:
        rings: corners at each of S stations, going round the same way.
        chord_m: half the thickness of the bars along; brace_m: of all others.
    """
    around = np.roll(rings, -1, axis=1)
    even = (np.arange(len(rings) - 1) % 2 == 0)[:, None, None]
    diagonal_from = np.where(even, rings[:-1], around[:-1])
    diagonal_to = np.where(even, around[1:], rings[1:])
    thin_from = np.concatenate([rings.reshape(-1, 3), diagonal_from.reshape(-1, 3)])
    thin_to = np.concatenate([around.reshape(-1, 3), diagonal_to.reshape(-1, 3)])
    return join(
        [
            beams(rings[:-1].reshape(-1, 3), rings[1:].reshape(-1, 3), chord_m, material),
            beams(thin_from, thin_to, brace_m, material),
        ]
    )


def _from_quads(
    points: Sequence[Point], quads: Sequence[tuple[int, int, int, int]], material: Material
) -> Mesh:
    triangles = [t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))]
    return Mesh(
        points=np.array(points, dtype=np.float64),
        triangles=np.array(triangles, dtype=np.int64),
        materials=np.full(len(triangles), int(material), dtype=np.int64),
    )
