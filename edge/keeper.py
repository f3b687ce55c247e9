"""Keeps the edge's disk in order: evidence within its share, a reserve for numbered messages, no nobody's files.

Moves data between the disk and `edge.shedding`, which decides. Each piece that goes leaves a numbered record
in the same transaction that forgets it; the file goes after that, so that a kill in between leaves a file
that nobody names, never a name without a file. Without room for the record nothing goes.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from edge import reserve, shedding
from edge.errors import OutboxRefused, OutboxUnusable
from edge.evidence import EvidenceStore
from edge.losses import given_up
from edge.outbox import SqliteOutbox
from edge.shedding import Disk

ROUND_S: Final = 5.0
#: pieces between two looks at the disk
BATCH: Final = 50

log = structlog.get_logger()


class Keeper(threading.Thread):
    """Looks after the disk of one edge, in a thread of its own."""

    def __init__(
        self,
        edge_id: str,
        store: EvidenceStore,
        outbox_path: Path,
        open_outbox: Callable[[], SqliteOutbox],
        *,
        cameras: int,
        share: float,
        sending: Callable[[], str | None] = lambda: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`share` of the whole disk is what evidence may use; `sending` is the SHA-256 that is being uploaded."""
        super().__init__(name="keeper", daemon=True)
        self._edge_id, self._store, self._open_outbox = edge_id, store, open_outbox
        self._outbox_path, self._reserve = outbox_path, reserve.Reserve(outbox_path)
        self._cameras, self._share, self._sending, self._now = cameras, share, sending, now
        self._halt, self._trouble = threading.Event(), ""
        self._told_days = -1
        #: how the disk was at the last look
        self.disk: Disk | None = None

    def stop(self, timeout_s: float = 2.0) -> None:
        """End after the piece at hand."""
        self._halt.set()
        self.join(timeout_s)

    def run(self) -> None:
        """Look, shed and keep room until stopped."""
        outbox: SqliteOutbox | None = None
        try:
            while not self._halt.is_set():
                try:
                    outbox = outbox or self._open_outbox()
                    while not self._halt.is_set() and self.round(outbox):
                        pass
                    self._trouble = ""
                except (OutboxRefused, OutboxUnusable, OSError) as exc:  # a full disk may get well again
                    if str(exc) != self._trouble:
                        self._trouble = str(exc)
                        log.error("disk_not_kept", error=str(exc))
                self._halt.wait(ROUND_S)
        finally:
            if outbox is not None:
                outbox.close()

    def round(self, outbox: SqliteOutbox) -> bool:
        """One look; whether there is more to do at once."""
        disk = self.disk = self._look(outbox)
        need = shedding.need(disk, self._share)
        if need is None:
            self._grow(disk)
            return False
        if self._store.sweep(outbox.evidence.names()):
            return True
        sending = self._sending()
        items = [item for item in outbox.evidence.sheddable() if item.sha256 != sending]
        chosen = shedding.choose(items, need.bytes)[:BATCH]
        for item in chosen:
            if self._halt.is_set():
                return False
            self._shed(outbox, item, need.reason)
        if not chosen:
            self._grow(disk)
        return bool(chosen)

    def _look(self, outbox: SqliteOutbox) -> Disk:
        now = os.statvfs(self._outbox_path.parent)
        total = now.f_blocks * now.f_frsize
        wanted = reserve.wanted_bytes(self._cameras, total, self._outbox_path.stat().st_size)
        return Disk(total=total, free=now.f_bavail * now.f_frsize, evidence=outbox.evidence.bytes(),
                    reserve=self._reserve.size(), reserve_wanted=wanted)  # fmt: skip

    def _grow(self, disk: Disk) -> None:
        """Take what the reserve lacks of the room that nobody needs at once."""
        spare = disk.free - 2 * shedding.floor_bytes(disk.total)
        complete = disk.reserve >= disk.reserve_wanted or (
            spare > 0 and self._reserve.grow(disk.reserve_wanted, spare)
        )
        days = reserve.DAYS
        if self._cameras:
            held = self._reserve.size() + self._outbox_path.stat().st_size
            days = int(min(reserve.DAYS, reserve.DAYS * held / reserve.month_bytes(self._cameras)))
        if days != self._told_days and (complete or spare <= 0):
            self._told_days = days
            tell = log.info if days >= reserve.DAYS else log.warning
            tell("reserve", days=days, bytes=self._reserve.size(), cameras=self._cameras,
                 what="events and minutes have room for so many days without the centre")  # fmt: skip

    def _shed(self, outbox: SqliteOutbox, item: shedding.Sheddable, reason: str) -> None:
        make = given_up(self._edge_id, item.sha256, item.event_id, reason, announced_at=item.announced_at,
                        now=self._now())  # fmt: skip
        row = outbox.give_up(item.sha256, make)
        if row is not None:  # else it was uploaded meanwhile
            log.warning("evidence_shed", sha256=item.sha256, kind=item.kind, bytes=item.bytes, reason=reason,
                        level=item.level, seq=row.seq)  # fmt: skip
            (self._store.folder / item.name).unlink(missing_ok=True)
