"""One POST to an address that somebody wrote into a file: never to where it may not go, never longer than it may take.

The name is resolved once, the addresses are checked, and the connection goes to the checked one while TLS and
`Host` keep the name, so that a name which changes its address in between gains nothing (a connection that is kept
for the next message leads where it was checked to lead, a minute long at most). No redirects, no proxy, at most
64 KiB of the answer, one deadline for all of it.
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

from alerts.channels.exchange import Answer, Connection, Gone, Kept, Target, left
from alerts.channels.failures import ChannelError, Final, NotNow

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
        self._kept = Kept()

    def post(self, url: str, headers: Mapping[str, str], body: bytes, *, repeatable: bool = False) -> Answer:
        """The answer, whatever its status. Final where it may not connect; OSError where it can't.

        `repeatable`: the other side knows the message again by a key, so its connection is kept for the next one.
        """
        target, deadline_s = target_of(url), time.monotonic() + self._timeout_s
        if repeatable and (kept := self._kept.take(target)) is not None:
            try:
                return self._exchange(kept, target, headers, body, deadline_s, keep=True)
            except Gone:
                pass  # it ended between two messages, as any may: once more on a new one
        connection = Connection(self._connect(target, deadline_s))
        return self._exchange(connection, target, headers, body, deadline_s, keep=repeatable)

    def _exchange(
        self,
        connection: Connection,
        target: Target,
        headers: Mapping[str, str],
        body: bytes,
        deadline_s: float,
        *,
        keep: bool,
    ) -> Answer:
        kept = False
        try:
            answer = connection.exchange(target, headers, body, deadline_s, keep=keep)
            if kept := keep and connection.reusable():
                self._kept.give(target, connection)
            return answer
        finally:
            if not kept:
                connection.close()

    def _connect(self, target: Target, deadline_s: float) -> socket.socket:
        address = self._address(target, deadline_s)
        sock = socket.create_connection((str(address), target.port), timeout=left(deadline_s))
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if target.tls:
                sock.settimeout(left(deadline_s))
                sock = self._tls.wrap_socket(sock, server_hostname=target.host)
        except BaseException:
            sock.close()
            raise
        return sock

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
        worker.join(left(deadline_s))
        if not found:
            raise TimeoutError(f"the name {target.host} was not resolved in time")
        if isinstance(found[0], OSError):
            raise ChannelError(f"the name {target.host} can't be resolved: {found[0]}") from found[0]
        return found[0]


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
