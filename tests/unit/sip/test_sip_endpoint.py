"""The endpoint's memory has bounds, whatever comes over the network."""

from __future__ import annotations

import contextlib
import socket
import tracemalloc
from typing import Final

import pytest

import monitor.sip.endpoint as endpoint_module
from monitor.sip.endpoint import Endpoint, Peer
from monitor.sip.messages import Request, respond
from monitor.sip.transactions import Answers, transaction_of

_OPTIONS: Final = (
    "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:5;branch=z9hG4bK{n}\r\nFrom: <sip:a@b>;tag=1{fill}\r\n"
    "To: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)


def test_who_sends_and_never_reads_is_hung_up_on() -> None:
    """Else answers pile up until the centre's process is killed for memory."""

    def answer(request: Request, peer: Peer) -> None:
        endpoint.answer(request, peer, respond(request, 405))

    endpoint = Endpoint(answer, host="127.0.0.1", transports=("TCP",))
    with endpoint, socket.socket() as stream:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stream.connect(("127.0.0.1", endpoint.port))
        stream.settimeout(20)
        requests = b"".join(_OPTIONS.format(n=n, fill=";x=" + "y" * 14_000).encode() for n in range(1_500))
        with pytest.raises(ConnectionError):
            stream.sendall(requests)


def test_answers_that_are_kept_have_a_bound_in_bytes() -> None:
    """Forged datagrams with the longest headers: 3,000 of them were a hundred megabytes."""
    answers = Answers()
    tracemalloc.start()
    try:
        for n in range(3_000):
            request = Request(method="REGISTER", uri="sip:a@b", headers=(
                ("Via", f"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{n}"), ("Call-ID", f"{n}" + "x" * 15_000), ("CSeq", "1 REGISTER"),
            ))  # fmt: skip
            transaction = transaction_of(request, Peer("UDP", "192.0.2.1", 5060))
            answers.keep(transaction, bytes(16_000), 0.0)
        assert tracemalloc.get_traced_memory()[0] < 24 << 20
    finally:
        tracemalloc.stop()
    assert answers.known(transaction, 1.0)[0], "the newest is there"


@pytest.mark.parametrize("proven", [False, True])
def test_idle_connections_shut_no_device_out(monkeypatch: pytest.MonkeyPatch, proven: bool) -> None:
    """Whoever was never answered with 2xx goes first when there are too many; a device that was stays."""
    monkeypatch.setattr(endpoint_module, "_UNPROVEN_S", 0.0)

    def answer(request: Request, peer: Peer) -> None:
        endpoint.answer(request, peer, respond(request, 200 if proven else 404))

    endpoint = Endpoint(answer, host="127.0.0.1", transports=("TCP",), most_connections=3)
    with endpoint, contextlib.ExitStack() as stack:
        streams = []
        for n in range(4):
            stream = stack.enter_context(socket.create_connection(("127.0.0.1", endpoint.port), timeout=20))
            streams.append(stream)
            with contextlib.suppress(ConnectionError):
                stream.sendall(_OPTIONS.format(n=n, fill="").encode())
                if n < 3 or not proven:
                    assert stream.recv(4000).startswith(b"SIP/2.0 200" if proven else b"SIP/2.0 404")
        gone = streams[3 if proven else 0]
        ended = b""
        with contextlib.suppress(ConnectionError):
            while ended := gone.recv(4000):
                pass
        assert ended == b""
        kept = streams[1]
        kept.sendall(_OPTIONS.format(n=9, fill="").encode())
        assert b"SIP/2.0" in kept.recv(4000)
