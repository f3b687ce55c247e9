"""The ground as seen from a mast: height, pan, tilt, roll and angle of view instead of surveyed points.

The lens as in `lens`, a pinhole behind it, level ground at the foot of the mast. Level is assumed: on a slope of
one degree a place 50 m away is metres off, and nothing here can know it. Every value has its 1-sigma error,
and the error of a place follows from all of them: by what the place does when one of them is off by its sigma.

So near the horizon that these errors may put it on either side, a pixel has no place.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.domain.assets import Lens, Mast
from monitor.domain.events import NoFix
from monitor.domain.ground.errors import CalibrationVoid, Refusal
from monitor.domain.ground.lens import Array, Distortion

#: A pixel has a place if its ray falls by at least so many of its own 1-sigma errors: the distance is then
#: known to a fifth, and the error of a first derivative (4 %) does not matter.
HORIZON_SIGMAS: Final = 5.0
_TINY: Final = 1e-9


class MastPlane:
    """Pixels (x, y) to the ground in metres east and north of the mast's foot, and back."""

    def __init__(self, mast: Mast, frame_size_px: tuple[int, int], lens: Lens | None = None) -> None:
        """CalibrationVoid if no ground is in the picture."""
        bend, assumed, doubt = Distortion.of(frame_size_px, lens)
        values = np.concatenate([[0.0, 0.0, mast.height_m, mast.pan_deg, mast.tilt_deg, mast.roll_deg, mast.hfov_deg], assumed])  # fmt: skip
        sigmas = np.concatenate(
            [[mast.position_sigma_m, mast.position_sigma_m, mast.height_sigma_m, mast.pan_sigma_deg,
              mast.tilt_sigma_deg, mast.roll_sigma_deg, mast.hfov_sigma_deg], doubt]
        )  # fmt: skip
        off = np.concatenate([np.zeros((1, 9)), np.diag(sigmas), -np.diag(sigmas)])
        self._lenses: list[Distortion] = []
        self._lens_of = np.zeros(len(off), dtype=np.intp)
        views = [self._view(values + step, bend, frame_size_px, i) for i, step in enumerate(off)]
        self._views = np.stack(views)
        self._inverse = np.linalg.inv(self._views[0])
        width, height = frame_size_px
        rim = [(x, y) for y in (height, height / 2) for x in (0, width / 4, width / 2, 3 * width / 4, width)]
        if all(self.refusal(float(x), float(y)) is not None for x, y in rim):
            raise CalibrationVoid("no ground is in the picture: check tilt_deg and roll_deg", Refusal.SKYWARD)

    def _view(self, values: Array, bend: Distortion, size_px: tuple[int, int], number: int) -> Array:
        """Homography (3, 3) from ideal pixels to the ground, w the sine by which the ray falls, up to its length."""
        east_m, north_m, height_m, pan_deg, tilt_deg, roll_deg, hfov_deg = values[:7]
        if number == 0 or (values[7:] != self._lenses[0].coefficients).any():
            self._lenses.append(bend.with_coefficients(values[7:]))
            self._lens_of[number] = len(self._lenses) - 1
        lens = self._lenses[self._lens_of[number]]
        axis_x, axis_y = lens.axis_px
        rim, _, _ = lens.ideal(np.array([[0.0, axis_y], [float(size_px[0]), axis_y]]))
        focal_px = float(rim[1, 0] - rim[0, 0]) / 2 / math.tan(math.radians(hfov_deg) / 2)
        to_ray = np.array(
            [[1 / focal_px, 0, -axis_x / focal_px], [0, 1 / focal_px, -axis_y / focal_px], [0, 0, 1.0]]
        )
        rays = rotation(pan_deg, tilt_deg, roll_deg).T @ to_ray
        falls = -rays[2]
        return np.stack([height_m * rays[0] + east_m * falls, height_m * rays[1] + north_m * falls, falls])  # fmt: skip

    def _seen(self, pixels: Array) -> Array:
        """Homogeneous ground (19, n, 3) of pixels (n, 2): as given, then each value more and less by its sigma."""
        ideal = np.stack([lens.ideal(pixels)[0] for lens in self._lenses])
        rays = np.concatenate([ideal, np.ones((*ideal.shape[:2], 1))], axis=2)[self._lens_of]
        return np.asarray(rays @ self._views.transpose(0, 2, 1))

    def refusal(self, x_px: float, y_px: float) -> NoFix | None:
        """Why that pixel has no place on the ground, or None if it has."""
        pixel = np.array([[x_px, y_px]])
        if self.trusted(pixel)[0]:
            return None
        return NoFix.ABOVE_HORIZON if np.isfinite(self._seen(pixel)).all() else NoFix.BEYOND_LENS

    def ground(self, x_px: float, y_px: float, pixel_cov: Array) -> tuple[Array, Array]:
        """Ground point (2,) in metres and its covariance (2, 2) in m², for a pixel with covariance in px²."""
        seen = self._seen(np.array([[x_px, y_px]]))[:, 0]
        places = seen[:, :2] / seen[:, 2:]
        by_value = (places[1:10] - places[10:]) / 2  # each already times its sigma
        _, by_pixel, _ = self._lenses[0].ideal(np.array([[x_px, y_px]]))
        view, w = self._views[0], seen[0, 2]
        by_ideal = (view[:2, :2] - places[0][:, None] * view[2, :2]) / w
        by_px = by_ideal @ by_pixel[0]
        return places[0], by_value.T @ by_value + by_px @ pixel_cov @ by_px.T

    def away(self, x_px: float, y_px: float) -> Array:
        """Unit vector on the ground that leads away from the mast's foot."""
        place, _ = self.ground(x_px, y_px, np.zeros((2, 2)))
        return np.asarray(place / max(float(np.hypot(*place)), _TINY))

    def pixels(self, ground_m: Array) -> Array:
        """Pixels (n, 2) of ground points (n, 2); NaN for those behind the camera or outside what the lens shows."""
        back = np.column_stack([ground_m, np.ones(len(ground_m))]) @ self._inverse.T
        with np.errstate(divide="ignore", invalid="ignore"):
            ideal = np.where(back[:, 2:] > _TINY, back[:, :2] / back[:, 2:], np.nan)
        return self._lenses[0].picture(ideal)

    def trusted(self, pixels: Array) -> NDArray[np.bool_]:
        """(n,) whether pixels have a place."""
        falls = self._seen(pixels)[:, :, 2]
        sigma = np.sqrt((((falls[1:10] - falls[10:]) / 2) ** 2).sum(axis=0))
        with np.errstate(invalid="ignore"):
            return np.asarray(falls[0] > np.maximum(_TINY, HORIZON_SIGMAS * sigma))


def rotation(pan_deg: float, tilt_deg: float, roll_deg: float) -> Array:
    """(3, 3): rows are the picture's right, down and forward in east, north, up. Pan is from true north clockwise,
    tilt below the horizon, roll clockwise as seen from behind the camera."""
    pan, tilt, roll = (math.radians(value) for value in (pan_deg, tilt_deg, roll_deg))
    forward = np.array([math.sin(pan) * math.cos(tilt), math.cos(pan) * math.cos(tilt), -math.sin(tilt)])
    level = np.array([math.cos(pan), -math.sin(pan), 0.0])
    right = math.cos(roll) * level + math.sin(roll) * np.cross(forward, level)
    return np.stack([right, np.cross(forward, right), forward])
