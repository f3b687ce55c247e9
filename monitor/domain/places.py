"""The one point that stands for a site, where a single one is needed: for the sun, not for distances. Pure."""

from functools import lru_cache

from monitor.domain.assets import Hca, LonLat, Pipeline
from monitor.domain.geometry import Centreline


def middle(hca: Hca, pipeline: Pipeline) -> LonLat:
    """The middle of an HCA on its centreline; ValueError if that has fewer than two vertices."""
    return _at(pipeline.centreline, pipeline.origin_chainage_m, (hca.from_m + hca.to_m) / 2)


@lru_cache(maxsize=1024)
def _at(vertices: tuple[LonLat, ...], origin_chainage_m: float, chainage_m: float) -> LonLat:
    return Centreline.of(vertices, origin_chainage_m).at(chainage_m)
