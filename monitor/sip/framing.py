"""Messages in a stream: where one ends and the next begins (RFC 3261 18.3). No I/O."""

import re
from collections.abc import Iterator
from typing import Final

from monitor.sip.messages import MOST_BYTES, SipError

_LENGTH: Final = re.compile(
    rb"(?:^|\n)(?:content-length|l)[ \t]*:[ \t]*([0-9]{1,7})[ \t]*(?:\r?\n|$)", re.IGNORECASE
)


class Framing:
    """What came and is not whole yet."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Messages that are whole now. SipError: the stream cannot be followed any more."""
        self._rest += data
        while True:
            self._rest = self._rest.lstrip(b"\r\n\0")  # keeps the connection open (RFC 5626)
            at = self._rest.find(b"\r\n\r\n")
            if at < 0:
                if len(self._rest) > MOST_BYTES:
                    raise SipError(f"more than {MOST_BYTES} bytes without an end of the head", status=513)
                return
            said = _LENGTH.search(self._rest[: at + 2])
            if said is None:
                raise SipError("a message over TCP has no Content-Length")
            end = at + 4 + int(said.group(1))
            if end > MOST_BYTES:
                raise SipError(f"{end} bytes, at most {MOST_BYTES}", status=513)
            if len(self._rest) < end:
                return
            whole, self._rest = self._rest[:end], self._rest[end:]
            yield whole
