"""If the scene were laid beside the pipeline with an error, the demo's place_error_m would be a lie."""

import math

from hypothesis import given
from hypothesis import strategies as st

from hcawatch.demo.placement import place
from monitor.domain.geometry import Centreline

_LINE = Centreline.of(((121.60, 29.90), (121.70, 29.95)), origin_chainage_m=12_000.0)


@given(
    along_m=st.floats(-40, 40),
    across_m=st.floats(-60, 60),
    heading_deg=st.floats(0, 360),
    shift_m=st.floats(-500, 500),
)
def test_a_point_keeps_its_place_beside_the_line(
    along_m: float, across_m: float, heading_deg: float, shift_m: float
) -> None:
    """What is 3 m right of the line in the scene is 3 m right of the pipeline on the map."""
    h = math.radians(heading_deg)
    direction, right = (math.sin(h), math.cos(h)), (math.cos(h), -math.sin(h))
    middle = (shift_m, -shift_m)
    line = (
        (middle[0] - 50 * direction[0], middle[1] - 50 * direction[1]),
        (middle[0] + 50 * direction[0], middle[1] + 50 * direction[1]),
    )
    point = (
        middle[0] + along_m * direction[0] + across_m * right[0],
        middle[1] + along_m * direction[1] + across_m * right[1],
    )

    beside = _LINE.locate(place(line, _LINE, 14_000.0).to_lonlat(point))

    assert math.isclose(beside.chainage_m, 14_000.0 + along_m, abs_tol=0.02)
    assert math.isclose(beside.offset_m, across_m, abs_tol=0.02)
