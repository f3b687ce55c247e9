"""A FAKE upper platform of GB/T 28181, with our own SIP code: asks for a login, forgets, is late, confirms, as told.

An independent one (SIPp) is in tests/integration/test_gb28181_sipp.py.
"""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from types import TracebackType

from monitor.domain import manscdp
from monitor.domain.gb_ids import GbId
from monitor.domain.manscdp import Told
from monitor.sip.digest import Guard, Proof
from monitor.sip.endpoint import Endpoint, Peer
from monitor.sip.messages import Request, header, respond, user_of
from monitor.sip.requests import Way, new_call_id, request
from tests.doubles.gb_device import CENTRE, PASSWORD

UPPER = "34000000002000000001"


class FakeGbPlatform:
    """What it was told is in `told`, alarms in `alarms`."""

    def __init__(self, password: str = PASSWORD, *, asks_messages: bool = False, expires: int = 3600) -> None:
        self.password, self.asks_messages, self.expires = password, asks_messages, expires
        self.endpoint = Endpoint(self._came, host="127.0.0.1", transports=("UDP", "TCP"))
        self._guard = Guard(UPPER[:10])
        #: statuses for the next messages that would be taken
        self.answers: list[tuple[int, tuple[str, str] | None]] = []
        #: how many requests it overhears
        self.deaf = 0
        #: the Result of its own answer to an alarm; None: it sends none
        self.confirms: str | None = None
        #: whether that goes to the Contact of the registration over a connection of its own, not to where the alarm came from
        self.to_contact = False
        self.registrations: list[str] = []
        self.alarms: list[Told] = []
        self.told: list[Told] = []
        self.registered = False
        self._numbers = itertools.count(1)

    def __enter__(self) -> FakeGbPlatform:
        self.endpoint.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.endpoint.stop()

    def _came(self, came: Request, peer: Peer) -> None:
        if self.deaf > 0:
            self.deaf -= 1
            # as if it had never come: the transaction must not count as begun
            self.endpoint.answers.forget()
            return
        status, more = self._judge(came, peer)
        self.endpoint.answer(came, peer, respond(came, status, *([more] if more else []), tag="up"))

    def _judge(self, came: Request, peer: Peer) -> tuple[int, tuple[str, str] | None]:
        now = datetime.now(UTC)
        asked = came.method == "REGISTER" or self.asks_messages
        name, given = (
            ("WWW-Authenticate", "Authorization")
            if came.method == "REGISTER"
            else ("Proxy-Authenticate", "Proxy-Authorization")
        )
        if asked:
            proof = self._guard.judge(header(came, given), "MD5", CENTRE, self.password, came.method, now)
            if not header(came, given) or proof is Proof.STALE:
                return (401 if came.method == "REGISTER" else 407), (name, self._guard.challenge("MD5", now))
            if proof is Proof.WRONG:
                return 403, None
        if came.method == "REGISTER":
            self.registrations.append(header(came, "Contact"))
            self.registered = True
            return 200, ("Expires", str(self.expires))
        if not self.registered or user_of(header(came, "From")) != CENTRE:
            return 403, None
        if self.answers:
            return self.answers.pop(0)
        told = manscdp.read(came.body)
        self.told.append(told)
        if told.command == "Alarm":
            self.alarms.append(told)
            if self.confirms is not None:
                self._confirm(told, peer)
        return 200, None

    def _confirm(self, told: Told, peer: Peer) -> None:
        assert self.confirms is not None
        if self.to_contact:
            host, _, port = (
                self.registrations[-1].partition("@")[2].partition(";")[0].rstrip(">").partition(":")
            )
            peer = Peer(peer.transport, host, int(port))
        way = Way(
            ours=GbId(UPPER),
            theirs=GbId(CENTRE),
            realm=CENTRE[:10],
            peer=peer,
            host="127.0.0.1",
            port=self.endpoint.port,
        )
        body = manscdp.response("Alarm", told.sn, told.device_id, "OK").replace(
            b">OK<", f">{self.confirms}<".encode()
        )
        self.endpoint.post(request(way, "MESSAGE", next(self._numbers), new_call_id(), body=body), peer)
