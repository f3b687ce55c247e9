"""Ground projection through real lenses: drawn by OpenCV, whose model is not the one that is estimated."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edge.ground import Ground
from monitor.domain.assets import Camera, GroundPoint, Lens
from monitor.domain.events import NoFix
from monitor.domain.geometry import Centreline
from monitor.domain.ground.errors import CalibrationVoid
from monitor.domain.ground.fix import GroundFix
from monitor.domain.ground.homography import HORIZON_W, Homography
from monitor.domain.ground.lens import Brown, Distortion
from tests.doubles.edge_things import FRAME, NAME, pipeline
from tests.doubles.lens_camera import SIZE_PX, Array, LensCamera, a_camera, seen_places, survey

#: A 2.8 mm board lens on a 1/2.8 inch sensor, as calibrations give it.
BOARD = LensCamera(height_m=8.0, tilt_deg=15.0, hfov_deg=100.0, k1=-0.32, k2=0.1)
COEFFICIENTS = st.tuples(st.floats(-0.45, 0.25), st.floats(-0.1, 0.1))
IN_PICTURE = st.tuples(st.floats(0.0, SIZE_PX[0]), st.floats(0.0, SIZE_PX[1]))


def lens_of(camera: LensCamera) -> Lens:
    return Lens(k1=camera.k1, k2=camera.k2, f_px=camera.focal_px, cx=camera.axis_px[0], cy=camera.axis_px[1])


def configured(
    camera: LensCamera, places: Array, lens: Lens | None = None, errors: Array | None = None
) -> Camera:
    """Surveyed at those places; errors (n, 4) are of pixel x, y and of east, north."""
    errors = np.zeros((len(places), 4)) if errors is None else errors
    clicked, measured = camera.pixels(places) + errors[:, :2], places + errors[:, 2:]
    points = tuple(
        GroundPoint(pixel=(float(x), float(y)), lonlat=FRAME.to_lonlat((float(e), float(n))))
        for (x, y), (e, n) in zip(clicked, measured, strict=True)
    )
    return Camera(camera_id="cam-1", edge_id="edge-1", site_id="hca-1", name=NAME, source="drawn",
                  frame_size_px=SIZE_PX, ground_points=points, lens=lens)  # fmt: skip


def located(ground: Ground, pixel: Array) -> GroundFix | NoFix:
    x, y = float(pixel[0]), float(pixel[1])
    return ground.locate((x - 5, y - 40, x + 5, y), "unknown", SIZE_PX)


def errors_m(ground: Ground, camera: LensCamera, places: Array) -> list[float]:
    """How far from the truth those places are put that get a fix."""
    fixes = [located(ground, pixel) for pixel in camera.pixels(places)]
    return [
        math.dist(FRAME.to_en_m(fix.lonlat), place)
        for fix, place in zip(fixes, places, strict=True)
        if isinstance(fix, GroundFix)
    ]


@settings(max_examples=60, deadline=None)
@given(COEFFICIENTS, IN_PICTURE)
def test_every_pixel_of_the_picture_has_a_way_back(
    coefficients: tuple[float, float], at_px: tuple[float, float]
) -> None:
    """Through an estimated lens and back is the same pixel, or the lens says that it can't be followed."""
    lens = Distortion.of(SIZE_PX, None)[0].with_coefficients(np.array(coefficients))
    straight, _, _ = lens.ideal(np.array([at_px]))
    assume(np.isfinite(straight).all())
    assert lens.picture(straight)[0] == pytest.approx(at_px, abs=1e-3)


@settings(max_examples=60, deadline=None)
@given(COEFFICIENTS, IN_PICTURE, st.booleans())
def test_the_slopes_of_a_lens_are_those_of_its_curve(
    coefficients: tuple[float, float], at_px: tuple[float, float], calibrated: bool
) -> None:
    """Derivatives by pixel and by coefficients are the differences of neighbours: the stated error rests on them."""
    lens = Distortion.of(SIZE_PX, lens_of(BOARD) if calibrated else None)[0].with_coefficients(
        np.array(coefficients)
    )
    at, step = np.array([at_px]), 1e-3
    _, by_pixel, by_coefficients = lens.ideal(at)
    assume(np.isfinite(by_pixel).all())
    for axis in range(2):
        move = np.eye(2)[axis]
        over_px = (lens.ideal(at + step * move)[0] - lens.ideal(at - step * move)[0])[0] / (2 * step)
        more, less = (
            lens.with_coefficients(lens.coefficients + sign * 1e-5 * move).ideal(at)[0] for sign in (1, -1)
        )
        assume(np.isfinite([over_px, more[0], less[0]]).all())
        assert by_pixel[0, :, axis] == pytest.approx(over_px, rel=1e-3, abs=1e-3)
        assert by_coefficients[0, :, axis] == pytest.approx((more - less)[0] / 2e-5, rel=1e-2, abs=0.5)


@settings(max_examples=40, deadline=None)
@given(st.floats(-0.35, 0.1), st.floats(0.6, 1.2), IN_PICTURE)
def test_a_calibrated_lens_is_opencvs(k1: float, share: float, at_px: tuple[float, float]) -> None:
    """The numbers of an OpenCV calibration mean here what they mean there."""
    k2, f_px = (k1**2 * share if k1 < 0 else 0.0), 900.0
    lens = Distortion.of(SIZE_PX, Lens(k1=k1, k2=k2, f_px=f_px))[0]
    straight, _, _ = lens.ideal(np.array([at_px]))
    assume(np.isfinite(straight).all())
    middle = np.array(SIZE_PX) / 2
    ray = np.append((straight[0] - middle) / f_px, 1.0)
    matrix = np.array([[f_px, 0, middle[0]], [0, f_px, middle[1]], [0, 0, 1.0]])
    seen, _ = cv2.projectPoints(
        ray.reshape(1, 1, 3), np.zeros(3), np.zeros(3), matrix, np.array([k1, k2, 0.0, 0.0])
    )
    assert seen.ravel() == pytest.approx(at_px, abs=1e-2)


def test_beyond_its_fold_a_lens_shows_nothing() -> None:
    """k1 alone folds the picture: behind the fold there is no direction, and never a plausible one."""
    fold = 2 / 3 * math.sqrt(1 / (3 * 0.35))  # where r (1 - 0.35 r²) stops growing
    seen = np.array([0.9 * fold, 1.01 * fold])
    straight, _ = Brown(-0.35, 0.0).straighten(seen)
    assert np.isfinite(straight).tolist() == [True, False]


def test_a_foot_beyond_the_lens_is_named() -> None:
    """Between surveyed points, but where the configured lens has no way back: no ground fix, with that reason."""
    places = np.array([(-3.0, 18.0), (3.0, 18.0), (-10.0, 40.0), (10.0, 40.0)])
    camera = LensCamera(height_m=8.0, tilt_deg=20.0, hfov_deg=50.0)
    folding = Lens(k1=-0.35, f_px=1500.0)  # folds 977 px from the axis
    ground = Ground(configured(camera, places, folding))
    assert located(ground, np.array([960.0, 700.0])) is not NoFix.BEYOND_LENS
    assert located(ground, np.array([1.0, 1060.0])) is NoFix.BEYOND_LENS


def test_a_calibrated_lens_is_believed() -> None:
    """With the true lens four exact points give the place; with a straight one they are metres off."""
    rng = np.random.default_rng(1)
    places, people = survey(BOARD, rng, 4), seen_places(BOARD, rng, 40)
    assert max(errors_m(Ground(configured(BOARD, places, lens_of(BOARD))), BOARD, people)) < 0.05
    straight = Lens(k1=0.0, f_px=BOARD.focal_px)
    assert max(errors_m(Ground(configured(BOARD, places, straight)), BOARD, people)) > 2.0


def test_ten_points_tell_what_the_lens_is() -> None:
    """Nobody gave the lens; ten points do, where a plain homography stays metres off."""
    rng = np.random.default_rng(2)
    places, people = survey(BOARD, rng, 10), seen_places(BOARD, rng, 60)
    found = errors_m(Ground(configured(BOARD, places)), BOARD, people)
    plain = errors_m(Ground(configured(BOARD, places, Lens(k1=0.0, f_px=BOARD.focal_px))), BOARD, people)
    assert np.median(found) < 0.2
    assert np.quantile(found, 0.95) < 0.6 * np.quantile(plain, 0.95)


def test_four_points_state_that_the_lens_is_unknown() -> None:
    """The same four points: the stated error is larger without a lens than with a calibrated one, and true."""
    places = np.array([(-8.0, 10.0), (8.0, 10.0), (-25.0, 45.0), (25.0, 45.0)])
    middle = BOARD.pixels(np.array([[0.0, 20.0]]))[0]
    unknown = located(Ground(configured(BOARD, places)), middle)
    known = located(Ground(configured(BOARD, places, lens_of(BOARD))), middle)
    assert isinstance(unknown, GroundFix)
    assert isinstance(known, GroundFix)
    assert unknown.accuracy_m > 1.5 * known.accuracy_m
    assert math.dist(FRAME.to_en_m(unknown.lonlat), (0.0, 20.0)) < 2 * unknown.accuracy_m


@pytest.mark.parametrize(("points", "least", "most"), [(4, 0.68, 0.92), (6, 0.60, 0.80), (10, 0.60, 0.80)])
def test_the_stated_error_is_honest_whatever_the_lens(points: int, least: float, most: float) -> None:
    """Errors of survey, clicks and boxes through any lens: 68 % inside the stated radius; four points are cautious."""
    rng, inside = np.random.default_rng(points), []
    for _ in range(40):
        camera = a_camera(rng)
        errors = rng.normal(0.0, 1.0, (points, 4)) * [1.0, 1.0, 0.1, 0.1]
        ground = Ground(configured(camera, survey(camera, rng, points), errors=errors))
        places = seen_places(camera, rng, 15)
        for place, pixel in zip(places, camera.pixels(places), strict=True):
            fix = located(ground, pixel + rng.normal(0.0, 2.8, 2))
            if isinstance(fix, GroundFix):
                inside.append(math.dist(FRAME.to_en_m(fix.lonlat), place) <= fix.accuracy_m)
    assert len(inside) > 350
    assert least <= np.mean(inside) <= most


def test_points_that_disagree_state_a_larger_error() -> None:
    """A survey ten times worse than it says (a slope, wrong posts) widens the stated error by itself."""
    rng = np.random.default_rng(5)
    places, pixel = survey(BOARD, rng, 10), BOARD.pixels(np.array([[0.0, 25.0]]))[0]
    good = located(Ground(configured(BOARD, places)), pixel)
    bad = located(Ground(configured(BOARD, places, errors=rng.normal(0, 1.0, (10, 4)) * [0, 0, 1, 1])), pixel)
    assert isinstance(good, GroundFix)
    assert isinstance(bad, GroundFix)
    assert bad.accuracy_m > 1.2 * good.accuracy_m


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(4, 12), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_a_fix_is_below_the_horizon_with_a_true_covariance(
    seed: int, points: int, x: float, y: float
) -> None:
    """Any camera, any pixel: a fix has a positive covariance, comes back to its pixel, and never lies in the sky."""
    rng = np.random.default_rng(seed)
    camera = a_camera(rng)
    try:
        ground = Ground(configured(camera, survey(camera, rng, points)))
    except CalibrationVoid:  # three of four so nearly on a line that an unknown lens may bend them over it
        assert points == 4
        return
    at_px = np.array([x * SIZE_PX[0], y * SIZE_PX[1]])
    fix = located(ground, at_px)
    if not isinstance(fix, GroundFix):
        return
    xx, xy, yy = fix.cov_m2
    assert xx > 0
    assert xx * yy - xy * xy > 0
    assert isinstance(ground.plane, Homography)
    assert ground.plane.scale_w(*at_px) > HORIZON_W
    assert ground.plane.pixels(np.array([[fix.east_m, fix.north_m]]))[0] == pytest.approx(at_px, abs=0.05)


def test_the_seen_range_follows_the_lens() -> None:
    """The centreline is seen as far as the real, bent picture shows it."""
    camera = LensCamera(height_m=10.0, tilt_deg=25.0, hfov_deg=90.0, k1=-0.3, k2=0.09, azimuth_deg=180.0)
    # the line runs along north 0 of the town's frame; the camera stands at its origin, so it looks from 20 m north
    shift = np.array([0.0, 20.0])
    places = seen_places(camera, np.random.default_rng(3), 200)
    pixels = camera.pixels(places)
    order = [int(np.argmin(np.hypot(*(pixels - corner).T))) for corner in
             ((0, 1080), (1920, 1080), (0, 300), (1920, 300), (960, 1080), (960, 400), (300, 700), (1600, 700))]  # fmt: skip
    chosen = places[sorted(set(order))]
    base = configured(camera, chosen, lens_of(camera))
    points = tuple(
        GroundPoint(pixel=p.pixel, lonlat=FRAME.to_lonlat((float(e), float(n))))
        for p, (e, n) in zip(base.ground_points, chosen + shift, strict=True)
    )
    moved = Camera(camera_id="c", edge_id="e", site_id="s", name=NAME, source="drawn", frame_size_px=SIZE_PX,
                   ground_points=points, lens=lens_of(camera))  # fmt: skip
    ((from_m, to_m),) = Ground(moved).seen_ranges(Centreline.of(pipeline().centreline), SIZE_PX)
    chainages = np.arange(440.0, 561.0)
    at = camera.pixels(np.column_stack([chainages - 500.0, np.full(len(chainages), -20.0)]))
    inside = chainages[camera.in_picture(at)]
    assert (from_m, to_m) == (pytest.approx(inside[0], abs=1.5), pytest.approx(inside[-1], abs=1.5))
