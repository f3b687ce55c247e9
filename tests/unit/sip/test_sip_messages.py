"""SIP messages: what devices send is read, answers are the standard's, and no bytes raise anything but SipError."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.sip.framing import Framing
from monitor.sip.messages import (
    MOST_BYTES,
    Request,
    Response,
    SipError,
    cseq_of,
    header,
    parse,
    respond,
    serialize,
    tag_of,
    user_of,
    via_of,
)

#: as devices write it: a domain of digits, no angle brackets, rport
REGISTER = (
    b"REGISTER sip:34020000002000000001@3402000000 SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.11:5060;rport;branch=z9hG4bK1371463273\r\n"
    b"From: sip:34020000001320000007@3402000000;tag=2043466181\r\n"
    b"To: <sip:34020000001320000007@3402000000>\r\n"
    b"Call-ID: 1011047669\r\nCSeq: 1 REGISTER\r\n"
    b"Contact: <sip:34020000001320000007@192.0.2.11:5060>\r\nMax-Forwards: 70\r\n"
    b"Expires: 3600\r\nContent-Length: 0\r\n\r\n"
)


def test_a_devices_register_is_read() -> None:
    """Domains of ten digits and addresses without brackets are no SIP by the letter, and every device sends them."""
    message = parse(REGISTER)
    assert isinstance(message, Request)
    via = via_of(message)
    assert via is not None
    assert (via.host, via.port, via.rport, via.branch) == ("192.0.2.11", 5060, True, "z9hG4bK1371463273")
    assert (user_of(header(message, "From")), tag_of(header(message, "from"))) == (
        "34020000001320000007",
        "2043466181",
    )
    assert (cseq_of(message), header(message, "expires")) == ((1, "REGISTER"), "3600")


def test_an_answer_goes_back_to_where_it_came_from() -> None:
    """Behind a router the address in Via is nobody's: received and rport say where (RFC 3581)."""
    message = parse(REGISTER)
    assert isinstance(message, Request)
    answer = respond(message, 401, ("WWW-Authenticate", "x"), tag="t", source=("198.51.100.7", 40_000))
    again = parse(serialize(answer))
    assert isinstance(again, Response)
    assert (
        header(again, "Via")
        == "SIP/2.0/UDP 192.0.2.11:5060;rport=40000;branch=z9hG4bK1371463273;received=198.51.100.7"
    )
    assert (again.status, again.reason, tag_of(header(again, "To"))) == (401, "Unauthorized", "t")
    assert (header(again, "Call-ID"), header(again, "CSeq")) == ("1011047669", "1 REGISTER")


def test_compact_and_folded_headers_and_odd_bytes() -> None:
    """A display name in GB 2312 comes back byte for byte."""
    name = "大门".encode("gb2312")
    data = (
        b'MESSAGE sip:a@b SIP/2.0\nv: SIP/2.0/TCP [2001:db8::1]:5061;branch=z9hG4bKx, SIP/2.0/UDP c\nf: "' + name
        + b'" <sip:a@b>;tag=1\nt: <sip:c@d>\ni: x\nCSeq: 7\n MESSAGE\nl: 2\n\nokmore'
    )  # fmt: skip
    message = parse(data)
    assert isinstance(message, Request)
    assert (message.body, cseq_of(message)) == (b"ok", (7, "MESSAGE"))
    via = via_of(message)
    assert via is not None
    assert (via.host, via.port) == ("2001:db8::1", 5061)
    assert name in serialize(respond(message, 200))


@pytest.mark.parametrize("name", ["入口".encode(), "全景".encode(), bytes(range(0x80, 0x100)), b"a  b\xa0"])
def test_every_byte_of_a_display_name_comes_back(name: bytes) -> None:
    """UTF-8 of everyday camera names has 0x85 and 0xA0, which Python takes for a line's end and for a blank."""
    own = b'"' + name + b'" <sip:34020000001320000007@3402000000>'
    data = REGISTER.replace(b"From: sip:34020000001320000007@3402000000", b"From: " + own)
    message = parse(data.replace(b"Call-ID: 1011047669", b"Call-ID: \xa01\x85"))
    assert isinstance(message, Request)
    assert user_of(header(message, "From")) == "34020000001320000007"
    answer = serialize(respond(message, 200))
    assert own + b";tag=2043466181\r\n" in answer
    assert b"Call-ID: \xa01\x85\r\n" in answer


def test_no_value_becomes_a_header_of_its_own() -> None:
    """A line break in what a platform is told would let a caller write headers."""
    request = Request(method="MESSAGE", uri="sip:a@b", headers=(("Subject", "x\r\nEvil: 1"),))
    assert b"\r\nEvil" not in serialize(request)


@pytest.mark.parametrize(
    ("old", "new", "answered"),
    [
        (b"CSeq: 1 REGISTER", b"CSeq: 1 MESSAGE", True),
        (b"CSeq: 1 REGISTER\r\n", b"", True),
        (b"Call-ID: 1011047669\r\n", b"", True),
        (b"Via: SIP/2.0/UDP 192.0.2.11:5060;rport;branch=z9hG4bK1371463273\r\n", b"", False),
        (b"192.0.2.11:5060;rport", b"192.0.2.11:99999;rport", False),
        (b"Content-Length: 0", b"Content-Length: 10", False),
        (b"Content-Length: 0", b"Content-Length: -1", False),
        (b"SIP/2.0\r\n", b"HTTP/1.1\r\n", False),
        (b"Expires: 3600", b"Expires 3600", False),
        (b"Expires: 3600\r\n", b"X: y\r\n" * 200, False),
        (b"Expires: 3600", b"Expires: " + b"1" * 20_000, False),
        (b"Expires: 3600", b"Expires: " + b"1" * MOST_BYTES, False),
    ],
)
def test_what_is_wrong_is_said(old: bytes, new: bytes, answered: bool) -> None:
    """With an answer where one can find its way back."""
    assert old in REGISTER
    with pytest.raises(SipError) as caught:
        parse(REGISTER.replace(old, new, 1))
    answer = caught.value.answer
    assert (answer is not None and answer.status == 400) is answered


@given(st.binary(max_size=600))
@example(b"\r\n\r\n")
@example(REGISTER[:100])
def test_any_bytes_are_a_message_or_an_error(data: bytes) -> None:
    """Also bytes that begin like a message."""
    for given_ in (data, REGISTER[:60] + data, REGISTER[:-2] + data):
        try:
            message = parse(given_)
        except SipError:
            continue
        if isinstance(message, Request):
            serialize(respond(message, 200, tag="x", source=("192.0.2.1", 1)))


@given(st.lists(st.integers(1, 200), max_size=12), st.integers(0, 3))
def test_a_stream_is_cut_where_messages_end(cuts: list[int], extra: int) -> None:
    """However the network cuts it; blank lines in between keep the connection open."""
    one = REGISTER.replace(b"Content-Length: 0\r\n\r\n", b"Content-Length: 5\r\n\r\nhello")
    stream = (one + b"\r\n\r\n" * extra) * 3
    framing, found, at = Framing(), [], 0
    for cut in [*cuts, len(stream)]:
        found += list(framing.feed(stream[at : at + cut]))
        at += cut
    assert found == [one] * 3


@pytest.mark.parametrize(
    "data",
    [b"x" * (MOST_BYTES + 1), b"A b SIP/2.0\r\n\r\n", b"A b SIP/2.0\r\nContent-Length: 9999999\r\n\r\n"],
)
def test_a_stream_that_cannot_be_followed_ends(data: bytes) -> None:
    """Nobody fills our memory with a message that never ends."""
    with pytest.raises(SipError):
        list(Framing().feed(data))
