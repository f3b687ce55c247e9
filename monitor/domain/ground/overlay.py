"""The centreline and the law's bands, drawn back into the picture. Pure.

A line is drawn as far as the camera shows its ground: never above the horizon, and marked as not exact where the
survey does not speak of it. Offsets are the edges of a buffer around the line, as the law's distances are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import groupby
from typing import Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from shapely import line_interpolate_point
from shapely.geometry import LineString, Point, Polygon, box
from shapely.geometry.base import BaseGeometry

from monitor.domain.geometry import Centreline
from monitor.domain.ground.fix import SEEN_WITHIN_M, CameraGround, in_picture
from monitor.domain.ground.homography import Homography
from monitor.domain.ground.lens import Array

#: Art 30, 35(2) and 35(3) of the Pipeline Protection Law (monitor.domain.violations)
BANDS_M: Final = (5.0, 50.0, 200.0)
#: A line is sampled at this share of its distance, so that bends of the lens show and far ends cost nothing.
_STEP: Final = 0.03
_LEAST_STEP_M: Final = 0.25

PixelLine = tuple[tuple[float, float], ...]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One stretch of a line in the picture."""

    #: the survey speaks of the ground there; else it is drawn by the plane alone
    exact: bool
    points_px: PixelLine


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """The centreline (0 m), or a band's border on one of its sides."""

    band_m: float
    side: Literal["left", "right", "on"]
    parts: tuple[Part, ...]


def lines_in_picture(
    ground: CameraGround, centreline: Centreline, size_px: tuple[int, int]
) -> tuple[Line, ...]:
    """Centreline and borders that the picture shows; those that it doesn't are left out."""
    beside = centreline.locate(ground.frame.origin)
    if abs(beside.offset_m) > SEEN_WITHIN_M:
        return ()
    stretch = centreline.between(beside.chainage_m - SEEN_WITHIN_M, beside.chainage_m + SEEN_WITHIN_M)
    middle = LineString([ground.frame.to_en_m(point) for point in stretch])
    wanted: list[tuple[float, Literal["left", "right", "on"]]] = [(0.0, "on")]
    wanted += [(band_m, "left") for band_m in BANDS_M] + [(band_m, "right") for band_m in BANDS_M]
    found = []
    for band_m, side in wanted:
        # shapely's left is positive
        curve = middle if side == "on" else middle.offset_curve(band_m if side == "left" else -band_m)
        parts = tuple(part for line in _pieces(curve) for part in _drawn(ground, line, size_px))
        if parts:
            found.append(Line(band_m=band_m, side=side, parts=parts))
    return tuple(found)


def area_in_picture(ground: CameraGround, size_px: tuple[int, int]) -> PixelLine:
    """Where the survey speaks of the ground, as a polygon; nothing for a mast, which speaks of all below the horizon."""
    if not isinstance(ground.plane, Homography):
        return ()
    area = ground.plane.area.intersection(box(0, 0, *size_px))
    return _rounded(np.array(area.exterior.coords)) if isinstance(area, Polygon) and not area.is_empty else ()


def _pieces(shape: BaseGeometry) -> Iterator[LineString]:
    for piece in getattr(shape, "geoms", (shape,)):
        if isinstance(piece, LineString) and not piece.is_empty:
            yield piece


def _drawn(ground: CameraGround, line: LineString, size_px: tuple[int, int]) -> Iterator[Part]:
    along = line_interpolate_point(line, _stations(line, ground.camera_m or (0.0, 0.0)))
    pixels = ground.plane.pixels(np.array([(point.x, point.y) for point in along]))
    shown = np.asarray(np.isfinite(pixels).all(axis=1))
    exact = in_picture(pixels, size_px)
    exact[exact] = ground.plane.trusted(pixels[exact])
    frame = box(0, 0, *size_px)
    for first, last, is_exact in _runs(shown, exact):
        for piece in _pieces(LineString(pixels[first : last + 1]).intersection(frame)):
            if piece.length > 0:
                yield Part(exact=is_exact, points_px=_rounded(np.array(piece.coords)))


def _stations(line: LineString, eye_m: tuple[float, float]) -> Array:
    """Distances along the line, close together where it is near."""
    eye = Point(eye_m)
    nearest_m, away_m = line.project(eye), line.distance(eye)
    stations = [nearest_m]
    for sign in (-1, 1):
        at_m = nearest_m
        while 0.0 < at_m < line.length or at_m == nearest_m:
            at_m += sign * max(_LEAST_STEP_M, _STEP * math.hypot(at_m - nearest_m, away_m))
            stations.append(min(max(at_m, 0.0), line.length))
    return np.unique(np.array(stations))


def _runs(shown: NDArray[np.bool_], exact: NDArray[np.bool_]) -> Iterator[tuple[int, int, bool]]:
    """Stretches of neighbouring stations that are shown: first, last, and whether all steps between are exact."""
    kinds = [
        bool(exact[i] and exact[i + 1]) if shown[i] and shown[i + 1] else None for i in range(len(shown) - 1)
    ]
    at = 0
    for kind, steps in groupby(kinds):
        count = len(list(steps))
        if kind is not None:
            yield at, at + count, kind
        at += count


def _rounded(pixels: Array) -> PixelLine:
    return tuple((round(float(x), 1), round(float(y), 1)) for x, y in pixels)
