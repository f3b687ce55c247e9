"""One POST to an address that somebody wrote into a file: never to where it may not go, never longer than it may take.

The name is resolved once, the addresses are checked, and the connection goes to the checked one while TLS and
`Host` keep the name, so that a name which changes its address in between gains nothing. No redirects, no proxy,
at most 64 KiB of the answer, one deadline for all of it.
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

import h11
import msgspec

from alerts.channels.failures import ChannelError, Final, NotNow

MOST_BYTES = 64 * 1024
#: nobody is kept waiting longer than this, whatever the other side asks
LONGEST_RETRY_AFTER_S = 3600.0
#: a 429 that does not say how long
RETRY_AFTER_S = 60.0

#: IPv6 addresses that carry an IPv4 address, which then counts (RFC 6052, RFC 3056)
_NAT64 = ip_network("64:ff9b::/96")
_SIX_TO_FOUR = ip_network("2002::/16")
#: all that is assigned to the public (RFC 4291); beyond it are old forms that also lead inside (::a.b.c.d, fec0::/10)
_PUBLIC_IPV6 = ip_network("2000::/3")

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolve = Callable[[str, int], Sequence[str]]


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


def target_of(url: str) -> Target:
    """Takes a URL apart; Final if it is none that can be posted to. The error never quotes path or query."""
    try:
        parts: SplitResult = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as exc:
        raise Final(f"the address is no URL: {exc}") from None
    if parts.scheme not in ("https", "http") or not host or parts.username is not None:
        raise Final("the address is not https://host/…")
    tls = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(tls=tls, host=host, port=port or (443 if tls else 80), path=path)


def may_reach(address: Address, networks: Sequence[Network], *, tls: bool) -> bool:
    """Whether a channel may connect there: public addresses over TLS, and what is listed."""
    for inner in _carried(address):
        if any(inner in network for network in networks if network.version == inner.version):
            continue
        if not tls or not inner.is_global or inner.is_multicast:
            return False
        if inner.version == 6 and inner not in _PUBLIC_IPV6:
            return False
    return True


def _carried(address: Address) -> list[Address]:
    """The address itself, or those that it only wraps."""
    if isinstance(address, IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if address in _NAT64:
        return [IPv4Address(int(address) & 0xFFFFFFFF)]
    if address in _SIX_TO_FOUR:
        return [address, IPv4Address((int(address) >> 80) & 0xFFFFFFFF)]
    return [address]


def resolve_name(host: str, port: int) -> Sequence[str]:
    """All addresses of a name."""
    return [str(row[4][0]) for row in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class Poster:
    """Posts for one channel."""

    def __init__(
        self,
        networks: Sequence[str],
        timeout_s: float,
        resolve: Resolve = resolve_name,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._networks = tuple(ip_network(network) for network in networks)
        self._timeout_s, self._resolve = timeout_s, resolve
        self._tls = tls or ssl.create_default_context()

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """The answer, whatever its status. Final where it may not connect; OSError where it can't."""
        target, deadline_s = target_of(url), time.monotonic() + self._timeout_s
        address = self._address(target, deadline_s)
        sock = socket.create_connection((str(address), target.port), timeout=_left(deadline_s))
        try:
            if target.tls:
                sock.settimeout(_left(deadline_s))
                sock = self._tls.wrap_socket(sock, server_hostname=target.host)
            return _exchange(sock, target, headers, body, deadline_s)
        finally:
            sock.close()

    def _address(self, target: Target, deadline_s: float) -> Address:
        try:
            found = [ip_address(target.host)]
        except ValueError:
            found = [ip_address(text.partition("%")[0]) for text in self._resolved(target, deadline_s)]
        allowed = [a for a in found if may_reach(a, self._networks, tls=target.tls)]
        if not allowed:
            raise Final(
                f"{target.host} is not at a public address over https ({', '.join(map(str, found[:4])) or 'no address'}):"
                " list its network under the channel's `networks:` if it is meant"
            )
        # IPv4 first: a machine without IPv6 would wait for its failure
        return min(allowed, key=lambda a: a.version)

    def _resolved(self, target: Target, deadline_s: float) -> Sequence[str]:
        """The resolver has no deadline of its own, so it is left behind when it takes too long."""
        found: list[Sequence[str] | OSError] = []

        def work() -> None:
            try:
                found.append(self._resolve(target.host, target.port))
            except OSError as exc:
                found.append(exc)

        worker = threading.Thread(target=work, name="resolve", daemon=True)
        worker.start()
        worker.join(_left(deadline_s))
        if not found:
            raise TimeoutError(f"the name {target.host} was not resolved in time")
        if isinstance(found[0], OSError):
            raise ChannelError(f"the name {target.host} can't be resolved: {found[0]}") from found[0]
        return found[0]


def _left(deadline_s: float) -> float:
    left_s = deadline_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError("no answer in time")
    return left_s


def _exchange(
    sock: socket.socket, target: Target, headers: Mapping[str, str], body: bytes, deadline_s: float
) -> Answer:
    wire = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST_BYTES)
    named = [("Host", target.host_header), ("User-Agent", "hcawatch"), ("Connection", "close"),
             ("Content-Length", str(len(body))), *headers.items()]  # fmt: skip
    request = h11.Request(method="POST", target=target.path, headers=named)
    out = [wire.send(request), wire.send(h11.Data(data=body)), wire.send(h11.EndOfMessage())]
    sock.settimeout(_left(deadline_s))
    sock.sendall(b"".join(part for part in out if part))
    status, found, got = 0, {}, b""
    try:
        while True:
            event = wire.next_event()
            match event:
                case h11.NEED_DATA:
                    sock.settimeout(_left(deadline_s))
                    wire.receive_data(sock.recv(16_384))
                case h11.Response():
                    status = event.status_code
                    found = {name.decode(): value.decode("latin-1") for name, value in event.headers}
                case h11.Data():
                    got += bytes(event.data)
                    if len(got) > MOST_BYTES:
                        break  # what we want to know stands at the beginning
                case h11.EndOfMessage() | h11.ConnectionClosed():
                    break
    except h11.RemoteProtocolError as exc:
        raise ChannelError(f"{target.host} does not speak HTTP: {exc}") from exc
    if not status:
        raise ChannelError(f"{target.host} closed the connection without an answer")
    return Answer(status=status, headers=found, body=got[:MOST_BYTES])


# ---------------------------------------------------------------- what a status means
def judge(answer: Answer, host: str, now: datetime) -> None:
    """Returns on 2xx; else Final, NotNow or ChannelError.

    4xx is for good, but for 408 and 425 (worth another try) and 429 (wait as it says). A redirect is for good:
    it would lead somewhere that nobody checked.
    """
    status = answer.status
    if 200 <= status < 300:
        return
    said = f"{host} answered {status}: {_clip(answer.body)}"
    if status == 429:
        raise NotNow(said, retry_after_s(answer.headers.get("retry-after"), now))
    if status in (408, 425) or status >= 500 or status < 200:
        raise ChannelError(said)
    raise Final(said)


def retry_after_s(header: str | None, now: datetime) -> float:
    """Seconds that `Retry-After` asks for: a number or a date (RFC 9110, 10.2.3); a minute if it says neither."""
    if header is None:
        return RETRY_AFTER_S
    try:
        wait_s = (
            float(header)
            if header.strip().isdigit()
            else (parsedate_to_datetime(header) - now).total_seconds()
        )
    except (ValueError, TypeError):
        return RETRY_AFTER_S
    return min(max(wait_s, 1.0), LONGEST_RETRY_AFTER_S)


def _clip(body: bytes) -> str:
    return " ".join(body[:300].decode("utf-8", "replace").split())[:200]
