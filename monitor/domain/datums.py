"""Positions as map apps of the Chinese mainland want them: GCJ-02, a shifted WGS84. Pure.

We keep WGS84 only; what leaves into such an app is shifted here, at the rim, and says so. The formula is the one
that open map libraries share (none is published by the authority); it agrees with them to centimetres, and the apps
themselves are no survey: for navigation, never for evidence.
"""

import math
from typing import Final

from monitor.domain.assets import LonLat

#: Krasovsky 1940, as the formula uses it
_A_M: Final = 6378245.0
_EE: Final = 0.00669342162296594323
#: outside of this box nothing is shifted (degrees: west, east, south, north)
_BOX: Final = (72.004, 137.8347, 0.8293, 55.8271)


def is_shifted(point: LonLat) -> bool:
    """Whether mainland apps show this place shifted."""
    west, east, south, north = _BOX
    return west <= point[0] <= east and south <= point[1] <= north


def to_gcj02(point: LonLat) -> LonLat:
    """(lon, lat) WGS84 in degrees to GCJ-02; unchanged where nothing is shifted.

    >>> [round(x, 6) for x in to_gcj02((121.5272106, 31.1774276))]
    [121.531542, 31.175304]
    """
    if not is_shifted(point):
        return point
    lon, lat = point
    x, y = lon - 105.0, lat - 35.0
    wave = 20.0 * math.sin(6.0 * x * math.pi) + 20.0 * math.sin(2.0 * x * math.pi)
    d_lat = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * math.sqrt(abs(x))
    d_lat += (wave + 20.0 * math.sin(y * math.pi) + 40.0 * math.sin(y / 3.0 * math.pi)) * 2.0 / 3.0
    d_lat += (160.0 * math.sin(y / 12.0 * math.pi) + 320.0 * math.sin(y * math.pi / 30.0)) * 2.0 / 3.0
    d_lon = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * math.sqrt(abs(x))
    d_lon += (wave + 20.0 * math.sin(x * math.pi) + 40.0 * math.sin(x / 3.0 * math.pi)) * 2.0 / 3.0
    d_lon += (150.0 * math.sin(x / 12.0 * math.pi) + 300.0 * math.sin(x / 30.0 * math.pi)) * 2.0 / 3.0
    rad = math.radians(lat)
    magic = 1.0 - _EE * math.sin(rad) ** 2
    d_lat = math.degrees(d_lat / (_A_M * (1.0 - _EE) / (magic * math.sqrt(magic))))
    d_lon = math.degrees(d_lon / (_A_M / math.sqrt(magic) * math.cos(rad)))
    return lon + d_lon, lat + d_lat
