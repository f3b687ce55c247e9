"""From pixels to the ground plane: a homography fitted to surveyed points, with its own uncertainty.

Normalised direct linear transform (Hartley & Zisserman, Multiple View Geometry, 4.4), refined by weighted
Gauss-Newton so that the covariance of its eight parameters is that of the fit. Scale w is normalised to be
positive at the surveyed points: at or above the horizon it is not, and there is no ground there.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.errors import CalibrationVoid

Array = NDArray[np.float64]

#: 1-sigma error in pixels of a point clicked in a snapshot.
CLICK_SIGMA_PX: Final = 1.0
#: Scale w (1 at the middle of the surveyed points) below which a pixel counts as at the horizon.
HORIZON_W: Final = 0.02
_ROUNDS: Final = 6
SWAPPED: Final = (
    "the surveyed points don't fit a ground plane seen from one side; "
    "check that no pixel was swapped and that no three of four points lie on one line"
)
#: Points spread less than this across than along count as lying on one line.
LEAST_SPREAD: Final = 0.02


class Homography:
    """Pixels (x, y) to ground (east, north) in metres, and back."""

    def __init__(self, pixels: Array, ground_m: Array, survey_sigma_m: float) -> None:
        """Fit to at least four points.

        Args:
            pixels: (n, 2). ground_m: (n, 2) east, north.
            survey_sigma_m: 1-sigma error of each ground coordinate.

        Raises:
            CalibrationVoid: the points don't determine a plane that the camera sees from one side.
        """
        if len(pixels) < 4:
            raise CalibrationVoid(f"a ground plane needs at least 4 surveyed points, there are {len(pixels)}")
        _check_spread(pixels)
        _check_spread(ground_m)
        self._to_unit, self._unit_px = _normaliser(pixels)
        self._ground_scale = max(float(np.ptp(ground_m, axis=0).max()), 1e-6)
        self._ground_middle = ground_m.mean(axis=0)
        target = (ground_m - self._ground_middle) / self._ground_scale
        unit = (pixels - self._to_unit) / self._unit_px
        h = _dlt(unit, target)
        self._h, self._cov = self._refine(h, unit, target, survey_sigma_m)
        self._check(unit)
        self._inverse = np.linalg.inv(self._h)

    def _check(self, unit: Array) -> None:
        w = unit @ self._h[2, :2] + self._h[2, 2]
        good = np.isfinite(self._h).all() and np.isfinite(self._cov).all()
        if not good or (w <= HORIZON_W).any() or abs(np.linalg.det(self._h)) < 1e-9:
            raise CalibrationVoid(SWAPPED)

    def _refine(self, h: Array, unit: Array, target: Array, sigma_m: float) -> tuple[Array, Array]:
        """Weighted least squares over eight parameters (h33 = 1), and their covariance."""
        if abs(h[2, 2]) < 1e-9 * np.abs(h).max():  # the middle of the points lies on the horizon
            raise CalibrationVoid(SWAPPED)
        params = h.ravel()[:8] / h[2, 2]  # which also makes w positive at the middle of the points
        sigma = max(sigma_m, 1e-3) / self._ground_scale
        click = CLICK_SIGMA_PX / self._unit_px
        cov = np.full((8, 8), np.nan)
        for _ in range(_ROUNDS):
            try:
                normal, pull = self._equations(params, unit, target, sigma, click)
                cov = np.linalg.inv(normal)
            except np.linalg.LinAlgError as exc:
                raise CalibrationVoid(
                    "the surveyed points don't determine a plane; no three of four may lie on one line"
                ) from exc
            step = cov @ pull
            params = params + step
            if np.abs(step).max() < 1e-10:
                break
        return np.append(params, 1.0).reshape(3, 3), np.asarray(cov)

    @staticmethod
    def _equations(
        params: Array, unit: Array, target: Array, sigma: float, click: float
    ) -> tuple[Array, Array]:
        """Normal matrix (8, 8) and right side (8,) of one Gauss-Newton step."""
        normal, pull = np.zeros((8, 8)), np.zeros(8)
        for (x, y), wanted in zip(unit, target, strict=True):
            point, by_params, by_pixel = _project(params, x, y)
            spread = np.eye(2) * sigma**2 + by_pixel @ by_pixel.T * click**2
            weighted = by_params.T @ np.linalg.inv(spread)
            normal += weighted @ by_params
            pull += weighted @ (wanted - point)
        return normal, pull

    def scale_w(self, x_px: float, y_px: float) -> float:
        """Positive below the horizon, 0 on it; 1 at the middle of the surveyed points."""
        x, y = (np.array([x_px, y_px]) - self._to_unit) / self._unit_px
        return float(self._h[2] @ np.array([x, y, 1.0]))

    def ground(self, x_px: float, y_px: float, pixel_cov: Array) -> tuple[Array, Array]:
        """Ground point (2,) in metres and its covariance (2, 2) in m², for a pixel with covariance in px²."""
        x, y = (np.array([x_px, y_px]) - self._to_unit) / self._unit_px
        point, by_params, by_pixel = _project(self._h.ravel()[:8], x, y)
        cov = by_params @ self._cov @ by_params.T + by_pixel @ (pixel_cov / self._unit_px**2) @ by_pixel.T
        return point * self._ground_scale + self._ground_middle, cov * self._ground_scale**2

    def away(self, x_px: float, y_px: float) -> Array:
        """Unit vector on the ground that leads away from the camera: where the picture goes up."""
        here, _ = self.ground(x_px, y_px, np.zeros((2, 2)))
        up, _ = self.ground(x_px, y_px - 1.0, np.zeros((2, 2)))
        step = up - here
        length = float(np.hypot(*step))
        return np.asarray(step / length if length > 0 else np.zeros(2))

    def pixel(self, east_m: float, north_m: float) -> tuple[float, float] | None:
        """The pixel of a ground point; None if it lies behind the camera."""
        target = (np.array([east_m, north_m]) - self._ground_middle) / self._ground_scale
        x, y, w = self._inverse @ np.append(target, 1.0)
        # w of the inverse is 1 / w of the way there, up to the determinant's sign
        if w == 0 or (self._h[2] @ np.array([x / w, y / w, 1.0])) <= HORIZON_W:
            return None
        x_px, y_px = np.array([x / w, y / w]) * self._unit_px + self._to_unit
        return float(x_px), float(y_px)


def _normaliser(points: Array) -> tuple[Array, float]:
    middle = points.mean(axis=0)
    spread = float(np.sqrt(((points - middle) ** 2).sum(axis=1)).mean()) / np.sqrt(2)
    return middle, spread


def _check_spread(points: Array) -> None:
    """CalibrationVoid if the points are (nearly) one point or lie on one line."""
    _, spread, _ = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)
    if spread[0] < 1e-6:
        raise CalibrationVoid("all surveyed points are the same pixel or place")
    if spread[1] < LEAST_SPREAD * spread[0]:
        raise CalibrationVoid("the surveyed points lie on one line; survey points around the area")


def _dlt(unit: Array, target: Array) -> Array:
    rows = []
    for (x, y), (u, v) in zip(unit, target, strict=True):
        rows.append([-x, -y, -1, 0, 0, 0, u * x, u * y, u])
        rows.append([0, 0, 0, -x, -y, -1, v * x, v * y, v])
    _, _, vt = np.linalg.svd(np.array(rows, dtype=np.float64))
    return np.asarray(vt[-1].reshape(3, 3), dtype=np.float64)


def _project(p: Array, x: float, y: float) -> tuple[Array, Array, Array]:
    """Ground point (2,), its derivative by the parameters (2, 8) and by the pixel (2, 2)."""
    w = p[6] * x + p[7] * y + 1.0
    u, v = (p[0] * x + p[1] * y + p[2]) / w, (p[3] * x + p[4] * y + p[5]) / w
    by_params = np.array([[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]) / w
    by_pixel = np.array([[p[0] - u * p[6], p[1] - u * p[7]], [p[3] - v * p[6], p[4] - v * p[7]]]) / w
    return np.array([u, v]), by_params, by_pixel
