"""An IngestStore in memory, for tests of the whole chain in simulated time. It passes the same contract tests
as PostgresIngestStore (tests/integration/test_ingest_store.py).

Decisions are the real ones; only what the database does (uniqueness, transactions) is done here by hand.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from monitor.audit.entries import Entry
from monitor.domain.events import EdgeStatus, LossRecord, Receipt, RiskEvent, WatchRecord, sha256_hex
from monitor.domain.numbers import Stored
from monitor.ingest import gaps, rows
from monitor.ingest.judge import Accepted, DeadLetter, DeadReason, judge
from monitor.ingest.minutes import MINUTE, NO_RECORD, due_minutes
from monitor.ingest.ports import Arrived, BatchResult, DeviceAlarm, GapReport, Outcome, Source, Verdict
from monitor.ingest.status import changed_cameras, speaks_again

Row = dict[str, Any]


class MemoryIngestStore:
    """What the tables would hold, as lists and dicts with the columns' names."""

    def __init__(self) -> None:
        self.numbers: dict[tuple[str, str, int], str] = {}
        self.stored: dict[Source, Stored] = {}
        self.last_seq: dict[Source, int] = {}
        self.touched: dict[Source, datetime] = {}
        self.gaps: dict[Source, tuple[gaps.Gap, ...]] = {}
        self.events: list[RiskEvent] = []
        self.watch: dict[tuple[str, datetime], Row] = {}
        self.losses: list[LossRecord] = []
        self.evidence: dict[str, Row] = {}
        self.dead_letters: list[Row] = []
        self.work: list[tuple[str, Row]] = []
        self.entries: list[Entry] = []
        self.edge_online: dict[str, bool] = {}
        self.silent: set[str] = set()
        self.statuses: dict[str, tuple[datetime, datetime]] = {}  # when it was made, when it came
        self.cameras: dict[str, Row] = {}
        self.camera_changes: list[Row] = []
        self._filled_through: datetime | None = None

    def store(self, batch: Sequence[Arrived], now: datetime) -> BatchResult:
        touched: dict[Source, Stored] = {}
        outcomes = [self._one(arrived, now, touched) for arrived in batch]
        return BatchResult(
            outcomes=tuple(outcomes), receipts={source: self.stored[source] for source in touched}
        )

    def _one(self, arrived: Arrived, now: datetime, touched: dict[Source, Stored]) -> Outcome:
        judged = judge(arrived.topic, arrived.payload, arrived.pairs, now)
        counted = isinstance(judged, Accepted) or judged.counted
        if counted:
            assert judged.properties is not None
            source = (judged.properties.edge_id, judged.properties.epoch)
            touched[source] = self.stored.setdefault(source, Stored())
            self.touched.setdefault(source, now)
            if (again := self._again(judged, arrived, source, now)) is not None:
                return again
            self._count(source, judged.properties.seq, sha256_hex(arrived.payload), now)
        if isinstance(judged, DeadLetter):
            self._keep(arrived, judged, now)
            return Outcome(Verdict.DEAD_LETTER, judged.reason, judged.detail)
        self._insert(judged, arrived, now)
        return Outcome(Verdict.STORED)

    def _again(
        self, judged: Accepted | DeadLetter, arrived: Arrived, source: Source, now: datetime
    ) -> Outcome | None:
        properties = judged.properties
        assert properties is not None
        actual = sha256_hex(arrived.payload)
        known = self.numbers.get((*source, properties.seq))
        if known is None and not self.stored[source].covers(properties.seq):
            return None
        if known is None or known == actual:
            return Outcome(Verdict.DUPLICATE)
        reason = DeadReason.SAME_NUMBER_OTHER_HASH
        letter = DeadLetter(reason=reason, detail="", edge_id=source[0], properties=properties)
        if self._keep_bytes(arrived, letter, now):
            body = {"edge_id": source[0], "epoch": source[1], "seq": properties.seq}
            self._leave("same_number_other_hash", {**body, "sha256_stored": known, "sha256_arrived": actual})
        return Outcome(Verdict.SAME_NUMBER_OTHER_HASH, reason)

    def _count(self, source: Source, seq: int, sha256: str, now: datetime) -> None:
        self.numbers[(*source, seq)] = sha256
        self.stored[source] = self.stored[source].add(seq)
        self.last_seq[source] = max(seq, self.last_seq.get(source, 0))
        self.touched[source] = now

    def _insert(self, accepted: Accepted, arrived: Arrived, now: datetime) -> None:
        body = msgspec.json.decode(arrived.payload)
        if accepted.flags:
            body["flags"] = list(accepted.flags)
        match accepted.message:
            case RiskEvent() as event:
                self.events.append(event)
                for item in event.evidence:
                    lost = [one.reason for one in self.losses if one.sha256 == item.sha256]
                    row = {**rows.evidence_row(event, item, now), "lost_reason": lost[0] if lost else None}
                    self.evidence.setdefault(item.sha256, row)
                self._leave("event", body)
                self.entries.append(rows.event_entry(accepted, event, arrived, now))
            case WatchRecord() as record:
                key, row = (record.camera_id, record.minute), rows.watch_row(record, now)
                old = self.watch.get(key)
                size = (record.span_s, record.watched_s)
                if old is None or old["edge_id"] is None or size > (old["span_s"], old["watched_s"]):
                    self.watch[key] = row
            case LossRecord() as loss:
                self.losses.append(loss)
                self._leave("loss", body)
                if loss.sha256 in self.evidence:
                    self.evidence[loss.sha256]["lost_reason"] = loss.reason

    def _leave(self, kind: str, body: object) -> None:
        self.work.append((kind, msgspec.json.decode(msgspec.json.encode(body))))

    def _keep(self, arrived: Arrived, letter: DeadLetter, now: datetime) -> None:
        if self._keep_bytes(arrived, letter, now):
            body = {
                "dead_letter_id": len(self.dead_letters),
                **self.dead_letters[-1],
                "detail": letter.detail,
            }
            body.pop("payload")
            self._leave("dead_letter", body)

    def _keep_bytes(self, arrived: Arrived, letter: DeadLetter, now: datetime) -> bool:
        numbered = letter.properties
        row = {
            "topic": arrived.topic, "edge_id": letter.edge_id, "epoch": numbered.epoch if numbered else None,
            "seq": numbered.seq if numbered else None, "sha256": sha256_hex(arrived.payload),
            "reason": letter.reason.value, "payload": arrived.payload,
        }  # fmt: skip
        same = ("topic", "epoch", "seq", "sha256")
        if any(all(old[name] == row[name] for name in same) for old in self.dead_letters):
            return False
        self.dead_letters.append(row)
        subject, body = f"dead_letter:{len(self.dead_letters)}", {"reason": letter.reason.value}
        self.entries.append(Entry(kind="message.refused", subject=subject, actor="test", at=now, body=body))
        return True

    def keep_dead_letter(self, arrived: Arrived, reason: DeadReason, detail: str, now: datetime) -> None:
        self._keep(arrived, DeadLetter(reason=reason, detail=detail), now)

    def note_device(self, alarm: DeviceAlarm, now: datetime) -> None:
        self._leave("device_alarm", alarm)

    def note_status(self, status: EdgeStatus, now: datetime) -> None:
        said_at = self.statuses.get(status.edge_id, (None, now))[0]
        if speaks_again(status.edge_id in self.silent, said_at, status):
            self.silent.discard(status.edge_id)
            self.note_online(status.edge_id, True, now)
        self.edge_online.setdefault(status.edge_id, True)
        self.statuses[status.edge_id] = (status.at, now)
        source = (status.edge_id, status.epoch)
        self.stored.setdefault(source, Stored())
        self.touched.setdefault(source, now)
        self.last_seq[source] = max(status.last_seq, self.last_seq.get(source, 0))
        changed = changed_cameras({key: row["state"] for key, row in self.cameras.items()}, status)
        for camera_id, said in sorted(status.cameras.items()):
            row = {"camera_id": camera_id, "edge_id": status.edge_id, "state": said.state.value}
            row |= {"reason": said.reason, "since": said.since}
            self.cameras[camera_id] = row
            if camera_id in changed:
                self.camera_changes.append(row)
                self._leave("camera_state", row)

    def note_online(self, edge_id: str, online: bool, now: datetime) -> None:
        if online and edge_id in self.silent:
            return
        if self.edge_online.get(edge_id) is not online:
            self.edge_online[edge_id] = online
            self._leave("edge_online", {"edge_id": edge_id, "online": online, "at": now})

    def note_silent(self, now: datetime, limit_s: float) -> Sequence[str]:
        before = now - timedelta(seconds=limit_s)
        silent = [
            e for e, (_, came) in sorted(self.statuses.items()) if self.edge_online.get(e) and came < before
        ]
        for edge_id in silent:
            self.note_online(edge_id, False, now)
            self.silent.add(edge_id)
        return silent

    def note_missing(self, now: datetime, limit_s: float) -> Sequence[GapReport]:
        reports = []
        for source in sorted(self.stored):
            missing = self.stored[source].missing(self.last_seq.get(source, 0))
            decision = gaps.decide(missing, self.gaps.get(source, ()), now, limit_s)
            self.gaps[source] = decision.gaps
            if decision.report is not None:
                report = GapReport(edge_id=source[0], epoch=source[1], missing=decision.report)
                self._leave("number_gap", report)
                reports.append(report)
        return reports

    def note_unwatched(self, now: datetime, grace_s: float) -> int:
        due = due_minutes(self._filled_through, now, grace_s)
        if due is None:
            return 0
        written, (minute, last) = 0, due
        known_since = {row["camera_id"]: row["since"] for row in reversed(self.camera_changes)}
        while minute <= last:
            for camera_id, since in known_since.items():
                if minute >= since and (camera_id, minute) not in self.watch:
                    row = {"edge_id": None, "watched_s": 0.0, "span_s": 60.0, "state_s": {NO_RECORD: 60}}
                    self.watch[camera_id, minute] = row
                    written += 1
            minute += MINUTE
        self._filled_through = due[1]
        return written

    def prune_numbers(self, now: datetime, keep: timedelta) -> int:
        return 0

    def receipts(self) -> Sequence[Receipt]:
        return [
            Receipt(edge_id=edge_id, epoch=epoch, stored_through=stored.through, ranges=stored.ranges)
            for (edge_id, epoch), stored in sorted(
                self.stored.items(), key=lambda one: (self.touched[one[0]], one[0])
            )
        ]
