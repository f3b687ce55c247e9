"""A fixed pinhole camera over level ground, and the local frame's place on the Earth.

Frames of reference: `enu_m` is east, north, up in metres from the story's origin, the ground is
up = 0; `px` is pixels from the picture's top left corner, so that a picture spans 0 to its width
and pixel (0, 0) has its centre at (0.5, 0.5). Pure arithmetic; draws nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: WGS 84 (EPSG:7030): semi-major axis in metres, and first eccentricity squared.
WGS84_A_M = 6_378_137.0
WGS84_E2 = 6.694379990141e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """Where a camera stands and what it takes in; no lens distortion, no roll."""

    width_px: int = 1280
    height_px: int = 720
    #: 54 degrees across at 1280 pixels: a usual 6 mm lens on a 1/2.8 inch sensor.
    focal_px: float = 1250.0
    position_enu_m: tuple[float, float, float] = (0.0, 0.0, 8.0)
    #: Where it looks, clockwise from north.
    yaw_deg: float = 0.0
    #: How far it looks below the horizon.
    pitch_down_deg: float = 10.5

    def axes(self) -> NDArray[np.float64]:
        """(3, 3): rows are the picture's right, down and forward directions in ENU."""
        yaw, pitch = math.radians(self.yaw_deg), math.radians(self.pitch_down_deg)
        sy, cy, sp, cp = math.sin(yaw), math.cos(yaw), math.sin(pitch), math.cos(pitch)
        return np.array([[cy, -sy, 0.0], [-sy * sp, -cy * sp, -cp], [sy * cp, cy * cp, -sp]])

    def project(self, enu_m: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Points (N, 3) to pixels (N, 2) and depths (N,) in metres along the view; behind the camera: NaN pixels."""
        seen = (enu_m - np.array(self.position_enu_m)) @ self.axes().T
        depth_m = seen[:, 2]
        safe = np.where(depth_m > 0.05, depth_m, np.nan)
        centre = np.array([self.width_px / 2, self.height_px / 2])
        return self.focal_px * seen[:, :2] / safe[:, None] + centre, depth_m

    def rays(self, px: NDArray[np.float64]) -> NDArray[np.float64]:
        """Pixels (…, 2) to directions (…, 3) in ENU, scaled to one metre of depth."""
        x = (px[..., 0] - self.width_px / 2) / self.focal_px
        y = (px[..., 1] - self.height_px / 2) / self.focal_px
        return np.asarray(np.stack([x, y, np.ones_like(x)], axis=-1) @ self.axes())

    def ground_depth(self, px: NDArray[np.float64]) -> NDArray[np.float64]:
        """Depth in metres at which pixels (…, 2) meet the ground; infinite at and above the horizon."""
        fall = -self.rays(px)[..., 2]
        return np.asarray(np.where(fall > 1e-9, self.position_enu_m[2] / np.maximum(fall, 1e-9), np.inf))

    def on_ground(self, px: NDArray[np.float64]) -> NDArray[np.float64]:
        """East and north (…, 2) in metres of the ground under pixels (…, 2); NaN at and above the horizon."""
        depth_m = self.ground_depth(px)
        known = np.where(np.isfinite(depth_m), depth_m, np.nan)
        return np.asarray(self.rays(px)[..., :2] * known[..., None] + np.array(self.position_enu_m[:2]))


@dataclass(frozen=True, slots=True, kw_only=True)
class TangentPlane:
    """Local east and north in metres ↔ longitude and latitude, by the ellipsoid's two radii at the origin.

    lon = lon0 + e / (N cos lat0), lat = lat0 + n / M, with N and M the radii of curvature in the
    prime vertical and in the meridian (WGS 84). Below 1 mm from the exact plane within 100 m.
    """

    #: A made-up coastal city; no real pipeline is meant.
    lon_deg: float = 121.6
    lat_deg: float = 29.9

    def _metres_per_degree(self) -> tuple[float, float]:
        lat = math.radians(self.lat_deg)
        w2 = 1 - WGS84_E2 * math.sin(lat) ** 2
        prime_m = WGS84_A_M / math.sqrt(w2)
        meridian_m = WGS84_A_M * (1 - WGS84_E2) / w2**1.5
        return math.radians(prime_m * math.cos(lat)), math.radians(meridian_m)

    def lonlat(self, east_m: float, north_m: float) -> tuple[float, float]:
        """Longitude and latitude in degrees of a local point."""
        per_lon_m, per_lat_m = self._metres_per_degree()
        return self.lon_deg + east_m / per_lon_m, self.lat_deg + north_m / per_lat_m

    def east_north(self, lon_deg: float, lat_deg: float) -> tuple[float, float]:
        """The local point in metres of a longitude and latitude in degrees."""
        per_lon_m, per_lat_m = self._metres_per_degree()
        return (lon_deg - self.lon_deg) * per_lon_m, (lat_deg - self.lat_deg) * per_lat_m
