"""The demo's cameras: an RTSP server on loopback that plays files in real time.

A child process runs aio-rtsp-toolkit's server over a folder of MP4 files (H.264 or H.265), so that
the edge reads them as it would a camera, and so that a camera can be taken away by killing it.
A file ends with the end of the connection, or goes round and round on one connection.
"""

from __future__ import annotations

import logging
import signal
import socket
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Final
from urllib.parse import quote

from monitor.child import Child, free_loopback_port

logger = logging.getLogger(__name__)

HOST: Final = "127.0.0.1"
START_TIMEOUT_S: Final = 20.0
PORT_TRIES: Final = 5
#: The server gives up waiting for room in its queue after 50 ms and puts the picture there again: on a busy
#: machine, where the first one found its place just then, it is sent twice. So it is told to be patient.
PROGRAM: Final = (
    "import asyncio, sys; from aio_rtsp_toolkit import server_streaming;"
    "from aio_rtsp_toolkit.server import serve;"
    "server_streaming.QUEUE_PUT_POLL_INTERVAL = 5.0;"
    "asyncio.run(serve(sys.argv[1], sys.argv[2], int(sys.argv[3])))"
)


class RtspServerError(Exception):
    """The demo's cameras can't be served; the message says why."""


class RtspServer:
    """Serves the files of one folder; ends when this process dies."""

    def __init__(self, folder: Path, *, log: Path) -> None:
        self.folder = Path(folder).resolve()
        self.log = log
        self._port: int | None = None
        self._server: Child | None = None

    @property
    def port(self) -> int:
        """The port (after a stop, the one it had, which the next start takes again)."""
        if self._port is None:
            raise RtspServerError(f"The RTSP server of {self.folder} is not started.")
        return self._port

    @property
    def pid(self) -> int | None:
        return self._server.pid if self._server else None

    def url(self, name: str, *, endless: bool = False) -> str:
        """The address of a file in the folder. Not endless: the server hangs up at its end."""
        # The server reads its options out of the path; 0 is for ever.
        rounds = "/play_count_0" if endless else ""
        return f"rtsp://{HOST}:{self.port}/{quote(name)}{rounds}"

    def is_alive(self) -> bool:
        return self._server is not None and self._server.exit_code() is None

    def start(self) -> int:
        """Starts the server and answers its port. Raises RtspServerError."""
        began_s = time.monotonic()
        for attempt in range(PORT_TRIES):
            port = (attempt == 0 and self._port) or free_loopback_port()
            try:
                # As ourselves even for root: another account may not reach this Python.
                server = Child(
                    [sys.executable, "-P", "-c", PROGRAM, str(self.folder), HOST, str(port)], log=self.log
                )
            except OSError as error:
                raise RtspServerError(f"The RTSP server can't use {self.folder}: {error}") from error
            if _wait_ready(server, port):
                self._server, self._port = server, port
                logger.info("RTSP server ready on port %d after %.2f s", port, time.monotonic() - began_s)
                return port
            said = server.log_tail()
            server.stop()
            if "address already in use" not in said.lower():
                raise RtspServerError(f"The RTSP server did not start. The end of {self.log}:\n{said}")
        raise RtspServerError(f"No free port was found on {HOST}.")

    def stop(self) -> None:
        """Ends the server in order."""
        if self._server is not None:
            self._server.stop((signal.SIGTERM, 3.0))
            self._server = None

    def kill(self) -> None:
        """Ends the server as a power cut would; `start` brings it back on the same port."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def __enter__(self) -> RtspServer:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def _wait_ready(server: Child, port: int) -> bool:
    """Whether an RTSP server answers on the port while ours lives."""
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline_s:
        if server.exit_code() is not None:
            return False
        if _speaks_rtsp(port):
            return server.exit_code() is None
        time.sleep(0.05)
    return False


def _speaks_rtsp(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=2.0) as connection:
            connection.settimeout(2.0)
            connection.sendall(f"OPTIONS rtsp://{HOST}:{port}/ RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
            return connection.recv(64).startswith(b"RTSP/1.0 200")
    except OSError:
        return False
