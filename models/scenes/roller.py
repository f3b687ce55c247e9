"""Rollers: one drum before tyres, for earth; two drums, for asphalt.

Decides geometry only; measures follow what makers publish for machines of 3 to 20 tonnes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.scenes.machine_parts import axle, cab, parts, rails
from models.scenes.mesh import Material, Mesh, beams, box, disc, strip
from models.scenes.rig import Frame, Part, at, turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Roller:
    """Bends in the middle."""

    #: 1 is a machine of 12 tonnes.
    size: float = 1.0
    bend_deg: float = 0.0
    tandem: bool = False
    #: A closed cab, else a roof on four posts.
    closed: bool = True
    padfoot: bool = False

    def parts(self) -> list[Part]:
        """In the frame of the ground under the joint."""
        k = self.size
        front: Frame = (turn(self.bend_deg), np.zeros(3))
        if self.tandem:
            rear: Frame = (turn(180.0), np.zeros(3))
            built = parts(_drum_end(k * 0.8, 0.55, False), front) + parts(_drum_end(k * 0.8, 0.55, False), rear)  # fmt: skip
            return built + parts(_tandem_body(k * 0.8, self.closed))
        return parts(_drum_end(k, 0.75, self.padfoot), front) + parts(_tractor(k, self.closed))


def _drum_end(k: float, radius: float, padfoot: bool) -> list[Mesh]:
    """The drum in its yoke, ahead of the joint."""
    x, r, half = (0.55 + 1.15 * radius / 0.75) * k, radius * k, 1.05 * k
    meshes = [
        disc((x, 0.0, r), r, 2 * half, Material.STEEL, sides=32),
        *[disc((x, s * half, r), r * 0.8, 0.03, Material.PAINT_DARK, sides=24) for s in (-1.0, 1.0)],
        *[
            strip([(0.1 * k, r + 0.25 * k), (x + r * 1.15, r + 0.2 * k)], [(0.1 * k, r - 0.15 * k), (x + r * 1.15, r - 0.1 * k)],
                  min(s * half, s * (half + 0.14 * k)), max(s * half, s * (half + 0.14 * k)), Material.PAINT)
            for s in (-1.0, 1.0)
        ],
        box((x + r * 1.05, -half, r - 0.12 * k), (x + r * 1.22, half, r + 0.22 * k), Material.PAINT),
        box((0.05 * k, -half, r - 0.2 * k), (0.28 * k, half, r + 0.3 * k), Material.PAINT),
        box((-0.4 * k, -0.3 * k, r - 0.15 * k), (0.1 * k, 0.3 * k, r + 0.2 * k), Material.BLACK),
    ]  # fmt: skip
    if padfoot:
        for a in np.linspace(0, 2 * np.pi, 14, endpoint=False):
            px, pz = x + r * float(np.cos(a)), r + r * float(np.sin(a))
            meshes += [
                box((px - 0.07 * k, y, max(0.0, pz - 0.07 * k)), (px + 0.07 * k, y + 0.12 * k, pz + 0.09 * k), Material.STEEL)
                for y in np.linspace(-half * 0.9, half * 0.8, 6)
            ]  # fmt: skip
    return meshes


def _tractor(k: float, closed: bool) -> list[Mesh]:
    """Engine, tyres and the driver's place behind the joint."""
    return [
        *axle(-1.75 * k, 2.2 * k, 0.78 * k, 0.58 * k),
        box((-2.6 * k, -0.5 * k, 0.6 * k), (-0.3 * k, 0.5 * k, 1.2 * k), Material.PAINT_DARK),
        strip(
            [(-3.1 * k, 1.35 * k), (-2.6 * k, 1.75 * k), (-1.35 * k, 1.95 * k)],
            [(-3.1 * k, 0.85 * k), (-2.6 * k, 0.85 * k), (-1.35 * k, 0.95 * k)],
            -0.72 * k,
            0.72 * k,
            Material.PAINT,
        ),
        box((-3.12 * k, -0.5 * k, 0.95 * k), (-3.08 * k, 0.5 * k, 1.3 * k), Material.BLACK),
        box((-2.5 * k, -0.73 * k, 1.15 * k), (-1.7 * k, 0.73 * k, 1.55 * k), Material.BLACK),
        *[box((-2.45 * k, y - 0.32 * k, 1.58 * k), (-1.1 * k, y + 0.32 * k, 1.66 * k), Material.PAINT_DARK) for y in (-0.78 * k, 0.78 * k)],
        *_place_of_driver(k, -1.35 * k, -0.15 * k, 1.1 * k, 3.0 * k, closed),
    ]  # fmt: skip


def _tandem_body(k: float, closed: bool) -> list[Mesh]:
    return [
        box((-1.2 * k, -0.7 * k, 0.75 * k), (1.2 * k, 0.7 * k, 1.35 * k), Material.PAINT),
        strip([(-2.0 * k, 1.45 * k), (-0.6 * k, 1.6 * k)], [(-2.0 * k, 1.15 * k), (-0.6 * k, 1.1 * k)], -0.65 * k, 0.65 * k, Material.PAINT),
        strip([(0.7 * k, 1.55 * k), (2.0 * k, 1.4 * k)], [(0.7 * k, 1.1 * k), (2.0 * k, 1.15 * k)], -0.65 * k, 0.65 * k, Material.PAINT),
        box((-1.9 * k, -0.66 * k, 1.2 * k), (-1.2 * k, 0.66 * k, 1.4 * k), Material.BLACK),
        *_place_of_driver(k, -0.6 * k, 0.7 * k, 1.35 * k, 2.9 * k, closed),
    ]  # fmt: skip


def _place_of_driver(k: float, x0: float, x1: float, z0: float, z1: float, closed: bool) -> list[Mesh]:
    half = 0.75 * k
    if closed:
        return cab((x0, -half, z0), (x1, half, z1), 0.15 * k)
    posts = [(x, y) for x in (x0 + 0.08, x1 - 0.08) for y in (-half + 0.08, half - 0.08)]
    return [
        beams(
            np.array([at(x, y, z0) for x, y in posts]),
            np.array([at(x, y, z1) for x, y in posts]),
            0.05 * k,
            Material.BLACK,
        ),
        box((x0 - 0.15 * k, -half - 0.1 * k, z1 - 0.06 * k), (x1 + 0.15 * k, half + 0.1 * k, z1 + 0.06 * k), Material.PAINT),
        box((x0 + 0.1 * k, -0.35 * k, z0), (x0 + 0.6 * k, 0.35 * k, z0 + 0.45 * k), Material.BLACK),
        box((x0 + 0.05 * k, -0.35 * k, z0 + 0.4 * k), (x0 + 0.2 * k, 0.35 * k, z0 + 0.95 * k), Material.BLACK),
        box((x1 - 0.25 * k, -0.3 * k, z0), (x1 - 0.1 * k, 0.3 * k, z0 + 0.7 * k), Material.PAINT_DARK),
        rails(x0, x1, -half, z0, 0.7 * k),
        rails(x0, x1, half, z0, 0.7 * k),
    ]  # fmt: skip
