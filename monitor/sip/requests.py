"""Requests that we send: REGISTER and MESSAGE, between two ids of GB/T 28181."""

import secrets
import socket
from typing import Final

import msgspec

from monitor.domain.gb_ids import GbId
from monitor.domain.manscdp import CONTENT_TYPE
from monitor.sip.endpoint import Peer, new_branch
from monitor.sip.messages import Request

USER_AGENT: Final = "hcawatch"


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """Who speaks to whom, and by which way."""

    ours: GbId
    theirs: GbId
    #: domain of the other side
    realm: str
    peer: Peer
    #: address and port at which we are heard
    host: str
    port: int

    @property
    def contact(self) -> str:
        """Where we are reached."""
        how = ";transport=tcp" if self.peer.transport == "TCP" else ""
        return f"<sip:{self.ours.text}@{self.host}:{self.port}{how}>"


def local_host(peer_host: str) -> str:
    """The address of this machine by which it reaches that one; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((peer_host, 9))
        return str(probe.getsockname()[0])


def request(
    way: Way,
    method: str,
    number: int,
    call_id: str,
    *more: tuple[str, str],
    body: bytes = b"",
    register: bool = False,
) -> Request:
    """A request with a branch of its own. `number`: of CSeq."""
    theirs = f"sip:{way.theirs.text}@{way.realm}"
    from_domain = way.realm if register else way.ours.domain
    ours = f"<sip:{way.ours.text}@{from_domain}>"
    kind = (("Content-Type", CONTENT_TYPE),) if body else ()
    return Request(
        method=method, uri=theirs, body=body,
        headers=(
            ("Via", f"SIP/2.0/{way.peer.transport} {way.host}:{way.port};rport;branch={new_branch()}"),
            ("From", f"{ours};tag={secrets.token_hex(8)}"),
            ("To", ours if register else f"<{theirs}>"),
            ("Call-ID", call_id),
            ("CSeq", f"{number} {method}"),
            ("Max-Forwards", "70"),
            ("User-Agent", USER_AGENT),
            *kind,
            *more,
        ),
    )  # fmt: skip


def new_call_id() -> str:
    """Names a call."""
    return secrets.token_hex(16)
