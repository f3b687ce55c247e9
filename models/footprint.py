"""How much ground a thing of each class stands on, so that its near edge in a picture gives its middle.

A box's bottom edge touches the ground where the thing is nearest to the camera. Its middle lies
further away by half its depth; seen from an unknown side that is the mean over all sides of how
far a rectangle reaches from its middle, (length + width) / pi (Cauchy's mean width, halved).
Decides only that constant and that push; projecting pixels to the ground is the edge's matter.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """The rectangle on the ground under a typical thing of one class."""

    length_m: float
    width_m: float
    #: What "typical" is, for who wants to correct it.
    source: str

    @property
    def half_depth_m(self) -> float:
        """From its near edge to its middle along the line of sight, mean over all directions."""
        return (self.length_m + self.width_m) / math.pi

    @property
    def spread_m(self) -> float:
        """How far that may be off (half the range from broadside to end-on): an error to add to a position's."""
        return abs(self.length_m - self.width_m) / 4


#: Ranges that makers publish for the commonest size of each class, middle taken; fire and smoke
#: stand on nothing that has a size.
FOOTPRINTS: Final[Mapping[str, Footprint]] = MappingProxyType(
    {
        "person": Footprint(length_m=0.5, width_m=0.5, source="a standing person with room to turn"),
        "excavator": Footprint(
            length_m=4.45, width_m=3.0, source="tracks of a 20 to 23 t crawler, over the shoes"
        ),
        "truck": Footprint(
            length_m=8.0, width_m=2.5, source="three-axle dump truck; 2.5 m is the road limit"
        ),
        "crane": Footprint(
            length_m=12.0, width_m=2.75, source="four-axle mobile crane of 50 t, outriggers in"
        ),
        "loader": Footprint(length_m=6.0, width_m=2.6, source="wheel loader of 3 m³ without its bucket"),
        "drill_rig": Footprint(length_m=5.0, width_m=3.2, source="tracks of a 40 to 60 t rotary piling rig"),
        "car": Footprint(length_m=4.5, width_m=1.8, source="mid-size passenger car"),
    }
)


def centre_en_m(
    nearest_en_m: tuple[float, float], camera_en_m: tuple[float, float], class_name: str
) -> tuple[float, float]:
    """Middle of a thing's footprint, from the ground point under its box's bottom edge.

    Args:
        nearest_en_m: east and north of the ground under the middle of the box's bottom edge.
        camera_en_m: east and north of the camera.
        class_name: a class without a footprint is not pushed.
    """
    footprint = FOOTPRINTS.get(class_name)
    east, north = nearest_en_m[0] - camera_en_m[0], nearest_en_m[1] - camera_en_m[1]
    away_m = math.hypot(east, north)
    if footprint is None or away_m == 0:
        return nearest_en_m
    stretch = 1 + footprint.half_depth_m / away_m
    return camera_en_m[0] + east * stretch, camera_en_m[1] + north * stretch
