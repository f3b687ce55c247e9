"""How parts become a machine in the world: frames of reference, joints, and the placed triangles.

Decides no shapes and no looks. A frame is a 3 x 3 matrix and an origin: a part's point p lies at
`matrix @ p + origin` in the frame around it, in the end in ENU metres.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.scenes.mesh import Mesh

Matrix = NDArray[np.float64]
Frame = tuple[Matrix, NDArray[np.float64]]
Part = tuple[Mesh, Frame]

#: Where a part already has the coordinates of the frame around it.
HERE: Frame = (np.eye(3), np.zeros(3))


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """T triangles of the posed machine."""

    #: (T, 3, 3) corners in ENU metres.
    world_m: NDArray[np.float64]
    #: (T, 3, 3) the same corners in their own part's frame, for textures that move with the part.
    local_m: NDArray[np.float64]
    #: (T,) Material.
    materials: NDArray[np.int64]


def assemble(parts: Sequence[Part]) -> Placed:
    """All parts' triangles in the world, each part in its frame."""
    local = [mesh.corners() for mesh, _ in parts]
    world = [corners @ frame[0].T + frame[1] for corners, (_, frame) in zip(local, parts, strict=True)]
    return Placed(
        world_m=np.concatenate(world),
        local_m=np.concatenate(local),
        materials=np.concatenate([mesh.materials for mesh, _ in parts]),
    )


def heading(clockwise_deg: float) -> Matrix:
    """Turns x forward, y left, z up into ENU for a body that points `clockwise_deg` from north."""
    a = math.radians(clockwise_deg)
    return np.array([[math.sin(a), -math.cos(a), 0.0], [math.cos(a), math.sin(a), 0.0], [0.0, 0.0, 1.0]])


def turn(left_deg: float) -> Matrix:
    """A turn about the z axis of a part's own frame, anticlockwise seen from above."""
    a = math.radians(left_deg)
    return np.array([[math.cos(a), -math.sin(a), 0.0], [math.sin(a), math.cos(a), 0.0], [0.0, 0.0, 1.0]])


def pitch(up_deg: float) -> Matrix:
    """Lifts x above the horizontal."""
    a = math.radians(up_deg)
    return np.array([[math.cos(a), 0.0, -math.sin(a)], [0.0, 1.0, 0.0], [math.sin(a), 0.0, math.cos(a)]])


def after(outer: Frame, inner: Frame) -> Frame:
    """The inner frame, which is given in the outer one, in the frame around both."""
    return outer[0] @ inner[0], outer[0] @ inner[1] + outer[1]


def at(x: float, y: float, z: float) -> NDArray[np.float64]:
    """A point of a frame, as `point` and frames want it."""
    return np.array([x, y, z], dtype=np.float64)


def point(frame: Frame, local: NDArray[np.float64]) -> NDArray[np.float64]:
    """A part's point in the frame around it."""
    return np.asarray(frame[0] @ local + frame[1])


def stretched(start: NDArray[np.float64], end: NDArray[np.float64]) -> Frame:
    """The frame in which a unit rod along x reaches from start to end."""
    along = end - start
    direction = along / np.linalg.norm(along)
    side = np.cross(np.array([0.0, 0.0, 1.0]), direction)
    side = np.array([0.0, 1.0, 0.0]) if np.linalg.norm(side) < 1e-6 else side / np.linalg.norm(side)
    return np.stack([along, side, np.cross(direction, side)], axis=1), start
