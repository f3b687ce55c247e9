"""A camera with a real lens over level ground, drawn by OpenCV: the truth for the ground projection.

Its lens is OpenCV's own (Brown-Conrady, `cv2.projectPoints`) with two radial coefficients and an axis that
does not meet the picture's middle: not the model that `monitor.domain.ground.homography` estimates, so that the proof shows
what a model costs that is not quite the lens.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.domain.ground.survey import leaves_a_line

Array = NDArray[np.float64]

SIZE_PX = (1920, 1080)
#: Ground further away than this is not asked for.
REACH_M = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LensCamera:
    """Stands at the origin of east and north."""

    height_m: float
    #: of the optical axis, below the horizon
    tilt_deg: float
    azimuth_deg: float = 0.0
    roll_deg: float = 0.0
    #: true angle between the rays at the middle of the left and of the right border
    hfov_deg: float = 60.0
    #: OpenCV's, for a radius in units of the focal length
    k1: float = 0.0
    k2: float = 0.0
    #: where the optical axis meets the picture
    axis_px: tuple[float, float] = (SIZE_PX[0] / 2, SIZE_PX[1] / 2)

    @property
    def focal_px(self) -> float:
        """Focal length that gives the angle of view with this distortion."""
        r = math.tan(math.radians(self.hfov_deg / 2))
        return SIZE_PX[0] / 2 / (r * (1 + self.k1 * r**2 + self.k2 * r**4))

    def rotation(self) -> Array:
        """(3, 3): rows are the picture's right, down and forward in east, north, up."""
        a, t, r = (math.radians(v) for v in (self.azimuth_deg, self.tilt_deg, self.roll_deg))
        forward = np.array([math.sin(a) * math.cos(t), math.cos(a) * math.cos(t), -math.sin(t)])
        right = np.array([math.cos(a), -math.sin(a), 0.0])
        down = np.cross(forward, right)
        turned = math.cos(r) * right + math.sin(r) * down
        return np.stack([turned, np.cross(forward, turned), forward])

    def pixels(self, enu_m: Array) -> Array:
        """(n, 2) pixels of places (n, 2) on the ground or (n, 3); NaN behind the camera and beyond the lens."""
        places = np.column_stack([enu_m, np.zeros(len(enu_m))]) if enu_m.shape[1] == 2 else enu_m
        rotation, (cx, cy) = self.rotation(), self.axis_px
        shift = -rotation @ np.array([0.0, 0.0, self.height_m])
        matrix = np.array([[self.focal_px, 0, cx], [0, self.focal_px, cy], [0, 0, 1.0]])
        lens = np.array([self.k1, self.k2, 0.0, 0.0])
        found, _ = cv2.projectPoints(
            places.reshape(-1, 1, 3), cv2.Rodrigues(rotation)[0], shift, matrix, lens
        )
        seen = places @ rotation.T + shift
        # a polynomial far outside the picture means nothing: 70 degrees off the axis is beyond all of these
        good = seen[:, 2] > np.hypot(seen[:, 0], seen[:, 1]) / math.tan(math.radians(70.0))
        return np.asarray(np.where(good[:, None], found.reshape(-1, 2), np.nan))

    def in_picture(self, pixels: Array) -> NDArray[np.bool_]:
        """(n,) whether pixels lie inside the picture."""
        x, y = pixels.T
        return np.asarray((x > 0) & (x < SIZE_PX[0]) & (y > 0) & (y < SIZE_PX[1]))


def a_camera(rng: np.random.Generator) -> LensCamera:
    """Any camera on a mast that looks at ground within 100 m, with any of the usual lenses.

    4 to 15 m high, 30 to 110 degrees across, k1 from -0.35 to +0.1. k2 is 0.6 to 1.2 k1² for barrel
    distortion, as calibrations of board lenses have it; without it such a lens would fold its picture.
    """
    height_m, k1 = rng.uniform(4.0, 15.0), rng.uniform(-0.35, 0.1)
    return LensCamera(
        height_m=height_m,
        tilt_deg=math.degrees(math.atan2(height_m, rng.uniform(15.0, 80.0))),
        azimuth_deg=rng.uniform(0.0, 360.0),
        roll_deg=rng.normal(0.0, 1.0),
        hfov_deg=rng.uniform(30.0, 110.0),
        k1=k1,
        k2=k1**2 * rng.uniform(0.6, 1.2) if k1 < 0 else 0.0,
        axis_px=(SIZE_PX[0] / 2 + rng.normal(0.0, 8.0), SIZE_PX[1] / 2 + rng.normal(0.0, 8.0)),
    )


def seen_places(camera: LensCamera, rng: np.random.Generator, count: int) -> Array:
    """Up to `count` places (n, 2) in the picture within 100 m: distance uniform, bearing uniform."""
    distance_m = rng.uniform(1.0, REACH_M, 8 * count)
    bearing = np.radians(camera.azimuth_deg + rng.uniform(-70.0, 70.0, 8 * count))
    places = np.column_stack([distance_m * np.sin(bearing), distance_m * np.cos(bearing)])
    return np.asarray(places[camera.in_picture(camera.pixels(places))][:count])


def survey(camera: LensCamera, rng: np.random.Generator, count: int) -> Array:
    """(count, 2) places as a surveyor picks them: of 40 in the picture, those that lie furthest apart in it.

    Drawn again until `hcawatch check` has nothing against them: not all, or all but one, on one line.
    """
    while True:
        places = seen_places(camera, rng, 40)
        pixels = camera.pixels(places)
        chosen = [int(rng.integers(len(places)))]
        while len(chosen) < count:
            apart = np.linalg.norm(pixels[:, None] - pixels[chosen][None], axis=2).min(axis=1)
            chosen.append(int(apart.argmax()))
        if not any(
            leaves_a_line([(float(x), float(y)) for x, y in many[chosen]]) for many in (pixels, places)
        ):
            return np.asarray(places[chosen])
