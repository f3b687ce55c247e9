"""What maps draw."""

from typing import Any

import pytest
from pyproj import Geod

from monitor.web import geo
from tests.doubles.web_town import CITY

WGS84 = Geod(ellps="WGS84")
ON_A = (121.4380, 31.2062)


def alert(**changes: Any) -> dict[str, Any]:
    return {
        "lon": ON_A[0],
        "lat": ON_A[1],
        "accuracy_m": 0.6,
        "camera_id": "old-town",
        "level": "I",
        **changes,
    }


def of_kind(features: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [f for f in features["features"] if f["properties"]["kind"] == kind]


def test_the_sigma_circle_has_its_radius_on_the_ground() -> None:
    """Measured by geodesics, independent of the plane that drew it."""
    ring = geo.circle(ON_A, 25.0)["coordinates"][0]
    assert ring[0] == ring[-1]
    for lon, lat in ring:
        assert WGS84.inv(*ON_A, lon, lat)[2] == pytest.approx(25.0, abs=0.01)


def test_bands_lie_at_the_laws_distances_from_the_line() -> None:
    """Every corner of the 5, 50 and 200 m bands is that far from the centreline."""
    drawn = of_kind(geo.around(alert(), CITY), "band")
    assert [f["properties"]["band_m"] for f in drawn] == [200.0, 50.0, 5.0]
    line = geo.centrelines(CITY)["a"]
    for band in drawn:
        for lon, lat in band["geometry"]["coordinates"][0]:
            distance_m = abs(line.locate((lon, lat)).offset_m)
            assert distance_m <= band["properties"]["band_m"] + 0.05
        farthest = max(
            abs(line.locate((lon, lat)).offset_m) for lon, lat in band["geometry"]["coordinates"][0]
        )
        assert farthest == pytest.approx(band["properties"]["band_m"], abs=0.05)


def test_without_a_fix_the_camera_stands_for_the_place_and_says_so() -> None:
    """A missing position is not guessed: no circle, and the marker names what it stands on."""
    drawn = geo.around(alert(lon=None, lat=None, accuracy_m=None), CITY)
    assert of_kind(drawn, "place")[0]["properties"]["placed_by"] == "camera"
    assert of_kind(drawn, "sigma") == []
    unsurveyed = geo.around(alert(lon=None, lat=None, camera_id="school"), CITY)
    assert of_kind(unsurveyed, "place")[0]["properties"]["placed_by"] == "site"


def test_what_has_no_place_at_all_is_not_drawn() -> None:
    """An alert about an edge has no point on the map."""
    assert geo.around(alert(lon=None, lat=None, camera_id=None), CITY)["features"] == []


def test_hcas_are_cut_out_of_their_pipeline() -> None:
    """The highlighted stretch begins and ends at the HCA's chainages."""
    lines = geo.centrelines(CITY)
    for drawn in [f for f in geo.assets(CITY) if f["properties"]["kind"] == "hca"]:
        properties = drawn["properties"]
        first, last = drawn["geometry"]["coordinates"][0], drawn["geometry"]["coordinates"][-1]
        line = lines[properties["pipeline_id"]]
        assert line.locate(tuple(first)).chainage_m == pytest.approx(properties["from_m"], abs=0.5)
        assert line.locate(tuple(last)).chainage_m == pytest.approx(properties["to_m"], abs=0.5)


def test_the_gauge_keeps_order_and_side() -> None:
    """Nearer is nearer to the middle, left is left, and nothing leaves the drawing."""
    offsets = [-1000, -300, -200, -50, -5, -1, 0, 1, 5, 50, 200, 300, 1000]
    places = [geo.gauge_x(offset) for offset in offsets]
    assert places == sorted(places)
    assert places[0] == -1.0
    assert places[-1] == 1.0
    assert geo.gauge_x(-7.0) == -geo.gauge_x(7.0)
