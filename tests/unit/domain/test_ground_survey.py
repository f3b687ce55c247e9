"""What a survey is worth, judged by cameras whose truth is known: refusals by name, the guilty point, the bands."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edge.ground import Ground
from monitor.domain.assets import Camera, GroundPoint
from monitor.domain.geometry import Centreline
from monitor.domain.ground.errors import Refusal
from monitor.domain.ground.fix import CameraGround
from monitor.domain.ground.homography import Homography
from monitor.domain.ground.overlay import Line
from monitor.domain.ground.places import FAR_M, PlaceFault, Typed, read_place
from monitor.domain.ground.survey import Trial, try_survey
from tests.doubles.edge_things import FRAME, ORIGIN, Pinhole, pipeline
from tests.doubles.lens_camera import SIZE_PX, a_camera, survey

HOLE = Pinhole(height_m=8.0)
LINE = Centreline.of(pipeline().centreline)
CORNERS = [(-15.0, -12.0), (15.0, -12.0), (-20.0, 25.0), (20.0, 25.0)]
MORE = [*CORNERS, (0.0, 5.0), (8.0, 0.0), (-9.0, 14.0)]


def tried(points: list[tuple[float, float]], **changes: object) -> Trial:
    return try_survey(HOLE.camera(points, **{"lens": None, **changes}), LINE)


def shifted(camera: Camera, which: int, east_m: float) -> Camera:
    """One point's place is off by so many metres."""
    points = list(camera.ground_points)
    east, north = FRAME.to_en_m(points[which].lonlat)
    points[which] = GroundPoint(pixel=points[which].pixel, lonlat=FRAME.to_lonlat((east + east_m, north)))
    return msgspec.structs.replace(camera, ground_points=tuple(points))


@pytest.mark.parametrize(
    ("points", "why", "guilty"),
    [
        (CORNERS[:3], Refusal.TOO_FEW, ()),
        (CORNERS[:1], Refusal.TOO_FEW, ()),
        ([(-15.0, 0.0), (0.0, 0.0), (15.0, 0.0), (7.0, 0.0)], Refusal.ONE_LINE_PICTURE, ()),
        ([(-15.0, 0.0), (0.0, 0.0), (15.0, 0.0), (0.0, 20.0)], Refusal.ONE_LINE_PICTURE, ()),
        ([*CORNERS[:3], CORNERS[0]], Refusal.SAME, (0, 3)),
    ],
)  # fmt: skip
def test_what_gives_no_plane_is_named(
    points: list[tuple[float, float]], why: Refusal, guilty: tuple[int, ...]
) -> None:
    """Too few, on one line (all, or all but one), the same twice: each by its name, with the points it is about."""
    found = tried(points)
    assert (found.refused, found.guilty, found.lines) == (why, guilty, ())


def test_points_on_one_line_of_the_ground_are_named_though_the_picture_shows_none() -> None:
    """A slip while typing: different pixels, places in one row."""
    camera = HOLE.camera(CORNERS, lens=None)
    row = tuple(
        GroundPoint(pixel=point.pixel, lonlat=FRAME.to_lonlat((10.0 * i, 3.0 * i)))
        for i, point in enumerate(camera.ground_points)
    )
    assert (
        try_survey(msgspec.structs.replace(camera, ground_points=row), LINE).refused
        is Refusal.ONE_LINE_GROUND
    )


def test_exchanged_places_are_no_plane() -> None:
    """Two of four places exchanged: nobody can say which two, but that there is no such ground."""
    points = list(HOLE.camera(CORNERS).ground_points)
    swapped = (
        points[0], points[1],
        GroundPoint(pixel=points[2].pixel, lonlat=points[3].lonlat), GroundPoint(pixel=points[3].pixel, lonlat=points[2].lonlat),
    )  # fmt: skip
    assert try_survey(HOLE.camera(ground_points=swapped, lens=None), LINE).refused is Refusal.NO_PLANE


@pytest.mark.parametrize("which", range(len(MORE)))
def test_the_point_that_contradicts_the_others_is_found(which: int) -> None:
    """Whichever of seven is off is the one that is named: by three metres in a note at least, by six it is refused."""
    slip = try_survey(shifted(HOLE.camera(MORE, lens=None), which, 3.0), LINE)
    assert (slip.strained, slip.guilty) == (True, (which,))
    found = try_survey(shifted(HOLE.camera(MORE, lens=None), which, 6.0), LINE)
    assert (found.refused, found.guilty) == (Refusal.CONTRADICT, (which,))
    assert found.lines  # it is still shown what they would give


def test_of_five_points_nobody_can_say_which_is_wrong() -> None:
    """Any four fit something: the contradiction is told, and no point is accused."""
    found = try_survey(shifted(HOLE.camera(MORE[:5]), 4, 3.0), LINE)
    assert (found.refused, found.guilty) == (Refusal.CONTRADICT, ())


def test_a_true_survey_is_hardly_ever_called_contradictory() -> None:
    """Errors as stated (0.1 m, 1 px), any lens, 5 to 8 points: of 40 surveys none is refused for contradiction."""
    rng, refused = np.random.default_rng(11), []
    for n in range(40):
        camera = a_camera(rng)
        places = survey(camera, rng, 5 + n % 4)
        pixels = camera.pixels(places) + rng.normal(0.0, 1.0, places.shape)
        measured = places + rng.normal(0.0, 0.1, places.shape)
        points = tuple(
            GroundPoint(pixel=(float(x), float(y)), lonlat=FRAME.to_lonlat((float(e), float(k))))
            for (x, y), (e, k) in zip(pixels, measured, strict=True)
        )
        plane = CameraGround(HOLE.camera(ground_points=points, lens=None, frame_size_px=SIZE_PX)).plane
        assert isinstance(plane, Homography)
        refused.append(plane.contradicts)
    assert not any(refused)


def test_four_points_check_nothing_and_five_do() -> None:
    """Residuals of four points are always nothing; that is said, rather than shown as a good survey."""
    assert not tried(CORNERS).checked
    assert tried(MORE[:5]).checked
    assert all(check.by_others_m is None for check in tried(MORE[:5]).checks)
    assert all(check.by_others_m is not None for check in tried(MORE).checks)


def test_the_bands_are_where_the_law_puts_them() -> None:
    """Each line drawn back lies on its own ground: 5 m left is 5 m north of a line that runs east."""
    found = tried(MORE)
    told = {(line.band_m, line.side): line for line in found.lines}
    assert {(0.0, "on"), (5.0, "left"), (5.0, "right"), (50.0, "left")} <= set(told)
    north_m = {("on", 0.0): 0.0, ("left", 5.0): 5.0, ("right", 5.0): -5.0, ("left", 50.0): 50.0}
    for (side, band_m), truth_m in north_m.items():
        for x_px, y_px in exact_points(told[(band_m, side)]):
            assert on_ground(x_px, y_px)[1] == pytest.approx(truth_m, abs=0.02 * (30 + band_m))


def exact_points(line: Line) -> list[tuple[float, float]]:
    return [point for part in line.parts if part.exact for point in part.points_px]


def on_ground(x_px: float, y_px: float) -> tuple[float, float]:
    """By the pinhole itself."""
    ray = HOLE.rotation.T @ np.array([(x_px - 640) / HOLE.focal_px, (y_px - 360) / HOLE.focal_px, 1.0])
    at = HOLE.position - ray * HOLE.position[2] / ray[2]
    return float(at[0]), float(at[1])


def test_nothing_is_drawn_in_the_sky_or_as_exact_outside_the_survey() -> None:
    """With the horizon in the picture, a line that runs away from the camera ends below it, and is dashed where nothing was surveyed."""
    hole = Pinhole(height_m=8.0, pitch_deg=8.0)
    away = Centreline.of((FRAME.to_lonlat((3.0, -200.0)), FRAME.to_lonlat((3.0, 900.0))))
    found = try_survey(hole.camera(CORNERS, lens=None), away)
    horizon_px = 360 - 900 * math.tan(math.radians(8.0))
    drawn = [(part.exact, point) for line in found.lines for part in line.parts for point in part.points_px]
    assert drawn
    assert min(y for _, (_, y) in drawn) > horizon_px
    assert all(0 <= x <= 1280 and 0 <= y <= 720 for _, (x, y) in drawn)
    assert {exact for exact, _ in drawn} == {True, False}


def test_metres_seen_are_the_edges_own() -> None:
    """What the page promises as seen is what the edge will write into its watch records."""
    camera = HOLE.camera(MORE, lens=None)
    found = try_survey(camera, LINE)
    assert found.seen == Ground(camera).seen_ranges(LINE, (1280, 720))
    assert found.seen_m == pytest.approx(sum(b - a for a, b in found.seen))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-50, 1400), st.floats(-50, 800), st.floats(-400, 400), st.floats(-400, 400)), max_size=7),
    st.floats(0.01, 5.0),
)  # fmt: skip
def test_whatever_is_clicked_gets_an_answer(
    clicks: list[tuple[float, float, float, float]], sigma_m: float
) -> None:
    """Nonsense is refused by name or drawn; it never fails, and what is drawn lies in the picture."""
    points = tuple(GroundPoint(pixel=(x, y), lonlat=FRAME.to_lonlat((e, n))) for x, y, e, n in clicks)
    found = try_survey(HOLE.camera(ground_points=points, lens=None, survey_sigma_m=sigma_m), LINE)
    assert found.refused is not None or len(found.checks) == len(points) >= 4
    assert all(
        0 <= x <= 1280 and 0 <= y <= 720
        for line in found.lines
        for part in line.parts
        for x, y in part.points_px
    )
    assert all(math.isfinite(sure.accuracy_m) for sure in found.sure)


# ---------------------------------------------------------------- what people type


@settings(max_examples=60, deadline=None)
@given(st.floats(0.0, 1000.0), st.floats(-200.0, 200.0))
def test_chainage_and_offset_are_found_again(chainage_m: float, offset_m: float) -> None:
    """A place given along the pipeline lies there: to the centimetre, on the side that was said."""
    assume(abs(offset_m) > 0.01)
    typed = Typed(
        chainage=f"{chainage_m:.6f}",
        offset_m=f"{abs(offset_m):.6f}",
        side="right" if offset_m > 0 else "left",
    )
    place = read_place(typed, LINE, ORIGIN)
    assert not isinstance(place, PlaceFault)
    found = LINE.locate(place)
    assert found.chainage_m == pytest.approx(min(chainage_m, LINE.chainages_m[-1]), abs=0.05)
    assert found.offset_m == pytest.approx(offset_m, abs=0.05)


@pytest.mark.parametrize(
    "text",
    [
        "121.5001, 31.2",
        "121.5001 31.2",
        "[121.5001,31.2]",
        "１２１.５００１，３１.２",
        "121.5001° , 31.2°",
        "121.5001、31.2",
        "121.50010000000000123, 31.2",
    ],
)
def test_pasted_positions_are_read(text: str) -> None:
    """As maps, tables and Chinese keyboards give them."""
    assert read_place(Typed(lonlat=text), LINE) == (121.5001, 31.2)


@pytest.mark.parametrize(
    ("typed", "fault"),
    [
        (Typed(), PlaceFault.EMPTY),
        (Typed(lonlat="121,5001 31,2"), PlaceFault.UNREADABLE),
        (Typed(lonlat="1e400, 5"), PlaceFault.UNREADABLE),
        (Typed(lonlat="31.2, 121.5"), PlaceFault.SWAPPED),
        (Typed(lonlat="321.5, 31.2"), PlaceFault.OUT_OF_RANGE),
        (Typed(lonlat="121.5, 31.3"), PlaceFault.FAR),
        (Typed(chainage="K4+52"), PlaceFault.CHAINAGE_UNREADABLE),
        (Typed(chainage="K4+520"), PlaceFault.BEYOND_LINE),
        (Typed(chainage="500", offset_m="three"), PlaceFault.OFFSET_UNREADABLE),
        (Typed(chainage="500", offset_m=str(FAR_M + 1)), PlaceFault.FAR),
    ],
)  # fmt: skip
def test_what_can_not_be_a_place_is_named(typed: Typed, fault: PlaceFault) -> None:
    """Each slip has its own sentence."""
    assert read_place(typed, LINE) is fault
