"""A mast's ground against cameras that OpenCV draws: where things are, how sure, and where nobody can say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.ground import Ground
from monitor.domain.assets import Camera, Lens, LonLat, Mast
from monitor.domain.events import NoFix
from monitor.domain.geometry import Centreline, LocalFrame
from monitor.domain.ground.errors import CalibrationVoid, Refusal
from monitor.domain.ground.fix import CameraGround, GroundFix
from tests.doubles.lens_camera import SIZE_PX, LensCamera, a_camera, seen_places

FOOT: LonLat = (121.5, 31.2)
FRAME = LocalFrame(FOOT)
EXACT = {"height_sigma_m": 1e-6, "pan_sigma_deg": 1e-6, "tilt_sigma_deg": 1e-6, "roll_sigma_deg": 1e-6,
         "hfov_sigma_deg": 1e-6, "position_sigma_m": 1e-6}  # fmt: skip
PLAIN = LensCamera(height_m=8.0, tilt_deg=14.0, azimuth_deg=131.0, hfov_deg=58.0)
SEEDS = st.integers(0, 10_000)


def on_mast(
    camera: LensCamera, *, off: dict[str, float] | None = None, position: LonLat = FOOT, **sigmas: float
) -> Camera:
    """As somebody configures that camera; `off` is added to what is true."""
    true = {"height_m": camera.height_m, "pan_deg": camera.azimuth_deg, "tilt_deg": camera.tilt_deg,
            "roll_deg": camera.roll_deg, "hfov_deg": camera.hfov_deg}  # fmt: skip
    said = {name: value + (off or {}).get(name, 0.0) for name, value in true.items()}
    lens = Lens(k1=camera.k1, k2=camera.k2, f_px=camera.focal_px, cx=camera.axis_px[0], cy=camera.axis_px[1])
    return Camera(camera_id="c", edge_id="e", site_id="s", name={}, source="drawn", frame_size_px=SIZE_PX,
                  lens=lens, position=position, mast=Mast(**said, **sigmas))  # fmt: skip


def place(fix: GroundFix | NoFix) -> tuple[float, float]:
    assert isinstance(fix, GroundFix), fix
    return FRAME.to_en_m(fix.lonlat)


def centred(camera: LensCamera) -> LensCamera:
    """With its optical axis in the picture's middle: the angle of view is then half to each side."""
    return LensCamera(height_m=camera.height_m, tilt_deg=camera.tilt_deg, azimuth_deg=camera.azimuth_deg,
                      roll_deg=camera.roll_deg, hfov_deg=camera.hfov_deg, k1=camera.k1, k2=camera.k2)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_what_was_measured_exactly_is_placed_exactly(seed: int) -> None:
    """Pan, tilt, roll, height and angle of view mean what OpenCV's camera means by them, for any lens."""
    rng = np.random.default_rng(seed)
    camera = centred(a_camera(rng))
    ground = CameraGround(on_mast(camera, **EXACT))
    places = seen_places(camera, rng, 12)
    for truth, (x_px, y_px) in zip(places, camera.pixels(places), strict=True):
        found = ground.at(float(x_px), float(y_px))
        assert math.dist(place(found), truth) < 0.02 + 2e-3 * math.hypot(*truth)


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_there_and_back_is_the_same_pixel_and_never_in_the_sky(seed: int) -> None:
    """Any pixel that gets a place comes back to itself; whatever lies on the ground never appears above the horizon."""
    rng = np.random.default_rng(seed)
    camera = a_camera(rng)
    ground = CameraGround(on_mast(camera))
    for x_px, y_px in rng.uniform(0, SIZE_PX, (20, 2)):
        fix = ground.at(float(x_px), float(y_px))
        if isinstance(fix, GroundFix):
            back = ground.plane.pixels(np.array([[fix.east_m, fix.north_m]]))[0]
            assert back == pytest.approx((x_px, y_px), abs=0.05)
            xx, xy, yy = fix.cov_m2
            assert xx > 0
            assert xx * yy - xy * xy > 0
    anywhere = ground.plane.pixels(rng.uniform(-3000.0, 3000.0, (200, 2)))
    shown = anywhere[np.isfinite(anywhere).all(axis=1)]
    inside = shown[camera.in_picture(shown)]
    # the plane never trusts what it can't place, so nothing of that is drawn as exact
    assert all(
        isinstance(ground.at(*map(float, pixel)), GroundFix) for pixel in inside[ground.plane.trusted(inside)]
    )


def test_a_phone_measured_mast_states_an_honest_error() -> None:
    """Values off by the errors that the configuration takes for granted: 68 % inside the stated radius."""
    rng, inside = np.random.default_rng(4), []
    for _ in range(150):
        camera = centred(a_camera(rng))
        shipped = Mast(height_m=1.0, pan_deg=0.0, tilt_deg=0.0, hfov_deg=1.0)
        off = {name: rng.normal(0.0, getattr(shipped, name.replace("_", "_sigma_"))) for name in
               ("height_m", "pan_deg", "tilt_deg", "roll_deg", "hfov_deg")}  # fmt: skip
        east_m, north_m = rng.normal(0.0, shipped.position_sigma_m, 2)
        ground = Ground(on_mast(camera, off=off, position=FRAME.to_lonlat((east_m, north_m))))
        places = seen_places(camera, rng, 20)[:5]
        for truth, (x, y) in zip(
            places, camera.pixels(places) + rng.normal(0.0, 2.8, (len(places), 2)), strict=True
        ):
            fix = ground.locate((x - 5, y - 40, x + 5, y), "unknown", SIZE_PX)
            if isinstance(fix, GroundFix):
                inside.append(math.dist(place(fix), truth) <= fix.accuracy_m)
    assert len(inside) > 500
    assert 0.58 <= np.mean(inside) <= 0.78


@pytest.mark.parametrize(
    ("name", "sigma", "metres"),
    [("tilt", "tilt_sigma_deg", 5.4), ("pan", "pan_sigma_deg", 0.87), ("height", "height_sigma_m", 6.25),
     ("position", "position_sigma_m", 1.5151)],
)  # fmt: skip
def test_each_error_costs_what_geometry_says(name: str, sigma: str, metres: float) -> None:
    """One degree or metre of one value, all others exact, at 50 m from a mast of 8 m: worked by hand."""
    # tilt: (d² + h²) / h per radian; pan: d; height: d / h; position: round, so 1.515 sigma
    by_hand = {
        "tilt": math.radians(1) * (50**2 + 8**2) / 8,
        "pan": math.radians(1) * 50,
        "height": 50 / 8,
        "position": 1.5151,
    }
    camera = LensCamera(height_m=8.0, tilt_deg=math.degrees(math.atan2(8.0, 50.0)), hfov_deg=58.0)
    ground = CameraGround(on_mast(camera, **{**EXACT, sigma: 1.0}))
    fix = ground.at(SIZE_PX[0] / 2, SIZE_PX[1] / 2)
    assert isinstance(fix, GroundFix)
    assert fix.accuracy_m == pytest.approx(by_hand[name], rel=0.04)
    assert by_hand[name] == pytest.approx(metres, rel=0.05)


def test_near_the_horizon_there_is_no_place() -> None:
    """Where half a degree of tilt may put it on either side of the horizon, the answer is no guess."""
    ground = CameraGround(on_mast(PLAIN, **{**EXACT, "tilt_sigma_deg": 0.5}))

    def at_depression(deg: float) -> GroundFix | NoFix:
        return ground.at(
            SIZE_PX[0] / 2, SIZE_PX[1] / 2 - PLAIN.focal_px * math.tan(math.radians(PLAIN.tilt_deg - deg))
        )

    assert at_depression(-1.0) is NoFix.ABOVE_HORIZON
    assert at_depression(0.0) is NoFix.ABOVE_HORIZON
    assert at_depression(2.3) is NoFix.ABOVE_HORIZON
    assert isinstance(at_depression(2.8), GroundFix)


def test_the_metres_of_centreline_that_a_mast_sees() -> None:
    """Sixty metres ahead and across: as wide as the angle of view there, and never behind the camera."""
    camera = LensCamera(height_m=8.0, tilt_deg=10.0, azimuth_deg=0.0, hfov_deg=60.0)
    ground = CameraGround(on_mast(camera))
    ahead = Centreline.of((FRAME.to_lonlat((-300.0, 60.0)), FRAME.to_lonlat((300.0, 60.0))))
    ((from_m, to_m),) = ground.seen_ranges(ahead, SIZE_PX)
    slant_m = math.hypot(60.0, 8.0) * math.cos(math.radians(10.0) - math.atan2(8.0, 60.0))
    assert to_m - from_m == pytest.approx(2 * slant_m * math.tan(math.radians(30.0)), abs=2.5)
    behind = Centreline.of((FRAME.to_lonlat((-300.0, -60.0)), FRAME.to_lonlat((300.0, -60.0))))
    assert ground.seen_ranges(behind, SIZE_PX) == ()


def test_a_mast_that_looks_at_the_sky_or_stands_nowhere_is_refused() -> None:
    """Named, instead of a plane that gives nothing or nonsense."""
    with pytest.raises(CalibrationVoid) as sky:
        CameraGround(on_mast(LensCamera(height_m=8.0, tilt_deg=0.0, hfov_deg=5.0)))
    assert sky.value.why is Refusal.SKYWARD
    nowhere = on_mast(PLAIN)
    with pytest.raises(CalibrationVoid) as lost:
        CameraGround(Camera(camera_id="c", edge_id="e", site_id="s", name={}, source="x", mast=nowhere.mast))
    assert lost.value.why is Refusal.NO_POSITION
