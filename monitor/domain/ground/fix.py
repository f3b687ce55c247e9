"""A camera's ground: the plane that its survey or its mast gives, in metres around it.

Decides where a pixel of the picture lies on the ground, with its error, or why nobody can say; which metres of a
centreline the picture shows; and which kind of plane a configuration asks for. Where a box stands is the
edge's matter (`edge.ground`). That a camera was moved is found elsewhere.
"""

from __future__ import annotations

import math
from typing import Final, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from monitor.domain.assets import Camera, LonLat
from monitor.domain.events import NoFix, Position
from monitor.domain.geometry import Centreline, LocalFrame
from monitor.domain.ground.errors import CalibrationVoid, Refusal
from monitor.domain.ground.homography import Homography
from monitor.domain.ground.lens import Array
from monitor.domain.ground.mast import MastPlane

#: 1-sigma error of the pixel at which something stands, as far as it does not depend on its size.
FOOT_SIGMA_PX: Final = 2.0
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


class Plane(Protocol):
    """Pixels of the configured picture to metres east and north, and back. Immutable."""

    def refusal(self, x_px: float, y_px: float) -> NoFix | None:
        """Why that pixel has no place on the ground, or None if it has."""

    def ground(self, x_px: float, y_px: float, pixel_cov: Array) -> tuple[Array, Array]:
        """Ground point (2,) in metres and its covariance (2, 2) in m², for a pixel with covariance in px²."""

    def away(self, x_px: float, y_px: float) -> Array:
        """Unit vector on the ground that leads away from the camera there."""

    def pixels(self, ground_m: Array) -> Array:
        """Pixels (n, 2) of ground points (n, 2); NaN where the camera can't show them."""

    def trusted(self, pixels: Array) -> NDArray[np.bool_]:
        """(n,) whether pixels that show ground are answered by `ground`, rather than refused."""


class CameraGround:
    """A camera's ground plane. Immutable."""

    def __init__(self, camera: Camera) -> None:
        """Make the plane; CalibrationVoid says why there is none."""
        try:
            self.frame, self.plane = plane_of(camera)
        except CalibrationVoid as exc:
            raise CalibrationVoid(f"camera {camera.camera_id}: {exc}", exc.why) from exc
        self.camera_m = None if camera.position is None else self.frame.to_en_m(camera.position)
        self.size_px = camera.frame_size_px

    def fix(self, place_m: Array, cov_m2: Array) -> GroundFix:
        """A place in metres and its covariance (2, 2), with its longitude and latitude."""
        east_m, north_m = float(place_m[0]), float(place_m[1])
        return GroundFix(east_m=east_m, north_m=north_m, lonlat=self.frame.to_lonlat((east_m, north_m)),
                         cov_m2=(float(cov_m2[0, 0]), float(cov_m2[0, 1]), float(cov_m2[1, 1])))  # fmt: skip

    def at(self, x_px: float, y_px: float, sigma_px: float = 0.0) -> GroundFix | NoFix:
        """The ground under a pixel of the configured picture that is known to `sigma_px`, or why there is none."""
        refused = self.plane.refusal(x_px, y_px)
        return refused or self.fix(*self.plane.ground(x_px, y_px, np.eye(2) * sigma_px**2))

    def pixels(self, points: tuple[LonLat, ...]) -> Array:
        """Pixels (n, 2) of places on the ground; NaN where the camera can't show them."""
        return self.plane.pixels(np.array([self.frame.to_en_m(point) for point in points]))

    def scale(self, frame_size_px: tuple[int, int]) -> float | None:
        """Factor from a frame's pixels to the configured picture's; None if the shape differs."""
        return scale_between(frame_size_px, self.size_px)

    def seen_ranges(
        self, centreline: Centreline, frame_size_px: tuple[int, int]
    ) -> tuple[tuple[float, float], ...]:
        """Ranges of chainage whose ground lies inside the picture and has a fix."""
        beside = centreline.locate(self.frame.origin)
        first = max(centreline.chainages_m[0], beside.chainage_m - SEEN_WITHIN_M)
        last = min(centreline.chainages_m[-1], beside.chainage_m + SEEN_WITHIN_M)
        scale = self.scale(frame_size_px)
        if last <= first or abs(beside.offset_m) > SEEN_WITHIN_M or scale is None:
            return ()
        chainages_m = np.linspace(first, last, max(1, math.ceil((last - first) / SEEN_STEP_M)) + 1)
        pixels = self.pixels(tuple(centreline.at(float(chainage_m)) for chainage_m in chainages_m))
        seen = in_picture(pixels, frame_size_px, scale)
        seen[seen] = self.plane.trusted(pixels[seen])
        edges = np.flatnonzero(np.diff(np.concatenate([[0], seen.astype(np.int8), [0]])))
        ranges = [(chainages_m[a], chainages_m[b - 1]) for a, b in edges.reshape(-1, 2)]
        return tuple((round(float(a), 1), round(float(b), 1)) for a, b in ranges if b > a)


def in_picture(pixels: Array, frame_size_px: tuple[int, int], scale: float = 1.0) -> NDArray[np.bool_]:
    """(n,) whether pixels lie in a picture of that size times `scale`; NaN does not."""
    x, y = pixels.T
    return np.asarray((x >= 0) & (x <= frame_size_px[0] * scale) & (y >= 0) & (y <= frame_size_px[1] * scale))


def scale_between(of_px: tuple[int, int], to_px: tuple[int, int] | None) -> float | None:
    """Factor from pixels of one size of picture to those of another; None if it isn't the same shape, within 2 %."""
    if to_px is None or to_px == of_px:
        return 1.0
    scale_x, scale_y = to_px[0] / of_px[0], to_px[1] / of_px[1]
    return scale_x if abs(scale_x / scale_y - 1.0) < 0.02 else None


def plane_of(camera: Camera) -> tuple[LocalFrame, Plane]:
    """The plane that the configuration asks for, and the frame of its metres. CalibrationVoid."""
    if camera.mast is not None:
        if camera.position is None:
            raise CalibrationVoid("a mast needs the camera's position", Refusal.NO_POSITION)
        if camera.frame_size_px is None:
            raise CalibrationVoid("a mast needs frame_size_px", Refusal.NO_FRAME)
        return LocalFrame(camera.position), MastPlane(camera.mast, camera.frame_size_px, camera.lens)
    if not camera.ground_points:
        raise CalibrationVoid("there are no ground points", Refusal.TOO_FEW)
    middle = np.mean([p.lonlat for p in camera.ground_points], axis=0)
    frame = LocalFrame((float(middle[0]), float(middle[1])))
    pixels = np.array([p.pixel for p in camera.ground_points], dtype=np.float64)
    ground_m = np.array([frame.to_en_m(p.lonlat) for p in camera.ground_points])
    return frame, Homography(pixels, ground_m, camera.survey_sigma_m, camera.frame_size_px, camera.lens)
