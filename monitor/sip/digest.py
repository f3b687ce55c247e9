"""Digest authentication as SIP has it (RFC 3261 22, RFC 2617; SHA-256: RFC 8760), both sides. Pure, but for a nonce's random.

A nonce is ours if its seal says so, and young if its time does: nothing has to be kept for one that nobody answers.
What was answered is remembered until it is too old to count, so that an answer that somebody heard is worth nothing.
"""

import hashlib
import hmac
import re
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Literal

Algorithm = Literal["MD5", "SHA-256"]
NONCE_LIVES: Final = timedelta(seconds=60)
_MOST_REMEMBERED: Final = 20_000
_PARAMETER: Final = re.compile(
    r"\s*([A-Za-z][A-Za-z0-9-]{0,30})\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s,\"]+))\s*(?:,|$)"
)


class Proof(StrEnum):
    """What an answer to a challenge is."""

    RIGHT = "right"
    WRONG = "wrong"
    #: no answer, or to a challenge that is too old, was answered before or is not ours: ask anew
    STALE = "stale"


def parameters(value: str) -> dict[str, str]:
    """The parameters of a `Digest …` header, names in lower case; {} if it is none."""
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() != "digest":
        return {}
    found: dict[str, str] = {}
    at = 0
    while at < len(rest):
        match = _PARAMETER.match(rest, at)
        if match is None:
            return {}
        quoted, plain = match.group(2), match.group(3)
        found[match.group(1).lower()] = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain
        at = match.end()
    return found


def _hash(algorithm: Algorithm, text: str) -> str:
    data = text.encode("utf-8", "surrogateescape")
    if algorithm == "MD5":
        return hashlib.md5(data, usedforsecurity=False).hexdigest()
    return hashlib.sha256(data).hexdigest()


def answer_of(algorithm: Algorithm, password: str, method: str, given: Mapping[str, str]) -> str:
    """The `response` that belongs to these parameters (RFC 2617 3.2.2).

    >>> answer_of("MD5", "Circle Of Life", "GET", {
    ...     "username": "Mufasa", "realm": "testrealm@host.com", "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093",
    ...     "uri": "/dir/index.html", "qop": "auth", "nc": "00000001", "cnonce": "0a4f113b"})
    '6629fae49393a05397450978507c4ef1'
    """
    who = _hash(algorithm, f"{given.get('username', '')}:{given.get('realm', '')}:{password}")
    what = _hash(algorithm, f"{method}:{given.get('uri', '')}")
    nonce = given.get("nonce", "")
    if given.get("qop"):
        between = f"{nonce}:{given.get('nc', '')}:{given.get('cnonce', '')}:{given['qop']}"
    else:
        between = nonce
    return _hash(algorithm, f"{who}:{between}:{what}")


# ---------------------------------------------------------------- who asks
class Guard:
    """Makes challenges, and judges answers to them. One thread."""

    def __init__(self, realm: str, seal: bytes | None = None) -> None:
        self.realm = realm
        self._seal = seal or secrets.token_bytes(32)
        #: nonce -> highest count that was used
        self._used: OrderedDict[str, int] = OrderedDict()

    def challenge(self, algorithm: Algorithm, now: datetime, *, stale: bool = False) -> str:
        """A value for WWW-Authenticate."""
        parts = [
            f'Digest realm="{self.realm}"',
            f'nonce="{self._nonce(now)}"',
            f"algorithm={algorithm}",
            'qop="auth"',
        ]
        return ", ".join([*parts, "stale=true"] if stale else parts)

    def judge(
        self, value: str, algorithm: Algorithm, user: str, password: str, method: str, now: datetime
    ) -> Proof:
        """What an Authorization header is worth.

        Its `uri` is not compared with the request's: devices write either form of their domain, and an answer counts once.
        """
        given = parameters(value)
        if (
            not given
            or given.get("algorithm", "MD5").upper() != algorithm
            or given.get("realm") != self.realm
        ):
            return Proof.STALE
        counts = given.get("qop")
        if counts not in (None, "auth") or (counts is None and algorithm != "MD5"):
            return Proof.WRONG
        if given.get("username") != user:
            return Proof.WRONG
        if not self._is_young(given.get("nonce", ""), now):
            return Proof.STALE
        right = answer_of(algorithm, password, method, given)
        if not hmac.compare_digest(
            right.encode(), given.get("response", "").lower().encode("utf-8", "replace")
        ):
            return Proof.WRONG
        return Proof.RIGHT if self._use(given["nonce"], given.get("nc") if counts else None) else Proof.STALE

    def _use(self, nonce: str, count: str | None) -> bool:
        """Whether it is used for the first time; with a count, that is higher than before (RFC 2617 3.2.2)."""
        number = int(count, 16) if count and re.fullmatch(r"[0-9A-Fa-f]{8}", count) else None
        if count is not None and number is None:
            return False
        before = self._used.get(nonce)
        if before is not None and (number is None or number <= before):
            return False
        self._used[nonce] = 0xFFFFFFFF if number is None else number
        while len(self._used) > _MOST_REMEMBERED:
            self._used.popitem(last=False)
        return True

    def _nonce(self, now: datetime) -> str:
        plain = f"{int(now.timestamp() * 1000):013x}{secrets.token_hex(8)}"
        return plain + self._sealed(plain)

    def _is_young(self, nonce: str, now: datetime) -> bool:
        plain, seal = nonce[:29], nonce[29:]
        if not re.fullmatch(r"[0-9a-f]{29}", plain) or not hmac.compare_digest(
            seal.encode("utf-8", "replace"), self._sealed(plain).encode()
        ):
            return False
        age_s = now.timestamp() - int(plain[:13], 16) / 1000
        return -1 <= age_s <= NONCE_LIVES.total_seconds()

    def _sealed(self, plain: str) -> str:
        return hmac.new(self._seal, plain.encode(), hashlib.sha256).hexdigest()[:32]


# ---------------------------------------------------------------- who is asked
def credentials(challenges: tuple[str, ...], user: str, password: str, method: str, uri: str) -> str | None:
    """A value for Authorization: to the first challenge that we can answer (RFC 8760 2.3). None: there is none."""
    for value in challenges:
        asked = parameters(value)
        algorithm: Algorithm | None = {"MD5": "MD5", "SHA-256": "SHA-256"}.get(
            asked.get("algorithm", "MD5").upper()
        )  # type: ignore[assignment]
        if algorithm is None or "nonce" not in asked or "realm" not in asked:
            continue
        offered = [one.strip().lower() for one in asked.get("qop", "").split(",") if one.strip()]
        if offered and "auth" not in offered:
            continue
        given = {"username": user, "realm": asked["realm"], "nonce": asked["nonce"], "uri": uri}
        if offered:
            given |= {"qop": "auth", "nc": "00000001", "cnonce": secrets.token_hex(8)}
        given["response"] = answer_of(algorithm, password, method, given)
        parts = [f'{name}="{_quoted(text)}"' for name, text in given.items() if name not in ("qop", "nc")]
        parts += [f"{name}={given[name]}" for name in ("qop", "nc") if name in given]
        if asked.get("opaque"):
            parts.append(f'opaque="{_quoted(asked["opaque"])}"')
        return "Digest " + ", ".join([*parts, f"algorithm={algorithm}"])
    return None


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
