"""A wheel loader and a bulldozer: the earth movers that are labelled `loader` beside the roller.

Decides geometry only; measures follow what makers publish for machines of 5 to 30 tonnes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.scenes.machine_parts import axle, cab, crawler, cylinder, parts
from models.scenes.mesh import Material, Mesh, box, disc, strip
from models.scenes.rig import Frame, Part, after, at, pitch, point, turn


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelLoader:
    """Bends in the middle; arms lift a bucket."""

    #: 1 is a machine of 15 tonnes.
    size: float = 1.0
    bend_deg: float = 0.0
    arms_deg: float = -20.0
    #: Of the bucket's floor against the horizontal.
    bucket_deg: float = 20.0

    def parts(self) -> list[Part]:
        """In the frame of the ground under the joint."""
        k = self.size
        front: Frame = (turn(self.bend_deg), np.zeros(3))
        arms: Frame = (pitch(self.arms_deg), at(0.75 * k, 0.0, 1.95 * k))
        bucket: Frame = (pitch(self.bucket_deg), point(arms, at(2.75 * k, 0.0, 0.0)))
        built = parts(_loader_rear(k)) + parts(_loader_front(k), front)
        built += parts(_arms(k), after(front, arms)) + parts(_bucket(k, 1.4), after(front, bucket))
        lifts = [
            part
            for y in (-0.35 * k, 0.35 * k)
            for part in cylinder(at(0.7 * k, y, 1.15 * k), point(arms, at(1.5 * k, y, -0.1 * k)), 0.1 * k)
        ]
        lifts += cylinder(at(0.7 * k, 0.0, 2.0 * k), point(arms, at(1.6 * k, 0.0, 0.55 * k)), 0.1 * k)
        return built + [(mesh, after(front, frame)) for mesh, frame in lifts]


def _loader_rear(k: float) -> list[Mesh]:
    return [
        *axle(-1.55 * k, 2.7 * k, 0.82 * k, 0.62 * k),
        box((-3.4 * k, -0.65 * k, 0.75 * k), (-0.1 * k, 0.65 * k, 1.35 * k), Material.PAINT_DARK),
        strip(
            [(-3.7 * k, 1.9 * k), (-3.3 * k, 2.1 * k), (-1.3 * k, 2.25 * k)],
            [(-3.7 * k, 0.95 * k), (-3.3 * k, 0.95 * k), (-1.3 * k, 1.3 * k)],
            -0.85 * k,
            0.85 * k,
            Material.PAINT,
        ),
        box((-3.75 * k, -1.1 * k, 0.7 * k), (-3.2 * k, 1.1 * k, 1.15 * k), Material.PAINT_DARK),
        box((-3.72 * k, -0.6 * k, 1.2 * k), (-3.68 * k, 0.6 * k, 1.8 * k), Material.BLACK),
        box((-2.9 * k, -0.87 * k, 1.5 * k), (-2.0 * k, 0.87 * k, 1.95 * k), Material.BLACK),
        box((-2.2 * k, 0.3 * k, 2.2 * k), (-2.05 * k, 0.45 * k, 2.8 * k), Material.BLACK),
        *[box((-2.4 * k, y - 0.35 * k, 1.68 * k), (-0.7 * k, y + 0.35 * k, 1.76 * k), Material.PAINT) for y in (-1.0 * k, 1.0 * k)],
        *cab((-1.3 * k, -0.78 * k, 1.35 * k), (0.15 * k, 0.78 * k, 3.25 * k), 0.15 * k),
    ]  # fmt: skip


def _loader_front(k: float) -> list[Mesh]:
    return [
        *axle(1.5 * k, 2.7 * k, 0.82 * k, 0.62 * k),
        box((0.1 * k, -0.5 * k, 0.7 * k), (1.9 * k, 0.5 * k, 1.3 * k), Material.PAINT_DARK),
        strip([(0.3 * k, 2.15 * k), (1.1 * k, 2.1 * k)], [(0.3 * k, 1.2 * k), (1.5 * k, 1.2 * k)], -0.5 * k, -0.3 * k, Material.PAINT),
        strip([(0.3 * k, 2.15 * k), (1.1 * k, 2.1 * k)], [(0.3 * k, 1.2 * k), (1.5 * k, 1.2 * k)], 0.3 * k, 0.5 * k, Material.PAINT),
        *[box((0.8 * k, y - 0.33 * k, 1.68 * k), (2.2 * k, y + 0.33 * k, 1.75 * k), Material.PAINT) for y in (-1.02 * k, 1.02 * k)],
    ]  # fmt: skip


def _arms(k: float) -> list[Mesh]:
    upper = [(-0.15 * k, 0.18 * k), (1.5 * k, 0.3 * k), (2.9 * k, 0.1 * k)]
    lower = [(-0.15 * k, -0.18 * k), (1.4 * k, -0.15 * k), (2.75 * k, -0.22 * k)]
    return [
        *[strip(upper, lower, y - 0.09 * k, y + 0.09 * k, Material.PAINT) for y in (-0.55 * k, 0.55 * k)],
        box((1.3 * k, -0.6 * k, -0.05 * k), (1.6 * k, 0.6 * k, 0.2 * k), Material.PAINT),
        strip([(1.5 * k, 0.75 * k), (1.75 * k, 0.75 * k)], [(1.4 * k, -0.3 * k), (1.6 * k, -0.3 * k)], -0.09 * k, 0.09 * k, Material.PAINT),
    ]  # fmt: skip


def _bucket(k: float, half_m: float) -> list[Mesh]:
    """x along its floor from the hinge to the edge, open to the front and above."""
    w = half_m * k
    shell = [(-0.1 * k, 0.95 * k), (-0.05 * k, 0.1 * k), (0.35 * k, -0.25 * k), (1.25 * k, -0.28 * k)]
    inner = [(0.02 * k, 0.9 * k), (0.06 * k, 0.15 * k), (0.4 * k, -0.15 * k), (1.25 * k, -0.22 * k)]
    return [
        strip(inner, shell, -w, w, Material.PAINT_DARK),
        *[
            strip([(-0.1 * k, 0.95 * k), (0.25 * k, 0.75 * k), (1.2 * k, -0.1 * k)], [(-0.05 * k, 0.1 * k), (0.35 * k, -0.25 * k), (1.25 * k, -0.28 * k)], y - 0.03, y + 0.03, Material.PAINT)
            for y in (-w, w)
        ],
        box((1.2 * k, -w, -0.29 * k), (1.36 * k, w, -0.22 * k), Material.STEEL),
    ]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulldozer:
    """Tracks, a blade before them, often a ripper behind."""

    #: 1 is a machine of 18 tonnes.
    size: float = 1.0
    blade_lift_m: float = 0.1
    blade_turn_deg: float = 0.0
    ripper: bool = True

    def parts(self) -> list[Part]:
        """In the frame of the ground under the tracks."""
        k = self.size
        blade: Frame = (turn(self.blade_turn_deg), at(2.25 * k, 0.0, self.blade_lift_m))
        built = parts([*crawler(3.5 * k, 2.6 * k, 0.56 * k, 1.0 * k), *_dozer_body(k)])
        built += parts(_blade(k), blade)
        for y in (-0.5 * k, 0.5 * k):
            built += cylinder(at(1.5 * k, y, 1.6 * k), point(blade, at(0.05, y, 0.75 * k)), 0.08 * k)
        if self.ripper:
            built += parts(_ripper(k))
        return built


def _dozer_body(k: float) -> list[Mesh]:
    return [
        strip([(-0.2 * k, 2.0 * k), (1.5 * k, 1.95 * k), (1.75 * k, 1.8 * k)], [(-0.2 * k, 0.8 * k), (1.5 * k, 0.7 * k), (1.75 * k, 0.75 * k)], -0.62 * k, 0.62 * k, Material.PAINT),
        box((1.73 * k, -0.5 * k, 0.85 * k), (1.78 * k, 0.5 * k, 1.75 * k), Material.BLACK),
        box((0.4 * k, -0.64 * k, 1.2 * k), (1.3 * k, 0.64 * k, 1.7 * k), Material.BLACK),
        box((0.5 * k, 0.2 * k, 1.95 * k), (0.65 * k, 0.35 * k, 2.6 * k), Material.BLACK),
        box((-1.75 * k, -1.0 * k, 0.9 * k), (-0.1 * k, 1.0 * k, 1.5 * k), Material.PAINT),
        box((-1.9 * k, -0.7 * k, 1.1 * k), (-1.3 * k, 0.7 * k, 1.9 * k), Material.PAINT),
        *cab((-1.35 * k, -0.8 * k, 1.4 * k), (0.15 * k, 0.8 * k, 3.1 * k), 0.15 * k),
        *[box((-0.2 * k, y - 0.09 * k, 0.4 * k), (2.2 * k, y + 0.09 * k, 0.65 * k), Material.PAINT) for y in (-1.42 * k, 1.42 * k)],
    ]  # fmt: skip


def _blade(k: float) -> list[Mesh]:
    w = 1.75 * k
    face = [(0.22 * k, 1.2 * k), (0.06 * k, 0.9 * k), (0.04 * k, 0.4 * k), (0.2 * k, 0.0)]
    back = [(0.1 * k, 1.2 * k), (-0.08 * k, 0.9 * k), (-0.1 * k, 0.4 * k), (0.05 * k, 0.02)]
    # strip() wants the outline's upper side first: a blade stands upright, so its front is the lower side.
    plate = strip(list(reversed(back)), list(reversed(face)), -w, w, Material.PAINT)
    return [
        plate,
        box((0.1 * k, -w, 0.0), (0.24 * k, w, 0.14 * k), Material.STEEL),
        *[box((-0.2 * k, y - 0.06, 0.15 * k), (0.2 * k, y + 0.06, 1.15 * k), Material.PAINT) for y in (-w, w)],
    ]  # fmt: skip


def _ripper(k: float) -> list[Mesh]:
    return [
        box((-2.6 * k, -0.7 * k, 0.85 * k), (-2.3 * k, 0.7 * k, 1.15 * k), Material.PAINT),
        box((-2.4 * k, -0.3 * k, 0.8 * k), (-1.7 * k, 0.3 * k, 1.1 * k), Material.PAINT_DARK),
        *[strip([(-2.65 * k, 1.25 * k), (-2.4 * k, 1.25 * k)], [(-2.6 * k, 0.25 * k), (-2.45 * k, 0.25 * k)], y - 0.06, y + 0.06, Material.STEEL) for y in (-0.5 * k, 0.0, 0.5 * k)],
        disc((-2.45 * k, 0.0, 1.0 * k), 0.1 * k, 1.5 * k, Material.BLACK, sides=8),
    ]  # fmt: skip
