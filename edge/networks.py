"""Which addresses a camera may be reached at: only those inside the networks of the edge's own file.

A name is resolved once and every address that it has is checked; the one that was checked is the one
that is opened, so that a name can't point elsewhere a moment later. Files and webcams need no network.
Also the only place where a credential meets a URL, and where URLs are made fit to be shown.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal
from urllib.parse import quote, urlsplit, urlunsplit

from edge.errors import SourceBlocked, SourceUnreachable
from monitor.domain.assets import Camera

Resolve = Callable[[str], Iterable[str]]
SourceKind = Literal["rtsp", "http", "file", "folder", "stills", "webcam"]

_LOCAL: Final[tuple[SourceKind, ...]] = ("webcam", "stills")
_DEFAULT_PORT: Final = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
_USERINFO: Final = re.compile(r"(?<=://)[^/\s]*@")
#: Query values that look like secrets: ?password=…, &token=…
_QUERY_SECRET: Final = re.compile(r"(?i)((?:pass(?:word|wd)?|pwd|token|key|auth|secret)=)[^&\s]+")


def kind_of(source: str) -> SourceKind:
    """What kind of source a camera's `source` names; a folder is told from a file when it is opened."""
    scheme = source.split("://", 1)[0].lower() if "://" in source else ""
    if scheme in ("rtsp", "rtsps"):
        return "rtsp"
    if scheme in ("http", "https"):
        return "http"
    for kind in _LOCAL:
        if source.startswith(f"{kind}:"):
            return kind
    return "file"


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Text without credentials: user info of URLs, secret-like query values and the given secrets."""
    text = _QUERY_SECRET.sub(r"\1***", _USERINFO.sub("***@", text))
    for secret in sorted((s for s in secrets if s), key=len, reverse=True):
        text = text.replace(secret, "***").replace(quote(secret, safe=""), "***")
    return text


def secrets_of(credential: str | None) -> tuple[str, ...]:
    """The parts of a credential 'user:password' that must never be shown."""
    if not credential:
        return ()
    user, _, password = credential.partition(":")
    return tuple(part for part in (credential, password or user) if part)


def system_resolve(host: str) -> tuple[str, ...]:
    """All addresses of a host name."""
    return tuple(
        dict.fromkeys(str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))
    )


def checked_url(
    camera: Camera, networks: Iterable[str], credentials: Mapping[str, str], resolve: Resolve = system_resolve
) -> str:
    """The URL to open: host replaced by a checked address, credential inserted.

    Raises:
        SourceBlocked: an address of the host lies outside `networks`, or the credential is missing.
        SourceUnreachable: the name does not resolve.
    """
    parts = urlsplit(camera.source)
    try:
        host, port = parts.hostname, parts.port
    except ValueError as exc:
        raise SourceBlocked(camera.camera_id, "its source is not a valid URL") from exc
    if not host:
        raise SourceBlocked(camera.camera_id, "its source names no host")
    address = _checked_address(camera, host, tuple(networks), resolve)
    return urlunsplit((parts.scheme, _netloc(camera, address, port, parts.scheme, credentials), parts.path,
                       parts.query, ""))  # fmt: skip


def _checked_address(camera: Camera, host: str, networks: tuple[str, ...], resolve: Resolve) -> str:
    try:
        addresses = tuple(resolve(host))
    except OSError as exc:
        raise SourceUnreachable(camera.camera_id, f"the name {host} does not resolve") from exc
    if not addresses:
        raise SourceUnreachable(camera.camera_id, f"the name {host} has no address")
    allowed = [ipaddress.ip_network(network, strict=False) for network in networks]
    for text in addresses:
        address = ipaddress.ip_address(text.split("%", 1)[0])
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped  # ::ffff:10.0.0.1 is 10.0.0.1, whatever it looks like
        if not any(address in network for network in allowed):
            raise SourceBlocked(
                camera.camera_id,
                f"{address} is outside the networks {', '.join(networks) or '(none)'}; "
                "add its network to `networks` of the edge, if it is meant",
            )
    return addresses[0]


def _netloc(
    camera: Camera, address: str, port: int | None, scheme: str, credentials: Mapping[str, str]
) -> str:
    where = f"[{address}]" if ":" in address else address
    if port is not None and port != _DEFAULT_PORT.get(scheme):
        where = f"{where}:{port}"
    if camera.credential is None:
        return where
    if camera.credential not in credentials:
        raise SourceBlocked(
            camera.camera_id,
            f"the credential {camera.credential!r} is not in the edge's secrets file; add it there",
        )
    user, _, password = credentials[camera.credential].partition(":")
    return f"{quote(user, safe='')}:{quote(password, safe='')}@{where}"
