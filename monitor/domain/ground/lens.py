"""What a lens does to straight lines: from pixels of the picture to pixels of a lens without distortion, and back.

Two layers, both radial about the optical axis. A lens that was calibrated is Brown-Conrady's, in OpenCV's
meaning of k1 and k2 (Brown 1966; `cv2.projectPoints`). What is not known of a lens is a division model
(Fitzgibbon, Simultaneous linear estimation of multiple view geometry and lens distortion, 2001) with two
coefficients, which `homography` estimates with the ground plane; it needs no focal length and has a
closed form where it is used most, from the picture to the ground.

    ideal = axis + (pixel - axis) * brown(r) / (1 + a1 r² + a2 r⁴),  r = |pixel - axis| / half the picture's diagonal

Where that stops growing with r the picture is folded: there is no way back, and the answer is NaN.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.domain.assets import Lens

Array = NDArray[np.float64]

#: An unknown lens: mean and 1-sigma of (a1, a2). Chosen to cover fixed and zoom lenses from 30 to 110 degrees
#: across with OpenCV's k1 from -0.35 to +0.1 (tests/bench/ground.py draws such ones): wide ones are barrels.
UNKNOWN: Final = (np.array([-0.09, 0.0]), np.array([0.15, 0.06]))
#: A calibrated lens: what a calibration with a printed board leaves at the picture's corner, 1 %.
CALIBRATED: Final = (np.zeros(2), np.array([0.01, 0.005]))
#: Without the picture's size there is no axis: no lens, held there. The diagonal is one beyond any picture.
NONE: Final = (np.zeros(2), np.full(2, 1e-6))
_NO_DIAGONAL_PX: Final = 1e6
#: Radii up to which a lens is followed, in half diagonals; 1 is the corner of the picture.
REACH: Final = 4.0
#: Least growth of the ideal radius by the pixel's, as a share of that at the axis, before it counts as folded.
LEAST_GROWTH: Final = 0.05
#: Radii of the table in which folds are looked for and from which the way back starts; it ends exact by Newton.
_RADII: Final = np.linspace(0.0, REACH, 161)[1:]
_ROUNDS: Final = 4


class Brown:
    """A calibrated lens as a factor on the radius. Radii in units of the focal length."""

    def __init__(self, k1: float, k2: float) -> None:
        """The table for the way back ends where the polynomial folds, and at 80 degrees off the axis."""
        self._k1, self._k2 = k1, k2
        ideal = np.linspace(0.0, math.tan(math.radians(80.0)), 1000)
        folds = self._growth(ideal) < LEAST_GROWTH
        end = int(folds.argmax()) if folds.any() else len(ideal)
        self._ideal, self._seen = ideal[:end], self._bent(ideal[:end])

    def _bent(self, r: Array) -> Array:
        return np.asarray(r * (1 + self._k1 * r**2 + self._k2 * r**4))

    def _growth(self, r: Array) -> Array:
        return np.asarray(1 + 3 * self._k1 * r**2 + 5 * self._k2 * r**4)

    def straighten(self, seen: Array) -> tuple[Array, Array]:
        """Ideal radius for radii as seen, and its derivative; NaN beyond the fold."""
        r = np.interp(seen, self._seen, self._ideal, right=np.nan)
        for _ in range(_ROUNDS):
            r = r - (self._bent(r) - seen) / self._growth(r)
        return np.asarray(r), 1.0 / self._growth(r)


class Distortion:
    """One camera's lens. Immutable; `with_coefficients` gives another."""

    def __init__(
        self, axis_px: tuple[float, float], half_diagonal_px: float, coefficients: Array, lens: Lens | None,
        brown: Brown | None = None,
    ) -> None:  # fmt: skip
        """Coefficients: (2,), a1 and a2."""
        self._axis = np.array(axis_px)
        self._radius_px = half_diagonal_px
        self.coefficients = coefficients
        self._lens = lens
        self._focal = 1.0 if lens is None else lens.f_px / half_diagonal_px
        self._brown = brown or (None if lens is None else Brown(lens.k1, lens.k2))
        ideal, growth, _ = self._radial(_RADII)
        good = np.isfinite(ideal) & (ideal > 0) & (growth > LEAST_GROWTH * growth[0])
        end = len(good) if good.all() else max(1, int((~good).argmax()))
        self._seen, self._ideal = _RADII[:end], ideal[:end]

    @classmethod
    def of(cls, frame_size_px: tuple[int, int] | None, lens: Lens | None) -> tuple[Distortion, Array, Array]:
        """The lens before any survey, and what is known of its coefficients: mean (2,) and 1-sigma (2,)."""
        if frame_size_px is None:
            return cls((0.0, 0.0), _NO_DIAGONAL_PX, NONE[0], None), *NONE
        x_px, y_px = frame_size_px[0] / 2, frame_size_px[1] / 2
        half_diagonal_px = math.hypot(x_px, y_px)
        if lens is None:
            return cls((x_px, y_px), half_diagonal_px, UNKNOWN[0], None), *UNKNOWN
        axis_px = x_px if lens.cx is None else lens.cx, y_px if lens.cy is None else lens.cy
        return cls(axis_px, half_diagonal_px, CALIBRATED[0], lens), *CALIBRATED

    @property
    def axis_px(self) -> tuple[float, float]:
        """Where the optical axis meets the picture."""
        return float(self._axis[0]), float(self._axis[1])

    def with_coefficients(self, coefficients: Array) -> Distortion:
        """The same lens with other a1 and a2."""
        return Distortion(self.axis_px, self._radius_px, coefficients, self._lens, self._brown)

    def _radial(self, r: Array) -> tuple[Array, Array, Array]:
        """Ideal radius for radii as seen, its derivative by the radius and by a1, a2 (…, 2)."""
        straight, slope = (
            (r, np.ones_like(r)) if self._brown is None else self._brown.straighten(r / self._focal)
        )
        if self._brown is not None:
            straight = straight * self._focal
        a1, a2 = self.coefficients
        by = 1 + a1 * r**2 + a2 * r**4
        by = np.where(by > 1e-6, by, np.nan)
        growth = slope / by - straight * (2 * a1 * r + 4 * a2 * r**3) / by**2
        by_coefficients = -(straight / by**2)[..., None] * np.stack([r**2, r**4], axis=-1)
        return np.asarray(straight / by), np.asarray(growth), np.asarray(by_coefficients)

    def ideal(self, pixels: Array) -> tuple[Array, Array, Array]:
        """Pixels (n, 2) without distortion, their derivative by the pixel (n, 2, 2) and by a1, a2 (n, 2, 2).

        NaN where the lens can't be followed.
        """
        from_axis = (pixels - self._axis) / self._radius_px
        r = np.maximum(np.hypot(*from_axis.T), 1e-9)
        outward = from_axis / r[:, None]
        radius, growth, by_coefficients = self._radial(r)
        lost = ~(r <= self._seen[-1])
        scale = np.where(lost, np.nan, radius / r)
        out = outward[:, :, None] * outward[:, None, :]
        by_pixel = scale[:, None, None] * (np.eye(2) - out) + growth[:, None, None] * out
        place = self._axis + from_axis * scale[:, None] * self._radius_px
        return place, by_pixel, outward[:, :, None] * by_coefficients[:, None, :] * self._radius_px

    def picture(self, ideal: Array) -> Array:
        """Pixels (n, 2) of the picture for ideal ones; NaN where the lens does not show them."""
        from_axis = (ideal - self._axis) / self._radius_px
        wanted = np.maximum(np.hypot(*from_axis.T), 1e-9)
        r = np.interp(wanted, self._ideal, self._seen, left=np.nan, right=np.nan)
        close = wanted < self._ideal[0]
        r = np.where(close, wanted * self._seen[0] / self._ideal[0], r)
        for _ in range(_ROUNDS):
            radius, growth, _ = self._radial(r)
            r = r - (radius - wanted) / growth
        return np.asarray(self._axis + from_axis * (r / wanted)[:, None] * self._radius_px)
