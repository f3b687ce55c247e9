"""Drill rigs: a rotary piling rig with its mast, and a rig for horizontal directional drilling.

Decides geometry only; measures follow what makers publish. The second kind is what crosses under
roads and rivers, and under other people's pipelines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from models.scenes.machine_parts import Vector, bar, cab, crawler, cylinder, parts, rails, ropes
from models.scenes.mesh import Material, Mesh, box, disc, disc_up, strip, truss
from models.scenes.rig import Frame, Part, after, at, pitch, point, turn

Tool = Literal["kelly", "auger", "hammer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PilingRig:
    """A crawler with a mast before it: kelly bar and bucket, a long auger, or a hammer on a pile."""

    #: 1 is a rig of about 60 tonnes; a survey or water-well rig is 0.45.
    size: float = 1.0
    slew_deg: float = 20.0
    mast_m: float = 20.0
    #: How far the mast leans forward from upright.
    lean_deg: float = 0.0
    #: Where the drive stands on the mast, 0 (low) to 1.
    drive: float = 0.35
    tool: Tool = "kelly"
    lattice_mast: bool = False

    def parts(self) -> list[Part]:
        """In the frame of the ground under the slewing ring."""
        k = self.size
        base = [
            *crawler(5.4 * k, 4.3 * k, 0.8 * k, 1.05 * k),
            disc_up((0.0, 0.0, 1.1 * k), 0.85 * k, 0.3 * k, Material.BLACK),
        ]
        upper: Frame = (turn(self.slew_deg), at(0.0, 0.0, 1.2 * k))
        # The mast's frame: x along it upwards, z away from the machine.
        mast: Frame = (pitch(90.0 - self.lean_deg) @ np.diag([1.0, -1.0, -1.0]), at(3.3 * k, 0.0, -0.5 * k))
        built = parts(base) + parts(self._house(k), upper)
        built += parts(self._mast(k), after(upper, mast))
        built += [(mesh, after(upper, frame)) for mesh, frame in self._linkage(k, mast)]
        return built + [(mesh, after(upper, after(mast, frame))) for mesh, frame in self._string(k)]

    def _house(self, k: float) -> list[Mesh]:
        return [
            box((-3.4 * k, -1.45 * k, 0.0), (1.5 * k, 1.45 * k, 0.3 * k), Material.PAINT_DARK),
            strip([(-3.1 * k, 1.7 * k), (-0.5 * k, 1.8 * k)], [(-3.1 * k, 0.3 * k), (-0.5 * k, 0.3 * k)], -1.4 * k, 1.4 * k, Material.PAINT),
            box((-3.9 * k, -1.45 * k, 0.1 * k), (-3.0 * k, 1.45 * k, 1.4 * k), Material.PAINT_DARK),
            box((-2.6 * k, -1.43 * k, 0.6 * k), (-1.6 * k, 1.43 * k, 1.5 * k), Material.BLACK),
            box((-1.4 * k, -1.42 * k, 0.7 * k), (-0.6 * k, 1.42 * k, 1.1 * k), Material.DECAL),
            box((-0.5 * k, -1.4 * k, 0.3 * k), (1.2 * k, -0.5 * k, 1.2 * k), Material.PAINT),
            disc((0.2 * k, 0.0, 1.1 * k), 0.45 * k, 0.7 * k, Material.ROPE),
            *cab((-0.1 * k, 0.5 * k, 0.3 * k), (1.6 * k, 1.45 * k, 2.1 * k), 0.25 * k),
            rails(-3.0 * k, -0.6 * k, -1.35 * k, 1.75 * k),
            rails(-3.0 * k, -0.6 * k, 1.35 * k, 1.75 * k),
        ]  # fmt: skip

    def _mast(self, k: float) -> list[Mesh]:
        length, half = self.mast_m, 0.38 * k
        if self.lattice_mast:
            x = np.linspace(0.0, length, max(5, round(length / (2.2 * half))) + 1)
            corners = np.array([(-half, -half), (half, -half), (half, half), (-half, half)])
            rings = np.concatenate(
                [np.broadcast_to(x[:, None, None], (len(x), 4, 1)), np.broadcast_to(corners, (len(x), 4, 2))],
                axis=2,
            )
            body = [truss(rings, 0.1 * k, 0.05 * k, Material.ACCENT)]
        else:
            body = [
                box((0.0, -half, -half), (length, half, half), Material.ACCENT),
                box((0.2, -half * 0.6, half), (length - 0.3, half * 0.6, half + 0.12 * k), Material.PAINT_DARK),
                *[box((x, -half * 1.08, -half * 1.08), (x + 0.2 * k, half * 1.08, half * 1.08), Material.PAINT_DARK) for x in np.arange(0.25, 0.95, 0.24) * length],
            ]  # fmt: skip
        head = [
            strip([(length, half), (length + 0.9 * k, 1.5 * k)], [(length, -half), (length + 0.9 * k, -1.1 * k)], -0.35 * k, 0.35 * k, Material.PAINT),
            disc((length + 0.9 * k, 0.0, 1.25 * k), 0.4 * k, 0.16 * k, Material.STEEL, sides=12),
            disc((length + 0.9 * k, 0.0, -0.9 * k), 0.4 * k, 0.16 * k, Material.STEEL, sides=12),
        ]  # fmt: skip
        return body + head

    def _linkage(self, k: float, mast: Frame) -> list[Part]:
        """Arms and cylinders that hold the mast, in the upper structure's frame."""
        low, mid = point(mast, at(2.6 * k, 0.0, -0.4 * k)), point(mast, at(3.6 * k, 0.0, -0.4 * k))
        built: list[Part] = []
        for y in (-0.35 * k, 0.35 * k):
            side = at(0.0, y, 0.0)
            built.append(bar(at(1.1 * k, y, 0.6 * k), low + side, 0.16 * k, Material.PAINT, 6))
            built.append(bar(at(0.9 * k, y, 1.4 * k), mid + side, 0.13 * k, Material.PAINT, 6))
            far = point(mast, at(min(8.0 * k, 0.55 * self.mast_m), y, -0.4 * k))
            built += cylinder(at(-0.4 * k, 1.6 * y, 1.7 * k), far, 0.14 * k)
        return built

    def _string(self, k: float) -> list[Part]:
        """What hangs before the mast, in its frame."""
        length, z = self.mast_m, 1.15 * k
        place = (0.18 + 0.55 * self.drive) * length
        built: list[Part] = parts(
            [
                box((place - 0.7 * k, -0.6 * k, 0.4 * k), (place + 0.7 * k, 0.6 * k, 1.7 * k), Material.PAINT),
                box((place - 0.9 * k, -0.3 * k, 0.35 * k), (place + 0.9 * k, 0.3 * k, 0.6 * k), Material.BLACK),
                ropes([at(length + 0.9 * k, 0.0, z), at(length + 0.9 * k, 0.0, -1.25 * k)], [at(place, 0.0, z), at(1.5 * k, 0.0, -1.2 * k)], 0.03),
            ]
        )  # fmt: skip
        low = -0.6 * k
        if self.tool == "kelly":
            top = min(length + 0.2, place + 0.5 * length)
            built.append(bar(at(low + 1.6 * k, 0.0, z), at(top, 0.0, z), 0.2 * k, Material.STEEL))
            built.append(bar(at(low, 0.0, z), at(low + 1.7 * k, 0.0, z), 0.55 * k, Material.STEEL))
            built += parts([_flange(low + 1.7 * k, z, 0.6 * k)])
        elif self.tool == "auger":
            built.append(bar(at(low, 0.0, z), at(place, 0.0, z), 0.12 * k, Material.STEEL))
            turns = np.arange(low, place - 0.8 * k, 0.42 * k)
            built += [
                bar(at(float(x), 0.0, z), at(float(x) + 0.08 * k, 0.0, z), 0.36 * k, Material.STEEL, 12)
                for x in turns
            ]
        else:
            built.append(bar(at(low, 0.0, z), at(place - 0.6 * k, 0.0, z), 0.22 * k, Material.CONCRETE))
            built.append(bar(at(place + 0.6 * k, 0.0, z), at(min(length, place + 4.0 * k), 0.0, z), 0.35 * k, Material.PAINT_DARK))  # fmt: skip
        return built


def _flange(x: float, z: float, half_m: float) -> Mesh:
    return box((x - 0.06, -half_m * 0.7, z - half_m * 0.7), (x + 0.06, half_m * 0.7, z + half_m * 0.7), Material.STEEL)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectionalDrill:
    """A crawler with a long frame, front end on the ground, from which pipes are pushed in at a low angle."""

    size: float = 1.0
    frame_deg: float = 14.0
    frame_m: float = 8.0
    #: Where the carriage stands along the frame, 0 (front) to 1.
    carriage: float = 0.6
    has_cab: bool = True

    def parts(self) -> list[Part]:
        """In the frame of the ground under the tracks."""
        k = self.size
        base = [
            *crawler(3.4 * k, 2.3 * k, 0.45 * k, 0.8 * k),
            box((-2.2 * k, -1.0 * k, 0.75 * k), (1.2 * k, 0.1 * k, 1.0 * k), Material.PAINT_DARK),
            strip([(-2.4 * k, 1.9 * k), (-0.3 * k, 1.9 * k), (0.2 * k, 1.5 * k)], [(-2.4 * k, 0.95 * k), (-0.3 * k, 0.95 * k), (0.2 * k, 0.95 * k)], -1.15 * k, -0.15 * k, Material.PAINT),
            box((-2.0 * k, -1.17 * k, 1.15 * k), (-0.9 * k, -1.14 * k, 1.7 * k), Material.BLACK),
        ]  # fmt: skip
        if self.has_cab:
            base += cab((0.3 * k, -1.25 * k, 0.8 * k), (1.8 * k, -0.2 * k, 2.5 * k), 0.2 * k)
        # The frame slopes down to the front: x along it, from its front end up to the rear.
        front = at(3.0 * k, 0.45 * k, 0.35 * k)
        frame: Frame = (turn(180.0) @ pitch(self.frame_deg), front)
        built = parts(base) + parts(self._frame(k), frame)
        built += [(mesh, after(frame, where)) for mesh, where in self._pipes(k)]
        legs: list[Vector] = [point(frame, at(x * self.frame_m, 0.0, -0.3 * k)) for x in (0.45, 0.75)]
        return built + [
            part for top in legs for part in cylinder(at(float(top[0]), 0.45 * k, 0.7 * k), top, 0.12 * k)
        ]

    def _frame(self, k: float) -> list[Mesh]:
        length, place = self.frame_m, (0.15 + 0.75 * self.carriage) * self.frame_m
        return [
            box((0.0, -0.32 * k, -0.2 * k), (length, 0.32 * k, 0.06 * k), Material.PAINT),
            *[box((x, -0.36 * k, -0.24 * k), (x + 0.12 * k, 0.36 * k, 0.1 * k), Material.PAINT_DARK) for x in np.linspace(0.1, length - 0.3, 8)],
            box((-0.1, -0.4 * k, -0.45 * k), (0.5 * k, 0.4 * k, 0.5 * k), Material.STEEL),
            box((0.6 * k, -0.3 * k, 0.06 * k), (1.2 * k, 0.3 * k, 0.55 * k), Material.PAINT_DARK),
            box((place - 0.55 * k, -0.4 * k, 0.06 * k), (place + 0.55 * k, 0.4 * k, 0.85 * k), Material.PAINT),
            box((place - 0.3 * k, -0.3 * k, 0.8 * k), (place + 0.5 * k, 0.3 * k, 1.1 * k), Material.BLACK),
            # the box of pipes stands on the far side of the frame
            box((0.25 * length, -1.05 * k, 0.15 * k), (0.75 * length, -0.42 * k, 0.25 * k), Material.PAINT_DARK),
            *[box((x * length, -1.05 * k, 0.15 * k), (x * length + 0.1 * k, -0.42 * k, 1.1 * k), Material.PAINT) for x in (0.25, 0.5, 0.74)],
        ]  # fmt: skip

    def _pipes(self, k: float) -> list[Part]:
        length, place = self.frame_m, (0.15 + 0.75 * self.carriage) * self.frame_m
        built = [
            bar(at(-1.2, 0.0, 0.35 * k), at(place - 0.5 * k, 0.0, 0.35 * k), 0.06 * k, Material.STEEL, 8)
        ]
        for row in range(4):
            for column in range(3):
                y, z = (-0.95 + 0.2 * column) * k, (0.32 + 0.2 * row) * k
                built.append(bar(at(0.22 * length, y, z), at(0.78 * length, y, z), 0.07 * k, Material.STEEL, 8))  # fmt: skip
        return built
