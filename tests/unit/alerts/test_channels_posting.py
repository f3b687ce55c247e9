"""Where a channel may connect, how long it waits, and what an answer means."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from alerts.channels.exchange import Answer
from alerts.channels.failures import ChannelError, Final, NotNow
from alerts.channels.posting import Poster, judge, may_reach, retry_after_s
from alerts.channels.webhook import signature, signed_headers
from tests.doubles.receivers import LOOPBACK, Receiver, make_certificate

NOON = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("127.0.0.1", False),
        ("10.0.0.1", False),
        ("169.254.169.254", False),  # a cloud's own secrets
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),  # IPv4 in other clothes
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
        (
            "64:ff9b:1::a00:1",
            False,
        ),  # forms that are out of use and lead inside where a router still knows them
        ("::ffff:0:10.0.0.1", False),
        ("::10.0.0.1", False),
        ("fec0::1", False),
    ],
)
def test_only_public_addresses(address: str, allowed: bool) -> None:
    """Whoever may edit a webhook can't make the centre speak to the machine's own services."""
    assert may_reach(ip_address(address), (), tls=True) is allowed


def test_listed_networks_are_reached_and_only_they_in_clear() -> None:
    """A receiver in the own network is listed; http:// to a public address would tell everybody on the way."""
    own = (ip_network("10.1.0.0/16"),)
    assert may_reach(ip_address("10.1.2.3"), own, tls=False)
    assert not may_reach(ip_address("10.2.2.3"), own, tls=True)
    assert not may_reach(ip_address("93.184.216.34"), own, tls=False)


def test_a_name_is_resolved_once_and_the_checked_address_is_used() -> None:
    """A name that changes its address after the check (DNS rebinding) gains nothing."""
    asked: list[str] = []

    def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    with Receiver() as receiver:
        poster = Poster(LOOPBACK, 5.0, resolve)
        answer = poster.post(f"http://hook.example:{receiver.port}/in?x=1", {"X-A": "b"}, b"{}")
        assert answer.status == 200
        assert asked == ["hook.example"]
        (got,) = receiver.got
        assert (got.path, got.headers["host"]) == ("/in?x=1", f"hook.example:{receiver.port}")
        with pytest.raises(Final, match="not at a public address"):
            poster.post(f"http://hook.example:{receiver.port}/in", {}, b"{}")
        assert len(receiver.got) == 1


def test_tls_holds_to_the_name_and_not_to_the_address(tmp_path: Path) -> None:
    """The certificate is checked for the name of the URL, though the connection goes to an address."""
    certificate, key = make_certificate(tmp_path)
    server, client = (
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER),
        ssl.create_default_context(cafile=str(certificate)),
    )
    server.load_cert_chain(certificate, key)
    with Receiver(tls=server) as receiver:

        def resolve(host: str, port: int) -> Sequence[str]:
            return ["127.0.0.1"]

        poster = Poster(LOOPBACK, 5.0, resolve, client)
        assert poster.post(f"https://localhost:{receiver.port}/", {}, b"{}").status == 200
        with pytest.raises(ssl.SSLCertVerificationError):
            poster.post(f"https://other.example:{receiver.port}/", {}, b"{}")


def test_redirects_are_not_followed() -> None:
    """A redirect would lead to where nobody checked."""
    with Receiver(lambda _: (302, {"Location": "http://127.0.0.1:1/"}, b"")) as receiver:
        answer = Poster(LOOPBACK, 5.0).post(receiver.url, {}, b"{}")
        with pytest.raises(Final, match="302"):
            judge(answer, "h", NOON)


def test_an_endless_answer_is_cut_off() -> None:
    """A receiver can't fill the centre's memory."""
    with Receiver(lambda _: (200, {}, b"x" * 1_000_000)) as receiver:
        assert len(Poster(LOOPBACK, 5.0).post(receiver.url, {}, b"{}").body) == 64 * 1024


def test_a_server_that_drips_holds_nobody() -> None:
    """One deadline for the whole, not one for each byte: a byte every 0.2 s for ever ends after `timeout_s`."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def serve() -> None:
        conn, _ = listener.accept()
        with conn:
            conn.recv(65_536)
            for byte in b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000:
                if stop.wait(0.2):
                    return
                conn.sendall(bytes([byte]))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    began_s = time.monotonic()
    with pytest.raises(TimeoutError):
        Poster(LOOPBACK, 1.0).post(f"http://127.0.0.1:{listener.getsockname()[1]}/", {}, b"{}")
    assert time.monotonic() - began_s < 30.0
    stop.set()
    thread.join(5.0)
    listener.close()


@pytest.mark.parametrize(
    ("status", "expected"),
    [(200, None), (204, None), (302, Final), (400, Final), (401, Final), (404, Final), (410, Final),
     (408, ChannelError), (425, ChannelError), (429, NotNow), (500, ChannelError), (503, ChannelError)],
)  # fmt: skip
def test_what_a_status_means(status: int, expected: type[Exception] | None) -> None:
    """2xx is delivery, 4xx for good but for 408, 425 and 429, 5xx worth another try."""
    answer = Answer(status=status, headers={}, body=b"words")
    if expected is None:
        judge(answer, "h", NOON)
        return
    with pytest.raises(expected) as caught:
        judge(answer, "h", NOON)
    assert type(caught.value) is expected


def test_retry_after_in_seconds_and_as_a_date() -> None:
    """Both forms of RFC 9110; nonsense is a minute, and nobody is put off for more than an hour."""
    assert retry_after_s("30", NOON) == 30.0
    assert retry_after_s("Tue, 24 Nov 2026 06:02:00 GMT", NOON) == 120.0
    assert retry_after_s("soon", NOON) == retry_after_s(None, NOON) == 60.0
    assert retry_after_s("999999", NOON) == 3600.0


def test_a_secret_is_exchanged_without_a_gap() -> None:
    """Two lines in the secret's file: the receiver finds a signature of the old one and of the new one."""
    headers = signed_headers("old\nnew\n", "k", b"{}", NOON)
    stamp = headers["Hcawatch-Timestamp"]
    assert headers["Hcawatch-Signature"].split(",") == [
        signature("old", stamp, b"{}"),
        signature("new", stamp, b"{}"),
    ]
