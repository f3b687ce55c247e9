"""paho's client, which reads what has come at once.

paho asks the system for a packet's first byte, for each byte of its length, and for the rest: some four calls a packet,
and at each of them another thread of the process may take its turn. In a storm that was a quarter of the connection's
time. Here a read takes all that has come, and paho gets its bytes from it; it knows such sockets, as those of TLS hold
back what they have decrypted (`pending`).
"""

from typing import Any

import paho.mqtt.client as paho

_AT_ONCE = 65_536


class BufferedClient(paho.Client):
    """A paho client whose connections are buffered."""

    def _create_socket(self) -> Any:
        return BufferedSocket(super()._create_socket())


class BufferedSocket:
    """A connected socket; all but reading is the socket's own."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._got = b""
        self._at = 0

    def recv(self, size: int) -> bytes:
        """Up to `size` bytes; b"" at the end, and raises as the socket does where nothing has come."""
        left = len(self._got) - self._at
        if not left:
            self._got, self._at = self._sock.recv(max(size, _AT_ONCE)), 0
            left = len(self._got)
        if size >= left and not self._at:
            taken, self._got = self._got, b""
            return taken
        taken = self._got[self._at : self._at + size]
        self._at += len(taken)
        return taken

    def pending(self) -> int:
        """Bytes that can be read without waiting, and of which the system knows nothing."""
        behind = getattr(self._sock, "pending", None)
        return len(self._got) - self._at + (behind() if behind is not None else 0)

    def fileno(self) -> int:
        """Of the socket."""
        return int(self._sock.fileno())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)
