"""Numbered records of what could not be kept: messages and pictures that were refused, evidence that was given up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

from edge.errors import OutboxRefused
from edge.outbox import Make, Outbox, Row
from monitor.domain.events import LossRecord


def given_up(
    edge_id: str, sha256: str, event_id: str, reason: str, *, announced_at: float, now: float
) -> Make:
    """The record that evidence which an event has named is given up; Unix seconds."""
    return lambda epoch, seq: LossRecord(
        edge_id=edge_id, epoch=epoch, seq=seq, what="evidence", count=1, reason=reason, sha256=sha256,
        event_id=event_id, from_at=datetime.fromtimestamp(announced_at, UTC), to_at=datetime.fromtimestamp(now, UTC),
    )  # fmt: skip


class LossCounter:
    """What one process was refused since it last could say so."""

    def __init__(
        self,
        outbox: Outbox,
        edge_id: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        what: Literal["evidence", "refused"] = "refused",
        reason: str = "outbox_full",
    ) -> None:
        """Counts messages (`refused`), or pictures and clips that no event could name (`evidence`)."""
        self._outbox, self._edge_id, self._now = outbox, edge_id, now
        self._what, self._reason = what, reason
        self.refused = 0
        self._from_at: datetime | None = None

    def refuse(self) -> None:
        """One more was refused."""
        self._from_at = self._from_at or self._now()
        self.refused += 1

    def settle(self) -> Row | None:
        """Number a loss record for what was refused; None if there is nothing to say or it is refused too."""
        if not self.refused or self._from_at is None:
            return None
        count, from_at, to_at = self.refused, self._from_at, self._now()
        try:
            row = self._outbox.append(
                lambda epoch, seq: LossRecord(
                    edge_id=self._edge_id, epoch=epoch, seq=seq, what=self._what, count=count,
                    reason=self._reason, from_at=from_at, to_at=to_at)
            )  # fmt: skip
        except OutboxRefused:
            return None
        self.refused, self._from_at = 0, None
        return row
