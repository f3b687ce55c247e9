"""Connections that are kept for the next message: fewer handshakes, and never a message lost or doubled unmarked."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from alerts.channels.exchange import IDLE_S, KEPT_S, Connection, Kept, Target
from alerts.channels.failures import ChannelError
from alerts.channels.posting import Poster
from tests.doubles.receivers import LOOPBACK

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Server:
    """Speaks to each connection as `serve(connection's number, its request's number)` says: bytes, or None to hang up."""

    def __init__(self, serve: Callable[[int, int], bytes | None]) -> None:
        self._serve, self._listener = serve, socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/in"
        #: (connection, request's bytes)
        self.got: list[tuple[int, bytes]] = []
        self.hung_up = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        for number in range(1000):
            try:
                conn, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(conn, number), daemon=True).start()

    def _talk(self, conn: socket.socket, number: int) -> None:
        with conn:
            for request in range(1000):
                got = b""
                while not got.endswith(b"{}"):
                    if not (some := conn.recv(65_536)):
                        return
                    got += some
                self.got.append((number, got))
                answer = self._serve(number, request)
                if answer is None:
                    break
                conn.sendall(answer)
                if answer.endswith(b"bye"):
                    break
        self.hung_up.set()

    def close(self) -> None:
        self._listener.close()


@contextmanager
def server(serve: Callable[[int, int], bytes | None]) -> Iterator[Server]:
    running = Server(serve)
    try:
        yield running
    finally:
        running.close()


def test_messages_with_a_key_share_a_connection() -> None:
    """Each handshake costs a receiver over TLS two journeys and some milliseconds."""
    with server(lambda *_: ANSWER) as receiver:
        poster = Poster(LOOPBACK, 5.0)
        for _ in range(3):
            assert poster.post(receiver.url, {}, b"{}", repeatable=True).status == 200
        assert [connection for connection, _ in receiver.got] == [0, 0, 0]


def test_messages_without_a_key_have_their_own() -> None:
    """Nobody could know one again that was sent twice."""
    with server(lambda *_: ANSWER) as receiver:
        poster = Poster(LOOPBACK, 5.0)
        for _ in range(2):
            poster.post(receiver.url, {}, b"{}")
        assert [connection for connection, _ in receiver.got] == [0, 1]
        assert all(b"Connection: close" in request for _, request in receiver.got)


def test_a_connection_that_ended_between_two_messages_loses_none() -> None:
    """A receiver may close at any time without a word (RFC 9112, 9.5)."""
    with server(lambda *_: ANSWER) as receiver:
        poster = Poster(LOOPBACK, 5.0)
        poster.post(receiver.url, {}, b"{}", repeatable=True)
        (waiting,) = next(iter(poster._kept._idle.values()))
        waiting.sock.shutdown(socket.SHUT_RDWR)  # as if the other side had
        assert poster.post(receiver.url, {}, b"{}", repeatable=True).status == 200
        assert [connection for connection, _ in receiver.got] == [0, 1]


def test_a_message_that_met_the_end_of_its_connection_goes_out_again() -> None:
    """The receiver may have it or not: it comes once more, under its key."""
    with server(lambda connection, request: ANSWER if (connection, request) != (0, 1) else None) as receiver:
        poster = Poster(LOOPBACK, 5.0)
        poster.post(receiver.url, {"Idempotency-Key": "a"}, b"{}", repeatable=True)
        answer = poster.post(receiver.url, {"Idempotency-Key": "b"}, b"{}", repeatable=True)
        assert answer.status == 200
        assert [connection for connection, _ in receiver.got] == [0, 0, 1]
        assert [b"Idempotency-Key: b" in request for _, request in receiver.got] == [False, True, True]


def test_a_new_connection_without_an_answer_is_an_error() -> None:
    """Who never answers is not asked twice at once: the courier's waiting is for that."""
    with server(lambda *_: None) as receiver:
        with pytest.raises(ChannelError, match="without an answer"):
            Poster(LOOPBACK, 5.0).post(receiver.url, {}, b"{}", repeatable=True)
        assert len(receiver.got) == 1


def test_an_answer_that_ends_in_the_middle_of_a_kept_connection_is_an_error() -> None:
    """It had begun to answer, so it has the message; it is tried later, not at once."""
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nbye"
    with server(lambda _, request: half if request else ANSWER) as receiver:
        poster = Poster(LOOPBACK, 5.0)
        poster.post(receiver.url, {}, b"{}", repeatable=True)
        with pytest.raises(ChannelError):
            poster.post(receiver.url, {}, b"{}", repeatable=True)
        assert len(receiver.got) == 2


def test_a_receiver_that_says_close_is_taken_at_its_word() -> None:
    """Connection: close, and an answer without a length."""
    closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbye"
    with server(lambda *_: closing) as receiver:
        poster = Poster(LOOPBACK, 5.0)
        for _ in range(2):
            assert poster.post(receiver.url, {}, b"{}", repeatable=True).body == b"bye"
        assert poster._kept._idle == {}


def test_an_answer_that_nobody_asked_for_is_not_the_next_ones() -> None:
    """A receiver that answers twice would else tell us that it took what it refused."""
    refusal = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
    with server(lambda connection, _: refusal if connection else ANSWER + ANSWER) as receiver:
        poster = Poster(LOOPBACK, 5.0)
        assert poster.post(receiver.url, {}, b"{}", repeatable=True).status == 200
        assert poster.post(receiver.url, {}, b"{}", repeatable=True).status == 503
        assert [connection for connection, _ in receiver.got] == [0, 1]


def test_connections_are_not_kept_for_long() -> None:
    """An idle one is closed by the other side, and a name may lead elsewhere by then."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = Connection(ours)
        assert connection.fresh(connection.used_s + 1.0)
        assert not connection.fresh(connection.used_s + IDLE_S + 0.1)
        connection.used_s = connection.made_s + KEPT_S
        assert not connection.fresh(connection.made_s + KEPT_S + 0.1)
        connection.used_s = connection.made_s
        theirs.sendall(b"x")  # nothing was asked
        assert not connection.fresh(time.monotonic())


def test_a_storm_does_not_leave_connections_behind() -> None:
    """Eight at most wait for each receiver; what waited too long ends with the next message, wherever it goes."""
    kept, pairs = Kept(), [socket.socketpair() for _ in range(10)]
    here, there = (Target(tls=False, host=name, port=80, path="/") for name in ("here", "there"))
    for ours, _ in pairs[:9]:
        kept.give(here, Connection(ours))
    assert [ours.fileno() for ours, _ in pairs[:9]].count(-1) == 1
    for waiting in kept._idle[here.end]:
        waiting.used_s -= IDLE_S + 1
    kept.give(there, Connection(pairs[9][0]))
    assert list(kept._idle) == [there.end]
    assert [ours.fileno() for ours, _ in pairs[:9]].count(-1) == 9
    assert kept.take(here) is None
    assert kept.take(there) is not None
    for pair in pairs:
        for sock in pair:
            sock.close()
