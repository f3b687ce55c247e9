"""Where SIP meets the network: UDP and TCP on one port, in a thread of its own, with the transactions of RFC 3261 17.

Hands requests to whoever asked for them, once each; answers them again when they are sent again; sends requests and
waits for what comes back. What it means is decided elsewhere.
"""

import asyncio
import concurrent.futures
import contextlib
import secrets
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import structlog

from monitor.sip.messages import (
    COOKIE,
    Message,
    Request,
    Response,
    SipError,
    cseq_of,
    parse,
    respond,
    serialize,
    via_of,
)
from monitor.sip.transactions import T1_S, Answers, transaction_of
from monitor.sip.wires import Connection, Datagrams, Peer, Transport, udp_socket

__all__ = ["Endpoint", "NoAnswer", "Peer", "Transport", "new_branch"]

log = structlog.get_logger(__name__)

#: RFC 3261 17.1.2.2 and table 4, in seconds
T2_S: Final = 4.0
TIMER_F_S: Final = 64 * T1_S
_MOST_CONNECTIONS: Final = 500
_MOST_CONNECTIONS_OF_HOST: Final = 50
#: a connection whose requests were none of them answered with 2xx for so long goes first when there are too many
_UNPROVEN_S: Final = 60.0
#: what is said about one address at most so often
_SAY_EVERY_S: Final = 60.0


class NoAnswer(TimeoutError):
    """Nothing final came back in time."""


OnRequest = Callable[[Request, Peer], None]
OnBad = Callable[[bytes, Peer, SipError], None]


def new_branch() -> str:
    """Names a transaction."""
    return COOKIE + secrets.token_hex(12)


class Endpoint:
    """`with Endpoint(…):` has it listen; leaving the block closes everything."""

    def __init__(
        self,
        on_request: OnRequest,
        *,
        host: str = "",
        port: int = 0,
        transports: Sequence[Transport] = ("UDP", "TCP"),
        listens: bool = True,
        allowed: Callable[[str], bool] = lambda host: True,
        on_bad: OnBad | None = None,
        most_connections: int = _MOST_CONNECTIONS,
    ) -> None:
        """`host`: '' is every address of this machine. `port`: 0 is a free one. `listens`: takes TCP connections.

        `on_request` and `on_bad` are called in the endpoint's thread and must not wait. Who is not `allowed` (by
        address) gets no answer at all, which would tell a stranger that somebody is here.
        """
        self._on_request, self._on_bad, self._most_connections = on_request, on_bad, most_connections
        self._where, self._transports, self._listens, self._allowed = (
            (host, port),
            transports,
            listens,
            allowed,
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="sip", daemon=True)
        self._ready = threading.Event()
        self._failed: OSError | None = None
        self._udp: asyncio.DatagramTransport | None = None
        self._connections: dict[tuple[str, int], Connection] = {}
        self._waiting: dict[tuple[str, str], asyncio.Future[Response]] = {}
        self.answers = Answers()
        self._said: dict[str, float] = {}
        #: what came and was not handed on, by reason
        self.counts: Counter[str] = Counter()
        self.port = port

    # ------------------------------------------------------------ life
    def start(self) -> None:
        """Returns when it listens; OSError if it can't."""
        self._thread.start()
        self._ready.wait()
        if self._failed is not None:
            raise self._failed

    def stop(self) -> None:
        """Closes everything; who waits for an answer gets none."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10.0)
        elif not self._loop.is_closed():  # it was never started
            self._loop.close()

    def __enter__(self) -> "Endpoint":
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    @property
    def alive(self) -> bool:
        """Whether it works."""
        return self._thread.is_alive() and self._failed is None

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._open())
        except OSError as exc:
            self._failed = exc
            self._ready.set()
            self._loop.close()
            return
        self._ready.set()
        try:
            self._loop.run_forever()
        finally:
            for connection in list(self._connections.values()):
                connection.close()
            if self._udp is not None:
                self._udp.close()
            for task in asyncio.all_tasks(self._loop):
                task.cancel()
            self._loop.run_until_complete(asyncio.sleep(0))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    async def _open(self) -> None:
        host, port = self._where
        for attempt in range(20):
            udp = udp_socket(host, port) if "UDP" in self._transports else None
            self.port = port or (udp.getsockname()[1] if udp is not None else 0)
            try:
                if "TCP" in self._transports and self._listens:
                    server = await self._loop.create_server(
                        lambda: Connection(self), host or None, self.port, family=socket.AF_INET
                    )
                    self.port = server.sockets[0].getsockname()[1]
            except OSError:  # a free port of UDP need not be one of TCP
                if udp is not None:
                    udp.close()
                if port or attempt == 19:
                    raise
                continue
            if udp is not None:
                self._udp, _ = await self._loop.create_datagram_endpoint(lambda: Datagrams(self), sock=udp)
            return

    # ------------------------------------------------------------ answering
    def answer(self, request: Request, peer: Peer, response: Response) -> None:
        """Sends the answer to a request, and keeps it for when the request comes again. From any thread."""
        with contextlib.suppress(RuntimeError):  # it has ended, and nobody would hear
            self._loop.call_soon_threadsafe(self._answer, request, peer, response)

    def _answer(self, request: Request, peer: Peer, response: Response) -> None:
        data = serialize(response)
        if 200 <= response.status < 300 and peer.transport == "TCP":
            connection = self._connections.get((peer.host, peer.port))
            if connection is not None:
                connection.proven = True
        self.answers.keep(transaction_of(request, peer), data, time.monotonic())
        self._send_answer(request, peer, data)

    def _send_answer(self, request: Request, peer: Peer, data: bytes) -> None:
        via = via_of(request)
        if peer.transport == "UDP" and via is not None and not via.rport:
            peer = msgspec.structs.replace(peer, port=via.port)  # RFC 3261 18.2.2
        self._send(peer, data)

    def _send(self, peer: Peer, data: bytes) -> None:
        if peer.transport == "UDP":
            if self._udp is not None:
                self._udp.sendto(data, (peer.host, peer.port))
        elif (connection := self._connections.get((peer.host, peer.port))) is not None:
            connection.send(data)
        else:
            self.counts["connection_gone"] += 1

    # ------------------------------------------------------------ asking
    def ask(self, request: Request, peer: Peer, timeout_s: float = TIMER_F_S) -> Response:
        """Sends a request and waits for its final answer. NoAnswer; OSError if the other side can't be reached.

        The request's topmost Via must have a branch of its own (`new_branch`). Not from the endpoint's thread.
        """
        if not self.alive:
            raise NoAnswer("the endpoint has ended")
        future = asyncio.run_coroutine_threadsafe(self._ask(request, peer, timeout_s), self._loop)
        try:
            return future.result(timeout_s + 5.0)
        except (concurrent.futures.TimeoutError, concurrent.futures.CancelledError) as exc:
            future.cancel()
            raise exc if isinstance(exc, NoAnswer) else NoAnswer(f"{peer} did not answer") from None

    def post(self, request: Request, peer: Peer) -> None:
        """Sends a request and lets its answer be: nothing depends on it. From any thread."""

        async def quietly() -> None:
            with contextlib.suppress(OSError, NoAnswer):
                await self._ask(request, peer, TIMER_F_S)

        if self.alive:
            asyncio.run_coroutine_threadsafe(quietly(), self._loop)

    async def _ask(self, request: Request, peer: Peer, timeout_s: float) -> Response:
        via = via_of(request)
        assert via is not None
        transaction = (via.branch, request.method)
        answered: asyncio.Future[Response] = self._loop.create_future()
        self._waiting[transaction] = answered
        data, end_s, interval_s = serialize(request), time.monotonic() + timeout_s, T1_S
        try:
            if peer.transport == "TCP":
                await asyncio.wait_for(self._connect(peer), timeout_s)
                interval_s = timeout_s  # TCP sends again by itself
            while (left_s := end_s - time.monotonic()) > 0:
                self._send(peer, data)
                done, _ = await asyncio.wait([answered], timeout=min(interval_s, left_s))
                if done:
                    return answered.result()
                interval_s = min(2 * interval_s, T2_S) if peer.transport == "UDP" else timeout_s
            raise NoAnswer(f"{peer} did not answer within {timeout_s:g} s")
        finally:
            self._waiting.pop(transaction, None)

    async def _connect(self, peer: Peer) -> None:
        if (peer.host, peer.port) not in self._connections:
            await self._loop.create_connection(lambda: Connection(self, ours=True), peer.host, peer.port)

    # ------------------------------------------------------------ what comes (the endpoint's thread)
    def datagram(self, data: bytes, address: tuple[str, int]) -> None:
        """A datagram came."""
        if not data.strip(b"\r\n\0 "):  # keeps a way through a firewall open (RFC 5626)
            return
        peer = Peer("UDP", address[0], address[1])
        if not self.lets_in(peer.host):
            return
        try:
            message = parse(data)
        except SipError as exc:
            self.bad(data, peer, exc)
            return
        self.message(message, data, peer)

    def message(self, message: Message, data: bytes, peer: Peer) -> None:
        """A whole message came."""
        if isinstance(message, Response):
            self._response(message)
            return
        if message.method == "ACK":  # never answered, and we invite nobody
            return
        transaction, now_s = transaction_of(message, peer), time.monotonic()
        again, answered = self.answers.known(transaction, now_s)
        if again:
            self.counts["again"] += 1
            if answered is not None:
                self._send_answer(message, peer, answered)
            return
        self.answers.keep(transaction, None, now_s)
        try:
            self._on_request(message, peer)
        except Exception:
            log.exception("sip.request_failed", peer=str(peer), method=message.method)
            self._answer(message, peer, respond(message, 500))

    def _response(self, response: Response) -> None:
        via = via_of(response)
        waiting = self._waiting.get((via.branch, cseq_of(response)[1])) if via is not None else None
        if waiting is not None and response.status >= 200 and not waiting.done():
            waiting.set_result(response)

    def bad(self, data: bytes, peer: Peer, error: SipError) -> None:
        """What came is no SIP: said, counted, and answered where an answer can be made."""
        self.counts["bad"] += 1
        self.say("sip.not_understood", peer.host, detail=ascii(str(error))[:200])
        if error.answer is not None:
            self._send(peer, serialize(error.answer))
        elif peer.transport == "TCP":
            self._send(peer, f"SIP/2.0 {error.status} Bad Request\r\nContent-Length: 0\r\n\r\n".encode())
        if self._on_bad is not None:
            self._on_bad(data, peer, error)

    def lets_in(self, host: str) -> bool:
        """Whether somebody at that address is heard."""
        if self._allowed(host):
            return True
        self.counts["not_allowed"] += 1
        self.say("sip.not_allowed", host, what="its address is outside of `networks`")
        return False

    def say(self, event: str, host: str, **facts: str) -> None:
        """Into the log, once a minute and address."""
        now_s = time.monotonic()
        if now_s - self._said.get(f"{event} {host}", -_SAY_EVERY_S) >= _SAY_EVERY_S:
            if len(self._said) > 1000:
                self._said.clear()
            self._said[f"{event} {host}"] = now_s
            log.warning(event, host=host, **facts)

    # ------------------------------------------------------------ connections (the endpoint's thread)
    def opened(self, connection: "Connection") -> bool:
        """Whether a new connection may stay."""
        host, _ = connection.address
        if connection.ours:
            self._connections[connection.address] = connection
            return True
        if not self.lets_in(host):
            return False
        of_host = [one for address, one in self._connections.items() if address[0] == host]
        full = len(self._connections) >= self._most_connections
        crowd = (
            of_host
            if len(of_host) >= _MOST_CONNECTIONS_OF_HOST
            else list(self._connections.values())
            if full
            else None
        )
        if crowd is not None and not self._make_room(crowd):
            self.counts["too_many_connections"] += 1
            self.say("sip.too_many_connections", host)
            return False
        self._connections[connection.address] = connection
        return True

    def _make_room(self, crowd: list[Connection]) -> bool:
        """Hangs up on the oldest that has proven nothing; False if there is none."""
        now_s = time.monotonic()
        for one in crowd:
            if not one.ours and not one.proven and now_s - one.since_s >= _UNPROVEN_S:
                self.counts["hung_up"] += 1
                self.closed(one)
                one.abort()
                return True
        return False

    def closed(self, connection: "Connection") -> None:
        """A connection ended."""
        if self._connections.get(connection.address) is connection:
            del self._connections[connection.address]
