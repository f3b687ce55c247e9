"""Reading the broker's packets in one go: nothing is read twice, nothing is held back, the end is the end."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.ingest.buffered_client import BufferedSocket


@given(
    sent=st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=8),
    sizes=st.lists(st.integers(1, 50), min_size=1),
)
def test_all_that_comes_is_read_once_and_in_order(sent: list[bytes], sizes: list[int]) -> None:
    """Whatever pieces it came in, and whatever sizes are asked for."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        buffered, got, n = BufferedSocket(ours), b"", 0
        for piece in sent:
            theirs.sendall(piece)
            some = buffered.recv(sizes[n % len(sizes)])
            assert some  # never an end that is none
            assert len(some) <= sizes[n % len(sizes)]
            got, n = got + some, n + 1
        theirs.close()
        while some := buffered.recv(sizes[n % len(sizes)]):
            got, n = got + some, n + 1
        assert got == b"".join(sent)
        assert buffered.recv(1) == b""


def test_what_is_held_back_is_said() -> None:
    """paho asks before it waits for the system: what was read and not given would else lie there until more comes."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        buffered = BufferedSocket(ours)
        assert buffered.pending() == 0
        theirs.sendall(b"abcdef")
        assert buffered.recv(1) == b"a"
        assert buffered.pending() == 5
        assert buffered.recv(100) == b"bcdef"
        assert buffered.pending() == 0


def test_nothing_there_is_no_end() -> None:
    """A socket that does not wait raises, as paho expects of it."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        buffered = BufferedSocket(ours)
        with pytest.raises(BlockingIOError):
            buffered.recv(1)
        theirs.sendall(b"x")
        assert buffered.recv(1) == b"x"


def test_what_tls_holds_back_counts_too() -> None:
    """A record is decrypted whole."""

    class Decrypted:
        def pending(self) -> int:
            return 7

        def recv(self, size: int) -> bytes:
            raise ssl.SSLWantReadError

        def fileno(self) -> int:
            return 3

    inner: Any = Decrypted()
    buffered = BufferedSocket(inner)
    assert buffered.pending() == 7
    assert buffered.fileno() == 3
    with pytest.raises(ssl.SSLWantReadError):
        buffered.recv(1)
