"""A crawler excavator's joints, and where each of its parts is in a given pose.

Decides geometry only: the parts' shapes are `models.scenes.excavator_parts`, light and colour
`models.scenes.shade`, where it goes and when is `models.scenes.story`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.scenes import excavator_parts as parts
from models.scenes.excavator_parts import BOOM_M, SHOE_PITCH_M, STICK_M, TRACK_LENGTH_M, TRACK_WIDTH_M
from models.scenes.mesh import Material, Mesh
from models.scenes.rig import Frame, Part, Placed, after, assemble, heading, pitch, stretched

#: Where the boom turns, in the upper structure's frame.
BOOM_FOOT_M = np.array([0.35, -0.02, 1.75])


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """Everything that moves. Pitches are above the horizontal, in the plane of the boom."""

    east_m: float
    north_m: float
    #: Where the tracks point, clockwise from north.
    heading_deg: float
    #: How far the upper structure is turned from the tracks, clockwise.
    slew_deg: float
    boom_deg: float
    stick_deg: float
    bucket_deg: float
    #: Way that the tracks have gone, modulo one shoe pitch.
    track_m: float = 0.0


def footprint_corners(pose: Pose) -> NDArray[np.float64]:
    """(4, 2) east and north in metres of the rectangle over both tracks: front left, front right, rear right, rear left."""
    half_l, half_w = TRACK_LENGTH_M / 2, TRACK_WIDTH_M / 2
    local = np.array([[half_l, half_w], [half_l, -half_w], [-half_l, -half_w], [-half_l, half_w]])
    rotation = heading(pose.heading_deg)[:2, :2]
    return np.asarray(local @ rotation.T + np.array([pose.east_m, pose.north_m]))


def place(pose: Pose) -> Placed:
    """The machine's triangles in the world."""
    return assemble(parts_of(pose))


def parts_of(pose: Pose) -> list[Part]:
    """The machine's parts, each in its frame in the world."""
    ground = np.array([pose.east_m, pose.north_m, 0.0])
    base = (heading(pose.heading_deg), ground)
    upper = (heading(pose.heading_deg + pose.slew_deg), ground)
    boom = after(upper, (pitch(pose.boom_deg), BOOM_FOOT_M))
    stick = after(upper, (pitch(pose.stick_deg), _boom_tip(pose)))
    bucket = after(upper, (pitch(pose.bucket_deg), _stick_tip(pose)))
    meshes = [
        (parts.tracks(round(pose.track_m % SHOE_PITCH_M, 2)), base),
        (parts.undercarriage(), base),
        (parts.upper_structure(), upper),
        (parts.boom(), boom),
        (parts.stick(), stick),
        (parts.bucket(), bucket),
    ]
    meshes += _cylinders(upper, boom, stick, bucket)
    return meshes


def _boom_tip(pose: Pose) -> NDArray[np.float64]:
    return np.asarray(BOOM_FOOT_M + pitch(pose.boom_deg) @ np.array([BOOM_M, 0.0, 0.0]))


def _stick_tip(pose: Pose) -> NDArray[np.float64]:
    return np.asarray(_boom_tip(pose) + pitch(pose.stick_deg) @ np.array([STICK_M, 0.0, 0.0]))


def _cylinders(upper: Frame, boom: Frame, stick: Frame, bucket: Frame) -> list[tuple[Mesh, Frame]]:
    """Hydraulic cylinders: barrel from one end, chromed rod to the other."""
    ends = [
        (upper, (1.1, 0.42, 1.35), boom, (2.2, 0.3, 0.65), 0.11),
        (upper, (1.1, -0.46, 1.35), boom, (2.2, -0.3, 0.65), 0.11),
        (boom, (2.5, 0.0, 1.35), stick, (-0.8, 0.0, 0.2), 0.11),
        (stick, (-0.35, 0.0, 0.62), bucket, (0.1, 0.0, 0.45), 0.1),
    ]
    cylinders = []
    for frame_a, a, frame_b, b, radius in ends:
        start = frame_a[0] @ np.array(a) + frame_a[1]
        end = frame_b[0] @ np.array(b) + frame_b[1]
        middle = start + 0.58 * (end - start)
        cylinders.append((parts.stretched_rod(radius, Material.BLACK), stretched(start, middle)))
        cylinders.append((parts.stretched_rod(radius * 0.55, Material.CHROME), stretched(middle, end)))
    return cylinders
