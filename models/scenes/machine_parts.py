"""Parts that most machines share: crawler tracks, wheels, cabs, cylinders, ropes and hooks.

Shapes only, each in the frame of the machine's part that carries it: x forward, y left, z up, metres.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from models.scenes.mesh import Flat, Material, Mesh, beams, box, disc, rod, strip
from models.scenes.rig import HERE, Frame, Part, stretched

Vector = NDArray[np.float64]


def parts(meshes: list[Mesh], frame: Frame = HERE) -> list[Part]:
    """All of them in one frame."""
    return [(mesh, frame) for mesh in meshes]


def crawler(length_m: float, over_m: float, shoe_m: float, height_m: float) -> list[Mesh]:
    """Two chains with grousers, their wheels, and the frame between; `over_m` is the width over both."""
    radius = height_m / 2
    reach = length_m / 2 - radius
    meshes = [box((-reach, -over_m / 2 + shoe_m, radius * 0.7), (reach, over_m / 2 - shoe_m, height_m * 0.95), Material.PAINT_DARK)]  # fmt: skip
    upper, lower = _chain(length_m, height_m, 1.0), _chain(length_m, height_m, -1.0)
    for y in (over_m / 2 - shoe_m, -over_m / 2):
        chain = strip(upper, lower, y, y + shoe_m, Material.TRACK)
        # strip() lists eight triangles a segment: right, left, top, bottom, two each.
        segment, face = np.arange(len(chain.materials)) // 8, np.arange(len(chain.materials)) % 8
        shaded = np.where((segment % 2 == 0) | (face < 4), int(Material.TRACK_SHADE), chain.materials)
        meshes.append(Mesh(points=chain.points, triangles=chain.triangles, materials=shaded))
    for y in (over_m / 2, -over_m / 2):
        meshes.append(box((-reach * 0.85, y - 0.03, radius * 0.7), (reach * 0.85, y + 0.03, radius * 1.35), Material.PAINT_DARK))  # fmt: skip
        meshes += [disc((x, y, radius), radius * 0.72, 0.1, Material.STEEL) for x in (-reach, reach)]
        meshes += [
            disc((float(x), y, radius * 0.4), radius * 0.25, 0.07, Material.STEEL, sides=8)
            for x in np.linspace(-reach * 0.8, reach * 0.8, max(4, int(length_m * 1.4)))
        ]
    return meshes


def _chain(length_m: float, height_m: float, sign: float) -> list[Flat]:
    radius, straight = height_m / 2, length_m - height_m
    quarter = math.pi * radius / 2
    outline = []
    for k, s in enumerate(np.linspace(0.0, 2 * quarter + straight, 41)):
        r = radius - 0.03 * (k % 2)
        if s < quarter:
            x, z = -straight / 2 - r * math.cos(s / radius), r * math.sin(s / radius)
        elif s < quarter + straight:
            x, z = -straight / 2 + (s - quarter), r
        else:
            a = (s - quarter - straight) / radius
            x, z = straight / 2 + r * math.sin(a), r * math.cos(a)
        outline.append((float(x), float(radius + sign * z)))
    return outline


def axle(
    x: float, over_m: float, radius_m: float, tyre_m: float, hub: Material = Material.ACCENT
) -> list[Mesh]:
    """Two wheels and what joins them."""
    meshes = [box((x - 0.12, -over_m / 2 + 0.1, radius_m - 0.12), (x + 0.12, over_m / 2 - 0.1, radius_m + 0.12), Material.BLACK)]  # fmt: skip
    for sign in (-1.0, 1.0):
        y = sign * (over_m - tyre_m) / 2
        outside = sign * (over_m / 2)
        meshes.append(disc((x, y, radius_m), radius_m, tyre_m, Material.TYRE, sides=24))
        meshes.append(disc((x, outside, radius_m), radius_m * 0.55, 0.05, hub, sides=16))
        meshes.append(disc((x, outside, radius_m), radius_m * 0.22, 0.16, Material.STEEL, sides=8))
    return meshes


def cab(
    low: tuple[float, float, float], high: tuple[float, float, float], slope_m: float = 0.25
) -> list[Mesh]:
    """A driver's cab: painted to the sill, glass above in dark pillars, a painted roof; the front leans by `slope_m`."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    sill, top, front = z0 + 0.42 * (z1 - z0), z1 - 0.1, x1 - slope_m
    long = front - x0
    panes = []
    for y in (y0, y1):
        panes.append(strip([(x0 + 0.08 * long, top - 0.08), (x0 + 0.46 * long, top - 0.08)],
                           [(x0 + 0.08 * long, sill), (x0 + 0.46 * long, sill)], y - 0.012, y + 0.012, Material.GLASS))  # fmt: skip
        panes.append(strip([(x0 + 0.54 * long, top - 0.08), (x0 + 0.95 * long, top - 0.08), (x1 - 0.12 * slope_m - 0.06, sill + 0.05)],
                           [(x0 + 0.54 * long, sill - 0.25), (x0 + 0.95 * long, sill - 0.25), (x1 - 0.12 * slope_m - 0.06, sill - 0.1)],
                           y - 0.012, y + 0.012, Material.GLASS))  # fmt: skip
    return [
        strip([(x0, sill), (front, sill), (x1, sill)], [(x0, z0), (front, z0), (x1, z0)], y0, y1, Material.PAINT),
        strip([(x0, top), (front, top), (x1, sill + 0.02)], [(x0, sill), (front, sill), (x1, sill)], y0 + 0.01, y1 - 0.01, Material.BLACK),
        strip([(x0 - 0.06, z1), (front + 0.1, z1)], [(x0 - 0.06, top), (front + 0.1, top)], y0 - 0.03, y1 + 0.03, Material.PAINT),
        strip([(front + 0.04, top - 0.06), (x1 + 0.03, sill + 0.05)], [(front - 0.03, top - 0.1), (x1 - 0.04, sill)], y0 + 0.08, y1 - 0.08, Material.GLASS),
        box((x0 - 0.02, y0 + 0.12, sill), (x0 + 0.01, y1 - 0.12, top - 0.1), Material.GLASS),
        *panes,
    ]  # fmt: skip


def cylinder(start: Vector, end: Vector, radius_m: float) -> list[Part]:
    """A hydraulic cylinder between two points: barrel, then the chromed rod."""
    middle = start + 0.58 * (end - start)
    return [
        (rod(radius_m, Material.BLACK), stretched(start, middle)),
        (rod(radius_m * 0.55, Material.CHROME), stretched(middle, end)),
    ]


def bar(start: Vector, end: Vector, radius_m: float, material: Material, sides: int = 12) -> Part:
    """A round bar or pipe between two points."""
    return rod(radius_m, material, sides=sides), stretched(start, end)


def ropes(starts: list[Vector], ends: list[Vector], half_m: float = 0.025) -> Mesh:
    """Straight ropes; thicker than real ones, which no camera shows."""
    return beams(np.array(starts), np.array(ends), half_m, Material.ROPE)


def hook(tip: Vector, drop_m: float, size: float = 1.0) -> list[Mesh]:
    """Ropes down from a boom's tip, the hook's block and the hook; z is up in this frame."""
    x, y, z = (float(v) for v in tip)
    low = max(0.8 * size, z - drop_m)
    return [
        ropes([tip + np.array([0, s * size, 0]) for s in (-0.15, 0.15)], [np.array([x, y + s * size, low]) for s in (-0.12, 0.12)]),
        box((x - 0.22 * size, y - 0.2 * size, low - 0.7 * size), (x + 0.22 * size, y + 0.2 * size, low + 0.1 * size), Material.ACCENT),
        disc((x, y, low - 0.85 * size), 0.2 * size, 0.12 * size, Material.BLACK, sides=10),
    ]  # fmt: skip


def rails(x0: float, x1: float, y: float, z: float, height_m: float = 0.9) -> Mesh:
    """A handrail along x: posts and two bars."""
    posts = np.linspace(x0, x1, max(2, int((x1 - x0) / 0.9) + 1))
    starts = [np.array([x, y, z]) for x in posts] + [np.array([x0, y, z + h * height_m]) for h in (0.55, 1.0)]
    ends = [np.array([x, y, z + height_m]) for x in posts] + [
        np.array([x1, y, z + h * height_m]) for h in (0.55, 1.0)
    ]
    return beams(np.array(starts), np.array(ends), 0.025, Material.ACCENT)
