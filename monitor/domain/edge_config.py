"""The configuration of one edge as it travels (retained, topic `config/{edge}`), and who is newer than whom.

Pure. It holds what the edge needs and no more: its cameras with zones and rules' settings, what they stand
beside, the named hours. No secrets: a camera names its credential. No networks either: which addresses may be
reached is said by the edge's own file alone, so that nobody who can speak on this topic can widen it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from monitor.domain.assets import Camera, City, Hca, Pipeline
from monitor.domain.hours import Schedule
from monitor.domain.rulebook import RuleSetting

#: The broker takes no more; ten thousand cameras are shared by many edges.
MAX_CONFIG_BYTES: Final = 256 * 1024


class EdgeConfiguration(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="schema", tag="hcawatch.config/1"
):
    """What one edge is to watch, and how."""

    edge_id: str
    #: version in the centre's database
    number: int
    #: when that database's first version was applied: another database counts anew
    since: datetime
    #: names the whole configuration of which this is a part; events carry it
    config_version: str
    timezone: str
    pipelines: tuple[Pipeline, ...]
    hcas: tuple[Hca, ...]
    #: sources that are files are relative to the folder of the edge's own configuration
    cameras: tuple[Camera, ...]
    #: settings of rules for all its cameras
    rules: tuple[RuleSetting, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    #: set of weights to fetch and use; None: the edge's own
    model: str | None = None

    @property
    def age(self) -> tuple[datetime, int]:
        """The greater, the newer."""
        return self.since, self.number


def configuration_of(
    city: City, edge_id: str, *, number: int, since: datetime, config_version: str
) -> EdgeConfiguration:
    """The part of a city that one edge needs; KeyError if the city has no such edge."""
    edge = {edge.edge_id: edge for edge in city.edges}[edge_id]
    cameras = tuple(camera for camera in city.cameras if camera.edge_id == edge_id)
    sites = {camera.site_id for camera in cameras}
    hcas = tuple(hca for hca in city.hcas if hca.site_id in sites)
    lines = {hca.pipeline_id for hca in hcas}
    return EdgeConfiguration(
        edge_id=edge_id, number=number, since=since, config_version=config_version, timezone=city.timezone,
        pipelines=tuple(pipeline for pipeline in city.pipelines if pipeline.pipeline_id in lines),
        hcas=hcas, cameras=cameras, rules=edge.rules, schedules=city.schedules, model=edge.model,
    )  # fmt: skip
