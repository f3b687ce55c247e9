"""A small made-up city with real parts behind it, for tests of the web: ingest's store, the engine, the log.

Only the edge is missing: `Town.sees` stores a numbered risk event as the broker would have brought it.
"""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import argon2
from fastapi import FastAPI
from PIL import Image, ImageDraw
from uuid_utils import uuid7

from alerts.engine import AlertEngine
from alerts.lifecycle import Step
from alerts.postgres_book import PostgresAlertBook
from alerts.values import Actor
from alerts.views import AlertView
from monitor.audit import sequencer
from monitor.audit.note import Signer
from monitor.domain.assets import Camera, City, Edge, Hca, Member, Pipeline, Team
from monitor.domain.events import (
    CameraState,
    CameraStatus,
    DetectorLoad,
    EdgeStatus,
    EvidenceRef,
    Kind,
    ModelRef,
    Position,
    Properties,
    RiskEvent,
    WatchRecord,
    encode,
    sha256_hex,
    topic,
)
from monitor.domain.geometry import Centreline, LocalFrame
from monitor.domain.levels import HcaGrade, Level
from monitor.domain.roles import Role
from monitor.ingest.ports import Arrived
from monitor.ingest.postgres_store import PostgresIngestStore
from monitor.store.pool import Pool, make_pool
from monitor.web.app import WebDeps, create_app
from monitor.web.people import ensure_edge, ensure_user

#: 14:00 in Shanghai: day
NOON = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
#: only for tests: fast, and the same for everybody
PASSWORD = "correct horse battery"
CHEAP = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
EDGE_TOKENS = {"e1": "edge-one-token-0123456789abcdef", "e2": "edge-two-token-0123456789abcdef"}

LINE_A = ((121.420, 31.200), (121.455, 31.212), (121.490, 31.206), (121.540, 31.226), (121.585, 31.221))
LINE_B = ((121.470, 31.262), (121.482, 31.238), (121.505, 31.222), (121.520, 31.192), (121.552, 31.176))

CITY = City(
    name={"en": "Haitang Bay", "zh": "海棠湾"},
    made_up=True,
    pipelines=(
        Pipeline(pipeline_id="a", name={"en": "East Gas Line", "zh": "东线输气管道"}, centreline=LINE_A),
        Pipeline(pipeline_id="b", name={"en": "Harbour Product Line", "zh": "港区成品油管道"}, medium="product", centreline=LINE_B),
    ),
    hcas=(
        Hca(site_id="s1", pipeline_id="a", name={"en": "Old Town", "zh": "老城区"}, grade=HcaGrade.III, from_m=4000, to_m=6200),
        Hca(site_id="s2", pipeline_id="a", name={"en": "River Village", "zh": "河口村"}, grade=HcaGrade.II, from_m=9500, to_m=11500),
        Hca(site_id="s3", pipeline_id="b", name={"en": "Ring Road", "zh": "环城路"}, grade=HcaGrade.I, from_m=5200, to_m=6900),
        Hca(site_id="s4", pipeline_id="b", name={"en": "Harbour School", "zh": "港区学校"}, grade=HcaGrade.III, from_m=9000, to_m=10200),
    ),
    edges=(Edge(edge_id="e1", name={"en": "Edge one"}), Edge(edge_id="e2", name={"en": "Edge two"})),
    cameras=(
        Camera(camera_id="old-town", edge_id="e1", site_id="s1", name={"en": "Old Town mast", "zh": "老城区杆"}, source="a.mp4", footage="simulated", position=(121.4642, 31.2112)),
        Camera(camera_id="village", edge_id="e1", site_id="s2", name={"en": "River Village roof", "zh": "河口村屋顶"}, source="b.mp4", position=(121.5135, 31.2162)),
        Camera(camera_id="school", edge_id="e2", site_id="s4", name={"en": "Harbour School gate", "zh": "港区学校门口"}, source="c.mp4"),
    ),
    teams=(
        Team(team_id="north", name={"en": "North team", "zh": "北队"}, base=(121.47, 31.21), sites=("s1", "s2"),
             members=(Member(user="li.wei", name={"en": "Li Wei", "zh": "李伟"}, role="officer"),)),
        Team(team_id="south", name={"en": "South team", "zh": "南队"}, base=(121.53, 31.18), sites=("s3", "s4"),
             members=(Member(user="chen.jie", name={"en": "Chen Jie", "zh": "陈洁"}, role="patrol"),)),
    ),
)  # fmt: skip

#: user -> (role, name, team)
PEOPLE: dict[str, tuple[Role, str, str | None]] = {
    "operator": (Role.OPERATOR, "Olga Operator", None),
    "supervisor": (Role.SUPERVISOR, "Sun Supervisor", None),
    "auditor": (Role.AUDITOR, "Aud Auditor", None),
    "admin": (Role.ADMIN, "Ada Admin", None),
    "holder": (Role.HOLDER, "Hu Holder", None),
    "li.wei": (Role.OFFICER, "Li Wei", "north"),
    "chen.jie": (Role.PATROL, "Chen Jie", "south"),
}


def picture(text: str = "", size: tuple[int, int] = (1280, 720), kind: str = "JPEG") -> bytes:
    """A picture that differs by its text."""
    image = Image.new("RGB", size, (96, 108, 92))
    draw = ImageDraw.Draw(image)
    w, h = size
    draw.polygon([(0, h * 0.45), (w, h * 0.3), (w, h), (0, h)], fill=(124, 112, 84))
    draw.line([(0, h * 0.8), (w, h * 0.55)], fill=(214, 190, 96), width=6)
    draw.rectangle((w * 0.42, h * 0.34, w * 0.62, h * 0.62), outline=(255, 96, 88), width=5)
    draw.rectangle((w * 0.45, h * 0.42, w * 0.58, h * 0.58), fill=(222, 166, 40))
    draw.text((w * 0.42, h * 0.3), text, fill=(255, 255, 255), font_size=max(12, h // 26))
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


class Town:
    """The city, its parts, and a clock that tests move."""

    def __init__(self, pool: Pool, data_dir: Path, now: datetime = NOON) -> None:
        self.pool, self.data_dir, self.now = pool, data_dir, now
        self.engine = AlertEngine(PostgresAlertBook(pool), CITY)
        self.store = PostgresIngestStore(pool)
        self._seq = itertools.count(1)
        self._signer = Signer.load_or_create(data_dir / "signing.key", "hcawatch.test/audit")
        with pool.connection() as conn:
            for user, (role, name, team) in PEOPLE.items():
                ensure_user(conn, user, role, name, team, PASSWORD, now=now, hasher=CHEAP)
            for edge_id, token in EDGE_TOKENS.items():
                ensure_edge(conn, edge_id, token)

    def app(self, **changes: Any) -> FastAPI:
        """The web over this town."""
        given: dict[str, Any] = {
            "pool": self.pool, "engine": self.engine, "city": CITY, "data_dir": self.data_dir,
            "clock": lambda: self.now,
        }  # fmt: skip
        return create_app(WebDeps(**{**given, **changes}))

    def sequence(self) -> None:
        """Give waiting entries their index and sign."""
        with self.pool.connection() as conn:
            sequencer.run_once(conn, self._signer, self.now)

    def _send(self, message: RiskEvent | WatchRecord, kind: Kind, camera_id: str) -> None:
        payload = encode(message)
        properties = Properties(
            edge_id=message.edge_id, epoch="ep", seq=message.seq, kind=kind, sha256=sha256_hex(payload)
        )
        arrived = Arrived(
            topic=topic(kind, message.edge_id, camera_id), payload=payload, pairs=tuple(properties.as_pairs()),
            received_at=self.now,
        )  # fmt: skip
        result = self.store.store([arrived], self.now)
        assert result.outcomes[0].verdict == "stored", result.outcomes
        self.engine.take_work(self.now)

    def sees(self, camera_id: str = "old-town", **changes: Any) -> RiskEvent:
        """A camera sees an excavator dig beside the pipeline: level I in the Old Town."""
        camera = CITY.camera(camera_id)
        hca = CITY.hca(camera.site_id)
        pipeline = CITY.pipeline(hca.pipeline_id)
        chainage_m = changes.pop("chainage_m", (hca.from_m + hca.to_m) / 2)
        offset_m = changes.pop("offset_m", 2.1)
        evidence = changes.pop("evidence", ())
        at = (0.0, 0.0) if chainage_m is None else self._beside(pipeline, chainage_m, offset_m)
        given: dict[str, Any] = {
            "event_id": str(uuid7()), "edge_id": camera.edge_id, "epoch": "ep", "seq": next(self._seq),
            "episode_id": str(uuid7()), "phase": "onset", "site_id": camera.site_id, "camera_id": camera_id,
            "captured_at": self.now - timedelta(seconds=1), "violation": "excavation_5m", "rule_id": "dig-5m",
            "object_class": "excavator", "track_id": 7, "confidence": 0.91, "bbox": (1.0, 2.0, 30.0, 40.0),
            "frame_size_px": (1920, 1080), "position": Position(lon=at[0], lat=at[1], accuracy_m=0.6),
            "pipeline_id": pipeline.pipeline_id, "chainage_m": chainage_m, "offset_m": offset_m, "within_band": 0.99,
            "dwell_s": 74.0, "activity": "working", "risk_edge": Level.I, "reason": "onset",
            "footage": camera.footage, "evidence": tuple(evidence),
            "model": ModelRef(name="net", version="1", sha256="a" * 64), "config_version": "1",
        }  # fmt: skip
        event = RiskEvent(**{**given, **changes})
        self._send(event, Kind.EVENT, camera_id)
        return event

    @staticmethod
    def _beside(pipeline: Pipeline, chainage_m: float, offset_m: float) -> tuple[float, float]:
        line = Centreline.of(pipeline.centreline, pipeline.origin_chainage_m)
        here, ahead = line.at(chainage_m), line.at(chainage_m + 1.0)
        east_m, north_m = LocalFrame(here).to_en_m(ahead)
        length_m = math.hypot(east_m, north_m)
        return LocalFrame(here).to_lonlat((north_m / length_m * offset_m, -east_m / length_m * offset_m))

    def watches(self, camera_id: str, minute: datetime, watched_s: float = 60.0) -> None:
        """A camera's record of one minute."""
        record = WatchRecord(
            edge_id=CITY.camera(camera_id).edge_id, epoch="ep", seq=next(self._seq), camera_id=camera_id,
            minute=minute, watched_s=watched_s, span_s=60.0, frames=1500, looks=300, detector_runs=40, detections=3,
            longest_blind_s=60 - watched_s, state_s={"streaming": watched_s}, seen=(), calibration_version="c1",
            config_version="1",
        )  # fmt: skip
        self._send(record, Kind.WATCH, camera_id)

    def cameras_are(self, edge_id: str, load: DetectorLoad | None = None, **states: CameraState) -> None:
        """An edge's status; camera ids with '_' for '-'."""
        cameras = {
            name.replace("_", "-"): CameraStatus(state=state, since=self.now, reason="")
            for name, state in states.items()
        }
        status = EdgeStatus(
            edge_id=edge_id, epoch="ep", at=self.now, started_at=self.now, version="1", config_version="1",
            queue_depth=0, last_seq=0, evidence_pending=0, detector={}, cameras=cameras,
            load=load,
        )  # fmt: skip
        self.store.note_status(status, self.now)
        self.engine.take_work(self.now)

    def newest(self) -> AlertView:
        """The newest alert."""
        return self.engine.view(self.engine.list_alerts(limit=1)[0].alert.alert_id)

    def step(self, alert_id: str, step: Step, user: str, **more: Any) -> AlertView:
        """Somebody takes a step."""
        role, _, team = PEOPLE[user]
        return self.engine.step(alert_id, step, Actor(user=user, role=role, team_id=team), self.now, **more)


def snapshot(data: bytes) -> EvidenceRef:
    """How an event names a snapshot."""
    return EvidenceRef(sha256=sha256_hex(data), kind="snapshot_annotated", bytes=len(data))


@contextmanager
def town(dsn: str, data_dir: Path, now: datetime = NOON) -> Iterator[Town]:
    """A town over a migrated database."""
    with make_pool(dsn, "test", min_size=2, max_size=8) as pool:
        yield Town(pool, data_dir, now)
