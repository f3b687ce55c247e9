"""Where a box stands on the ground, with its error, or a named reason why nobody can say.

The middle of the box's bottom edge goes through the camera's homography and then away from the camera by
half the depth of that class. The lens is part of the plane (`edge.homography`, `edge.lens`). That a camera was
moved is found elsewhere.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec
import numpy as np
from shapely import prepare
from shapely.geometry import MultiPoint, Point

from edge.errors import CalibrationVoid
from edge.homography import HORIZON_W, Array, Homography
from models.footprint import FOOTPRINTS
from monitor.domain.assets import Camera, LonLat
from monitor.domain.events import NoFix, Position
from monitor.domain.geometry import Centreline, LocalFrame

Box = tuple[float, float, float, float]

#: 1-sigma error of a box's bottom edge: a constant, and a share of the box's height.
FOOT_SIGMA_PX: Final = 2.0
FOOT_SIGMA_SHARE: Final = 0.02
#: A box cut off by the side of the picture: how far its middle may be off, as a share of its height.
CUT_SIGMA_SHARE: Final = 0.35
#: Boxes end this close to the picture's border when they are cut off by it.
CUT_PX: Final = 2.0
#: The surveyed hull is enlarged by this share of its size (square root of its area) in the picture.
HULL_MARGIN: Final = 0.25
#: Centreline is sampled this finely when asking which part of it is seen, and no further than this.
SEEN_STEP_M: Final = 1.0
SEEN_WITHIN_M: Final = 1000.0


class GroundFix(msgspec.Struct, frozen=True, kw_only=True):
    """A place on the ground in the camera's local plane, with its covariance."""

    east_m: float
    north_m: float
    lonlat: LonLat
    #: covariance of (east, north) in m²: xx, xy, yy
    cov_m2: tuple[float, float, float]

    @property
    def accuracy_m(self) -> float:
        """Radius in metres within which the true place lies with 68 %."""
        return radius_68_m(self.cov_m2)

    def position(self) -> Position:
        """As it travels."""
        return Position(lon=self.lonlat[0], lat=self.lonlat[1], accuracy_m=round(self.accuracy_m, 2))

    def sigma_across_m(self, direction: tuple[float, float]) -> float:
        """1-sigma error along a direction (need not be of unit length)."""
        length = math.hypot(*direction)
        if length == 0:
            return math.sqrt(max(self.cov_m2[0], self.cov_m2[2]))
        x, y = direction[0] / length, direction[1] / length
        xx, xy, yy = self.cov_m2
        return math.sqrt(max(0.0, xx * x * x + 2 * xy * x * y + yy * y * y))


def radius_68_m(cov_m2: tuple[float, float, float]) -> float:
    """Radius that holds 68.3 % of a two-dimensional normal distribution, within 3 %.

    Exact for a round one (1.515 sigma) and a flat one (1 sigma); between them the ratio of the axes blends.

    >>> round(radius_68_m((1.0, 0.0, 1.0)), 3), round(radius_68_m((1.0, 0.0, 0.0)), 3)
    (1.515, 1.0)
    """
    xx, xy, yy = cov_m2
    trace, det = xx + yy, max(0.0, xx * yy - xy * xy)
    if trace <= 0:
        return 0.0
    roundness = 2 * math.sqrt(det) / trace  # 1 round, 0 flat
    return math.sqrt(trace) * (1.0 + (1.5151 / math.sqrt(2) - 1.0) * roundness)


class Ground:
    """A camera's ground plane. Immutable."""

    def __init__(self, camera: Camera) -> None:
        """Fit the plane; CalibrationVoid says why there is none."""
        if not camera.ground_points:
            raise CalibrationVoid(f"camera {camera.camera_id} has no ground points")
        middle = np.mean([p.lonlat for p in camera.ground_points], axis=0)
        self.frame = LocalFrame((float(middle[0]), float(middle[1])))
        pixels = np.array([p.pixel for p in camera.ground_points], dtype=np.float64)
        ground_m = np.array([self.frame.to_en_m(p.lonlat) for p in camera.ground_points])
        try:
            self.plane = Homography(
                pixels, ground_m, camera.survey_sigma_m, camera.frame_size_px, camera.lens
            )
        except CalibrationVoid as exc:
            raise CalibrationVoid(f"camera {camera.camera_id}: {exc}") from exc
        hull = MultiPoint([p.pixel for p in camera.ground_points]).convex_hull
        self._hull = hull.buffer(HULL_MARGIN * math.sqrt(hull.area))
        prepare(self._hull)
        self._camera_m = None if camera.position is None else self.frame.to_en_m(camera.position)
        self._size_px = camera.frame_size_px

    def locate(self, xyxy: Box, class_name: str, frame_size_px: tuple[int, int]) -> GroundFix | NoFix:
        """Where a box stands, or why that can't be said."""
        scale = self._scale(frame_size_px)
        if scale is None:
            return NoFix.NOT_CALIBRATED
        x1, y1, x2, y2 = (value * scale for value in xyxy)
        x_px, y_px = (x1 + x2) / 2, y2
        width_px, height_px = frame_size_px[0] * scale, frame_size_px[1] * scale
        if y2 > height_px - CUT_PX:  # its foot is below the picture
            return NoFix.OUTSIDE_SURVEY
        scale_w = self.plane.scale_w(x_px, y_px)
        if math.isnan(scale_w):
            return NoFix.BEYOND_LENS
        if scale_w <= HORIZON_W:
            return NoFix.ABOVE_HORIZON
        if not self._hull.contains(Point(x_px, y_px)):
            return NoFix.OUTSIDE_SURVEY
        sigma_px = FOOT_SIGMA_PX + FOOT_SIGMA_SHARE * (y2 - y1)
        cut = x1 < CUT_PX or x2 > width_px - CUT_PX
        sigma_x_px = max(sigma_px, CUT_SIGMA_SHARE * (y2 - y1)) if cut else sigma_px
        near, cov = self.plane.ground(x_px, y_px, np.diag([sigma_x_px**2, sigma_px**2]))
        return self._pushed(near, cov, self._away(near, x_px, y_px), class_name)

    def _pushed(self, near: Array, cov: Array, away: Array, class_name: str) -> GroundFix:
        footprint = FOOTPRINTS.get(class_name)
        if footprint is not None:
            near = near + away * footprint.half_depth_m
            # the side that is turned to the camera is unknown
            cov = cov + np.outer(away, away) * footprint.spread_m**2
        east_m, north_m = float(near[0]), float(near[1])
        return GroundFix(east_m=east_m, north_m=north_m, lonlat=self.frame.to_lonlat((east_m, north_m)),
                         cov_m2=(float(cov[0, 0]), float(cov[0, 1]), float(cov[1, 1])))  # fmt: skip

    def _away(self, near: Array, x_px: float, y_px: float) -> Array:
        if self._camera_m is not None:
            step = near - np.array(self._camera_m)
            if (length := float(np.hypot(*step))) > 1e-6:
                return np.asarray(step / length)
        return self.plane.away(x_px, y_px)

    def _scale(self, frame_size_px: tuple[int, int]) -> float | None:
        """Factor from the frame's pixels to the survey's; None if the shape differs."""
        if self._size_px is None or self._size_px == frame_size_px:
            return 1.0
        scale_x, scale_y = self._size_px[0] / frame_size_px[0], self._size_px[1] / frame_size_px[1]
        return scale_x if abs(scale_x / scale_y - 1.0) < 0.02 else None

    def seen_ranges(
        self, centreline: Centreline, frame_size_px: tuple[int, int]
    ) -> tuple[tuple[float, float], ...]:
        """Ranges of chainage whose ground lies inside the picture and inside the survey."""
        beside = centreline.locate(self.frame.origin)
        first = max(centreline.chainages_m[0], beside.chainage_m - SEEN_WITHIN_M)
        last = min(centreline.chainages_m[-1], beside.chainage_m + SEEN_WITHIN_M)
        if last <= first or abs(beside.offset_m) > SEEN_WITHIN_M:
            return ()
        steps = max(1, math.ceil((last - first) / SEEN_STEP_M))
        ranges: list[tuple[float, float]] = []
        began: float | None = None
        for i in range(steps + 1):
            chainage_m = first + (last - first) * i / steps
            if self._sees(centreline.at(chainage_m), frame_size_px):
                began = chainage_m if began is None else began
                ended = chainage_m
            elif began is not None:
                ranges.append((began, ended))
                began = None
        if began is not None:
            ranges.append((began, ended))
        return tuple((round(a, 1), round(b, 1)) for a, b in ranges if b > a)

    def _sees(self, point: LonLat, frame_size_px: tuple[int, int]) -> bool:
        scale = self._scale(frame_size_px)
        pixel = self.plane.pixel(*self.frame.to_en_m(point))
        if scale is None or pixel is None:
            return False
        width_px, height_px = frame_size_px[0] * scale, frame_size_px[1] * scale
        inside = 0 <= pixel[0] <= width_px and 0 <= pixel[1] <= height_px
        return inside and bool(self._hull.contains(Point(pixel)))


def ground_of(camera: Camera) -> Ground | None:
    """The camera's ground plane; None if it is not calibrated at all. CalibrationVoid if its points are bad."""
    return Ground(camera) if camera.ground_points else None
