"""Edges that are wrong on purpose, so that one sees that the fault run would find it.

Each breaks one promise: nothing durable is lost, nothing is told twice, no number is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import paho.mqtt.client as mqtt

from edge.evidence_queue import PendingEvidence
from edge.outbox import Make, Row, SavedEpisode, SqliteOutbox, to_row
from edge.publisher import Publisher
from monitor.domain.events import Receipt

#: What each sabotage does, and which figure must then be above 0.
SABOTAGES: Final = {
    "puback": "forgets a message when the broker acknowledges it, not when the centre's receipt covers it: lost",
    "episode": "saves an episode's state after the message instead of with it: duplicates",
    "number": "takes a number in a transaction of its own before the message is kept: numbered_but_missing",
}
FINDS: Final = {"puback": "lost", "episode": "duplicates", "number": "numbered_but_missing"}


def outbox(sabotage: str) -> type[SqliteOutbox]:
    """The outbox of that sabotage; without one the real one."""
    kinds: dict[str, type[SqliteOutbox]] = {"episode": _EpisodeLater, "number": _NumberFirst}
    return kinds.get(sabotage, SqliteOutbox)


def publisher(sabotage: str) -> type[Publisher]:
    """The publisher of that sabotage; without one the real one."""
    return _ForgetsAtPuback if sabotage == "puback" else Publisher


class _ForgetsAtPuback(Publisher):
    def __init__(self, *args: Any, **more: Any) -> None:
        self._seq_of: dict[int, int] = {}
        self._gone: list[int] = []
        super().__init__(*args, **more)

    def _publish(self, row: Row, epoch: str) -> None:
        before = set(self._unacked)
        super()._publish(row, epoch)
        for mid in self._unacked - before:
            self._seq_of[mid] = row.seq

    def _on_publish(self, client: mqtt.Client, data: Any, mid: int, *more: Any) -> None:
        if mid in self._seq_of:
            self._gone.append(self._seq_of.pop(mid))
        super()._on_publish(client, data, mid, *more)

    def _round(self, outbox: SqliteOutbox, seen: int, *, woken: bool) -> int:
        while self._gone:
            seq = self._gone.pop()
            outbox.apply_receipt(
                Receipt(edge_id=self._edge_id, epoch=outbox.epoch, stored_through=0, ranges=((seq, seq),))
            )
        return super()._round(outbox, seen, woken=woken)


class _EpisodeLater(SqliteOutbox):
    def append(self, make: Make, *, episodes: Sequence[SavedEpisode] = (), evidence: Sequence[PendingEvidence] = (),
               close_minute: tuple[str, datetime] | None = None) -> Row:  # fmt: skip
        row = super().append(make, evidence=evidence, close_minute=close_minute)
        self.save_episodes(episodes)
        return row


class _NumberFirst(SqliteOutbox):
    def append(self, make: Make, *, episodes: Sequence[SavedEpisode] = (), evidence: Sequence[PendingEvidence] = (),
               close_minute: tuple[str, datetime] | None = None) -> Row:  # fmt: skip
        def take() -> int:
            seq = int(self.file.meta("last_seq")) + 1
            self.file.set_meta("last_seq", seq)
            return seq

        seq = self.file.write("no number was taken", take)
        row = to_row(make(self.epoch, seq), seq)
        self.file.write("nothing was kept", lambda: self._keep(row, episodes, evidence, close_minute))
        return row
