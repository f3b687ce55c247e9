"""A wrong metre here sends an officer to the wrong place, or nobody at all."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from monitor.domain.geometry import Centreline, LocalFrame, format_chainage, probability_within

_GEOD = Geod(ellps="WGS84")
_lonlat = st.tuples(st.floats(73, 135), st.floats(18, 53))


@given(origin=_lonlat, azimuth=st.floats(0, 360), distance_m=st.floats(0, 1000))
def test_plane_agrees_with_geodesics(origin: tuple[float, float], azimuth: float, distance_m: float) -> None:
    """Within 1 km the tangent plane is within 12 cm of the geodesic (independent: GeographicLib in PROJ)."""
    lon, lat, _ = _GEOD.fwd(*origin, azimuth, distance_m)
    east, north = LocalFrame(origin).to_en_m((lon, lat))
    assert math.hypot(east, north) == pytest.approx(distance_m, abs=0.12)


@given(origin=_lonlat, east=st.floats(-1000, 1000), north=st.floats(-1000, 1000))
def test_plane_round_trip(origin: tuple[float, float], east: float, north: float) -> None:
    """Metres to degrees and back give the same metres."""
    frame = LocalFrame(origin)
    assert frame.to_en_m(frame.to_lonlat((east, north))) == pytest.approx((east, north), abs=1e-6)


def test_offset_is_positive_to_the_right() -> None:
    """Going north, east is right; 1 mm accuracy by the geodesic."""
    line = Centreline.of(((121.6, 29.9), (121.6, 29.92)), origin_chainage_m=1000.0)
    lon, lat, _ = _GEOD.fwd(121.6, 29.91, 90.0, 7.0)
    beside = line.locate((lon, lat))
    assert beside.offset_m == pytest.approx(7.0, abs=1e-3)
    assert beside.chainage_m == pytest.approx(1000.0 + _GEOD.inv(121.6, 29.9, 121.6, 29.91)[2], abs=0.01)
    lon, lat, _ = _GEOD.fwd(121.6, 29.91, 270.0, 7.0)
    assert line.locate((lon, lat)).offset_m == pytest.approx(-7.0, abs=1e-3)


def test_at_and_locate_are_inverse_on_a_bent_line() -> None:
    """The point at a chainage is found at that chainage again, across bends."""
    line = Centreline.of(((121.6, 29.9), (121.62, 29.91), (121.61, 29.93), (121.65, 29.95)))
    for chainage_m in (0.0, 500.0, 2000.0, 3500.0, line.chainages_m[-1]):
        beside = line.locate(line.at(chainage_m))
        assert beside.chainage_m == pytest.approx(chainage_m, abs=0.05)
        assert abs(beside.offset_m) < 0.05


def test_a_line_of_one_point_is_refused() -> None:
    """One vertex has no direction."""
    with pytest.raises(ValueError, match="at least 2"):
        Centreline.of(((121.6, 29.9),))


@pytest.mark.parametrize(
    ("offset_m", "sigma_m", "expected"),
    [
        (6.0, 0.0, 1.0),
        (6.01, 0.0, 0.0),
        (6.0, 1.0, 0.5),
        (0.0, 1.0, 1.0),
        (-6.0, 1.0, 0.5),
        (7.0, 1.0, 0.1587),
    ],
)
def test_probability_at_the_border_of_the_band(offset_m: float, sigma_m: float, expected: float) -> None:
    """Band 5 m, reach 1 m: the border is at 6 m; values of the normal distribution's table."""
    got = probability_within(offset_m=offset_m, reach_m=1.0, sigma_m=sigma_m, band_m=5.0)
    assert got == pytest.approx(expected, abs=1e-4)


@given(offset_m=st.floats(0, 300), sigma_m=st.floats(0.01, 30), reach_m=st.floats(0, 4))
def test_probability_falls_with_distance_and_lies_between_0_and_1(
    offset_m: float, sigma_m: float, reach_m: float
) -> None:
    """Further away is never likelier within."""
    near = probability_within(offset_m=offset_m, reach_m=reach_m, sigma_m=sigma_m, band_m=5.0)
    far = probability_within(offset_m=offset_m + 1.0, reach_m=reach_m, sigma_m=sigma_m, band_m=5.0)
    assert 0.0 <= far <= near + 1e-12 <= 1.0 + 1e-12


def test_chainage_is_written_as_the_field_does() -> None:
    """12345.6 m is K12+346."""
    assert format_chainage(12_345.6) == "K12+346"
    assert format_chainage(999.7) == "K1+000"
