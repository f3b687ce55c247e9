"""A made-up town of 240 sites and 12,000 distinct places, and one level I onset for each of them."""

from __future__ import annotations

import random
import uuid
from datetime import UTC, datetime
from typing import Final

from monitor.domain.assets import Channel, City, Edge, Hca, Member, Pipeline, Team
from monitor.domain.events import ModelRef, Position, RiskEvent
from monitor.domain.geometry import LocalFrame
from monitor.domain.levels import HcaGrade, Level

SITES: Final = 240
PLACES_PER_SITE: Final = 50
PLACES: Final = SITES * PLACES_PER_SITE
#: twice the distance within which episodes join one alert
APART_M: Final = 100.0
#: of a site beyond its own places, so that the warm-up has places, too
SITE_M: Final = PLACES_PER_SITE * APART_M + 1_000
#: each takes five running dispatches: more than a site has places
OFFICERS_PER_SITE: Final = 14
EDGES: Final = tuple(f"edge-{n}" for n in range(1, 5))
#: the channel that is timed
WEBHOOK: Final = "hook"
WEBHOOK_SECRET: Final = "the bench's own, no secret"
_WEST: Final = (100.0, 30.0)
_EAST: Final = (116.0, 30.0)


def place_of(site: int, metres: float, north_m: float = 3.0) -> tuple[float, float]:
    """(lon, lat) so many metres into a site, beside the pipeline."""
    lon, lat = LocalFrame(_WEST).to_lonlat((site * SITE_M + metres, north_m))
    return lon, lat


def city(webhook_url: str | None = None) -> City:
    """One pipeline, a site every six kilometres, and a team for each; dispatches go to that webhook, too."""
    return City(
        name={"en": "Benchville", "zh": "测速市"},
        made_up=True,
        pipelines=(Pipeline(pipeline_id="p1", name={"en": "P1"}, centreline=(_WEST, _EAST)),),
        hcas=tuple(
            Hca(
                site_id=f"site-{n}", pipeline_id="p1", name={"en": f"Site {n}"}, grade=HcaGrade.III,
                from_m=n * SITE_M, to_m=(n + 1) * SITE_M,
            )
            for n in range(SITES)
        ),
        edges=tuple(Edge(edge_id=edge, name={"en": edge}) for edge in EDGES),
        cameras=(),
        channels=() if webhook_url is None else (
            Channel(channel_id=WEBHOOK, kind="webhook", url=webhook_url, networks=("127.0.0.0/8",), sends=("dispatches",)),
        ),
        teams=tuple(
            Team(
                team_id=f"team-{n}", name={"en": f"Team {n}"}, base=place_of(n, SITE_M / 2, 500.0),
                sites=(f"site-{n}",),
                members=tuple(
                    Member(user=f"officer-{n}-{m}", name={"en": f"Officer {n}.{m}"}, role="officer")
                    for m in range(OFFICERS_PER_SITE)
                ),
            )
            for n in range(SITES)
        ),
    )  # fmt: skip


def onset(site: int, metres: float, edge_id: str, seq: int, epoch: str, at_s: float) -> RiskEvent:
    """An excavator that digs 3 m beside the pipe: level I, sent at once."""
    lon, lat = place_of(site, metres)
    return RiskEvent(
        event_id=str(uuid.uuid4()), edge_id=edge_id, epoch=epoch, seq=seq, episode_id=str(uuid.uuid4()),
        phase="onset", site_id=f"site-{site}", camera_id=f"cam-{site}-{int(metres // 1000)}",
        captured_at=datetime.fromtimestamp(at_s, UTC), violation="excavation_5m", rule_id="dig-5m",
        object_class="excavator", track_id=1, confidence=0.9, bbox=(1.0, 2.0, 3.0, 4.0),
        frame_size_px=(1280, 720), position=Position(lon=lon, lat=lat, accuracy_m=0.5), pipeline_id="p1",
        chainage_m=site * SITE_M + metres, offset_m=3.0, within_band=0.95, dwell_s=5.0, activity="working",
        risk_edge=Level.I, reason="onset", model=ModelRef(name="bench", version="1", sha256="0" * 64),
        config_version="1",
    )  # fmt: skip


def places(count: int, seed: int) -> list[tuple[int, float]]:
    """`count` of the distinct places (site, metres), in an order that the seed gives."""
    every = [(site, n * APART_M) for site in range(SITES) for n in range(PLACES_PER_SITE)]
    random.Random(seed).shuffle(every)
    return every[:count]


def warm_up_places(count: int) -> list[tuple[int, float]]:
    """Places that no run counts."""
    beyond = PLACES_PER_SITE * APART_M
    return [(n % SITES, beyond + (n // SITES) * APART_M) for n in range(count)]
