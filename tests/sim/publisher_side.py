"""The edge's publisher without its threads: sends what no receipt covers by the rules of `edge.publisher`.

Onsets before the backlog, windows, and `due` for what is sent again. One object per life of the worker.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from edge.outbox import Row
from edge.publisher import BATCH, IN_FLIGHT, UNRECEIPTED, Sent, due
from monitor.domain.events import Properties, Receipt, topic
from tests.sim import scene
from tests.sim.broker import Broker
from tests.sim.clock import Agenda
from tests.sim.outbox import MortalOutbox

CHECK_S = 5.0

_RECEIPT = msgspec.json.Decoder(Receipt)


class SimPublisher:
    """See the module. `say_status` is called when the broker is there."""

    def __init__(
        self, outbox: MortalOutbox, broker: Broker, agenda: Agenda, say_status: Callable[[], None]
    ) -> None:
        self._outbox, self._broker, self._agenda, self._say_status = outbox, broker, agenda, say_status
        self.sent: dict[int, Sent] = {}
        self._unacked: set[int] = set()
        self.is_connected = False
        self.dead = False
        self._line = 0

    def connected(self) -> None:
        self.is_connected = True
        self._broker.from_edge(topic("online", scene.EDGE), b'{"online":true}', retain=True)
        # what was on its way when the connection broke may be lost
        self.sent.clear()
        self._unacked.clear()
        self._say_status()
        self._send()
        self._check_again()

    def disconnected(self) -> None:
        self.is_connected = False

    def acknowledged(self, mid: int) -> None:
        self._unacked.discard(mid)
        if not self.dead:
            self._send()

    def receipt(self, payload: bytes) -> None:
        receipt = _RECEIPT.decode(payload)
        if receipt.edge_id != scene.EDGE or receipt.epoch != self._outbox.epoch:
            return
        self._outbox.apply_receipt(receipt)
        for seq in [s for s in self.sent if s not in self._outbox.rows]:
            del self.sent[seq]
        if self._outbox.rows:
            self._send()

    def wake(self) -> None:
        """Something was numbered."""
        self._agenda.after(0.03, self._send)

    def _check_again(self) -> None:
        self._line += 1
        line = self._line

        def check() -> None:
            if line == self._line and self.is_connected and not self.dead:
                if due(self.sent, self._agenda.now_s):
                    self._send()
                self._agenda.after(CHECK_S, check)

        self._agenda.after(CHECK_S, check)

    def _send(self) -> None:
        if not (not self.dead and self.is_connected):
            return
        room = min(BATCH, IN_FLIGHT - len(self._unacked))
        if room <= 0:
            return
        again = due(self.sent, self._agenda.now_s)
        waiting = frozenset(self.sent) - again
        rows = self._outbox.unreceipted(room, waiting)
        for row in rows:
            if len(waiting) >= UNRECEIPTED and not row.onset:
                break
            self._publish(row)
        if len(rows) == room:
            self._agenda.after(0.03, self._send)

    def _publish(self, row: Row) -> None:
        properties = Properties(
            edge_id=scene.EDGE, epoch=self._outbox.epoch, seq=row.seq, kind=row.kind, sha256=row.sha256
        )
        mid = self._broker.from_edge(row.topic, row.payload, tuple(properties.as_pairs()))
        if mid is None:
            return
        before = self.sent.get(row.seq)
        self.sent[row.seq] = Sent(at_s=self._agenda.now_s, times=1 if before is None else before.times + 1)
        self._unacked.add(mid)
