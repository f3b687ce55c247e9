"""SIP messages as values: from bytes, to bytes, and the answer to a request. Pure.

Header bytes are read as Latin-1 and written so, hence what is copied into an answer comes back as it came, whatever
character set a display name has. Domains are not checked: those of GB/T 28181 are ten digits, which RFC 3261 forbids.
"""

import re
from http import HTTPStatus
from typing import Final

import msgspec

#: of one message; an alarm has about 1,200
MOST_BYTES: Final = 64 * 1024
_MOST_HEADERS: Final = 100
_MOST_HEAD_BYTES: Final = 16 * 1024
#: RFC 3261 7.3.3, as far as we look
_COMPACT: Final = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length",
                   "c": "content-type", "s": "subject", "k": "supported", "e": "content-encoding"}  # fmt: skip
#: only these: str.strip, str.split and str.splitlines also cut at 0x85 and 0xA0, which UTF-8 and GB 2312 names have
_BLANKS: Final = " \t\r\n"
_LINE_END: Final = re.compile(r"\r?\n")
_BREAKS: Final = re.compile(r"[\r\n]+")
_FOLDED: Final = re.compile(r"\r?\n[ \t]+")
_START: Final = re.compile(r"([A-Z]{1,20}) (\S{1,500}) SIP/2\.0", re.ASCII)
_STATUS: Final = re.compile(r"SIP/2\.0 ([1-6][0-9]{2})(?: (.*))?")
_CSEQ: Final = re.compile(r"([0-9]{1,10})\s+([A-Z]{1,20})", re.ASCII)
_VIA: Final = re.compile(
    r"SIP\s*/\s*2\.0\s*/\s*([A-Za-z]{2,4})\s+(\[[0-9A-Fa-f:.]+\]|[^\s:;,\[]+)(?::([0-9]{1,5}))?",
    re.ASCII,
)
_URI: Final = re.compile(r"sips?:([^@;>\s\"]{1,100})@([^;>\s,\"]{1,100})", re.IGNORECASE | re.ASCII)
_TAG: Final = re.compile(r";\s*tag\s*=\s*([^;,\s>]+)", re.IGNORECASE | re.ASCII)
#: names of RFC 3261 and RFC 3428 where HTTP has another one or none
_REASONS: Final = {401: "Unauthorized", 407: "Proxy Authentication Required", 481: "Call/Transaction Does Not Exist",
                   488: "Not Acceptable Here", 513: "Message Too Large"}  # fmt: skip
#: RFC 3261 8.1.1.7: a branch that begins so is unique
COOKIE: Final = "z9hG4bK"


class SipError(ValueError):
    """Bytes that are no SIP message; the text says why. `answer` is what may be said to the sender, if anything."""

    def __init__(self, reason: str, answer: "Response | None" = None, *, status: int = 400) -> None:
        super().__init__(reason)
        self.answer, self.status = answer, status


Headers = tuple[tuple[str, str], ...]


class Via(msgspec.Struct, frozen=True, kw_only=True):
    """The topmost Via: where the answer goes."""

    transport: str
    host: str
    port: int
    branch: str
    #: whether the sender wants the answer at the port that it sent from (RFC 3581)
    rport: bool


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request; `headers` in their order, names as written."""

    method: str
    uri: str
    headers: Headers
    body: bytes = b""


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """A response."""

    status: int
    reason: str = ""
    headers: Headers = ()
    body: bytes = b""


Message = Request | Response


# ---------------------------------------------------------------- looking into headers
def headers_of(message: Message, name: str) -> tuple[str, ...]:
    """All values of a header, as they stand."""
    wanted = name.lower()
    return tuple(value for key, value in message.headers if _long(key) == wanted)


def header(message: Message, name: str) -> str:
    """The first value of a header; '' if there is none."""
    return next(iter(headers_of(message, name)), "")


def user_of(address: str) -> str:
    """The user of a From, To or Contact.

    >>> user_of('"Gate" <sip:34020000001320000007@3402000000>;tag=1')
    '34020000001320000007'
    """
    found = _URI.search(address)
    return found.group(1) if found else ""


def tag_of(address: str) -> str:
    """The tag of a From or To; '' if it has none."""
    found = _TAG.search(address.rpartition(">")[2] if ">" in address else address)
    return found.group(1) if found else ""


def cseq_of(message: Message) -> tuple[int, str]:
    """Number and method; (0, '') if it is none."""
    found = _CSEQ.fullmatch(header(message, "CSeq").strip(_BLANKS))
    return (int(found.group(1)), found.group(2)) if found else (0, "")


def via_of(message: Message) -> Via | None:
    """The topmost Via; None if there is none that can be read."""
    first = _first_of_list(header(message, "Via"))
    found = _VIA.match(first)
    if found is None:
        return None
    given = _parameters(first[found.end() :])
    port = int(found.group(3) or 5060)
    if not 0 < port < 65536:
        return None
    return Via(
        transport=found.group(1).upper(), host=found.group(2).strip("[]"), port=port,
        branch=given.get("branch", "")[:200], rport="rport" in given,
    )  # fmt: skip


def _parameters(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(";") if part.strip(_BLANKS))
    return {name.strip(_BLANKS).lower(): value.strip(_BLANKS) for name, _, value in pairs}


def _first_of_list(text: str) -> str:
    """Up to the first comma outside quotes."""
    quoted = False
    for at, char in enumerate(text):
        if char == '"':
            quoted = not quoted
        elif char == "," and not quoted:
            return text[:at]
    return text


def _long(name: str) -> str:
    lower = name.lower()
    return _COMPACT.get(lower, lower)


# ---------------------------------------------------------------- from bytes
def parse(data: bytes) -> Message:
    """One whole message, as a datagram has it. SipError."""
    head, body = _split(data)
    lines = _LINE_END.split(_FOLDED.sub(" ", head.decode("latin-1")))
    headers = _headers(lines[1:])
    message = _start(lines[0] if lines else "", headers, _body(headers, body))
    if isinstance(message, Request):
        _check(message)
    return message


def _split(data: bytes) -> tuple[bytes, bytes]:
    if len(data) > MOST_BYTES:
        raise SipError(f"{len(data)} bytes, at most {MOST_BYTES}", status=513)
    data = data.lstrip(b"\r\n")
    ends = [(at, len(mark)) for mark in (b"\r\n\r\n", b"\n\n") if (at := data.find(mark)) >= 0]
    at, length = min(ends, default=(len(data), 0))
    if at > _MOST_HEAD_BYTES:
        raise SipError(f"its headers have {at} bytes, at most {_MOST_HEAD_BYTES}", status=513)
    return data[:at], data[at + length :]


def _headers(lines: list[str]) -> Headers:
    found = []
    for line in lines:
        if not line.strip(_BLANKS):
            continue
        name, colon, value = line.partition(":")
        if not colon or not name.strip(_BLANKS) or "\0" in line:
            raise SipError("a line of its head is no header")
        found.append((name.strip(_BLANKS), value.strip(_BLANKS)))
    if len(found) > _MOST_HEADERS:
        raise SipError(f"more than {_MOST_HEADERS} headers")
    return tuple(found)


def _body(headers: Headers, rest: bytes) -> bytes:
    said = next((value for name, value in headers if _long(name) == "content-length"), None)
    if said is None:
        return rest
    if not re.fullmatch(r"[0-9]{1,7}", said):
        raise SipError("Content-Length is no number")
    if len(rest) < int(said):
        raise SipError(f"Content-Length says {said} bytes, {len(rest)} came")
    return rest[: int(said)]


def _start(line: str, headers: Headers, body: bytes) -> Message:
    if found := _START.fullmatch(line):
        return Request(method=found.group(1), uri=found.group(2), headers=headers, body=body)
    if found := _STATUS.fullmatch(line):
        return Response(status=int(found.group(1)), reason=found.group(2) or "", headers=headers, body=body)
    raise SipError("its first line is neither a request's nor a response's")


def _check(request: Request) -> None:
    """What every request must have (RFC 3261 8.1.1); the error carries the answer where one can be made."""
    missing = [name for name in ("Via", "From", "To", "Call-ID", "CSeq") if not header(request, name)]
    if missing:
        raise SipError(f"it has no {', '.join(missing)}", _refusal(request))
    if via_of(request) is None:
        raise SipError("its Via can't be read")
    if cseq_of(request)[1] != request.method:
        raise SipError("CSeq names another method, or none", _refusal(request))


def _refusal(request: Request) -> Response | None:
    return None if via_of(request) is None else respond(request, 400)


# ---------------------------------------------------------------- to bytes
def serialize(message: Message) -> bytes:
    """As it goes over the wire; Content-Length is ours."""
    if isinstance(message, Request):
        start = f"{message.method} {message.uri} SIP/2.0"
    else:
        start = f"SIP/2.0 {message.status} {message.reason or reason_of(message.status)}"
    # a line break within a value would begin a header of somebody's choice
    lines = [start, *(f"{name}: {_BREAKS.sub(' ', value)}" for name, value in message.headers
                      if _long(name) != "content-length")]  # fmt: skip
    lines += [f"Content-Length: {len(message.body)}", "", ""]
    return "\r\n".join(lines).encode("latin-1", "replace") + message.body


def reason_of(status: int) -> str:
    """The words of a status."""
    if status in _REASONS:
        return _REASONS[status]
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def respond(
    request: Request,
    status: int,
    *more: tuple[str, str],
    tag: str = "",
    source: tuple[str, int] | None = None,
) -> Response:
    """The answer to a request: its Via, From, To, Call-ID and CSeq, and what is given (RFC 3261 8.2.6).

    `source`: where it came from, noted in the topmost Via; `tag`: ours, for a To without one.
    """
    copied: list[tuple[str, str]] = []
    first = True
    for name, value in request.headers:
        match _long(name):
            case "via":
                copied.append(("Via", _noted(value, source) if first and source else value))
                first = False
            case "to":
                copied.append(("To", f"{value};tag={tag}" if tag and not tag_of(value) else value))
            case "from" | "call-id" | "cseq" as key:
                copied.append(({"from": "From", "call-id": "Call-ID", "cseq": "CSeq"}[key], value))
    return Response(status=status, headers=(*copied, *more))


def _noted(via: str, source: tuple[str, int]) -> str:
    """Where the request came from, in its topmost Via (RFC 3261 18.2.1, RFC 3581 4)."""
    first = _first_of_list(via)
    rest = via[len(first) :]
    noted = re.sub(
        r"(;\s*rport)\s*(=\s*[0-9]*)?(?=;|\s|$)",
        rf"\g<1>={source[1]}",
        first,
        count=1,
        flags=re.IGNORECASE | re.ASCII,
    )
    return f"{noted.rstrip(_BLANKS)};received={source[0]}{rest}"
