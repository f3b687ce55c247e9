"""The centre's database: both doubles behind one roof, with outages, and with answers that get lost after a commit.

What PostgreSQL does by itself because both parts use its tables (events and work that ingest stores are what
the loop finds) is done here in the same breath as the commit. Audit entries of both come into one log.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import psycopg

from alerts.ports import AlertTx
from alerts.values import EvidenceItem, LastWord
from monitor.audit.tree import Frontier
from monitor.domain.events import EdgeStatus, Receipt
from monitor.ingest.judge import DeadReason
from monitor.ingest.ports import Arrived, BatchResult, GapReport
from tests.doubles.alert_book import MemoryAlertBook
from tests.doubles.ingest_store import MemoryIngestStore
from tests.sim.clock import Agenda
from tests.sim.plan import Plan


class Database:
    """Is a store for ingest and a book for the loop. `on_work` and `on_outgoing` are its NOTIFY."""

    def __init__(self, agenda: Agenda, plan: Plan, rng: random.Random) -> None:
        self._agenda, self._plan, self._rng = agenda, plan, rng
        self.store_tables, self.book = MemoryIngestStore(), MemoryAlertBook()
        #: canonical bytes of every entry, in the order of commits, and the tree's heads on the way
        self.leaves: list[bytes] = []
        self.frontier = Frontier()
        self.heads: list[tuple[int, bytes]] = []
        self.on_work: Callable[[], None] = lambda: None
        self._taken = {"events": 0, "work": 0, "losses": 0, "ingest_entries": 0, "book_entries": 0}

    def away(self) -> bool:
        """Whether the database is away."""
        return any(outage.covers(self._agenda.now_s) for outage in self._plan.database_outages)

    def _need(self) -> None:
        if self.away():
            raise psycopg.OperationalError("connection refused: the simulated database is away")
        self._fail()

    def _fail(self) -> None:
        """Before a commit: nothing of it is kept."""
        if self._agenda.now_s < self._plan.calm_from_s and self._rng.random() < self._plan.answer_lost / 2:
            raise psycopg.OperationalError("server closed the connection before the commit")

    def _answer(self) -> None:
        """After a commit: the answer may get lost, while there are faults at all."""
        if self._agenda.now_s < self._plan.calm_from_s and self._rng.random() < self._plan.answer_lost:
            raise psycopg.OperationalError("server closed the connection after the commit")

    # ------------------------------------------------------------------ as IngestStore
    def store(self, batch: Sequence[Arrived], now: Any) -> BatchResult:
        self._need()
        result = self.store_tables.store(batch, now)
        self._committed()
        return result

    def keep_dead_letter(self, arrived: Arrived, reason: DeadReason, detail: str, now: Any) -> None:
        self._need()
        self.store_tables.keep_dead_letter(arrived, reason, detail, now)
        self._committed()

    def note_status(self, status: EdgeStatus, now: Any) -> None:
        self._need()
        self.store_tables.note_status(status, now)
        self._committed()

    def note_online(self, edge_id: str, online: bool, now: Any) -> None:
        self._need()
        if self.store_tables.edge_online.get(edge_id) is not online:
            self.book.set_edge(edge_id, LastWord(state="online" if online else "offline", since=now))
        self.store_tables.note_online(edge_id, online, now)
        self._committed()

    def note_missing(self, now: Any, limit_s: float) -> Sequence[GapReport]:
        self._need()
        reports = self.store_tables.note_missing(now, limit_s)
        self._committed()
        return reports

    def note_unwatched(self, now: Any, grace_s: float) -> int:
        self._need()
        return self.store_tables.note_unwatched(now, grace_s)

    def prune_numbers(self, now: Any, keep: timedelta) -> int:
        self._need()
        return self.store_tables.prune_numbers(now, keep)

    def receipts(self) -> Sequence[Receipt]:
        self._need()
        return self.store_tables.receipts()

    def forget_caches(self) -> None:
        """A new ingest process knows nothing that is not in the tables."""
        self.store_tables._filled_through = None

    # ------------------------------------------------------------------ as AlertBook
    @contextlib.contextmanager
    def begin(self) -> Iterator[AlertTx]:
        self._need()
        with self.book.begin() as tx:
            yield tx
            self._fail()
        self._committed()

    def together(self) -> contextlib.AbstractContextManager[AlertTx]:
        return self.begin()

    # ------------------------------------------------------------------ what the web writes
    def keep_evidence(self, sha256: str, now: Any) -> bool:
        """The bytes came; False if no event announced them."""
        self._need()
        if sha256 not in self.book.tables.evidence:
            return False
        item, alert_id = self.book.tables.evidence[sha256]
        if item.stored_at is None:
            self.book.add_evidence(msgspec.structs.replace(item, stored_at=now), alert_id)
            self.store_tables.evidence[sha256]["stored_at"] = now
        self._committed()
        return True

    def keep_photo(self, alert_id: str, sha256: str, user: str, now: Any) -> None:
        """A photo of a phone."""
        self._need()
        item = EvidenceItem(sha256=sha256, kind="photo", content_type="image/jpeg", bytes=1, uploaded_by=user,
                            announced_at=now, stored_at=now)  # fmt: skip
        self.book.add_evidence(item, alert_id)
        self._committed()

    # ------------------------------------------------------------------ one commit
    def _committed(self) -> None:
        tables, taken = self.store_tables, self._taken
        for event in tables.events[taken["events"] :]:
            self.book.tables.events.append(event)
            for ref in event.evidence:
                row = tables.evidence[ref.sha256]
                if ref.sha256 not in self.book.tables.evidence:
                    wanted = {name: row[name] for name in row if name in EvidenceItem.__struct_fields__}
                    self.book.add_evidence(EvidenceItem(**wanted))
        for loss in tables.losses[taken["losses"] :]:
            if loss.sha256 in self.book.tables.evidence:
                item, alert_id = self.book.tables.evidence[loss.sha256]
                self.book.add_evidence(msgspec.structs.replace(item, lost_reason=loss.reason), alert_id)
        for camera_id, row in tables.cameras.items():
            self.book.set_camera(camera_id, LastWord(state=row["state"], since=row["since"]))
        fresh_work = tables.work[taken["work"] :]
        for kind, body in fresh_work:
            self.book.add_work(kind, body, self._agenda.utc)
        self._log_entries()
        taken |= {"events": len(tables.events), "work": len(tables.work), "losses": len(tables.losses)}
        if fresh_work:
            self.on_work()
        self._answer()

    def _log_entries(self) -> None:
        for name, entries in (
            ("ingest_entries", self.store_tables.entries),
            ("book_entries", self.book.tables.entries),
        ):
            for entry in entries[self._taken[name] :]:
                self.leaves.append(entry.canonical())
                self.frontier = self.frontier.append(entry.leaf_hash())
            self._taken[name] = len(entries)

    def sign_head(self) -> None:
        """What the sequencer publishes now and then."""
        if self.frontier.size and (not self.heads or self.heads[-1][0] != self.frontier.size):
            self.heads.append((self.frontier.size, self.frontier.root()))
