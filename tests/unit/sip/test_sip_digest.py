"""Digest: the standards' own examples, and what an answer that somebody heard is worth."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from monitor.sip.digest import Algorithm, Guard, Proof, answer_of, credentials, parameters

NOON = datetime(2026, 11, 30, 4, 0, tzinfo=UTC)
WHO = "34020000001320000007"
URI = "sip:34020000002000000001@3402000000"


def test_the_examples_of_the_standards() -> None:
    """RFC 2617 3.5, and both of RFC 7616 3.9.1."""
    given = {"username": "Mufasa", "realm": "http-auth@example.org", "uri": "/dir/index.html", "qop": "auth",
             "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "nc": "00000001",
             "cnonce": "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"}  # fmt: skip
    assert answer_of("MD5", "Circle of Life", "GET", given) == "8ca523f5e9506fed4657c9700eebdbec"
    assert answer_of("SHA-256", "Circle of Life", "GET", given) == (
        "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
    )


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_who_knows_the_password_is_let_in_once(algorithm: Algorithm) -> None:
    """The same answer again is one that somebody heard on the way."""
    guard = Guard("3402000000")
    asked = guard.challenge(algorithm, NOON)
    answer = credentials((asked,), WHO, "s3cret", "REGISTER", URI)
    assert answer is not None
    assert guard.judge(answer, algorithm, WHO, "s3cret", "REGISTER", NOON) is Proof.RIGHT
    assert guard.judge(answer, algorithm, WHO, "s3cret", "REGISTER", NOON) is Proof.STALE


def test_an_old_device_answers_without_qop() -> None:
    """RFC 2069's form, with MD5 only; it counts once as well."""
    guard = Guard("3402000000")
    nonce = parameters(guard.challenge("MD5", NOON))["nonce"]
    given = {"username": WHO, "realm": "3402000000", "nonce": nonce, "uri": URI}
    answer = answer_of("MD5", "s3cret", "REGISTER", given)
    value = (
        f'Digest username="{WHO}",realm="3402000000",nonce="{nonce}",uri="{URI}",response="{answer.upper()}"'
    )
    assert guard.judge(value, "MD5", WHO, "s3cret", "REGISTER", NOON) is Proof.RIGHT
    assert guard.judge(value, "MD5", WHO, "s3cret", "REGISTER", NOON) is Proof.STALE


def test_what_is_worth_nothing() -> None:
    """Another password, user, method, an old nonce, one that is not ours, a weaker algorithm than asked for."""
    guard = Guard("3402000000")
    asked = guard.challenge("SHA-256", NOON)
    right = credentials((asked,), WHO, "s3cret", "REGISTER", URI) or ""
    assert guard.judge(right, "SHA-256", WHO, "other", "REGISTER", NOON) is Proof.WRONG
    assert guard.judge(right, "SHA-256", WHO[:-1] + "8", "s3cret", "REGISTER", NOON) is Proof.WRONG
    assert guard.judge(right, "SHA-256", WHO, "s3cret", "MESSAGE", NOON) is Proof.WRONG
    assert (
        guard.judge(right, "SHA-256", WHO, "s3cret", "REGISTER", NOON + timedelta(seconds=61)) is Proof.STALE
    )
    assert Guard("3402000000").judge(right, "SHA-256", WHO, "s3cret", "REGISTER", NOON) is Proof.STALE
    weak = credentials((asked.replace("SHA-256", "MD5"),), WHO, "s3cret", "REGISTER", URI) or ""
    assert guard.judge(weak, "SHA-256", WHO, "s3cret", "REGISTER", NOON) is Proof.STALE
    for value in ("", "Basic abc", "Digest", "Digest a", 'Digest username="x', "Digest " + "a=1," * 1000):
        assert guard.judge(value, "MD5", WHO, "s3cret", "REGISTER", NOON) is Proof.STALE
    assert guard.judge(right, "SHA-256", WHO, "s3cret", "REGISTER", NOON) is Proof.RIGHT


def test_an_upper_platform_asks_in_its_own_way() -> None:
    """The first challenge that we can answer; none of an unknown kind."""
    md5 = 'Digest realm="r", nonce="n"'
    strange = 'Digest realm="r", nonce="n", algorithm=SM3'
    assert parameters(credentials((strange, md5), "u", "p", "MESSAGE", URI) or "")["algorithm"] == "MD5"
    assert credentials((strange,), "u", "p", "MESSAGE", URI) is None
    assert credentials(('Digest realm="r", nonce="n", qop="auth-int"',), "u", "p", "MESSAGE", URI) is None
