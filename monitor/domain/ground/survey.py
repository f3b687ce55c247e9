"""What a survey of a camera is worth: the answer to somebody who registers it. Pure.

Decides whether the points give a plane and names what is wrong if they don't; how far each point is off; how
sure a place will be; which metres of the centreline the picture shows. The plane is the edge's own (`fix`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Final

import msgspec
import numpy as np

from monitor.domain.assets import Camera, GroundPoint
from monitor.domain.geometry import Centreline, LocalFrame
from monitor.domain.ground.errors import CalibrationVoid, Refusal
from monitor.domain.ground.fix import FOOT_SIGMA_PX, CameraGround, GroundFix, in_picture
from monitor.domain.ground.homography import LEAST_POINTS, Homography
from monitor.domain.ground.lens import Array
from monitor.domain.ground.overlay import Line, PixelLine, area_in_picture, lines_in_picture

#: The stated error is told for these distances, each in so many directions.
SURE_AT_M: Final = (10.0, 25.0, 50.0, 75.0, 100.0, 150.0, 200.0)
_BEARINGS: Final = 180
#: A survey of more points than this is not asked point by point what the others say of each.
MOST_CHECKED: Final = 24
#: points within this share of their extent lie on one line
FLAT: Final = 0.01

Point = tuple[float, float]


class PointCheck(msgspec.Struct, frozen=True, kw_only=True):
    """One point against the plane."""

    #: from where it was surveyed to where the plane puts its pixel, and the same in the picture
    off_m: float
    off_px: float | None
    #: the same by a plane without this point: what it tells about it is not its own word
    by_others_m: float | None = None


class Sure(msgspec.Struct, frozen=True, kw_only=True):
    """How well a thing is placed at a distance: radius that holds 68 %, median over the picture."""

    distance_m: float
    accuracy_m: float


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """The answer. Where it is refused for contradiction, the rest still shows what the points would give."""

    refused: Refusal | None = None
    #: the points fit worse than is stated of them, so the stated errors were widened
    strained: bool = False
    #: numbers (from 0) of the points that the refusal or the strain is about
    guilty: tuple[int, ...] = ()
    checks: tuple[PointCheck, ...] = ()
    #: there are more points than a plane needs, so that they check each other
    checked: bool = False
    sure: tuple[Sure, ...] = ()
    #: distances are from the camera; else from the ground at the picture's lower border
    from_camera: bool = False
    seen: tuple[tuple[float, float], ...] = ()
    lines: tuple[Line, ...] = ()
    area_px: PixelLine = ()

    @property
    def seen_m(self) -> float:
        """Metres of centreline."""
        return round(sum(b - a for a, b in self.seen), 1)


def try_survey(camera: Camera, centreline: Centreline) -> Trial:
    """What the camera's ground points (or its mast) are worth beside that pipeline."""
    points = camera.ground_points
    if camera.mast is None and (refused := _plainly_wrong(points)) is not None:
        return refused
    try:
        ground = CameraGround(camera)
    except CalibrationVoid as exc:
        return Trial(refused=exc.why, guilty=_who_spoils(camera) if exc.why is Refusal.NO_PLANE else ())
    size_px = camera.frame_size_px
    assert size_px is not None  # whoever registers has a picture
    checks = _checks(ground, camera)
    sure, from_camera = _sure(ground, size_px)
    plane = ground.plane
    strained = isinstance(plane, Homography) and plane.strained
    contradicts = isinstance(plane, Homography) and plane.contradicts
    return Trial(
        refused=Refusal.CONTRADICT if contradicts else None, strained=strained,
        guilty=_who_contradicts(camera) if strained else (),
        checks=checks, checked=len(points) > LEAST_POINTS, sure=sure, from_camera=from_camera,
        seen=ground.seen_ranges(centreline, size_px), lines=lines_in_picture(ground, centreline, size_px),
        area_px=area_in_picture(ground, size_px),
    )  # fmt: skip


def _plainly_wrong(points: Sequence[GroundPoint]) -> Trial | None:
    for (i, one), (j, other) in combinations(enumerate(points), 2):
        if one.pixel == other.pixel or one.lonlat == other.lonlat:
            return Trial(refused=Refusal.SAME, guilty=(i, j))
    if len(points) < LEAST_POINTS:
        return Trial(refused=Refusal.TOO_FEW)
    if leaves_a_line([point.pixel for point in points]):
        return Trial(refused=Refusal.ONE_LINE_PICTURE)
    frame = LocalFrame(points[0].lonlat)
    if leaves_a_line([frame.to_en_m(point.lonlat) for point in points]):
        return Trial(refused=Refusal.ONE_LINE_GROUND)
    return None


def _checks(ground: CameraGround, camera: Camera) -> tuple[PointCheck, ...]:
    points = camera.ground_points
    if not points or camera.mast is not None:
        return ()
    back = ground.pixels(tuple(point.lonlat for point in points))
    # four others fit anything: what they say of a fifth is mostly what nobody knows of the lens
    ask_others = LEAST_POINTS + 1 < len(points) <= MOST_CHECKED
    found = []
    for i, point in enumerate(points):
        place, _ = ground.plane.ground(*point.pixel, np.zeros((2, 2)))
        off_px = math.dist(back[i], point.pixel)
        found.append(
            PointCheck(off_m=round(_off_m(ground, place, point), 2),
                       off_px=round(off_px, 1) if math.isfinite(off_px) else None,
                       by_others_m=_by_others_m(camera, i) if ask_others else None)
        )  # fmt: skip
    return tuple(found)


def _off_m(ground: CameraGround, place: Array, point: GroundPoint) -> float:
    return math.dist(place, ground.frame.to_en_m(point.lonlat))


def _by_others_m(camera: Camera, i: int) -> float | None:
    try:
        rest = CameraGround(without(camera, i))
    except CalibrationVoid:
        return None
    point = camera.ground_points[i]
    off_m = _off_m(rest, rest.plane.ground(*point.pixel, np.zeros((2, 2)))[0], point)
    return round(off_m, 2) if math.isfinite(off_m) else None


def without(camera: Camera, *left_out: int) -> Camera:
    """The same survey without some of its points."""
    points = tuple(point for i, point in enumerate(camera.ground_points) if i not in left_out)
    return msgspec.structs.replace(camera, ground_points=points)


def _costs_without(camera: Camera) -> dict[int, float]:
    """How well the others fit when one is left out; those without which there is a plane."""
    costs = {}
    for i in range(len(camera.ground_points)):
        try:
            plane = CameraGround(without(camera, i)).plane
        except CalibrationVoid:
            continue
        if isinstance(plane, Homography):
            costs[i] = plane.cost
    return costs


def _who_spoils(camera: Camera) -> tuple[int, ...]:
    """The point without which there is a plane, if there is one such point; of four, any three fit anything."""
    costs = _costs_without(camera) if len(camera.ground_points) > LEAST_POINTS else {}
    return (min(costs, key=lambda i: costs[i]),) if costs else ()


def _who_contradicts(camera: Camera) -> tuple[int, ...]:
    """The point without which the others agree best. Of five, four fit anything: nobody can tell."""
    if len(camera.ground_points) <= LEAST_POINTS + 1:
        return ()
    costs = _costs_without(camera)
    return (min(costs, key=lambda i: costs[i]),) if costs else ()


def _sure(ground: CameraGround, size_px: tuple[int, int]) -> tuple[tuple[Sure, ...], bool]:
    """Stated errors by distance, and whether the distance is the camera's."""
    eye_m = ground.camera_m
    if eye_m is None:
        below = ground.plane.ground(size_px[0] / 2, float(size_px[1]), np.zeros((2, 2)))[0]
        eye_m = (float(below[0]), float(below[1]))
    bearings = np.linspace(0.0, 2 * math.pi, _BEARINGS, endpoint=False)
    round_eye = np.column_stack([np.sin(bearings), np.cos(bearings)])
    told = []
    for distance_m in SURE_AT_M:
        pixels = ground.plane.pixels(np.array(eye_m) + distance_m * round_eye)
        seen = pixels[in_picture(pixels, size_px)]
        fixes = [ground.at(float(x), float(y), FOOT_SIGMA_PX) for x, y in seen]
        stated_m = [fix.accuracy_m for fix in fixes if isinstance(fix, GroundFix)]
        if stated_m:
            told.append(Sure(distance_m=distance_m, accuracy_m=round(float(np.median(stated_m)), 2)))
    return tuple(told), ground.camera_m is not None


def leaves_a_line(points: Sequence[Point]) -> bool:
    """Whether all points, or all but one, lie on one line: then no unique plane fits them."""
    return any(flatness([*points[:n], *points[n + 1 :]]) < FLAT for n in range(len(points)))


def flatness(points: Sequence[Point]) -> float:
    """Spread across the best line over spread along it, 0 for a line, 1 for a disc."""
    n = len(points)
    mx, my = sum(p[0] for p in points) / n, sum(p[1] for p in points) / n
    xx = sum((p[0] - mx) ** 2 for p in points)
    yy = sum((p[1] - my) ** 2 for p in points)
    xy = sum((p[0] - mx) * (p[1] - my) for p in points)
    middle, radius = (xx + yy) / 2, math.hypot((xx - yy) / 2, xy)
    if middle + radius <= 0:
        return 0.0
    return math.sqrt(max(0.0, middle - radius) / (middle + radius))
