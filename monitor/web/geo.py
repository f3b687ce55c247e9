"""What maps draw, as GeoJSON: the city's pipelines, HCAs and cameras, and the bands around one alert.

Pure. Positions are lon/lat WGS84; distances are measured in a plane tangent at the place in question.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from shapely.geometry import LineString, Polygon

from monitor.domain.assets import Camera, City, LonLat
from monitor.domain.geometry import Centreline, LocalFrame

GeoJson = dict[str, Any]

#: the law's distances (monitor.domain.violations): Art 30, 35(2), 35(3)
BANDS_M = (200.0, 50.0, 5.0)
#: how much of the line is drawn to each side of an alert
AROUND_M = 450.0
_CIRCLE_POINTS = 48


def feature(geometry: GeoJson, **properties: Any) -> GeoJson:
    """One GeoJSON feature."""
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def collection(features: Sequence[GeoJson]) -> GeoJson:
    """A GeoJSON feature collection."""
    return {"type": "FeatureCollection", "features": list(features)}


def line(points: Sequence[LonLat]) -> GeoJson:
    """A GeoJSON line."""
    return {"type": "LineString", "coordinates": [list(point) for point in points]}


def point(lonlat: LonLat) -> GeoJson:
    """A GeoJSON point."""
    return {"type": "Point", "coordinates": list(lonlat)}


def centrelines(city: City) -> dict[str, Centreline]:
    """Each pipeline's measured centreline."""
    return {p.pipeline_id: Centreline.of(p.centreline, p.origin_chainage_m) for p in city.pipelines}


def assets(city: City) -> list[GeoJson]:
    """Pipelines (in their direction) and HCAs."""
    lines = centrelines(city)
    features = [
        feature(line(p.centreline), kind="pipeline", id=p.pipeline_id, name=p.name, medium=p.medium)
        for p in city.pipelines
    ]
    for hca in city.hcas:
        stretch = lines[hca.pipeline_id].between(hca.from_m, hca.to_m)
        features.append(
            feature(line(stretch), kind="hca", id=hca.site_id, name=hca.name, grade=hca.grade.value,
                    pipeline_id=hca.pipeline_id, from_m=hca.from_m, to_m=hca.to_m)
        )  # fmt: skip
    return features


def camera_place(camera: Camera, city: City) -> tuple[LonLat, bool]:
    """Where a camera is drawn, and whether that is surveyed (else the middle of its HCA)."""
    if camera.position is not None:
        return camera.position, True
    hca = city.hca(camera.site_id)
    pipeline = city.pipeline(hca.pipeline_id)
    return Centreline.of(pipeline.centreline, pipeline.origin_chainage_m).at(
        (hca.from_m + hca.to_m) / 2
    ), False


def alert_place(alert: Mapping[str, Any], city: City) -> tuple[LonLat, str] | None:
    """Where an alert is drawn and what that place is: its 'fix', or its 'camera' or 'site' for want of one."""
    if alert["lon"] is not None and alert["lat"] is not None:
        return (alert["lon"], alert["lat"]), "fix"
    for camera in city.cameras:
        if camera.camera_id == alert["camera_id"]:
            place, surveyed = camera_place(camera, city)
            return place, "camera" if surveyed else "site"
    return None


def _polygon(shape: Polygon, frame: LocalFrame) -> GeoJson:
    rings = [shape.exterior, *shape.interiors]
    return {
        "type": "Polygon",
        "coordinates": [[list(frame.to_lonlat(xy)) for xy in ring.coords] for ring in rings],
    }


def circle(centre: LonLat, radius_m: float) -> GeoJson:
    """A circle on the ground as a polygon."""
    frame = LocalFrame(centre)
    turns = [2 * math.pi * i / _CIRCLE_POINTS for i in range(_CIRCLE_POINTS + 1)]
    ring = [list(frame.to_lonlat((radius_m * math.cos(a), radius_m * math.sin(a)))) for a in turns]
    return {"type": "Polygon", "coordinates": [ring]}


def around(alert: Mapping[str, Any], city: City) -> GeoJson:
    """The detail map of one alert: bands, the line, its HCA, cameras nearby, the position with 1 sigma."""
    place = alert_place(alert, city)
    if place is None:
        return collection([])
    at, placed_by = place
    frame = LocalFrame(at)
    features: list[GeoJson] = []
    for pipeline in city.pipelines:
        centreline = Centreline.of(pipeline.centreline, pipeline.origin_chainage_m)
        beside = centreline.locate(at)
        if abs(beside.offset_m) > 2 * AROUND_M:
            continue
        low, high = beside.chainage_m - AROUND_M, beside.chainage_m + AROUND_M
        stretch = centreline.between(low, high)
        plane = LineString([frame.to_en_m(p) for p in stretch])
        for band_m in BANDS_M:
            shape = plane.buffer(band_m, cap_style="flat")
            if isinstance(shape, Polygon) and not shape.is_empty:
                features.append(feature(_polygon(shape, frame), kind="band", band_m=band_m))
        features += [
            feature(line(centreline.between(max(low, hca.from_m), min(high, hca.to_m))),
                    kind="hca", id=hca.site_id, name=hca.name, grade=hca.grade.value)
            for hca in city.hcas
            if hca.pipeline_id == pipeline.pipeline_id and hca.from_m < high and hca.to_m > low
        ]  # fmt: skip
        features.append(feature(line(stretch), kind="pipeline", id=pipeline.pipeline_id, name=pipeline.name))
    for camera in city.cameras:
        where, surveyed = camera_place(camera, city)
        if surveyed and math.hypot(*frame.to_en_m(where)) <= 2 * AROUND_M:
            features.append(feature(point(where), kind="camera", id=camera.camera_id, name=camera.name))
    if placed_by == "fix" and alert["accuracy_m"]:
        features.append(
            feature(circle(at, alert["accuracy_m"]), kind="sigma", accuracy_m=alert["accuracy_m"])
        )
    features.append(feature(point(at), kind="place", level=str(alert["level"]), placed_by=placed_by))
    return collection(features)


def gauge_x(offset_m: float) -> float:
    """Where an offset stands on the gauge from -1 to 1: each band gets a fixed share, however narrow.

    >>> [round(gauge_x(x), 2) for x in (0, 5, -50, 200, 900)]
    [0.0, 0.4, -0.7, 0.94, 1.0]
    """
    stops = ((0.0, 0.0), (5.0, 0.4), (50.0, 0.7), (200.0, 0.94), (400.0, 1.0))
    size = abs(offset_m)
    for (low, at_low), (high, at_high) in pairwise(stops):
        if size <= high:
            return math.copysign(at_low + (at_high - at_low) * (size - low) / (high - low), offset_m)
    return math.copysign(1.0, offset_m)
