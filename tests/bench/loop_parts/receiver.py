"""An HTTP receiver on loopback that answers 200 to every POST and remembers when it did so, and what came.

A process of its own, so that its times are not those of the busy process that measures. It speaks just
enough HTTP/1.1 for clients that keep their connection; a body is parsed only after the run.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import socket
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Final

_ANSWER: Final = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"

#: when 200 was answered (monotonic seconds), the head's fields, body
Received = tuple[float, dict[str, str], bytes]


class _Protocol(asyncio.Protocol):
    def __init__(self, got: list[Received]) -> None:
        self._got, self._buffer = got, bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._buffer[:end]).decode("latin-1")
            lines = head.split("\r\n")
            fields = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines[1:])}
            length = int(fields.get("content-length", "0"))
            if len(self._buffer) < end + 4 + length:
                return
            body = bytes(self._buffer[end + 4 : end + 4 + length])
            del self._buffer[: end + 4 + length]
            self._transport.write(_ANSWER)
            self._got.append((time.monotonic(), fields, body))


def _serve(pipe: Connection) -> None:
    got: list[Received] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        server = await loop.create_server(lambda: _Protocol(got), sock=listener)
        pipe.send(listener.getsockname()[1])
        asked = asyncio.Event()
        loop.add_reader(pipe.fileno(), asked.set)
        async with server:
            while True:
                await asked.wait()
                asked.clear()
                if not pipe.poll():
                    continue
                match pipe.recv():
                    case ("count", bytes(with_text)):
                        pipe.send(sum(with_text in body for _, _, body in got))
                    case "take":
                        pipe.send(list(got))
                        got.clear()
                    case _:
                        return

    asyncio.run(main())


class Receiver:
    """`url` to POST to; what came, with its times."""

    def __init__(self, pipe: Connection, port: int) -> None:
        self._pipe, self.url = pipe, f"http://127.0.0.1:{port}"

    def count(self, with_text: bytes) -> int:
        """How much came since the last `take` whose body has this text."""
        self._pipe.send(("count", with_text))
        return int(self._pipe.recv())

    def take(self) -> list[Received]:
        """What came since the last time."""
        self._pipe.send("take")
        return list(self._pipe.recv())


@contextlib.contextmanager
def receiver() -> Iterator[Receiver]:
    """A running receiver."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield Receiver(ours, int(ours.recv()))
    finally:
        ours.send("end")
        process.join(5)
        if process.is_alive():
            process.kill()
