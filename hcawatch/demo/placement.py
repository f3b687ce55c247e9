"""Puts the rendered site beside the made-up city's pipeline, so that map and picture tell the same.

The renderer works in its own east-north metres; here its centreline is laid onto a straight stretch of a
real centreline of the configuration. Pure: a rotation and a shift, kept as one value. Distances and so
all truths of the rendering stay what they were.
"""

import math

import msgspec

from monitor.domain.assets import LonLat
from monitor.domain.geometry import Centreline, EastNorth, LocalFrame


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """Scene east-north metres -> lon/lat: turn about `pivot_m`, then put the pivot at `anchor`."""

    pivot_m: EastNorth
    anchor: LonLat
    turn_rad: float

    def to_lonlat(self, point_m: EastNorth) -> LonLat:
        """A point of the scene on the Earth."""
        x, y = point_m[0] - self.pivot_m[0], point_m[1] - self.pivot_m[1]
        c, s = math.cos(self.turn_rad), math.sin(self.turn_rad)
        return LocalFrame(self.anchor).to_lonlat((c * x - s * y, s * x + c * y))


def place(scene_line_m: tuple[EastNorth, EastNorth], city_line: Centreline, chainage_m: float) -> Placement:
    """Lay the scene's centreline (two points, in its direction) onto the city's at `chainage_m`.

    The middle of the scene's line comes to lie at the chainage, its direction along the pipeline's.
    """
    (ax, ay), (bx, by) = scene_line_m
    anchor = city_line.at(chainage_m)
    ahead = LocalFrame(anchor).to_en_m(city_line.at(chainage_m + 50.0))
    behind = LocalFrame(anchor).to_en_m(city_line.at(chainage_m - 50.0))
    wanted = math.atan2(ahead[1] - behind[1], ahead[0] - behind[0])
    return Placement(
        pivot_m=((ax + bx) / 2, (ay + by) / 2), anchor=anchor, turn_rad=wanted - math.atan2(by - ay, bx - ax)
    )
