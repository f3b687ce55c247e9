"""What a camera sees: ground points from which a position can be computed, zones that are polygons."""

import math
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from hcawatch.config.checks.lines import lonlat_faults
from hcawatch.config.checks.look import Look
from hcawatch.config.faults import Fault
from hcawatch.config.schema import CameraSection, GroundPointSection
from monitor.domain.assets import Lens, Mast
from monitor.domain.geometry import Centreline, LocalFrame
from monitor.domain.ground.errors import CalibrationVoid
from monitor.domain.ground.lens import Distortion
from monitor.domain.ground.mast import MastPlane
from monitor.domain.ground.survey import flatness, leaves_a_line

MIN_GROUND_POINTS: Final = 4
FAR_M: Final = 1000.0

Point = tuple[float, float]


def check(look: Look) -> Iterator[Fault]:
    """Faults of positions, ground points and zones."""
    for index, camera in enumerate(look.document.cameras):
        path = ("cameras", index)
        if camera.position is not None:
            yield from lonlat_faults(look, camera.position, (*path, "position"))
        needs_frame = [key for key in ("ground_points", "mast", "zones", "lens") if getattr(camera, key)]
        if needs_frame and camera.frame_size_px is None and look.ok(*path, "frame_size_px"):
            yield look.fault("frame_size_missing", *path, needs_frame[0])
        if needs_frame in ([], ["lens"]) and look.ok(*path, "ground_points") and look.ok(*path, "zones"):
            yield look.fault("camera_blind", *path)
        yield from _lens(look, index, camera)
        yield from _ground_points(look, index, camera)
        yield from _mast(look, index, camera)
        for n in range(len(camera.zones)):
            yield from _zone(look, index, camera, n)
        yield from _far_from_site(look, index, camera)
    for index, team in enumerate(look.document.teams):
        if team.base is not None:
            yield from lonlat_faults(look, team.base, ("teams", index, "base"))


def _lens(look: Look, index: int, camera: CameraSection) -> Iterator[Fault]:
    if camera.lens is None or camera.frame_size_px is None:
        return
    width, height = camera.frame_size_px
    lens, _, _ = Distortion.of((width, height), Lens(**camera.lens.model_dump()))
    corners = [(0.0, 0.0), (float(width), 0.0), (0.0, float(height)), (float(width), float(height))]
    if not np.isfinite(lens.ideal(np.array(corners))[0]).all():
        yield look.fault("lens_folds", "cameras", index, "lens")


def _mast(look: Look, index: int, camera: CameraSection) -> Iterator[Fault]:
    path = ("cameras", index, "mast")
    if camera.mast is None or not look.ok(*path):
        return
    if camera.ground_points:
        yield look.fault("mast_and_points", *path)
    if camera.position is None and look.ok("cameras", index, "position"):
        yield look.fault("mast_without_position", *path)
    if camera.frame_size_px is None or camera.ground_points:
        return
    size_px = camera.frame_size_px[0], camera.frame_size_px[1]
    lens = None if camera.lens is None else Lens(**camera.lens.model_dump())
    try:
        MastPlane(Mast(**camera.mast.model_dump()), size_px, lens)
    except CalibrationVoid:
        yield look.fault("mast_sees_no_ground", *path)


def _ground_points(look: Look, index: int, camera: CameraSection) -> Iterator[Fault]:
    path = ("cameras", index, "ground_points")
    points = camera.ground_points
    if 0 < len(points) < MIN_GROUND_POINTS:
        yield look.fault("ground_points_few", *path, found=len(points))
    wrong = list[Fault]()
    for n, point in enumerate(points):
        wrong += lonlat_faults(look, point.lonlat, (*path, n, "lonlat"))
        yield from _outside(look, camera, point.pixel, "ground_point_outside_frame", *path, n, "pixel")
        yield from _repeated(look, points, n, *path)
    yield from wrong
    if wrong:
        return
    yield from _far_points(look, index, camera)
    if len(points) >= MIN_GROUND_POINTS:
        yield from _collinear(look, points, *path)


def _repeated(look: Look, points: list[GroundPointSection], n: int, *path: str | int) -> Iterator[Fault]:
    for other in range(n):
        same_pixel = points[other].pixel == points[n].pixel
        if same_pixel or points[other].lonlat == points[n].lonlat:
            what, what_zh = ("pixel", "像素") if same_pixel else ("position", "位置")
            yield look.fault("ground_point_repeated", *path, n, what=what, what_zh=what_zh, other=other + 1)
            return


def _far_points(look: Look, index: int, camera: CameraSection) -> Iterator[Fault]:
    if camera.position is None or abs(camera.position[1]) > 90 or abs(camera.position[0]) > 180:
        return
    frame = LocalFrame((camera.position[0], camera.position[1]))
    distances_m = [math.hypot(*frame.to_en_m((p.lonlat[0], p.lonlat[1]))) for p in camera.ground_points]
    if distances_m and min(distances_m) > FAR_M:
        distance = f"{min(distances_m):.0f}"
        yield look.fault("camera_far_from_points", "cameras", index, "position", distance=distance)
        return
    for n, distance_m in enumerate(distances_m):
        if distance_m > FAR_M:
            path = ("cameras", index, "ground_points", n, "lonlat")
            yield look.fault("ground_point_far", *path, distance=f"{distance_m:.0f}")


def _collinear(look: Look, points: list[GroundPointSection], *path: str | int) -> Iterator[Fault]:
    pixels = [(p.pixel[0], p.pixel[1]) for p in points]
    frame = LocalFrame((points[0].lonlat[0], points[0].lonlat[1]))
    ground = [frame.to_en_m((p.lonlat[0], p.lonlat[1])) for p in points]
    if leaves_a_line(pixels):
        yield look.fault("ground_points_collinear", *path, where="in the picture", where_zh="在画面中")
    elif leaves_a_line(ground):
        yield look.fault("ground_points_collinear", *path, where="on the ground", where_zh="在地面上")


def _zone(look: Look, index: int, camera: CameraSection, n: int) -> Iterator[Fault]:
    path = ("cameras", index, "zones", n, "polygon_px")
    corners = [(corner[0], corner[1]) for corner in camera.zones[n].polygon_px]
    for m, corner in enumerate(corners):
        yield from _outside(look, camera, list(corner), "polygon_outside_frame", *path, m)
    if len(corners) < 3:
        yield look.fault("polygon_short", *path, found=len(corners))
    elif flatness(corners) == 0.0 or (abs(_area(corners)) < 1e-9 and len(corners) == 3):
        yield look.fault("polygon_flat", *path)
    elif crosses_itself(corners):
        yield look.fault("polygon_crossing", *path)


def _outside(
    look: Look, camera: CameraSection, pixel: list[float], code: str, *path: str | int
) -> Iterator[Fault]:
    if camera.frame_size_px is None:
        return
    width, height = camera.frame_size_px
    if not (0 <= pixel[0] <= width and 0 <= pixel[1] <= height):
        yield look.fault(code, *path, x=f"{pixel[0]:g}", y=f"{pixel[1]:g}", width=width, height=height)


def _area(corners: Sequence[Point]) -> float:
    pairs = zip(corners, [*corners[1:], corners[0]], strict=True)
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairs) / 2


def crosses_itself(corners: Sequence[Point]) -> bool:
    """Whether two sides that aren't neighbours share a point, or neighbours fold back."""
    n = len(corners)
    if len(set(corners)) < n:
        return True
    sides = [(corners[i], corners[(i + 1) % n]) for i in range(n)]
    for i in range(n):
        for j in range(i + 2, n):
            if (j + 1) % n != i and _share_a_point(*sides[i], *sides[j]):
                return True
    return any(_folds_back(corners[i - 1], corners[i], corners[(i + 1) % n]) for i in range(n))


def _turn(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _folds_back(a: Point, b: Point, c: Point) -> bool:
    along = (b[0] - a[0]) * (c[0] - b[0]) + (b[1] - a[1]) * (c[1] - b[1])
    return _turn(a, b, c) == 0 and along < 0


def _between(a: Point, b: Point, p: Point) -> bool:
    return min(a[0], b[0]) <= p[0] <= max(a[0], b[0]) and min(a[1], b[1]) <= p[1] <= max(a[1], b[1])


def _share_a_point(a: Point, b: Point, c: Point, d: Point) -> bool:
    d1, d2, d3, d4 = _turn(c, d, a), _turn(c, d, b), _turn(a, b, c), _turn(a, b, d)
    if (d1 > 0) != (d2 > 0) and (d3 > 0) != (d4 > 0) and 0 not in (d1, d2, d3, d4):
        return True
    touches = ((d1, c, d, a), (d2, c, d, b), (d3, a, b, c), (d4, a, b, d))
    return any(turn == 0 and _between(p, q, r) for turn, p, q, r in touches)


def _far_from_site(look: Look, index: int, camera: CameraSection) -> Iterator[Fault]:
    """Only where everything that it needs is right: position, HCA and centreline."""
    site = look.ids("hcas").get(camera.site)
    if (
        camera.position is None
        or site is None
        or not look.ok("hcas", site)
        or len(look.document.hcas) <= site
    ):
        return
    if list(lonlat_faults(look, camera.position, ())):
        return
    hca = look.document.hcas[site]
    pipeline = next((p for p in look.document.pipelines if p.id == hca.pipeline), None)
    if pipeline is None or len(pipeline.centreline) < 2 or hca.to_m <= hca.from_m:
        return
    if any(list(lonlat_faults(look, vertex, ())) for vertex in pipeline.centreline):
        return
    line = Centreline.of(tuple((lon, lat) for lon, lat in pipeline.centreline), pipeline.origin_chainage_m)
    stretch = Centreline.of(line.between(hca.from_m, hca.to_m))
    distance_m = abs(stretch.locate((camera.position[0], camera.position[1])).offset_m)
    if distance_m > FAR_M:
        yield look.fault(
            "camera_far", "cameras", index, "position", site=camera.site, distance=f"{distance_m:.0f}"
        )
