"""Messages of an edge for tests of ingest: valid ones, numbered and hashed as an edge does it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from uuid_utils import uuid7

from monitor.domain.events import (
    EdgeStatus,
    EvidenceRef,
    Kind,
    LossRecord,
    ModelRef,
    Numbered,
    Position,
    Properties,
    RiskEvent,
    WatchRecord,
    encode,
    sha256_hex,
    topic,
)
from monitor.domain.levels import Level
from monitor.ingest.ports import Arrived

NOW = datetime(2026, 11, 24, 8, 0, 30, tzinfo=UTC)
MINUTE = NOW.replace(second=0)


def event(seq: int = 1, **changes: Any) -> RiskEvent:
    """An onset of machine excavation."""
    given: dict[str, Any] = {
        "event_id": str(uuid7()), "edge_id": "edge-1", "epoch": "epoch-a", "seq": seq,
        "episode_id": str(uuid7()), "phase": "onset", "site_id": "site-1", "camera_id": "cam-1",
        "captured_at": NOW, "violation": "machine_excavation", "rule_id": "rule-1",
        "object_class": "excavator", "track_id": 7, "confidence": 0.91, "bbox": (1.0, 2.0, 30.0, 40.0),
        "frame_size_px": (1920, 1080), "position": Position(lon=113.5, lat=22.7, accuracy_m=1.5),
        "pipeline_id": "line-1", "chainage_m": 12345.0, "offset_m": 2.5, "within_band": 0.99, "dwell_s": 4.0,
        "activity": "working", "risk_edge": Level.I, "reason": "onset", "footage": "simulated",
        "model": ModelRef(name="net", version="1", sha256="a" * 64), "config_version": "1",
    }  # fmt: skip
    return RiskEvent(**{**given, **changes})


def evidence(digit: str = "b") -> EvidenceRef:
    """A snapshot that an event names."""
    return EvidenceRef(sha256=digit * 64, kind="snapshot_annotated", bytes=1234)


def watch(seq: int = 1, **changes: Any) -> WatchRecord:
    """A minute of which 58 s were watched."""
    given: dict[str, Any] = {
        "edge_id": "edge-1", "epoch": "epoch-a", "seq": seq, "camera_id": "cam-1", "minute": MINUTE,
        "watched_s": 58.0, "span_s": 60.0, "frames": 1500, "looks": 300, "detector_runs": 40,
        "detections": 3, "longest_blind_s": 2.0, "state_s": {"streaming": 58.0, "stalled": 2.0},
        "seen": (("line-1", 12000.0, 12400.0),), "calibration_version": "c1", "config_version": "1",
    }  # fmt: skip
    return WatchRecord(**{**given, **changes})


def loss(seq: int = 1, **changes: Any) -> LossRecord:
    """Evidence that a full disk cost."""
    given: dict[str, Any] = {
        "edge_id": "edge-1", "epoch": "epoch-a", "seq": seq, "what": "evidence", "count": 1,
        "reason": "disk_full", "sha256": "b" * 64, "from_at": NOW, "to_at": NOW + timedelta(seconds=5),
    }  # fmt: skip
    return LossRecord(**{**given, **changes})


def status(**changes: Any) -> EdgeStatus:
    """An edge without cameras that has given out no number."""
    given: dict[str, Any] = {
        "edge_id": "edge-1", "epoch": "epoch-a", "at": NOW, "started_at": NOW, "version": "0.1",
        "config_version": "1", "queue_depth": 0, "last_seq": 0, "evidence_pending": 0, "detector": {},
        "cameras": {},
    }  # fmt: skip
    return EdgeStatus(**{**given, **changes})


KINDS = {RiskEvent: Kind.EVENT, WatchRecord: Kind.WATCH, LossRecord: Kind.LOSS}


def properties(message: Numbered, payload: bytes, **changes: Any) -> Properties:
    """The number and hash that travel beside the payload."""
    kind = KINDS[type(message)]
    right = Properties(
        edge_id=message.edge_id, epoch=message.epoch, seq=message.seq, kind=kind, sha256=sha256_hex(payload)
    )
    return msgspec.structs.replace(right, **changes)


def arrived(
    message: Numbered, payload: bytes | None = None, *, at: datetime = NOW, **numbered: Any
) -> Arrived:
    """A message as the broker gives it. `payload` replaces its bytes (and is hashed), `numbered` properties."""
    data = encode(message) if payload is None else payload
    camera_id = message.camera_id if isinstance(message, RiskEvent) else ""
    return Arrived(
        topic=topic(KINDS[type(message)], message.edge_id, camera_id),
        payload=data,
        pairs=tuple(properties(message, data, **numbered).as_pairs()),
        received_at=at,
    )
