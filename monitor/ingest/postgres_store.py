"""The store of ingest in PostgreSQL; each call is one transaction, but for unwatched minutes. Batches are written in postgres_batch.py."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from monitor.domain.events import EdgeStatus, Receipt
from monitor.domain.numbers import Stored
from monitor.ingest import gaps, rows
from monitor.ingest.judge import DeadLetter, DeadReason
from monitor.ingest.minutes import NO_RECORD, due_minutes, in_pieces
from monitor.ingest.ports import Arrived, BatchResult, DeviceAlarm, GapReport, Source
from monitor.ingest.postgres_batch import QUERIES, Item, keep, leave_work, stored_of, write_batch
from monitor.ingest.status import changed_cameras, speaks_again
from monitor.store.pool import Conn, Pool


class PostgresIngestStore:
    """An IngestStore on a pool that the caller opens and closes."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._filled_through: datetime | None = None

    def store(self, batch: Sequence[Arrived], now: datetime) -> BatchResult:
        """See IngestStore."""
        with self._pool.connection() as conn:
            result = write_batch(conn, batch, now)
            conn.execute(QUERIES["notify_work"])
        return result

    def keep_dead_letter(self, arrived: Arrived, reason: DeadReason, detail: str, now: datetime) -> None:
        """See IngestStore."""
        letter = DeadLetter(reason=reason, detail=detail)
        with self._pool.connection() as conn:
            keep(conn, Item(arrived, letter), letter, now)
            conn.execute(QUERIES["notify_work"])

    def note_device(self, alarm: DeviceAlarm, now: datetime) -> None:
        """See IngestStore."""
        with self._pool.connection() as conn:
            leave_work(conn, "device_alarm", alarm, now)
            conn.execute(QUERIES["notify_work"])

    def note_status(self, status: EdgeStatus, now: datetime) -> None:
        """See IngestStore."""
        edge = {"edge_id": status.edge_id, "now": now}
        with self._pool.connection() as conn:
            before = conn.execute(QUERIES["edge_silence"], edge).fetchone()
            overloaded = status.load is not None and status.load.overloaded_since is not None
            if before is not None and speaks_again(before["silent"], before["said_at"], status):
                self._set_online(conn, status.edge_id, True, now)
            conn.execute(QUERIES["upsert_edge_status"], {**edge, "status": rows.json_text(status)})
            conn.execute(QUERIES["heard_of"], {**edge, "epoch": status.epoch, "last_seq": status.last_seq})
            known = conn.execute(QUERIES["camera_states"], {"camera_ids": sorted(status.cameras)}).fetchall()
            changed = changed_cameras({row["camera_id"]: row["state"] for row in known}, status)
            for camera_id, said in sorted(status.cameras.items()):
                row = {**edge, "camera_id": camera_id, "state": said.state.value, "reason": said.reason}
                row["since"] = said.since
                conn.execute(QUERIES["upsert_camera_state"], row)
                if camera_id in changed:
                    conn.execute(QUERIES["insert_camera_change"], row)
                    leave_work(conn, "camera_state", _without(row, "now"), now)
                    conn.execute(QUERIES["notify_camera"], {"camera_id": camera_id})
            if changed:
                conn.execute(QUERIES["notify_work"])
            if overloaded != (before is not None and before["overloaded"]):
                for camera_id in sorted(set(status.cameras) - set(changed)):  # their pages show it
                    conn.execute(QUERIES["notify_camera"], {"camera_id": camera_id})

    def note_online(self, edge_id: str, online: bool, now: datetime) -> None:
        """See IngestStore."""
        edge = {"edge_id": edge_id}
        with self._pool.connection() as conn:
            known = conn.execute(QUERIES["edge_online"], edge).fetchone()
            if known is not None and (known["online"] == online or (known["silent"] and online)):
                return  # a silent edge has to say a new status first; the broker's word was true all the time
            self._set_online(conn, edge_id, online, now)

    def note_silent(self, now: datetime, limit_s: float) -> Sequence[str]:
        """See IngestStore."""
        with self._pool.connection() as conn:
            before = now - timedelta(seconds=limit_s)
            silent = [
                row["edge_id"]
                for row in conn.execute(QUERIES["silence_edges"], {"before": before}).fetchall()
            ]
            for edge_id in silent:
                _tell_online(conn, edge_id, False, now)
        return silent

    def _set_online(self, conn: Conn, edge_id: str, online: bool, now: datetime) -> None:
        conn.execute(QUERIES["upsert_edge_online"], {"edge_id": edge_id, "online": online, "now": now})
        _tell_online(conn, edge_id, online, now)

    def note_missing(self, now: datetime, limit_s: float) -> Sequence[GapReport]:
        """See IngestStore."""
        reports: list[GapReport] = []
        with self._pool.connection() as conn:
            for receipt in conn.execute(QUERIES["receipts_with_last"]).fetchall():
                source = {"edge_id": receipt["edge_id"], "epoch": receipt["epoch"]}
                known = [gaps.Gap(**row) for row in conn.execute(QUERIES["known_gaps"], source).fetchall()]
                missing = stored_of(receipt).missing(receipt["last_seq"])
                decision = gaps.decide(missing, known, now, limit_s)
                if decision.gaps != tuple(known):
                    conn.execute(QUERIES["forget_gaps"], source)
                    standing = [{**source, **msgspec.structs.asdict(gap)} for gap in decision.gaps]
                    conn.cursor().executemany(QUERIES["insert_gap"], standing)
                if decision.report is not None:
                    leave_work(conn, "number_gap", {**source, "missing": decision.report}, now)
                    reports.append(GapReport(missing=decision.report, **source))
            if reports:
                conn.execute(QUERIES["notify_work"])
        return reports

    def note_unwatched(self, now: datetime, grace_s: float) -> int:
        """See IngestStore."""
        due = due_minutes(self._filled_through, now, grace_s)
        if due is None:
            return 0
        written = 0
        # each piece in a transaction of its own: filling again does no harm
        for first, last in in_pieces(*due):
            given = {"first": first, "last": last, "state": NO_RECORD, "now": now}
            with self._pool.connection() as conn:
                written += conn.execute(QUERIES["fill_minutes"], given).rowcount
            self._filled_through = last
        return written

    def receipts(self) -> Sequence[Receipt]:
        """See IngestStore."""
        with self._pool.connection() as conn:
            found = conn.execute(QUERIES["all_receipts"]).fetchall()
        return [receipt((row["edge_id"], row["epoch"]), stored_of(row)) for row in found]

    def prune_numbers(self, now: datetime, keep: timedelta) -> int:
        """See IngestStore."""
        with self._pool.connection() as conn:
            return conn.execute(QUERIES["prune_numbers"], {"before": now - keep}).rowcount


def _tell_online(conn: Conn, edge_id: str, online: bool, now: datetime) -> None:
    """Leave the alert module its work, and tell the pages."""
    leave_work(conn, "edge_online", {"edge_id": edge_id, "online": online, "at": now}, now)
    for row in conn.execute(QUERIES["cameras_of_edge"], {"edge_id": edge_id}).fetchall():
        conn.execute(QUERIES["notify_camera"], {"camera_id": row["camera_id"]})
    conn.execute(QUERIES["notify_work"])


def receipt(source: Source, stored: Stored) -> Receipt:
    """The receipt of one source, as it travels."""
    return Receipt(edge_id=source[0], epoch=source[1], stored_through=stored.through, ranges=stored.ranges)


def _without(row: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != key}
