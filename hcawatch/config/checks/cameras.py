"""Where cameras' pictures come from: schemes, files, networks, and no secret in an address."""

import re
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path as FilePath
from typing import Final
from urllib.parse import SplitResult, urlsplit

from hcawatch.config.checks.look import Look
from hcawatch.config.faults import Fault, some_of

NETWORK_SCHEMES: Final = frozenset({"rtsp", "rtsps", "http", "https"})
#: files and folders, relative to the YAML; "stills:" is a folder that a camera fills
LOCAL_SCHEMES: Final = frozenset({"", "file", "stills"})
_SCHEME: Final = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*):")
#: many cameras take them in the path or the query instead of before the @
_SECRET: Final = re.compile(r"(?i)(pass(word|wd)?|pwd|token|secret|passphrase)=")


def check(look: Look) -> Iterator[Fault]:
    """Faults of sources and networks."""
    networks = {}
    for index, edge in enumerate(look.document.edges):
        found, faults = _networks(look, index)
        yield from faults
        networks[edge.id] = found
    for index, camera in enumerate(look.document.cameras):
        yield from _source(look, index, networks.get(camera.edge))
        if camera.substream is not None and scheme_of(camera.substream) in NETWORK_SCHEMES:
            yield from _address(look, index, networks.get(camera.edge), "substream", camera.substream)
        elif camera.substream is not None:
            yield look.fault(
                "source_scheme", "cameras", index, "substream", scheme=scheme_of(camera.substream)
            )
    if look.ok("cameras"):
        used = {camera.edge for camera in look.document.cameras}
        for index, edge in enumerate(look.document.edges):
            if edge.id not in used:
                yield look.fault("edge_without_cameras", "edges", index, edge=edge.id)


def scheme_of(source: str) -> str:
    """'rtsp', 'webcam', 'file' … in lower case; '' for a path."""
    match = _SCHEME.match(source)
    return match.group(1).lower() if match else ""


def file_of(source: str) -> str:
    """The path in a source that is a file or folder."""
    if scheme_of(source) == "file":
        return re.sub(r"^//", "", source[len("file:") :])
    return source[len("stills:") :] if scheme_of(source) == "stills" else source


def _networks(look: Look, index: int) -> tuple[list[IPv4Network | IPv6Network], list[Fault]]:
    found, faults = [], []
    for n, text in enumerate(look.document.edges[index].networks):
        try:
            network = ip_network(text)
        except ValueError as exc:
            faults.append(
                look.fault("network_invalid", "edges", index, "networks", n, found=text, reason=exc)
            )
            continue
        if network.prefixlen == 0:
            faults.append(look.fault("network_everything", "edges", index, "networks", n, found=text))
        found.append(network)
    return found, faults


def _source(look: Look, index: int, networks: list[IPv4Network | IPv6Network] | None) -> Iterator[Fault]:
    camera = look.document.cameras[index]
    path = ("cameras", index, "source")
    scheme = scheme_of(camera.source)
    if scheme in NETWORK_SCHEMES:
        yield from _address(look, index, networks, "source", camera.source)
    elif scheme == "webcam":
        if not re.fullmatch(r"webcam:([0-9]{1,3}|/dev/[\w./:+@-]+)", camera.source) or ".." in camera.source:
            yield look.fault("source_incomplete", *path)
    elif scheme == "stills" and not file_of(camera.source).strip():
        yield look.fault("source_incomplete", *path)
    elif scheme in LOCAL_SCHEMES:
        file = look.around.resolve(file_of(camera.source))
        if look.around.has_sources_of(camera.edge) and look.ok(*path) and not _exists(file):
            yield look.fault("source_missing", *path, file=file)
    else:
        yield look.fault("source_scheme", *path, scheme=scheme)


def _exists(file: FilePath) -> bool:
    try:
        return file.exists()
    except (OSError, ValueError):  # too long a name, a NUL in it
        return False


def _address(
    look: Look, index: int, networks: list[IPv4Network | IPv6Network] | None, key: str, source: str
) -> Iterator[Fault]:
    camera = look.document.cameras[index]
    path = ("cameras", index, key)
    try:
        url: SplitResult = urlsplit(source)
        host, _ = url.hostname, url.port
    except ValueError:
        yield look.fault("source_incomplete", *path)
        return
    if url.username is not None or url.password is not None or _SECRET.search(source):
        yield look.fault("credential_in_url", *path)
    if not host:
        yield look.fault("source_incomplete", *path)
        return
    try:
        address = ip_address(host)
    except ValueError:
        return  # a name: the edge resolves it once and holds it against the same list
    edge = look.ids("edges").get(camera.edge)
    known = networks is not None and edge is not None and look.ok("edges", edge, "networks")
    if known and not any(address in network for network in networks or ()):
        yield look.fault("camera_outside_networks", *path, host=host, edge=camera.edge,
                         networks=some_of(str(network) for network in networks or ()))  # fmt: skip
