"""Requests that come again: what was answered once is answered again, and is not a second request (RFC 3261 17.2).

Pure but for its memory; monotonic seconds are passed in.
"""

import hashlib
from collections import OrderedDict
from typing import Final

from monitor.sip.messages import COOKIE, Request, header, tag_of, via_of
from monitor.sip.wires import Peer

T1_S: Final = 0.5
#: how long an answer is kept for a request that comes again (timer J)
KEPT_S: Final = 64 * T1_S
_MOST_KEPT: Final = 20_000
#: of all answers that are kept, in bytes: a busy centre's 32 s are less than 1 MB
_MOST_KEPT_BYTES: Final = 16 << 20

#: a hash: what names a transaction is as long as its sender likes
Transaction = bytes


class Answers:
    """What was answered lately."""

    def __init__(self) -> None:
        #: None: it is being worked on
        self._kept: OrderedDict[Transaction, tuple[float, bytes | None]] = OrderedDict()
        self._bytes = 0

    def known(self, transaction: Transaction, now_s: float) -> tuple[bool, bytes | None]:
        """Whether the request came before, and its answer if there is one yet."""
        kept = self._kept.get(transaction)
        return (False, None) if kept is None or kept[0] <= now_s else (True, kept[1])

    def keep(self, transaction: Transaction, data: bytes | None, now_s: float) -> None:
        """A request has come, or has been answered."""
        if (before := self._kept.pop(transaction, None)) is not None:
            self._bytes -= len(before[1] or b"")
        self._kept[transaction] = (now_s + KEPT_S, data)
        self._bytes += len(data or b"")
        while self._kept:
            until_s, oldest = next(iter(self._kept.values()))
            if until_s > now_s and len(self._kept) <= _MOST_KEPT and self._bytes <= _MOST_KEPT_BYTES:
                break
            self._kept.popitem(last=False)
            self._bytes -= len(oldest or b"")

    def forget(self) -> None:
        """As after a restart."""
        self._kept.clear()
        self._bytes = 0


def transaction_of(request: Request, peer: Peer) -> Transaction:
    """What tells a request that comes again from another one (RFC 3261 17.2.3; the second form for RFC 2543)."""
    via = via_of(request)
    assert via is not None
    if via.branch.startswith(COOKIE):
        return _hashed(
            peer.host,
            via.branch,
            f"{via.host}:{via.port}",
            request.method,
            header(request, "Call-ID"),
            header(request, "CSeq"),
        )
    whom = tag_of(header(request, "From"))
    return _hashed(
        peer.host,
        request.uri,
        whom,
        header(request, "Call-ID"),
        header(request, "CSeq"),
        header(request, "Via"),
    )


def _hashed(*parts: str) -> Transaction:
    """No header has a NUL in it, hence nothing else gives the same text."""
    return hashlib.sha256("\0".join(parts).encode()).digest()
