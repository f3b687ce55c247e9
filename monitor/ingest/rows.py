"""Turns accepted messages into rows and audit entries. Pure; the SQL is in queries.sql."""

from datetime import datetime
from typing import Any

import msgspec

from monitor.audit.entries import Entry
from monitor.domain.events import EvidenceRef, LossRecord, RiskEvent, WatchRecord
from monitor.ingest.judge import Accepted
from monitor.ingest.ports import Arrived

Row = dict[str, Any]


def json_text(value: object) -> str:
    """A value as JSON text for a jsonb column."""
    return msgspec.json.encode(value).decode()


def event_row(event: RiskEvent, arrived: Arrived, now: datetime) -> Row:
    """A row of risk_event, to be written as JSON."""
    place = event.position
    return {
        "captured_at": event.captured_at, "event_id": event.event_id, "edge_id": event.edge_id,
        "epoch": event.epoch, "seq": event.seq, "episode_id": event.episode_id, "phase": event.phase,
        "site_id": event.site_id, "camera_id": event.camera_id, "violation": event.violation,
        "rule_id": event.rule_id, "object_class": event.object_class, "track_id": event.track_id,
        "confidence": event.confidence, "lon": place.lon if place else None,
        "lat": place.lat if place else None, "accuracy_m": place.accuracy_m if place else None,
        "no_fix": event.no_fix.value if event.no_fix else None, "pipeline_id": event.pipeline_id,
        "chainage_m": event.chainage_m, "offset_m": event.offset_m, "within_band": event.within_band,
        "dwell_s": event.dwell_s, "activity": str(event.activity), "risk_edge": event.risk_edge.value,
        "footage": event.footage, "body": msgspec.Raw(arrived.payload), "published_at": event.published_at,
        "received_at": arrived.received_at, "stored_at": now,
    }  # fmt: skip


def evidence_row(event: RiskEvent, item: EvidenceRef, now: datetime) -> Row:
    """A row of evidence: announced, its bytes still to come."""
    return {
        "sha256": item.sha256, "kind": item.kind, "content_type": item.content_type, "bytes": item.bytes,
        "edge_id": event.edge_id, "camera_id": event.camera_id, "event_id": event.event_id,
        "episode_id": event.episode_id, "footage": event.footage, "announced_at": now,
    }  # fmt: skip


def watch_row(record: WatchRecord, now: datetime) -> Row:
    """A row of watch_minute."""
    row = msgspec.structs.asdict(record)
    return {**row, "state_s": json_text(record.state_s), "seen": json_text(record.seen), "stored_at": now}


def loss_row(record: LossRecord, now: datetime) -> Row:
    """A row of loss."""
    return {**msgspec.structs.asdict(record), "stored_at": now}


def event_entry(accepted: Accepted, event: RiskEvent, arrived: Arrived, now: datetime) -> Entry:
    """The audit entry of an accepted event. It holds the message's text, so that its hash can be checked."""
    return Entry(
        kind="event.accepted",
        subject=f"event:{event.event_id}",
        actor=f"edge:{event.edge_id}",
        at=now,
        body={
            "episode_id": event.episode_id,
            "epoch": event.epoch,
            "seq": event.seq,
            "sha256": accepted.properties.sha256,
            "received_at": arrived.received_at,
            "flags": list(accepted.flags),
            "message": arrived.payload.decode(),
        },
    )
