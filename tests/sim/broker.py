"""A broker in memory with the edge's bad line to it: what MQTT 5 at QoS 1 promises, and not a bit more.

Promised: what the broker acknowledged reaches the centre at least once, as long as the broker lives. Not
promised: that an acknowledgement arrives, that a message comes once, that a broker that died
still knows anything. Numbered messages even overtake each other here. Retained messages, sessions and last wills are as a broker keeps them.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime
from itertools import count
from typing import Protocol

import msgspec

from monitor.domain.events import topic
from tests.sim import scene
from tests.sim.clock import Agenda
from tests.sim.plan import Plan

#: the broker takes the edge for gone after this long without a word
WILL_AFTER_S = 15.0
#: an edge tries again so often
RECONNECT_S = 2.0
BROKER_RESTARTS_S = 3.0
_SPOKEN = (topic("status", scene.EDGE), topic("online", scene.EDGE))


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message on its way; `mid` counts publications, not messages."""

    mid: int
    topic: str
    payload: bytes
    pairs: tuple[tuple[str, str], ...] = ()
    retain: bool = False


class EdgeClient(Protocol):
    """What the broker tells an edge."""

    def connected(self) -> None: ...
    def disconnected(self) -> None: ...
    def acknowledged(self, mid: int) -> None: ...
    def receipt(self, payload: bytes) -> None: ...


class CentreClient(Protocol):
    """What the broker tells the centre."""

    def connected(self) -> None: ...
    def delivered(self, message: Message, at: datetime) -> None: ...


class Broker:
    """See the module. `log` gets one line per thing that goes wrong."""

    def __init__(
        self, agenda: Agenda, plan: Plan, rng: random.Random, log: Callable[[str, str], None]
    ) -> None:
        self._agenda, self._plan, self._rng, self._log = agenda, plan, rng, log
        self._mids = count(1)
        self._alive = True
        self._edge: EdgeClient | None = None
        self._edge_linked = False
        #: counts connections: what was on its way on an older one is lost
        self._line = 0
        self._centre: CentreClient | None = None
        self._centre_line = 0
        self._for_centre: dict[int, Message] = {}
        self._for_edge: dict[int, Message] = {}
        self._retained: dict[str, Message] = {}
        self._last_spoken_s: dict[str, float] = {}
        self.phones: list[Callable[[str, bytes], None]] = []
        #: never forget a receipt: what an honest test must not do, mutations do (test_checks.py)
        self.lose_receipts = False
        for outage in plan.link_outages:
            agenda.at(outage.from_s, lambda: self._break("the line is cut"))
            agenda.at(outage.until_s, self._try_edge)
        for at_s, forgets in plan.broker_deaths:
            agenda.at(at_s, lambda forgets=forgets: self._die(forgets=forgets))  # type: ignore[misc]

    @property
    def alive(self) -> bool:
        return self._alive

    @property
    def edge_linked(self) -> bool:
        """Whether the edge is connected."""
        return self._edge_linked

    def line_is_cut(self) -> bool:
        now_s = self._agenda.now_s
        return not self._alive or any(o.covers(now_s) for o in self._plan.link_outages)

    # ------------------------------------------------------------------ the edge's side
    def join_edge(self, edge: EdgeClient) -> None:
        """An edge process starts and wants to connect."""
        self._edge = edge
        self._try_edge()

    def drop_edge(self) -> None:
        """The edge process died; its kernel closes the connection."""
        self._edge = None
        if self._edge_linked:
            self._edge_linked = False
            self._line += 1
            self._will()

    def _try_edge(self) -> None:
        if self._edge is None or self._edge_linked:
            return
        if self.line_is_cut():
            if not any(o.covers(self._agenda.now_s) for o in self._plan.link_outages):
                self._agenda.after(RECONNECT_S, self._try_edge)
            return
        self._edge_linked = True
        self._line += 1
        self._log("broker", "the edge is connected")
        self._edge.connected()
        retained = self._retained.get(topic("receipt", scene.EDGE))
        if retained is not None and not self.lose_receipts:
            self._to_edge(retained)
        for message in list(self._for_edge.values()):
            self._to_edge(message)

    def _break(self, why: str) -> None:
        if not self._edge_linked:
            return
        self._log("broker", why)
        self._edge_linked = False
        self._line += 1
        line = self._line
        if self._edge is not None:
            self._edge.disconnected()
        self._agenda.after(WILL_AFTER_S, lambda: self._will() if self._line == line else None)

    def _will(self) -> None:
        if self._alive:
            will = Message(mid=next(self._mids), topic=topic("online", scene.EDGE), payload=b'{"online":false}', retain=True)  # fmt: skip
            self._accept(will)

    def from_edge(
        self,
        topic_name: str,
        payload: bytes,
        pairs: tuple[tuple[str, str], ...] = (),
        *,
        retain: bool = False,
    ) -> int | None:
        """The edge publishes; the publication's id, None if there is no connection."""
        if not self._edge_linked:
            return None
        message = Message(mid=next(self._mids), topic=topic_name, payload=payload, pairs=pairs, retain=retain)
        line = self._line
        copies = 2 if self._rng.random() < self._plan.duplicated else 1
        for _ in range(copies):
            self._agenda.after(
                self._in_order_s("edge", message, self._late_s()), lambda: self._arrive(message, line)
            )
        return message.mid

    def _in_order_s(self, leg: str, message: Message, wait_s: float) -> float:
        """What an edge says of itself keeps its order, as MQTT promises; numbers may overtake each other."""
        if message.topic not in _SPOKEN:
            return wait_s
        when_s = max(self._agenda.now_s + wait_s, self._last_spoken_s.get(leg, 0.0))
        self._last_spoken_s[leg] = when_s
        return when_s - self._agenda.now_s

    def _late_s(self) -> float:
        return 0.005 + self._plan.late_s * self._rng.random() ** 3

    def _arrive(self, message: Message, line: int) -> None:
        if not self._alive:
            return
        # of what was on its way when the line broke, some had come through, only nobody said so
        if line != self._line and self._rng.random() < 0.5:
            return
        self._accept(message)
        if line == self._line:
            self._agenda.after(self._late_s(), lambda: self._say_puback(message.mid, line))

    def _say_puback(self, mid: int, line: int) -> None:
        if line == self._line and self._edge is not None:
            self._edge.acknowledged(mid)

    def _accept(self, message: Message) -> None:
        if message.retain:
            self._retained[message.topic] = message
        key = next(self._mids)
        self._for_centre[key] = message
        self._to_centre(key, message)

    def _to_edge(self, message: Message) -> None:
        line = self._line
        self._agenda.after(self._late_s(), lambda: self._at_edge(message, line))

    def _at_edge(self, message: Message, line: int) -> None:
        if line == self._line and self._edge is not None and self._edge_linked:
            self._for_edge.pop(message.mid, None)
            self._edge.receipt(message.payload)

    # ------------------------------------------------------------------ the centre's side
    def join_centre(self, centre: CentreClient) -> None:
        """The centre starts; what it did not acknowledge comes again."""
        self._centre = centre
        self._try_centre()

    def drop_centre(self) -> None:
        self._centre = None
        self._centre_line += 1

    def _try_centre(self) -> None:
        if self._centre is None or not self._alive:
            return
        self._centre_line += 1
        self._centre.connected()
        # who subscribes again is told again what is retained
        for message in [m for m in self._retained.values() if m.topic in _SPOKEN]:
            self._for_centre[next(self._mids)] = message
        for key, message in list(self._for_centre.items()):
            self._to_centre(key, message)

    def _to_centre(self, key: int, message: Message) -> None:
        line = self._centre_line
        copies = 2 if self._rng.random() < self._plan.duplicated else 1
        for _ in range(copies):
            wait_s = self._in_order_s("centre", message, 0.002 * (1 + self._rng.random()))
            self._agenda.after(wait_s, lambda: self._at_centre(key, message, line))

    def _at_centre(self, key: int, message: Message, line: int) -> None:
        if line == self._centre_line and self._centre is not None and self._alive:
            self._centre.delivered(msgspec.structs.replace(message, mid=key), self._agenda.utc)

    def acknowledge(self, key: int) -> None:
        """The centre has it."""
        self._for_centre.pop(key, None)

    def from_centre(self, topic_name: str, payload: bytes, *, retain: bool = False) -> None:
        """The centre publishes; ConnectionError if the broker is away."""
        if not self._alive:
            raise ConnectionError("the broker is away")
        message = Message(mid=next(self._mids), topic=topic_name, payload=payload, retain=retain)
        if retain:
            self._retained[topic_name] = message
        if topic_name == topic("receipt", scene.EDGE):
            if self.lose_receipts:
                return
            self._for_edge[message.mid] = message
            if self._edge_linked:
                self._to_edge(message)
        else:
            self._agenda.after(0.2 + 2.0 * self._rng.random(), lambda: self._to_phones(message))

    def _to_phones(self, message: Message) -> None:
        if self._alive:
            for _ in range(2 if self._rng.random() < self._plan.duplicated else 1):
                for phone in self.phones:
                    phone(message.topic, message.payload)

    # ------------------------------------------------------------------ its death
    def _die(self, *, forgets: bool) -> None:
        self._log("broker", f"dies{' and forgets everything' if forgets else ''}")
        self._break("the broker is gone")
        self._alive = False
        self._line += 1
        self._centre_line += 1
        if forgets:
            self._for_centre.clear()
            self._for_edge.clear()
            self._retained.clear()
        self._agenda.after(BROKER_RESTARTS_S, self._begin_again)

    def _begin_again(self) -> None:
        self._alive = True
        self._try_centre()
        self._try_edge()
