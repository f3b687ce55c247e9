"""The scene's geometry and timetable: what stands where, and when."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from pyproj import Geod

from models.footprint import FOOTPRINTS, centre_en_m
from models.scenes import Camera, Story, TangentPlane
from models.scenes.clip import SURVEYED_EN_M, truth_table
from models.scenes.mesh import Material, Mesh, box, disc, rod
from models.scenes.raster import rasterise
from models.scenes.story import activity, pose, stop_point

STORY = Story()


def test_a_point_projects_as_worked_by_hand() -> None:
    """Looking level from 8 m at focal 1000: ground 40 m ahead, 4 m right is 100 px right and 200 px down."""
    camera = Camera(focal_px=1000.0, pitch_down_deg=0.0)
    pixels, depth_m = camera.project(np.array([[4.0, 40.0, 0.0]]))
    assert depth_m[0] == pytest.approx(40.0)
    assert pixels[0] == pytest.approx((740.0, 560.0))


def test_yaw_turns_clockwise_from_north() -> None:
    """A camera that looks east has east in its middle and south to its right."""
    camera = Camera(yaw_deg=90.0, pitch_down_deg=0.0)
    pixels, _ = camera.project(np.array([[30.0, 0.0, 8.0], [30.0, -3.0, 8.0]]))
    assert pixels[0] == pytest.approx((640.0, 360.0))
    assert pixels[1, 0] > 640


def test_ground_and_picture_agree() -> None:
    """Ground points come back from their pixels within a micrometre."""
    camera = Camera(yaw_deg=17.0)
    ground = np.array([[e, n, 0.0] for e, n in SURVEYED_EN_M])
    pixels, _ = camera.project(ground)
    assert np.abs(camera.on_ground(pixels) - ground[:, :2]).max() < 1e-6


def test_above_the_horizon_there_is_no_ground() -> None:
    """The sky gives no position, and what is behind the camera no pixel."""
    camera = Camera()
    assert np.isnan(camera.on_ground(np.array([640.0, 10.0]))).all()
    assert np.isnan(camera.project(np.array([[0.0, -10.0, 0.0]]))[0]).all()


@pytest.mark.parametrize(("east_m", "north_m"), [(60.0, 0.0), (0.0, 60.0), (-45.0, 80.0)])
def test_tangent_plane_against_pyproj(east_m: float, north_m: float) -> None:
    """Geodesic distance and direction are the plane's within 2 mm; the way back is exact."""
    plane = TangentPlane()
    lon, lat = plane.lonlat(east_m, north_m)
    azimuth_deg, _, distance_m = Geod(ellps="WGS84").inv(plane.lon_deg, plane.lat_deg, lon, lat)
    a = math.radians(azimuth_deg)
    assert math.dist((distance_m * math.sin(a), distance_m * math.cos(a)), (east_m, north_m)) < 2e-3
    assert plane.east_north(lon, lat) == pytest.approx((east_m, north_m), abs=1e-6)


def test_surveyed_points_can_calibrate_the_camera() -> None:
    """At least eight, all well inside the picture, and a homography through them is exact to a millimetre."""
    points = truth_table(STORY, [])["ground_points"]
    pixels = np.array([p["pixel"] for p in points])
    ground = np.array([p["east_north_m"] for p in points])
    assert len(points) >= 8
    assert pixels.min() > 20
    assert (pixels < [1260, 700]).all()
    x, y = (pixels / 1000).T
    rows = []
    for px, py, e, n in zip(x, y, ground[:, 0], ground[:, 1], strict=True):
        rows.append([px, py, 1, 0, 0, 0, -e * px, -e * py, -e])
        rows.append([0, 0, 0, px, py, 1, -n * px, -n * py, -n])
    h = np.linalg.svd(np.array(rows))[2][-1].reshape(3, 3)
    back = np.stack([x, y, np.ones_like(x)], axis=1) @ h.T
    assert np.abs(back[:, :2] / back[:, 2:] - ground).max() < 1e-3


def test_it_stops_three_metres_beside_the_pipeline() -> None:
    """The footprint's middle is 3 m from the centreline, on the camera's side, and so within 5 m."""
    (east, north), _ = stop_point(STORY)
    line = np.array(STORY.centreline_en_m)
    here = np.array([east, north])
    distances = []
    for a, b in itertools.pairwise(line):
        along = np.clip(np.dot(here - a, b - a) / np.dot(b - a, b - a), 0, 1)
        distances.append(math.dist(here, a + along * (b - a)))
    assert min(distances) == pytest.approx(3.0, abs=0.01)
    assert north < np.interp(east, line[:, 0], line[:, 1])
    assert min(math.dist((0, 0), p) for p in line) > 25


def test_tracks_stand_still_while_it_works_and_the_arm_does_not() -> None:
    """From dig to leave there is one place; boom, stick, bucket and slew all move by tens of degrees."""
    times = np.arange(STORY.dig_s, STORY.leave_s, 0.1).tolist()
    poses = [p for p in (pose(STORY, t) for t in times) if p is not None]
    assert len({(p.east_m, p.north_m, p.heading_deg) for p in poses}) == 1
    for joint in ("boom_deg", "stick_deg", "bucket_deg", "slew_deg"):
        values = [getattr(p, joint) for p in poses]
        assert max(values) - min(values) > 20
    assert {activity(STORY, t) for t in times} == {"working"}


def test_digging_repeats_exactly() -> None:
    """The same moment of two cycles is the same pose, so it is drawn once."""
    assert pose(STORY, 23.7) == pose(STORY, 23.7 + STORY.cycle_s)
    assert len({pose(STORY, k / 10) for k in range(170, 740)}) == STORY.cycle_s * STORY.fps


def test_it_drives_at_the_speed_of_a_crawler() -> None:
    """Never faster than the story says, and without a jump from its entry to its end."""
    times = np.arange(STORY.enter_s, STORY.gone_s, 0.1).tolist()
    poses = [p for p in (pose(STORY, t) for t in times) if p is not None]
    assert len(poses) == len(times)
    steps = [math.dist((a.east_m, a.north_m), (b.east_m, b.north_m)) for a, b in itertools.pairwise(poses)]
    assert 1.5 <= STORY.speed_m_s <= 2.5
    assert max(steps) <= STORY.speed_m_s * 0.1 + 0.001
    turns = [abs(a.slew_deg - b.slew_deg) for a, b in itertools.pairwise(poses)]
    assert max(turns) < 8


def test_nobody_is_there_before_and_after() -> None:
    """The scene is empty until it enters and once it is gone."""
    assert pose(STORY, STORY.enter_s - 0.1) is None
    assert pose(STORY, STORY.enter_s) is not None
    assert pose(STORY, STORY.gone_s) is None


def test_a_near_edge_is_pushed_to_the_middle() -> None:
    """A box's bottom at 30 m becomes a middle one half depth further on, in the same direction."""
    east, north = centre_en_m((3.0, 30.0), (0.0, 0.0), "excavator")
    moved_m = math.hypot(east, north) - math.hypot(3.0, 30.0)
    assert moved_m == pytest.approx(FOOTPRINTS["excavator"].half_depth_m)
    assert east / north == pytest.approx(0.1)
    assert centre_en_m((3.0, 30.0), (0.0, 0.0), "smoke") == (3.0, 30.0)


def test_half_depth_is_the_mean_over_all_directions() -> None:
    """(length + width) / pi is what 3,600 directions give on average."""
    print_ = FOOTPRINTS["excavator"]
    angles = np.linspace(0, 2 * np.pi, 3600, endpoint=False)
    reach = np.abs(np.cos(angles)) * print_.length_m / 2 + np.abs(np.sin(angles)) * print_.width_m / 2
    assert print_.half_depth_m == pytest.approx(reach.mean(), rel=1e-4)


@pytest.mark.parametrize(
    "solid",
    [
        box((0, 0, 0), (1, 2, 3), Material.PAINT),
        disc((0, 0, 0), 1, 1, Material.PAINT),
        rod(0.1, Material.PAINT),
    ],
    ids=["box", "disc", "rod"],
)
def test_solids_face_outward(solid: Mesh) -> None:
    """Every triangle's normal points away from the middle: back faces may be left undrawn."""
    corners = solid.corners()
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    outward = corners.mean(axis=1) - solid.points.mean(axis=0)
    assert (np.einsum("tk,tk->t", normals, outward) >= -1e-9).all()


def test_the_nearer_triangle_wins_its_pixels() -> None:
    """Of two that overlap the nearer shows, pixel centres decide, and a triangle's area is its pixels'."""
    wide = [[0.0, 0.0], [100.0, 0.0], [0.0, 100.0]]
    small = [[10.0, 10.0], [40.0, 10.0], [10.0, 40.0]]
    hits = rasterise(
        np.array([wide, small]), np.array([[0.1] * 3, [0.2] * 3]), np.array([True, True]), (100, 100)
    )
    assert hits.triangle[15, 15] == 1
    assert hits.triangle[60, 20] == 0
    assert hits.triangle[90, 90] == -1
    assert (hits.triangle >= 0).sum() == pytest.approx(5000, abs=60)
    assert (hits.triangle == 1).sum() == pytest.approx(450, abs=20)
