"""Stands before the demo's RTSP server and gives it what real cameras have: UDP, losses, a clock, and faults.

The server speaks TCP only, so over UDP this takes the packets out of the connection and sends them as such. It can
lose packets, refuse a transport, send elsewhere, shift the sender reports' clock, cut with a reset, or hang: keep
every connection open and pass nothing on.
"""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType

HOST = "127.0.0.1"
CLIENT_PORTS = re.compile(rb"client_port=(\d+)-(\d+)")
TRANSPORT = re.compile(rb"^Transport:[^\r\n]*", re.IGNORECASE | re.MULTILINE)
LENGTH = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)


@dataclass
class Ways:
    """What this camera does; changed while it runs."""

    #: sends over UDP, and refuses to send over TCP
    udp: bool = False
    #: whether that RTP packet (number of it, bytes) is lost; UDP only
    loses: Callable[[int, bytes], bool] = lambda _n, _packet: False
    #: order in which a few packets leave: swaps each second pair if set
    swaps: bool = False
    #: added to the clock of the sender reports, seconds
    clock_off_s: float = 0.0
    #: answers DESCRIBE with 302 to here
    sends_on_to: str | None = None
    #: says in SETUP's answer that packets come from there
    source: str | None = None


@dataclass
class Front:
    """One camera. A context manager."""

    server_port: int
    ways: Ways = field(default_factory=Ways)

    def __post_init__(self) -> None:
        self.port = 0
        #: pictures that were sent on whole, and RTP packets lost on purpose
        self.pictures = self.lost = self.connections = 0
        #: everything that the client said
        self.said = b""
        self._open: list[socket.socket] = []
        self._flows = threading.Event()
        self._flows.set()
        self._listener = self._listen()

    def _listen(self) -> socket.socket:
        listener = socket.create_server((HOST, self.port))
        self.port = listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def __enter__(self) -> Front:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flows.set()
        self.cut()

    def url(self, path: str) -> str:
        """The address of a file of the server, played endlessly, through this camera."""
        return f"rtsp://{HOST}:{self.port}/{path}/play_count_0"

    def cut(self) -> None:
        """The cable is pulled and the box is gone: connections are reset, new ones refused."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._open:
            with contextlib.suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                one.shutdown(socket.SHUT_RD)
            one.close()
        self._open.clear()

    def hang(self) -> None:
        """Connections stay open, new ones are taken, and nothing is passed on."""
        self._flows.clear()

    def heal(self) -> None:
        """All is well again, on the same port."""
        self._flows.set()
        if self._listener.fileno() < 0:
            self._listener = self._listen()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
                server = socket.create_connection((HOST, self.server_port))
            except OSError:
                return
            self.connections += 1
            self._open += [client, server]
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            one = _Connection(self, client, server)
            threading.Thread(target=one.ask, daemon=True).start()
            threading.Thread(target=one.answer, daemon=True).start()


class _Connection:
    """One client's, both ways."""

    def __init__(self, front: Front, client: socket.socket, server: socket.socket) -> None:
        self.front, self.client, self.server = front, client, server
        self.ports: tuple[int, int] | None = None
        self.udp: tuple[socket.socket, ...] = ()
        self.asked = b""
        self.number = 0
        self.held: bytes | None = None

    def ask(self) -> None:
        with contextlib.suppress(OSError):
            for item in _items(self.client):
                self.front._flows.wait()
                if item[:1] == b"$":
                    self.server.sendall(item)
                    continue
                self.front.said += item
                self.asked, ways = item.split(b" ", 1)[0], self.front.ways
                cseq = re.search(rb"CSeq: (\d+)", item, re.IGNORECASE)
                if self.asked == b"DESCRIBE" and ways.sends_on_to and cseq:
                    self.client.sendall(b"RTSP/1.0 302 Moved\r\nCSeq: %s\r\nLocation: %s\r\n\r\n"
                                        % (cseq[1], ways.sends_on_to.encode()))  # fmt: skip
                    continue
                if self.asked == b"SETUP" and ways.udp:
                    ports = CLIENT_PORTS.search(item)
                    if ports is None:
                        self.client.sendall(
                            b"RTSP/1.0 461 Unsupported Transport\r\nCSeq: %s\r\n\r\n" % cseq[1]
                        )  # type: ignore[index]
                        continue
                    self.ports = int(ports[1]), int(ports[2])
                    self.udp = tuple(socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
                    for one in self.udp:
                        one.bind((HOST, 0))
                    item = TRANSPORT.sub(b"Transport: RTP/AVP/TCP;unicast;interleaved=0-1", item)
                self.server.sendall(item)
        self.end()

    def answer(self) -> None:
        with contextlib.suppress(OSError):
            for item in _items(self.server):
                self.front._flows.wait()
                if item[:1] == b"$":
                    self.packet(item)
                    continue
                if self.asked == b"SETUP" and self.ports:
                    source = f";source={self.front.ways.source}" if self.front.ways.source else ""
                    ours = "-".join(str(one.getsockname()[1]) for one in self.udp)
                    item = TRANSPORT.sub(
                        f"Transport: RTP/AVP;unicast;client_port={self.ports[0]}-{self.ports[1]}"
                        f";server_port={ours}{source}".encode(), item)  # fmt: skip
                self.client.sendall(item)
        self.end()

    def packet(self, item: bytes) -> None:
        ways, packet = self.front.ways, item[4:]
        if item[1] == 1 and packet[1] == 200 and ways.clock_off_s:
            seconds = int.from_bytes(packet[8:12], "big") + round(ways.clock_off_s)
            packet = packet[:8] + seconds.to_bytes(4, "big") + packet[12:]
            item = item[:4] + packet
        if item[1] == 0:
            self.number += 1
            if self.ports and ways.loses(self.number, packet):
                self.front.lost += 1
                return
            self.front.pictures += packet[1] >> 7
        if not self.ports:
            self.client.sendall(item)
            return
        if item[1] == 0 and ways.swaps and self.number % 2:
            self.held = packet
            return
        self.udp[item[1]].sendto(packet, (HOST, self.ports[item[1]]))
        if item[1] == 0 and self.held is not None:
            self.udp[0].sendto(self.held, (HOST, self.ports[0]))
            self.held = None

    def end(self) -> None:
        for one in (self.client, self.server):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


def _items(source: socket.socket):  # type: ignore[no-untyped-def]
    """Messages and packets of a connection, as they come."""
    left = b""
    while data := source.recv(65536):
        left += data
        while left:
            if left[:1] == b"$":
                size = 4 + int.from_bytes(left[2:4], "big") if len(left) >= 4 else 1 << 30
            else:
                end = left.find(b"\r\n\r\n")
                length = LENGTH.search(left, 0, end) if end >= 0 else None
                size = end + 4 + (int(length[1]) if length else 0) if end >= 0 else 1 << 30
            if size > len(left):
                break
            yield left[:size]
            left = left[size:]
