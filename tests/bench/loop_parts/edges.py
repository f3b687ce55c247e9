"""The edges that publish: MQTT 5 packets made before the run, so that sending one costs next to nothing.

An installation's edges are other machines. paho would take a millisecond of this one's processors for each message,
a tenth of what there is, from what is measured.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Final

from monitor.ingest.ports import Arrived

_CONNECT, _CONNACK, _PUBLISH_QOS1, _PUBACK = 0x10, 0x20, 0x32, 0x40
_CLEAN_START_USER_PASSWORD: Final = 0xC2
_USER_PROPERTY: Final = 0x26
#: MQTT's packet numbers: 1 to 65,535
_NUMBERS: Final = 65_535
ANSWERS_WITHIN_S: Final = 5.0


class EdgeError(Exception):
    """The broker did not let it in, or refused a message."""


def connect_packet(client_id: str, user: str, password: str) -> bytes:
    """CONNECT: clean start, no keep-alive, no properties (MQTT 5, 3.1)."""
    head = _text("MQTT") + bytes((5, _CLEAN_START_USER_PASSWORD)) + struct.pack("!H", 0) + b"\0"
    return _packet(_CONNECT, head + _text(client_id) + _text(user) + _text(password))


def publish_packet(number: int, topic: str, payload: bytes, pairs: Sequence[tuple[str, str]]) -> bytes:
    """PUBLISH of QoS 1 with user properties (MQTT 5, 3.3)."""
    properties = b"".join(bytes((_USER_PROPERTY,)) + _text(name) + _text(value) for name, value in pairs)
    head = _text(topic) + struct.pack("!H", number % _NUMBERS + 1) + _varint(len(properties)) + properties
    return _packet(_PUBLISH_QOS1, head + payload)


def packet_of(number: int, message: Arrived) -> bytes:
    """The message as its edge's packet."""
    return publish_packet(number, message.topic, message.payload, list(message.pairs))


class Edges:
    """Connections of several edges; one thread reads what the broker acknowledges."""

    def __init__(self, host: str, port: int, passwords: dict[str, str]) -> None:
        """`passwords` by edge; EdgeError if one is not let in."""
        self._sockets = {edge: _connected(host, port, edge, secret) for edge, secret in passwords.items()}
        self.sent = self.acknowledged = self.refused = 0
        self._stop = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def send(self, edge: str, packet: bytes) -> None:
        """Sends without waiting for the acknowledgement."""
        self.sent += 1
        self._sockets[edge].sendall(packet)

    def close(self) -> None:
        """Waits for what is not acknowledged yet, and ends. EdgeError if the broker did not take all."""
        end_s = time.monotonic() + ANSWERS_WITHIN_S
        while self.acknowledged < self.sent and time.monotonic() < end_s:
            time.sleep(0.01)
        self._stop.set()
        self._reader.join()
        for sock in self._sockets.values():
            sock.close()
        if self.acknowledged < self.sent or self.refused:
            raise EdgeError(f"of {self.sent} messages the broker took {self.acknowledged - self.refused}")

    def _read(self) -> None:
        waiting = selectors.DefaultSelector()
        rest = {}
        for sock in self._sockets.values():
            waiting.register(sock, selectors.EVENT_READ)
            rest[sock] = b""
        while not self._stop.is_set():
            for key, _ in waiting.select(0.1):
                sock = key.fileobj
                assert isinstance(sock, socket.socket)
                some = sock.recv(65_536)
                if not some:
                    waiting.unregister(sock)
                rest[sock] = self._acknowledge(rest[sock] + some)
        waiting.close()

    def _acknowledge(self, got: bytes) -> bytes:
        """Counts the PUBACKs in it; what is left of a packet that has not come whole."""
        while len(got) >= 2 and len(got) >= 2 + got[1]:  # a PUBACK is far shorter than 128 bytes
            if got[0] == _PUBACK:
                self.acknowledged += 1
                # 0x10: nobody subscribes, which is no refusal
                self.refused += got[1] > 2 and got[4] not in (0x00, 0x10)
            got = got[2 + got[1] :]
        return got


@contextlib.contextmanager
def edges(host: str, port: int, passwords: dict[str, str]) -> Iterator[Edges]:
    """Edges that are connected."""
    running = Edges(host, port, passwords)
    try:
        yield running
    finally:
        running.close()


def _connected(host: str, port: int, edge: str, password: str) -> socket.socket:
    sock = socket.create_connection((host, port), timeout=ANSWERS_WITHIN_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(connect_packet(f"bench-{edge}", edge, password))
    said = sock.recv(256)
    if len(said) < 4 or said[0] != _CONNACK or said[3] != 0:
        raise EdgeError(f"{edge} is not let in: {said[:8].hex()}")
    return sock


def _packet(kind: int, body: bytes) -> bytes:
    return bytes((kind,)) + _varint(len(body)) + body


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("!H", len(encoded)) + encoded


def _varint(number: int) -> bytes:
    out = bytearray()
    while True:
        number, low = divmod(number, 128)
        out.append(low | (0x80 if number else 0))
        if not number:
            return bytes(out)
