"""Ground projection against rendered pinhole cameras whose truth is known independently."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edge.ground import Ground
from models.footprint import FOOTPRINTS
from monitor.domain.assets import GroundPoint
from monitor.domain.events import NoFix
from monitor.domain.geometry import Centreline
from monitor.domain.ground.errors import CalibrationVoid
from monitor.domain.ground.fix import GroundFix, radius_68_m
from tests.doubles.edge_things import FRAME, Pinhole, pipeline

CAMERAS = st.builds(
    Pinhole,
    height_m=st.floats(5.0, 25.0),
    pitch_deg=st.floats(12.0, 30.0),
    heading_deg=st.floats(0.0, 359.0),
    focal_px=st.floats(700.0, 1500.0),
    east_m=st.floats(-40.0, 40.0),
    north_m=st.floats(-40.0, 40.0),
)


def on_ground(hole: Pinhole, x_px: float, y_px: float) -> tuple[float, float]:
    """Where a pixel's ray meets the ground, by the pinhole itself."""
    ray = hole.rotation.T @ np.array(
        [(x_px - hole.size_px[0] / 2) / hole.focal_px, (y_px - hole.size_px[1] / 2) / hole.focal_px, 1.0]
    )
    assert ray[2] < 0
    at = hole.position - ray * hole.position[2] / ray[2]
    return float(at[0]), float(at[1])


def surveyed_around(hole: Pinhole, count: int = 6) -> list[tuple[float, float]]:
    """Ground points spread over the lower part of the picture."""
    width, height = hole.size_px
    spots = [
        (0.1, 0.95),
        (0.9, 0.95),
        (0.15, 0.5),
        (0.85, 0.5),
        (0.5, 0.7),
        (0.3, 0.85),
        (0.7, 0.6),
        (0.45, 0.5),
    ]
    return [on_ground(hole, x * width, y * height) for x, y in spots[:count]]


def place_of(fix: GroundFix | NoFix) -> tuple[float, float]:
    assert isinstance(fix, GroundFix), fix
    return FRAME.to_en_m(fix.lonlat)


def thin_box(x_px: float, y_px: float) -> tuple[float, float, float, float]:
    return x_px - 5, y_px - 40, x_px + 5, y_px


@settings(max_examples=60, deadline=None)
@given(CAMERAS, st.floats(0.2, 0.8), st.floats(0.55, 0.9))
def test_a_foot_point_is_found_where_it_truly_stands(hole: Pinhole, x: float, y: float) -> None:
    """Without any error in the survey the projection is exact, for every camera (within a centimetre)."""
    assume(all(math.hypot(*p) < 500 for p in surveyed_around(hole)))
    ground = Ground(hole.camera(surveyed_around(hole)))
    at_px = (x * hole.size_px[0], y * hole.size_px[1])
    truth = on_ground(hole, *at_px)
    found = place_of(ground.locate(thin_box(*at_px), "unknown", hole.size_px))
    assert math.dist(found, truth) < 0.01 + 1e-4 * math.dist(truth, hole.position[:2])


def test_the_middle_lies_half_a_depth_behind_the_near_edge() -> None:
    """A box's foot is the near edge; the position is pushed away from the camera by the class's half depth."""
    hole = Pinhole()
    at_px = hole.pixel(5.0, 0.0)
    found = place_of(Ground(hole.camera()).locate(thin_box(*at_px), "excavator", hole.size_px))
    away = np.array([5.0, 30.0]) / math.hypot(5.0, 30.0)
    expected = np.array([5.0, 0.0]) + away * FOOTPRINTS["excavator"].half_depth_m
    assert math.dist(found, expected) < 0.02


def test_without_a_camera_position_the_picture_says_which_way_is_away() -> None:
    """The push goes the same way when nobody configured where the camera stands."""
    hole = Pinhole()
    at_px = hole.pixel(0.0, 5.0)
    with_position = place_of(Ground(hole.camera()).locate(thin_box(*at_px), "excavator", hole.size_px))
    without = place_of(Ground(hole.camera(position=None)).locate(thin_box(*at_px), "excavator", hole.size_px))
    assert math.dist(with_position, without) < 0.05


@pytest.mark.parametrize("count", [4, 6, 8])
def test_the_stated_error_is_honest(count: int) -> None:
    """Over surveys off by 0.1 m, clicks off by 1 px and boxes off by 2 px, 68 % lie inside the stated radius."""
    hole, rng, inside, errors = Pinhole(height_m=10.0), np.random.default_rng(count), 0, []
    truth_points = surveyed_around(hole, count)
    trials = 400
    for _ in range(trials):
        points = tuple(
            GroundPoint(
                pixel=tuple(np.array(hole.pixel(*p)) + rng.normal(0, 1.0, 2)),  # type: ignore[arg-type]
                lonlat=FRAME.to_lonlat((p[0] + rng.normal(0, 0.1), p[1] + rng.normal(0, 0.1))),
            )
            for p in truth_points
        )
        ground = Ground(msgspec.structs.replace(hole.camera(), ground_points=points, survey_sigma_m=0.1))
        at_px = np.array([rng.uniform(300, 980), rng.uniform(380, 650)])
        truth = on_ground(hole, *at_px)
        seen_px = at_px + rng.normal(0, 2.0 + 0.02 * 40, 2)
        fix = ground.locate(thin_box(*seen_px), "unknown", hole.size_px)
        error_m = math.dist(place_of(fix), truth)
        assert isinstance(fix, GroundFix)
        inside += error_m <= fix.accuracy_m
        errors.append(error_m)
    assert 0.61 <= inside / trials <= 0.75, (
        f"{inside / trials:.2f} of the errors lie inside the stated radius"
    )
    assert np.quantile(errors, 0.95) < 5.0


def test_at_and_above_the_horizon_there_is_no_ground() -> None:
    """Points above the horizon are named, and never mirrored to a plausible place behind the camera."""
    hole = Pinhole(pitch_deg=10.0)
    wide = [(-60.0, -10.0), (60.0, -10.0), (-200.0, 600.0), (200.0, 600.0)]
    ground = Ground(hole.camera(wide))  # surveyed so far out that the hull reaches the horizon
    horizon_px = 360 - 900 * math.tan(math.radians(10.0))
    for above_px in (0.0, 1.0, 20.0, 100.0):
        fix = ground.locate(thin_box(640.0, horizon_px - above_px), "excavator", hole.size_px)
        assert fix is NoFix.ABOVE_HORIZON
    assert isinstance(ground.locate(thin_box(640.0, 500.0), "excavator", hole.size_px), GroundFix)


def test_outside_the_surveyed_area_there_is_no_fix() -> None:
    """Inside the surveyed hull and a margin there is a fix, beyond it a named reason."""
    hole = Pinhole()
    ground = Ground(hole.camera([(-4.0, -5.0), (4.0, -5.0), (-4.0, 5.0), (4.0, 5.0)]))
    assert isinstance(ground.locate(thin_box(*hole.pixel(0.0, 0.0)), "person", hole.size_px), GroundFix)
    assert ground.locate(thin_box(*hole.pixel(14.0, 0.0)), "person", hole.size_px) is NoFix.OUTSIDE_SURVEY
    assert ground.locate(thin_box(*hole.pixel(0.0, 60.0)), "person", hole.size_px) is NoFix.OUTSIDE_SURVEY


def test_a_box_cut_off_below_has_no_foot_and_one_cut_off_at_the_side_a_large_error() -> None:
    """What the border hides is not guessed."""
    hole = Pinhole()
    ground = Ground(hole.camera([(-16.0, -12.0), (16.0, -12.0), (-20.0, 25.0), (20.0, 25.0)]))
    assert ground.locate((600, 400, 700, 719.5), "excavator", hole.size_px) is NoFix.OUTSIDE_SURVEY
    whole = ground.locate((1000, 300, 1200, 500), "excavator", hole.size_px)
    cut = ground.locate((1079, 300, 1279, 500), "excavator", hole.size_px)
    assert isinstance(whole, GroundFix)
    assert isinstance(cut, GroundFix)
    assert cut.accuracy_m > 2 * whole.accuracy_m


def test_a_picture_of_another_size_is_scaled_and_one_of_another_shape_is_not_calibrated() -> None:
    """A substream of half the size gives the same place; a cropped one gives none."""
    hole = Pinhole()
    ground, at_px = Ground(hole.camera()), hole.pixel(3.0, 4.0)
    full = place_of(ground.locate(thin_box(*at_px), "unknown", (1280, 720)))
    half = place_of(ground.locate(thin_box(at_px[0] / 2, at_px[1] / 2), "unknown", (640, 360)))
    assert math.dist(full, half) < 1e-6
    assert ground.locate(thin_box(*at_px), "unknown", (640, 480)) is NoFix.NOT_CALIBRATED


@pytest.mark.parametrize(
    ("pixels", "word"),
    [
        ([(100, 700), (1100, 700), (100, 400)], "at least 4"),
        ([(100, 100), (200, 200), (300, 300), (400, 400)], "line"),
        ([(100, 700), (1100, 400), (1100, 700), (100, 400)], "swapped|line"),
        ([(640, 400)] * 4, "same pixel"),
    ],
)
def test_bad_survey_points_are_refused_with_a_reason(pixels: list[tuple[float, float]], word: str) -> None:
    """Too few, collinear, swapped or equal points are named instead of giving a wrong plane."""
    truth = [(-10.0, -10.0), (10.0, -10.0), (-10.0, 10.0), (10.0, 10.0)]
    points = tuple(
        GroundPoint(pixel=pixel, lonlat=FRAME.to_lonlat(at)) for pixel, at in zip(pixels, truth, strict=False)
    )
    with pytest.raises(CalibrationVoid, match=word):
        Ground(Pinhole().camera(ground_points=points))


def test_the_seen_range_ends_where_the_picture_does() -> None:
    """The ranges of chainage are those whose ground is inside picture and survey, by the pinhole's own truth."""
    hole = Pinhole(focal_px=1400.0)
    line = pipeline()
    ranges = Ground(hole.camera([(-30, -10), (30, -10), (-30, 15), (30, 15)])).seen_ranges(
        Centreline.of(line.centreline), hole.size_px
    )
    assert len(ranges) == 1
    (from_m, to_m) = ranges[0]
    inside = [c for c in range(400, 601) if 0 <= hole.pixel(c - 500.0, 0.0)[0] <= 1280]
    assert from_m == pytest.approx(inside[0], abs=1.5)
    assert to_m == pytest.approx(inside[-1], abs=1.5)


def test_a_line_that_the_camera_turns_its_back_to_is_not_seen() -> None:
    """Centreline behind the camera projects into the picture by arithmetic alone; it is not counted."""
    hole = Pinhole(north_m=30.0)
    surveyed = [(-15.0, 48.0), (15.0, 48.0), (-20.0, 80.0), (20.0, 80.0)]
    assert Ground(hole.camera(surveyed)).seen_ranges(Centreline.of(pipeline().centreline), hole.size_px) == ()


@given(st.floats(0.1, 10.0), st.floats(0.0, 1.0), st.floats(0.0, math.pi))
@settings(max_examples=30, deadline=None)
def test_the_radius_holds_68_percent_of_any_normal_error(major_m: float, ratio: float, turn: float) -> None:
    """Checked against drawn samples, for round, long and flat errors in any direction."""
    c, s = math.cos(turn), math.sin(turn)
    axes = np.array([[c, -s], [s, c]]) @ np.diag([major_m, major_m * ratio])
    cov = axes @ axes.T
    drawn = np.random.default_rng(3).normal(size=(4000, 2)) @ axes.T
    share = np.mean(np.hypot(*drawn.T) <= radius_68_m((cov[0, 0], cov[0, 1], cov[1, 1])))
    assert 0.65 <= share <= 0.72
