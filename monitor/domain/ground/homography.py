"""From pixels to the ground plane: lens and homography fitted to surveyed points, with their uncertainty.

Normalised direct linear transform (Hartley & Zisserman, Multiple View Geometry, 4.4) on pixels without
distortion, refined by weighted Gauss-Newton over the homography's eight parameters and the lens' two, with
what is known of the lens as two more observations. So few points leave the lens where it was assumed and
its doubt in the stated error; many points tell what the lens is. Scale w is normalised to be positive at
the surveyed points: at or above the horizon it is not, and there is no ground there.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from shapely import contains_xy, prepare
from shapely.geometry import MultiPoint
from shapely.geometry.base import BaseGeometry

from monitor.domain.assets import Lens
from monitor.domain.events import NoFix
from monitor.domain.ground.errors import CalibrationVoid, Refusal
from monitor.domain.ground.lens import CALIBRATED, Distortion

Array = NDArray[np.float64]

#: 1-sigma error in pixels of a point clicked in a snapshot.
CLICK_SIGMA_PX: Final = 1.0
#: Scale w (1 at the middle of the surveyed points) below which a pixel counts as at the horizon.
HORIZON_W: Final = 0.02
#: Points contradict each other when they are off by so many times what is stated: a widest lens, which the model
#: fits worst, makes it 2 (tests/bench/ground.py draws such ones), one wrong point makes it tens.
CONTRADICTS: Final = 3.0
_ROUNDS: Final = 40
#: Where the search begins, as steps of 1 sigma from what is assumed of a1: straight lines bend either way.
_STARTS: Final = (0.0, -2.0, 1.0)
SWAPPED: Final = (
    "the surveyed points don't fit a ground plane seen from one side; "
    "check that no pixel was swapped and that no three of four points lie on one line"
)
BEYOND_LENS: Final = (
    "the lens, as given, shows nothing at one of the surveyed pixels; check k1, k2 and f_px, "
    "which belong to frame_size_px"
)
#: The surveyed hull is enlarged by this share of its size (square root of its area) in the picture.
HULL_MARGIN: Final = 0.25
LEAST_POINTS: Final = 4
#: Points spread less than this across than along count as lying on one line.
LEAST_SPREAD: Final = 0.02


class Homography:
    """Pixels (x, y) to ground (east, north) in metres, and back."""

    def __init__(
        self,
        pixels: Array,
        ground_m: Array,
        survey_sigma_m: float,
        frame_size_px: tuple[int, int] | None = None,
        lens: Lens | None = None,
    ) -> None:
        """Fit to at least four points.

        Args:
            pixels: (n, 2). ground_m: (n, 2) east, north.
            survey_sigma_m: 1-sigma error of each ground coordinate.
            frame_size_px: of the picture; without it the lens is taken to be free of distortion.
            lens: as calibrated; None if nobody knows it.

        Raises:
            CalibrationVoid: the points don't determine a plane that the camera sees from one side.
        """
        if len(pixels) < LEAST_POINTS:
            few = f"a ground plane needs at least {LEAST_POINTS} surveyed points, there are {len(pixels)}"
            raise CalibrationVoid(few, Refusal.TOO_FEW)
        _check_spread(pixels, Refusal.ONE_LINE_PICTURE)
        _check_spread(ground_m, Refusal.ONE_LINE_GROUND)
        self._lens, self._assumed, self._doubt = Distortion.of(frame_size_px, lens)
        straight, _, _ = self._lens.ideal(pixels)
        if not np.isfinite(straight).all():
            raise CalibrationVoid(BEYOND_LENS, Refusal.BEYOND_LENS)
        self._to_unit, self._unit_px = _normaliser(straight)
        self._ground_scale = max(float(np.ptp(ground_m, axis=0).max()), 1e-6)
        self._ground_middle = ground_m.mean(axis=0)
        target = (ground_m - self._ground_middle) / self._ground_scale
        sigma = max(survey_sigma_m, 1e-3) / self._ground_scale
        self._h, self._lens, self._cov = self._fit(pixels, target, sigma)
        self._check(pixels)
        self._inverse = np.linalg.inv(self._h)
        self.area = area_of(pixels)
        prepare(self.area)

    def _check(self, pixels: Array) -> None:
        w = self._unit(self._lens, pixels)[0] @ self._h[2, :2] + self._h[2, 2]
        good = np.isfinite(self._h).all() and np.isfinite(self._cov).all() and np.isfinite(w).all()
        if not good or (w <= HORIZON_W).any() or abs(np.linalg.det(self._h)) < 1e-9:
            raise CalibrationVoid(SWAPPED, Refusal.NO_PLANE)

    def _unit(self, lens: Distortion, pixels: Array) -> tuple[Array, Array, Array]:
        """Normalised pixels (n, 2) without distortion, derivatives by pixel (n, 2, 2), a1 and a2 (n, 2, 2)."""
        straight, by_pixel, by_lens = lens.ideal(pixels)
        return (straight - self._to_unit) / self._unit_px, by_pixel / self._unit_px, by_lens / self._unit_px

    def _fit(self, pixels: Array, target: Array, sigma: float) -> tuple[Array, Distortion, Array]:
        """The best of some starts: homography (3, 3), lens, covariance (10, 10) of their parameters."""
        best: tuple[float, Array, Array] | None = None
        for start in _STARTS if (self._doubt > CALIBRATED[1]).any() else _STARTS[:1]:
            coefficients = self._assumed + np.array([start * self._doubt[0], 0.0])
            unit, _, _ = self._unit(self._lens.with_coefficients(coefficients), pixels)
            if not np.isfinite(unit).all():
                continue
            h = _dlt(unit, target)
            if abs(h[2, 2]) < 1e-9 * np.abs(h).max():  # the middle of the points lies on the horizon
                continue
            # h33 = 1 makes w positive at the middle of the points
            found = self._refine(np.append(h.ravel()[:8] / h[2, 2], coefficients), pixels, target, sigma)
            if found is not None and (best is None or found[0] < best[0]):
                best = found
            if best is not None and best[0] < _likely_cost(len(pixels)):
                break
        if best is None:
            raise CalibrationVoid(SWAPPED, Refusal.NO_PLANE)
        cost, params, cov = best
        self.cost, self.free = cost, max(2 * len(pixels) - 8, 0)
        if cost > _likely_cost(len(pixels)):
            # worse clicks, or ground that isn't flat: the error is what it shows
            cov = cov * cost / max(2 * len(pixels) - 8, 1)
        return np.append(params[:8], 1.0).reshape(3, 3), self._lens.with_coefficients(params[8:]), cov

    def _refine(
        self, params: Array, pixels: Array, target: Array, sigma: float
    ) -> tuple[float, Array, Array] | None:
        """Weighted least squares with damped steps: cost, parameters (10,) and covariance; None if lost."""
        damping, now = 1e-6, self._equations(params, pixels, target, sigma)
        for _ in range(_ROUNDS):
            if now is None:
                return None
            cost, normal, pull, weight = now
            try:
                step = np.linalg.solve(normal + np.diag(np.diag(normal)) * damping, pull)
            except np.linalg.LinAlgError:
                return None
            ahead = self._equations(params + step, pixels, target, sigma, weight)
            if ahead is None or not ahead[0] <= cost:
                damping = max(10 * damping, 1e-4)
                if damping > 1e6:
                    break
                continue
            params, damping = params + step, damping / 10
            now = self._equations(params, pixels, target, sigma)
            if np.abs(step).max() < 1e-7:
                break
        if now is None:
            return None
        try:
            return now[0], params, np.asarray(np.linalg.inv(now[1]))
        except np.linalg.LinAlgError:
            return None

    def _equations(
        self, params: Array, pixels: Array, target: Array, sigma: float, given: Array | None = None
    ) -> tuple[float, Array, Array, Array] | None:
        """Cost, normal matrix (10, 10), right side (10,) and weights (n, 2, 2) of one Gauss-Newton step."""
        lens = self._lens.with_coefficients(params[8:])
        unit, by_pixel, by_lens = self._unit(lens, pixels)
        point, by_params, by_unit = _project(params[:8], unit)
        if not np.isfinite(point).all():
            return None
        clicked = by_unit @ by_pixel * CLICK_SIGMA_PX
        spread = np.eye(2) * sigma**2 + clicked @ clicked.transpose(0, 2, 1)
        weight: Array = np.asarray(np.linalg.inv(spread)) if given is None else given
        by_all = np.concatenate([by_params, by_unit @ by_lens], axis=2)
        off, lens_off = target - point, (self._assumed - params[8:]) / self._doubt
        weighted = by_all.transpose(0, 2, 1) @ weight
        normal, pull = (weighted @ by_all).sum(axis=0), (weighted @ off[:, :, None]).sum(axis=0)[:, 0]
        normal[8:, 8:] += np.diag(self._doubt**-2)
        pull[8:] += lens_off / self._doubt
        cost = float((off[:, None, :] @ weight @ off[:, :, None]).sum() + lens_off @ lens_off)
        return cost, normal, pull, weight

    @property
    def strained(self) -> bool:
        """The points fit worse than clicks and survey, as stated, let one survey in a hundred; the error is widened."""
        return self.free > 0 and self.cost > _likely_cost(self.free // 2 + 4)

    @property
    def contradicts(self) -> bool:
        """They fit so badly that neither chance nor a lens unlike the model explains it."""
        return self.strained and self.cost > CONTRADICTS**2 * self.free

    def scale_w(self, x_px: float, y_px: float) -> float:
        """Positive below the horizon, 0 on it; 1 at the middle of the points; NaN where the lens has no way."""
        unit, _, _ = self._unit(self._lens, np.array([[x_px, y_px]]))
        return float(self._h[2, :2] @ unit[0] + self._h[2, 2])

    def ground(self, x_px: float, y_px: float, pixel_cov: Array) -> tuple[Array, Array]:
        """Ground point (2,) in metres and its covariance (2, 2) in m², for a pixel with covariance in px²."""
        unit, unit_by_pixel, unit_by_lens = self._unit(self._lens, np.array([[x_px, y_px]]))
        point, by_params, by_unit = _project(self._h.ravel()[:8], unit)
        by_all = np.concatenate([by_params[0], by_unit[0] @ unit_by_lens[0]], axis=1)
        by_pixel = by_unit[0] @ unit_by_pixel[0]
        cov = by_all @ self._cov @ by_all.T + by_pixel @ pixel_cov @ by_pixel.T
        return point[0] * self._ground_scale + self._ground_middle, cov * self._ground_scale**2

    def away(self, x_px: float, y_px: float) -> Array:
        """Unit vector on the ground that leads away from the camera: where the picture goes up."""
        unit, unit_by_pixel, _ = self._unit(self._lens, np.array([[x_px, y_px]]))
        _, _, by_unit = _project(self._h.ravel()[:8], unit)
        step = -(by_unit[0] @ unit_by_pixel[0])[:, 1]
        length = float(np.hypot(*step))
        return np.asarray(step / length if length > 0 else np.zeros(2))

    def pixels(self, ground_m: Array) -> Array:
        """Pixels (n, 2) of ground points (n, 2); NaN for those behind the camera or outside what the lens shows."""
        target = (ground_m - self._ground_middle) / self._ground_scale
        back = np.column_stack([target, np.ones(len(target))]) @ self._inverse.T
        with np.errstate(divide="ignore", invalid="ignore"):
            unit = back[:, :2] / back[:, 2:]
            # whether there is ground is asked on the way there: up to its sign, w of the inverse is only 1 / w
            ahead = unit @ self._h[2, :2] + self._h[2, 2] > HORIZON_W
        straight = np.where(ahead[:, None], unit, np.nan) * self._unit_px + self._to_unit
        return self._lens.picture(straight)

    def refusal(self, x_px: float, y_px: float) -> NoFix | None:
        """Why that pixel has no place on the ground, or None if it has."""
        w = self.scale_w(x_px, y_px)
        if np.isnan(w):
            return NoFix.BEYOND_LENS
        if w <= HORIZON_W:
            return NoFix.ABOVE_HORIZON
        return None if contains_xy(self.area, x_px, y_px) else NoFix.OUTSIDE_SURVEY

    def trusted(self, pixels: Array) -> NDArray[np.bool_]:
        """(n,) whether pixels that show ground lie where the survey speaks of it."""
        return np.asarray(contains_xy(self.area, pixels[:, 0], pixels[:, 1]))


def _likely_cost(points: int) -> float:
    """Sum of squared residuals, each by its sigma, that one fit in a hundred exceeds, if the errors are as stated.

    Chi-squared with two equations a point and two for the lens, less ten parameters; Wilson and Hilferty (1931).
    """
    free = max(2 * points - 8, 1)
    return free * float(1 - 2 / (9 * free) + 2.326 * np.sqrt(2 / (9 * free))) ** 3


def _normaliser(points: Array) -> tuple[Array, float]:
    middle = points.mean(axis=0)
    spread = float(np.sqrt(((points - middle) ** 2).sum(axis=1)).mean()) / np.sqrt(2)
    return middle, spread


def area_of(pixels: Array) -> BaseGeometry:
    """Where in the picture a survey is trusted: between its points (n, 2), and a margin around."""
    hull = MultiPoint(pixels).convex_hull
    return hull.buffer(HULL_MARGIN * np.sqrt(hull.area))


def _check_spread(points: Array, line: Refusal) -> None:
    """CalibrationVoid if the points are (nearly) one point or lie on one line."""
    _, spread, _ = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)
    if spread[0] < 1e-6:
        raise CalibrationVoid("all surveyed points are the same pixel or place", Refusal.SAME)
    if spread[1] < LEAST_SPREAD * spread[0]:
        raise CalibrationVoid("the surveyed points lie on one line; survey points around the area", line)


def _dlt(unit: Array, target: Array) -> Array:
    rows = []
    for (x, y), (u, v) in zip(unit, target, strict=True):
        rows.append([-x, -y, -1, 0, 0, 0, u * x, u * y, u])
        rows.append([0, 0, 0, -x, -y, -1, v * x, v * y, v])
    _, _, vt = np.linalg.svd(np.array(rows, dtype=np.float64))
    return np.asarray(vt[-1].reshape(3, 3), dtype=np.float64)


def _project(p: Array, unit: Array) -> tuple[Array, Array, Array]:
    """Ground points (n, 2), their derivatives by the eight parameters (n, 2, 8) and by the pixel (n, 2, 2)."""
    (x, y), one, none = unit.T, np.ones(len(unit)), np.zeros(len(unit))
    w = p[6] * x + p[7] * y + 1.0
    u, v = (p[0] * x + p[1] * y + p[2]) / w, (p[3] * x + p[4] * y + p[5]) / w
    by_params = np.array([[x, y, one, none, none, none, -u * x, -u * y],
                          [none, none, none, x, y, one, -v * x, -v * y]]) / w  # fmt: skip
    by_pixel = np.array([[p[0] - u * p[6], p[1] - u * p[7]], [p[3] - v * p[6], p[4] - v * p[7]]]) / w
    return np.stack([u, v], axis=1), by_params.transpose(2, 0, 1), by_pixel.transpose(2, 0, 1)
