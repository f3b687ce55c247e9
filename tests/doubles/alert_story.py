"""A small city and its events, for the tests of the loop."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from alerts.values import Actor
from monitor.domain.assets import Camera, City, Edge, Hca, Member, Pipeline, Team
from monitor.domain.events import ModelRef, Position, RiskEvent
from monitor.domain.geometry import LocalFrame
from monitor.domain.levels import HcaGrade, Level
from monitor.domain.roles import Role

#: 14:00 in Shanghai: day
NOON = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
PLACE = (121.5, 31.2)

CITY = City(
    name={"en": "Testville", "zh": "测试市"},
    made_up=True,
    pipelines=(
        Pipeline(pipeline_id="p1", name={"en": "P1", "zh": "一线"}, centreline=((121.4, 31.2), (121.6, 31.2))),
    ),
    hcas=(
        Hca(site_id="s1", pipeline_id="p1", name={"en": "S1"}, grade=HcaGrade.III, from_m=0, to_m=20_000),
        Hca(site_id="s2", pipeline_id="p1", name={"en": "S2"}, grade=HcaGrade.I, from_m=0, to_m=20_000),
    ),
    edges=(Edge(edge_id="e1", name={"en": "E1"}),),
    cameras=(
        Camera(camera_id="c1", edge_id="e1", site_id="s1", name={"en": "C1"}, source="c1.mp4"),
        Camera(
            camera_id="c2", edge_id="e1", site_id="s2", name={"en": "C2"}, source="c2.mp4", footage="simulated"
        ),
    ),
    teams=(
        Team(
            team_id="near", name={"en": "Near"}, base=(121.51, 31.2), sites=("s1",),
            members=(
                Member(user="ann", name={"en": "Ann"}, role="officer"),
                Member(user="bo", name={"en": "Bo"}, role="officer"),
            ),
        ),
        Team(
            team_id="far", name={"en": "Far"}, base=(121.9, 31.2),
            members=(Member(user="cai", name={"en": "Cai"}, role="officer"),),
        ),
    ),
)  # fmt: skip

OPERATOR = Actor(user="olga", role=Role.OPERATOR)
SUPERVISOR = Actor(user="sun", role=Role.SUPERVISOR)


def officer(user: str) -> Actor:
    return Actor(user=user, role=Role.OFFICER, team_id="far" if user == "cai" else "near")


def uid(name: str) -> str:
    """A UUID by name, the same in every run."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, name))


def at_metres(east_m: float, north_m: float = 0.0, accuracy_m: float = 0.5) -> Position:
    """A position so many metres from PLACE."""
    lon, lat = LocalFrame(PLACE).to_lonlat((east_m, north_m))
    return Position(lon=lon, lat=lat, accuracy_m=accuracy_m)


def event(**changes: Any) -> RiskEvent:
    """An excavator digging 3 m beside p1 in s1: level I by day. `episode` names the episode."""
    episode = changes.pop("episode", "a")
    after_s = changes.pop("after_s", 0.0)
    position = changes.get("position", at_metres(0, 3))
    values: dict[str, Any] = {
        "event_id": str(uuid.uuid4()),
        "edge_id": "e1",
        "epoch": "ep",
        "seq": 1,
        "episode_id": uid(episode),
        "phase": "onset",
        "site_id": "s1",
        "camera_id": "c1",
        "captured_at": NOON + timedelta(seconds=after_s),
        "violation": "excavation_5m",
        "rule_id": "dig-5m",
        "object_class": "excavator",
        "track_id": 1,
        "confidence": 0.9,
        "bbox": (1.0, 2.0, 3.0, 4.0),
        "frame_size_px": (1280, 720),
        "position": position,
        "pipeline_id": "p1" if position else None,
        "chainage_m": 9500.0 if position else None,
        "offset_m": -3.0 if position else None,
        "within_band": 0.95 if position else None,
        "dwell_s": 5.0,
        "activity": "working",
        "risk_edge": Level.I,
        "reason": "onset",
        "model": ModelRef(name="m", version="1", sha256="0" * 64),
        "config_version": "1",
    }
    return RiskEvent(**{**values, **changes})


def mild(**changes: Any) -> RiskEvent:
    """A person on the pipe in s2: level III or IV, waits for a person to confirm."""
    values: dict[str, Any] = {
        "site_id": "s2", "camera_id": "c2", "violation": "on_pipe", "rule_id": "person-on-pipe",
        "object_class": "person", "position": None, "zone_id": "z1", "activity": "passing", "risk_edge": Level.IV,
    }  # fmt: skip
    return event(**{**values, **changes})
