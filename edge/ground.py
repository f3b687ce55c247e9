"""Where a box stands on the ground, with its error, or a named reason why nobody can say.

The middle of the box's bottom edge goes through the camera's plane (`monitor.domain.ground`, with the lens) and
then away from the camera by half the depth of that class. That a camera was moved is found elsewhere.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from models.footprint import FOOTPRINTS
from monitor.domain.assets import Camera
from monitor.domain.events import NoFix
from monitor.domain.ground.fix import FOOT_SIGMA_PX, CameraGround, GroundFix
from monitor.domain.ground.lens import Array

Box = tuple[float, float, float, float]

#: 1-sigma error of a box's bottom edge: a constant, and this share of the box's height.
FOOT_SIGMA_SHARE: Final = 0.02
#: A box cut off by the side of the picture: how far its middle may be off, as a share of its height.
CUT_SIGMA_SHARE: Final = 0.35
#: Boxes end this close to the picture's border when they are cut off by it.
CUT_PX: Final = 2.0


class Ground(CameraGround):
    """A camera's ground plane, asked for boxes. Immutable."""

    def locate(self, xyxy: Box, class_name: str, frame_size_px: tuple[int, int]) -> GroundFix | NoFix:
        """Where a box stands, or why that can't be said."""
        scale = self.scale(frame_size_px)
        if scale is None:
            return NoFix.NOT_CALIBRATED
        x1, y1, x2, y2 = (value * scale for value in xyxy)
        x_px, y_px = (x1 + x2) / 2, y2
        width_px, height_px = frame_size_px[0] * scale, frame_size_px[1] * scale
        if y2 > height_px - CUT_PX:  # its foot is below the picture
            return NoFix.OUTSIDE_SURVEY
        if (refused := self.plane.refusal(x_px, y_px)) is not None:
            return refused
        sigma_px = FOOT_SIGMA_PX + FOOT_SIGMA_SHARE * (y2 - y1)
        cut = x1 < CUT_PX or x2 > width_px - CUT_PX
        sigma_x_px = max(sigma_px, CUT_SIGMA_SHARE * (y2 - y1)) if cut else sigma_px
        near, cov = self.plane.ground(x_px, y_px, np.diag([sigma_x_px**2, sigma_px**2]))
        footprint = FOOTPRINTS.get(class_name)
        if footprint is not None:
            away = self._away(near, x_px, y_px)
            near = near + away * footprint.half_depth_m
            # the side that is turned to the camera is unknown
            cov = cov + np.outer(away, away) * footprint.spread_m**2
        return self.fix(near, cov)

    def _away(self, near: Array, x_px: float, y_px: float) -> Array:
        if self.camera_m is not None:
            step = near - np.array(self.camera_m)
            if (length := float(np.hypot(*step))) > 1e-6:
                return np.asarray(step / length)
        return self.plane.away(x_px, y_px)


def ground_of(camera: Camera) -> Ground | None:
    """The camera's ground plane; None if it is not calibrated at all. CalibrationVoid if it is so badly."""
    return Ground(camera) if camera.ground_points or camera.mast is not None else None
