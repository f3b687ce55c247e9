"""Cranes: a mobile one with a telescopic boom, and a crawler one with a lattice boom.

Decides geometry only. Measures follow what makers publish for 30 to 250 tonne cranes; no maker's
model is copied. Tower cranes are `models.scenes.tower_crane`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.scenes.machine_parts import Vector, axle, cab, crawler, cylinder, hook, parts, rails, ropes
from models.scenes.mesh import Material, Mesh, beams, box, disc, disc_up, strip, truss
from models.scenes.rig import Frame, Part, after, at, pitch, point, turn


@dataclass(frozen=True, slots=True, kw_only=True)
class MobileCrane:
    """A carrier on wheels with a telescopic boom; stowed for the road if `boom_deg` is below 5."""

    axles: int = 4
    #: Anticlockwise from the carrier's front, seen from above.
    slew_deg: float = 30.0
    boom_deg: float = 55.0
    #: Of the whole boom, drawn out; at least the base section is drawn.
    boom_m: float = 26.0
    hook_drop_m: float = 14.0
    outriggers: bool = True

    def parts(self) -> list[Part]:
        """In the frame of the ground under the carrier's middle."""
        length = 3.6 + 1.75 * self.axles
        stowed = self.boom_deg < 5
        # Stowed, the boom lies over the carrier's cab.
        upper: Frame = (turn(0.0 if stowed else self.slew_deg), at(-0.12 * length, 0.0, 1.55))
        return parts(self._carrier(length)) + self._upper(upper, length, stowed)

    def _carrier(self, length: float) -> list[Mesh]:
        half = length / 2
        meshes = [
            box((-half, -1.25, 0.95), (half - 1.9, 1.25, 1.3), Material.PAINT),
            box((-half, -1.1, 0.6), (half - 1.9, 1.1, 0.95), Material.BLACK),
            *cab((half - 2.0, -1.25, 0.55), (half, 1.25, 2.5), 0.3),
            box((half - 0.1, -1.25, 0.45), (half + 0.12, 1.25, 0.8), Material.ACCENT),
            box((-half + 0.1, -1.2, 1.3), (-half + 1.3, 1.2, 1.55), Material.PAINT),
            disc_up((-0.12 * length, 0.0, 1.43), 0.95, 0.3, Material.BLACK),
        ]
        front = (self.axles + 1) // 2
        places = [half - 1.6 - 1.6 * k for k in range(front)]
        places += [-half + 1.5 + 1.6 * k for k in range(self.axles - front)]
        for x in places:
            meshes += axle(x, 2.6, 0.62, 0.42)
        if self.outriggers and self.boom_deg >= 5:
            for x in (-half + 0.5, half - 2.6):
                meshes.append(box((x - 0.2, -3.2, 0.75), (x + 0.2, 3.2, 1.05), Material.PAINT))
                for y in (-3.1, 3.1):
                    meshes.append(box((x - 0.12, y - 0.12, 0.1), (x + 0.12, y + 0.12, 1.1), Material.ACCENT))
                    meshes.append(disc_up((x, y, 0.08), 0.4, 0.14, Material.BLACK, sides=12))
        return meshes

    def _upper(self, upper: Frame, length: float, stowed: bool) -> list[Part]:
        house = [
            strip([(-2.9, 1.5), (-1.4, 1.5), (0.9, 0.75)], [(-2.9, 0.1), (-1.4, 0.0), (0.9, 0.0)], -1.15, -0.5, Material.PAINT),
            strip([(-2.9, 1.5), (-1.4, 1.5), (0.9, 0.75)], [(-2.9, 0.1), (-1.4, 0.0), (0.9, 0.0)], 0.5, 1.15, Material.PAINT),
            box((-2.9, -1.2, 0.05), (-0.6, 1.2, 0.9), Material.PAINT_DARK),
            box((-3.6, -1.25, 0.0), (-2.7, 1.25, 1.25), Material.PAINT_DARK),
            box((-3.62, -0.9, 0.2), (-3.58, 0.9, 0.5), Material.ACCENT),
            *cab((-0.3, 0.62, 0.1), (1.5, 1.45, 1.75), 0.35),
        ]  # fmt: skip
        foot: Frame = (pitch(2.0 if stowed else self.boom_deg), at(-2.3, 0.0, 1.45))
        base_m = min(self.boom_m, 0.78 * length + 1.5)
        drawn_m = base_m if stowed else max(self.boom_m, base_m)
        boom = self._boom(base_m, drawn_m)
        tip = point(foot, at(drawn_m + 0.2, 0.0, -0.25))
        built = parts(house, upper) + parts(boom, after(upper, foot))
        built += [
            (m, after(upper, f))
            for m, f in cylinder(at(-0.2, 0.0, 0.45), point(foot, at(0.42 * base_m, 0.0, -0.5)), 0.2)
        ]
        drop = 0.9 if stowed else self.hook_drop_m
        return built + parts(hook(tip, drop, 1.3), upper)

    def _boom(self, base_m: float, drawn_m: float) -> list[Mesh]:
        meshes, start, high, wide = [], 0.0, 0.48, 0.36
        sections = max(1, round((drawn_m - base_m) / (0.75 * base_m)) + 1)
        ends = np.linspace(base_m, drawn_m, sections) if sections > 1 else np.array([base_m])
        for k, end in enumerate(ends):
            meshes.append(
                strip([(start, high), (float(end), high)], [(start, -high), (float(end), -high)], -wide, wide, Material.PAINT if k else Material.ACCENT)
            )  # fmt: skip
            meshes.append(box((float(end) - 0.35, -wide - 0.04, -high - 0.04), (float(end), wide + 0.04, high + 0.04), Material.PAINT_DARK))  # fmt: skip
            start, high, wide = float(end) - 0.4, high * 0.84, wide * 0.84
        meshes.append(strip([(drawn_m - 0.2, 0.35), (drawn_m + 0.5, 0.15)], [(drawn_m - 0.2, -0.45), (drawn_m + 0.5, -0.5)], -0.25, 0.25, Material.BLACK))  # fmt: skip
        meshes.append(disc((drawn_m + 0.25, 0.0, -0.25), 0.3, 0.6, Material.STEEL, sides=12))
        return meshes


@dataclass(frozen=True, slots=True, kw_only=True)
class CrawlerCrane:
    """Tracks, a house that turns, a lattice boom held by pendants over a gantry."""

    #: 1 is a crane of about 80 tonnes.
    size: float = 1.0
    slew_deg: float = 0.0
    boom_deg: float = 65.0
    boom_m: float = 32.0
    hook_drop_m: float = 20.0

    def parts(self) -> list[Part]:
        """In the frame of the ground under the slewing ring."""
        k = self.size
        base = [
            *crawler(6.4 * k, 5.0 * k, 0.9 * k, 1.15 * k),
            box((-1.2 * k, -1.9 * k, 0.5 * k), (1.2 * k, 1.9 * k, 1.15 * k), Material.PAINT_DARK),
            disc_up((0.0, 0.0, 1.25 * k), 1.0 * k, 0.3 * k, Material.BLACK),
        ]
        upper: Frame = (turn(self.slew_deg), at(0.0, 0.0, 1.4 * k))
        foot: Frame = (pitch(self.boom_deg), at(1.15 * k, 0.0, 0.45 * k))
        tip = point(foot, at(self.boom_m, 0.0, 0.0))
        gantry = at(-2.6 * k, 0.0, 3.9 * k)
        built = parts(base) + parts(self._house(k), upper)
        built += parts([lattice_boom(self.boom_m, 0.75 * k)], after(upper, foot))
        built += parts(self._rigging(k, gantry, point(foot, at(self.boom_m - 0.5, 0.0, 0.4)), tip), upper)
        return built + parts(hook(tip + at(0.3, 0.0, 0.0), self.hook_drop_m, 1.2 * k), upper)

    def _house(self, k: float) -> list[Mesh]:
        plates = [
            box((-4.6 * k, -2.0 * k, z * k), (-3.4 * k, 2.0 * k, (z + 0.5) * k), Material.ACCENT if n % 2 else Material.PAINT_DARK)
            for n, z in enumerate((0.15, 0.7, 1.25))
        ]  # fmt: skip
        return [
            box((-3.6 * k, -1.45 * k, 0.0), (1.4 * k, 1.45 * k, 0.4 * k), Material.PAINT_DARK),
            box((-3.4 * k, -1.45 * k, 0.4 * k), (0.3 * k, -0.35 * k, 2.1 * k), Material.PAINT),
            box((-3.4 * k, 0.45 * k, 0.4 * k), (-0.4 * k, 1.45 * k, 2.1 * k), Material.PAINT),
            box((-2.6 * k, -1.48 * k, 0.8 * k), (-1.2 * k, -1.44 * k, 1.8 * k), Material.BLACK),
            box((-2.9 * k, 1.44 * k, 1.0 * k), (-0.9 * k, 1.48 * k, 1.5 * k), Material.DECAL),
            disc((-1.0 * k, 0.0, 0.9 * k), 0.5 * k, 0.7 * k, Material.ROPE),
            *cab((0.1 * k, 0.5 * k, 0.3 * k), (1.8 * k, 1.5 * k, 2.2 * k), 0.3 * k),
            rails(-3.3 * k, 0.2 * k, -1.4 * k, 2.1 * k),
            *plates,
        ]

    def _rigging(self, k: float, gantry: Vector, pendant: Vector, tip: Vector) -> list[Mesh]:
        feet = [at(0.2 * k, s * 0.9 * k, 0.4 * k) for s in (-1.0, 1.0)] + [
            at(-3.3 * k, s * 0.9 * k, 0.4 * k) for s in (-1.0, 1.0)
        ]
        heads = [gantry + at(0.0, s * 0.6 * k, 0.0) for s in (-1.0, 1.0)] * 2
        legs = truss_legs(feet, heads, 0.12 * k)
        lines_from = [gantry + at(0.0, s * 0.45 * k, 0.0) for s in (-1.0, 1.0)] + [at(-1.0 * k, 0.0, 1.3 * k)]
        lines_to = [pendant + at(0.0, s * 0.3 * k, 0.0) for s in (-1.0, 1.0)] + [tip]
        return [legs, ropes(lines_from, lines_to, 0.035)]


def truss_legs(starts: list[Vector], ends: list[Vector], half_m: float) -> Mesh:
    """Painted square struts."""
    return beams(np.array(starts), np.array(ends), half_m, Material.PAINT)


def lattice_boom(length_m: float, half_m: float, material: Material = Material.ACCENT) -> Mesh:
    """A square lattice along x that narrows at both ends; `half_m` is half its side."""
    bays = max(6, round(length_m / (2.0 * half_m)))
    x = np.linspace(0.0, length_m, bays + 1)
    narrow = np.minimum(1.0, 0.25 + 0.75 * np.minimum(x, length_m - x) / (4.0 * half_m))
    narrow[0] = 0.6
    corners = np.array([(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)]) * half_m
    rings = np.concatenate(
        [
            np.broadcast_to(x[:, None, None], (bays + 1, 4, 1)),
            corners[None] * np.stack([0.4 + 0.6 * narrow, narrow], axis=1)[:, None, :],
        ],
        axis=2,
    )
    return truss(rings, 0.085 * half_m + 0.015, 0.05 * half_m + 0.012, material)
