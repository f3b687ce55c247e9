"""One request and its answer over a connection that was made, and connections that are kept for the next one.

Kept are only those for messages that the other side knows again by their key: a connection that it closed just then
leaves open whether it took the message, which is then sent once more.
"""

import select
import socket
import ssl
import threading
import time
from collections.abc import Mapping

import h11
import msgspec

from alerts.channels.failures import ChannelError

MOST_BYTES = 64 * 1024
#: receivers keep an idle connection for 5 s (uvicorn, Node) and longer (nginx 75 s)
IDLE_S = 4.0
#: then a name is resolved again
KEPT_S = 60.0
#: connections to one receiver: more are needed only where it is slow, and then a connection is not what costs
MOST_KEPT = 8


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where a URL leads."""

    tls: bool
    host: str
    port: int
    #: path and query
    path: str

    @property
    def host_header(self) -> str:
        """Value of `Host`."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == (443 if self.tls else 80) else f"{name}:{self.port}"

    @property
    def end(self) -> tuple[bool, str, int]:
        """Whom a connection leads to."""
        return self.tls, self.host, self.port


class Gone(ChannelError):
    """The other side ended a kept connection before it answered: it was idle for too long."""


class Connection:
    """A connection to a target, for one request at a time."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.made_s = self.used_s = time.monotonic()
        self._wire = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST_BYTES)
        self._asked = 0
        #: whether anything of the answer came
        self._heard = False

    def close(self) -> None:
        """Ends it."""
        self.sock.close()

    def fresh(self, now_s: float) -> bool:
        """Whether it can serve another request."""
        if now_s - self.used_s > IDLE_S or now_s - self.made_s > KEPT_S:
            return False
        # what came unasked is the other side's farewell
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return not poll.poll(0)

    def reusable(self) -> bool:
        """Whether both sides are ready for the next request; makes it so."""
        if self._wire.our_state is not h11.DONE or self._wire.their_state is not h11.DONE:
            return False
        if self._wire.trailing_data[0]:  # it would be read as the answer to the next request
            return False
        self._wire.start_next_cycle()
        self.used_s = time.monotonic()
        return True

    def exchange(
        self, target: Target, headers: Mapping[str, str], body: bytes, deadline_s: float, *, keep: bool
    ) -> Answer:
        """The answer, whatever its status. Gone where the connection was kept and ended before an answer."""
        self._asked += 1
        self._heard = False
        try:
            answer = self._exchange(target, headers, body, deadline_s, keep=keep)
        except (ConnectionError, ssl.SSLEOFError, h11.RemoteProtocolError) as exc:
            if self._asked > 1 and not self._heard:
                raise Gone(str(exc)) from exc
            if isinstance(exc, h11.RemoteProtocolError):
                raise ChannelError(f"{target.host} does not speak HTTP: {exc}") from exc
            raise
        if answer is None:
            said = f"{target.host} closed the connection without an answer"
            raise Gone(said) if self._asked > 1 else ChannelError(said)
        return answer

    def _exchange(
        self, target: Target, headers: Mapping[str, str], body: bytes, deadline_s: float, *, keep: bool
    ) -> Answer | None:
        """None if the other side closed without a word."""
        wire, sock = self._wire, self.sock
        named = [("Host", target.host_header), ("User-Agent", "hcawatch"),
                 *(() if keep else (("Connection", "close"),)),
                 ("Content-Length", str(len(body))), *headers.items()]  # fmt: skip
        request = h11.Request(method="POST", target=target.path, headers=named)
        out = [wire.send(request), wire.send(h11.Data(data=body)), wire.send(h11.EndOfMessage())]
        sock.settimeout(left(deadline_s))
        sock.sendall(b"".join(part for part in out if part))
        status, found, got = 0, {}, b""
        while True:
            event = wire.next_event()
            match event:
                case h11.NEED_DATA:
                    sock.settimeout(left(deadline_s))
                    some = sock.recv(16_384)
                    if not some and not self._heard:
                        return None
                    self._heard = True
                    wire.receive_data(some)
                case h11.Response():
                    status = event.status_code
                    found = {name.decode(): value.decode("latin-1") for name, value in event.headers}
                case h11.Data():
                    got += bytes(event.data)
                    if len(got) > MOST_BYTES:
                        break  # what we want to know stands at the beginning
                case h11.EndOfMessage() | h11.ConnectionClosed():
                    break
        return Answer(status=status, headers=found, body=got[:MOST_BYTES])


class Kept:
    """Connections that wait for their next request. Many threads may ask at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[tuple[bool, str, int], list[Connection]] = {}

    def take(self, target: Target) -> Connection | None:
        """One that leads there, if there is any."""
        now_s = time.monotonic()
        while True:
            with self._lock:
                waiting = self._idle.get(target.end)
                connection = waiting.pop() if waiting else None
            if connection is None or connection.fresh(now_s):
                return connection
            connection.close()

    def give(self, target: Target, connection: Connection) -> None:
        """Keeps it for the next request, and ends those that waited too long, wherever they lead."""
        now_s = time.monotonic()
        with self._lock:
            old = [c for some in self._idle.values() for c in some if now_s - c.used_s > IDLE_S]
            for end, some in list(self._idle.items()):
                self._idle[end] = [c for c in some if c not in old]
                if not self._idle[end]:
                    del self._idle[end]
            waiting = self._idle.setdefault(target.end, [])
            if len(waiting) < MOST_KEPT:
                waiting.append(connection)
            else:
                old.append(connection)
        for connection in old:
            connection.close()


def left(deadline_s: float) -> float:
    """Seconds until then; TimeoutError if there are none."""
    left_s = deadline_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError("no answer in time")
    return left_s
