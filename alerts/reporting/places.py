"""Where a report lies: from a point, a stake number or a camera to pipeline, chainage, offset and site. Pure.

The place of a report is as good as somebody's word: the stated error is an assumption, and it is shown. Beyond the
farthest distance that any article names, a place is refused: it is a slip more often than a pipeline's matter.
"""

from functools import lru_cache
from typing import Final

import msgspec

from alerts.reading import END_TOLERANCE_M
from monitor.domain.assets import Camera, City, Hca, LonLat, Pipeline
from monitor.domain.geometry import Centreline
from monitor.domain.violations import CATALOGUE

#: 1-sigma errors that we assume: a click or a phone's fix, a stake number with and without the distance beside it
POINT_SIGMA_M: Final = 20.0
STAKE_SIGMA_M: Final = 20.0
SOMEWHERE_SIGMA_M: Final = 50.0
#: farther from every pipeline than any article reaches (Art 33: 1000 m)
FARTHEST_M: Final = max(row.band_m or 0.0 for row in CATALOGUE.values())


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A place beside a pipeline, or a camera's view without one."""

    site_id: str
    beyond_m: float | None = None
    camera_id: str | None = None
    pipeline_id: str | None = None
    chainage_m: float | None = None
    offset_m: float | None = None
    lon: float | None = None
    lat: float | None = None
    accuracy_m: float | None = None


class TooFar(Exception):
    """No pipeline is near; carries the distance to the nearest in metres."""

    def __init__(self, distance_m: float) -> None:
        super().__init__(f"{distance_m:.0f} m from the nearest pipeline")
        self.distance_m = distance_m


class OffLine(Exception):
    """The chainage lies beyond the pipeline's ends, which it carries."""

    def __init__(self, begin_m: float, end_m: float) -> None:
        super().__init__(f"the pipeline runs from {begin_m:.0f} to {end_m:.0f} m")
        self.begin_m, self.end_m = begin_m, end_m


def at_point(point: LonLat, city: City) -> Place:
    """A point on the nearest pipeline; TooFar if none is near."""
    found = []
    for pipeline in city.pipelines:
        beside = _line(pipeline.centreline, pipeline.origin_chainage_m).locate(point)
        found.append((abs(beside.offset_m), pipeline.pipeline_id, beside))
    distance_m, pipeline_id, beside = min(found, key=lambda one: one[:2])
    if distance_m > FARTHEST_M:
        raise TooFar(distance_m)
    hca, beyond_m = _site(pipeline_id, beside.chainage_m, city)
    return Place(
        site_id=hca.site_id, beyond_m=beyond_m, pipeline_id=pipeline_id, chainage_m=beside.chainage_m,
        offset_m=beside.offset_m, lon=point[0], lat=point[1], accuracy_m=POINT_SIGMA_M,
    )  # fmt: skip


def at_stake(pipeline: Pipeline, chainage_m: float, offset_m: float | None, city: City) -> Place:
    """A stake number, and how far beside the line if that was said; OffLine beyond its ends."""
    line = _line(pipeline.centreline, pipeline.origin_chainage_m)
    begin_m, end_m = line.chainages_m[0], line.chainages_m[-1]
    if not begin_m - END_TOLERANCE_M <= chainage_m <= end_m + END_TOLERANCE_M:
        raise OffLine(begin_m, end_m)
    lon, lat = line.beside(chainage_m, offset_m or 0.0)
    hca, beyond_m = _site(pipeline.pipeline_id, chainage_m, city)
    return Place(
        site_id=hca.site_id, beyond_m=beyond_m, pipeline_id=pipeline.pipeline_id, chainage_m=chainage_m,
        offset_m=offset_m, lon=lon, lat=lat,
        accuracy_m=SOMEWHERE_SIGMA_M if offset_m is None else STAKE_SIGMA_M,
    )  # fmt: skip


def at_camera(camera: Camera) -> Place:
    """Somewhere in a camera's view: its site, and no place on the ground."""
    return Place(site_id=camera.site_id, camera_id=camera.camera_id)


def _site(pipeline_id: str, chainage_m: float, city: City) -> tuple[Hca, float | None]:
    """The HCA of the pipeline that the chainage lies in, else the nearest and how far beyond it."""
    mine = [hca for hca in city.hcas if hca.pipeline_id == pipeline_id] or list(city.hcas)

    def beyond(hca: Hca) -> float:
        return max(hca.from_m - chainage_m, chainage_m - hca.to_m, 0.0)

    nearest = min(mine, key=lambda hca: (beyond(hca), hca.site_id))
    outside_m = beyond(nearest)
    return nearest, outside_m if outside_m > 0 else None


@lru_cache(maxsize=256)
def _line(vertices: tuple[LonLat, ...], origin_chainage_m: float) -> Centreline:
    return Centreline.of(vertices, origin_chainage_m)
