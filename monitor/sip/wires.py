"""The wires of an endpoint: datagrams, and TCP connections whoever opened them. They cut bytes into messages, no more."""

import asyncio
import socket
import time
from typing import Final, Literal, Protocol

import msgspec

from monitor.sip.framing import Framing
from monitor.sip.messages import Message, SipError, parse

Transport = Literal["UDP", "TCP"]
#: a connection on which nothing comes for so long is closed; devices say every minute that they are there
_IDLE_S: Final = 600.0
#: of what is sent and not taken, in bytes; who lets more pile up does not read, and is hung up on
_MOST_UNSENT: Final = 256 * 1024


class Peer(msgspec.Struct, frozen=True):
    """Who is at the other end."""

    transport: Transport
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}/{self.transport.lower()}"


class Listener(Protocol):
    """Who takes what comes."""

    def datagram(self, data: bytes, address: tuple[str, int]) -> None:
        """A datagram came."""
        ...

    def message(self, message: Message, data: bytes, peer: Peer) -> None:
        """A whole message came."""
        ...

    def bad(self, data: bytes, peer: Peer, error: SipError) -> None:
        """What came is no SIP."""
        ...

    def opened(self, connection: "Connection") -> bool:
        """Whether a new connection may stay."""
        ...

    def closed(self, connection: "Connection") -> None:
        """A connection ended."""
        ...


def udp_socket(host: str, port: int) -> socket.socket:
    """A socket of our own, so that TCP can take the same port."""
    found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        found.setblocking(False)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        found.bind((host, port))
    except OSError:
        found.close()
        raise
    return found


class Datagrams(asyncio.DatagramProtocol):
    def __init__(self, endpoint: Listener) -> None:
        self._to = endpoint

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._to.datagram(data, addr)

    def error_received(self, exc: Exception) -> None:
        """An earlier datagram came to nobody; who waits for its answer finds out."""


class Connection(asyncio.Protocol):
    """One TCP connection, whoever opened it."""

    def __init__(self, endpoint: Listener, ours: bool = False) -> None:
        self._to, self.ours = endpoint, ours
        self._framing = Framing()
        self._transport: asyncio.Transport | None = None
        self.address = ("", 0)
        self._heard_s = self.since_s = time.monotonic()
        #: whether a request of it was answered with 2xx
        self.proven = False
        self._watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        name = transport.get_extra_info("peername") or ("", 0)
        self._transport, self.address = transport, (str(name[0]), int(name[1]))
        if not self._to.opened(self):
            transport.abort()
            return
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._watch is not None:
            self._watch.cancel()
        self._to.closed(self)

    def data_received(self, data: bytes) -> None:
        self._heard_s = time.monotonic()
        peer = Peer("TCP", *self.address)
        try:
            for whole in self._framing.feed(data):
                self._to.message(parse(whole), whole, peer)
        except SipError as exc:  # where the next message begins cannot be known any more
            self._to.bad(data, peer, exc)
            self.close()

    def send(self, data: bytes) -> None:
        """Sends; what does not fit into the network waits."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)
            if self._transport.get_write_buffer_size() > _MOST_UNSENT:
                self._transport.abort()

    def close(self) -> None:
        """Ends it, after what is on its way."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Ends it at once."""
        if self._transport is not None:
            self._transport.abort()

    def _look(self) -> None:
        if time.monotonic() - self._heard_s > _IDLE_S:
            self.close()
            return
        self._watch = asyncio.get_running_loop().call_later(_IDLE_S / 4, self._look)
