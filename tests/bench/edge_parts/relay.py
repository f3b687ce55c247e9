"""Between the RTSP server and whoever reads: notes when each frame had been handed over.

So the truth's frames have times that no worker's own clock has a part in. RTP inside the RTSP
connection (TCP, RFC 2326 §10.12): a `$`, a channel, two bytes of length, the packet; a frame's last
packet carries RTP's marker.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from typing import Final

HOST: Final = "127.0.0.1"
_LENGTH: Final = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)


class MarkerCounter:
    """Counts the frames that end in a stream of bytes, however it is cut into pieces."""

    def __init__(self) -> None:
        self._left = b""

    def feed(self, data: bytes) -> int:
        """Frames of the first track whose last packet ended within these bytes."""
        buffer, at, ended = self._left + data, 0, 0
        while at < len(buffer):
            if buffer[at] == 0x24:  # an interleaved packet
                if len(buffer) < at + 4:
                    break
                size = int.from_bytes(buffer[at + 2 : at + 4], "big")
                if len(buffer) < at + 4 + size:
                    break
                if buffer[at + 1] == 0 and size >= 12 and buffer[at + 5] & 0x80:
                    ended += 1
                at += 4 + size
            else:  # an answer of the server
                head_end = buffer.find(b"\r\n\r\n", at)
                if head_end < 0:
                    break
                length = _LENGTH.search(buffer, at, head_end)
                body = int(length[1]) if length else 0
                if len(buffer) < head_end + 4 + body:
                    break
                at = head_end + 4 + body
        self._left = buffer[at:]
        return ended


class Relay:
    """Listens on a port of its own and hands every connection on to the server."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        #: per connection that carried pictures: when each frame had been handed over, Unix seconds
        self.streams: list[list[float]] = []
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, name="relay", daemon=True).start()

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        for one in self._open:
            one.close()

    @property
    def frame_at_s(self) -> list[float]:
        """Those of the newest stream; empty if none has begun."""
        return self.streams[-1] if self.streams else []

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection((HOST, self._server_port))
            except OSError:
                return
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open += [client, server]
            threading.Thread(target=self._pump, args=(client, server, None), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, MarkerCounter()), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, counter: MarkerCounter | None) -> None:
        frames: list[float] = []
        with contextlib.suppress(OSError):  # either side hangs up when it likes
            while data := source.recv(65536):
                sink.sendall(data)
                if counter is not None and (ended := counter.feed(data)):
                    if not frames:
                        self.streams.append(frames)
                    frames.extend([time.time()] * ended)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
