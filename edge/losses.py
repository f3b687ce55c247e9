"""Counts what could not be numbered, and says so with a numbered record once that is possible."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from edge.errors import OutboxRefused
from edge.outbox import Outbox, Row
from monitor.domain.events import LossRecord


class LossCounter:
    """What one process was refused since it last could say so."""

    def __init__(
        self, outbox: Outbox, edge_id: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._outbox, self._edge_id, self._now = outbox, edge_id, now
        self.refused = 0
        self._from_at: datetime | None = None

    def refuse(self) -> None:
        """One more message was refused."""
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
                    edge_id=self._edge_id, epoch=epoch, seq=seq, what="refused", count=count,
                    reason="outbox_full", from_at=from_at, to_at=to_at)
            )  # fmt: skip
        except OutboxRefused:
            return None
        self.refused, self._from_at = 0, None
        return row
