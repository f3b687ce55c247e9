"""Puts into a real database what ingest and the web would have written, as MemoryAlertBook's `add_*` do."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from psycopg.types.json import Jsonb

from alerts.postgres_book import PostgresAlertBook
from alerts.values import EvidenceItem, LastWord, Permit
from monitor.domain.events import RiskEvent
from monitor.store.pool import Pool


class SeededPostgresBook(PostgresAlertBook):
    """The real book, with MemoryAlertBook's ways to put things in."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool)
        self.pool = pool
        self._seq = 0

    def run(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        with self.pool.connection() as conn:
            cursor = conn.execute(query, parameters)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def add_work(self, kind: str, body: Any, at: datetime) -> None:
        self.run(
            "INSERT INTO alert_work (kind, body, created_at) VALUES (%s, %s, %s)",
            kind,
            Jsonb(msgspec.to_builtins(body)),
            at,
        )

    def add_event(self, event: RiskEvent, at: datetime) -> None:
        self._seq += 1
        body = msgspec.to_builtins(event)
        columns = {
            name: body.get(name)
            for name in (
                "captured_at", "event_id", "edge_id", "epoch", "episode_id", "phase", "site_id", "camera_id",
                "violation", "rule_id", "object_class", "track_id", "confidence", "dwell_s", "activity", "risk_edge",
                "footage", "pipeline_id", "chainage_m", "offset_m",
            )
        }  # fmt: skip
        columns |= {"seq": self._seq, "body": Jsonb(body), "received_at": at, "stored_at": at}
        marks = ", ".join(["%s"] * len(columns))
        self.run(f"INSERT INTO risk_event ({', '.join(columns)}) VALUES ({marks})", *columns.values())
        for item in event.evidence:
            self.add_evidence(
                EvidenceItem(
                    sha256=item.sha256, kind=item.kind, content_type=item.content_type, bytes=item.bytes,
                    camera_id=event.camera_id, event_id=event.event_id, episode_id=event.episode_id,
                    footage=event.footage, announced_at=at,
                )
            )  # fmt: skip
        self.add_work("event", event, at)

    def keeps_records_since(self, at: datetime) -> None:
        self.run(
            "INSERT INTO config_version (sha256, body, author, reason, created_at) VALUES ('', '{}', 'test', '', %s)",
            at,
        )

    def add_permit(self, permit: Permit) -> None:
        fields = msgspec.to_builtins(permit) | {"created_at": permit.valid_from}
        fields = {k: Jsonb(v) if isinstance(v, list | tuple | dict) else v for k, v in fields.items()}
        marks = ", ".join(["%s"] * len(fields))
        self.run(f"INSERT INTO permit ({', '.join(fields)}) VALUES ({marks})", *fields.values())

    def add_evidence(self, item: EvidenceItem, alert_id: str | None = None) -> None:
        fields = {**msgspec.structs.asdict(item), "alert_id": alert_id}
        marks = ", ".join(["%s"] * len(fields))
        updates = "stored_at = excluded.stored_at, lost_reason = excluded.lost_reason"
        self.run(
            f"INSERT INTO evidence ({', '.join(fields)}) VALUES ({marks})"
            f" ON CONFLICT (sha256) DO UPDATE SET {updates}",
            *fields.values(),
        )

    def set_camera(self, camera_id: str, word: LastWord) -> None:
        self.run(
            "INSERT INTO camera_state (camera_id, edge_id, state, since, updated_at) VALUES (%s, 'e1', %s, %s, %s)"
            " ON CONFLICT (camera_id) DO UPDATE SET state = excluded.state, since = excluded.since",
            camera_id, word.state, word.since, word.since,
        )  # fmt: skip

    def set_edge(self, edge_id: str, word: LastWord) -> None:
        self.run(
            "INSERT INTO edge_state (edge_id, online, updated_at) VALUES (%s, %s, %s)"
            " ON CONFLICT (edge_id) DO UPDATE SET online = excluded.online, updated_at = excluded.updated_at",
            edge_id, word.state == "online", word.since,
        )  # fmt: skip
