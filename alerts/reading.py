"""Reads single fields of text, as forms, CSV rows and the API bring them. Pure.

Nothing is guessed: what cannot be read is `Unreadable`, which names a text that says what to write. Which fields
there are, and what several of them say together, is decided by who reads (permitting, reporting).
"""

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

LONGEST_TEXT: Final = 200
#: a chainage may lie this far beyond a line's end, which nobody measures to the metre
END_TOLERANCE_M: Final = 1.0

_STAKE = re.compile(r"K?(\d{1,5})\+(\d{1,3}(?:\.\d+)?)", re.IGNORECASE)


class FieldFault(msgspec.Struct, frozen=True, kw_only=True):
    """One field that cannot be used: a key of the package's texts with its facts."""

    field: str
    key: str
    facts: dict[str, str] = {}


class Unreadable(Exception):
    """A field's text says nothing that can be used: a key of the package's texts with its facts."""

    def __init__(self, key: str, **facts: object) -> None:
        super().__init__(key)
        self.key, self.facts = key, {name: str(fact) for name, fact in facts.items()}


def words(text: str) -> str:
    """One line of printable characters."""
    if len(text) > LONGEST_TEXT or not text.isprintable():
        raise Unreadable("field_words", most=LONGEST_TEXT)
    return text


def one_of(text: str, known: Sequence[str]) -> str:
    """One of the known codes."""
    if text not in known:
        raise Unreadable("field_one_of", got=text, known=", ".join(known))
    return text


def chainage(text: str) -> float:
    """Metres along the line: 12345 or K12+345."""
    stake = _STAKE.fullmatch(text)
    return float(stake[1]) * 1000 + float(stake[2]) if stake else metres(text, "field_chainage")


def metres(text: str, key: str = "field_metres") -> float:
    """A number of metres."""
    return number(text, 1e8, key)


def number(text: str, most: float, key: str) -> float:
    """A number between `-most` and `most`."""
    try:
        found = float(text)
    except ValueError:
        raise Unreadable(key, got=text) from None
    if not math.isfinite(found) or abs(found) > most:
        raise Unreadable(key, got=text)
    return found


def moment(text: str, zone: ZoneInfo, *, last: bool = False) -> datetime:
    """A time; without a zone it is the city's. A day alone is its beginning, or as an end its last minute."""
    try:
        at = datetime.fromisoformat(text.replace("/", "-"))
    except ValueError:
        raise Unreadable("field_time", got=text) from None
    if last and len(text) <= 10:
        at = at.replace(hour=23, minute=59)
    if not 2000 <= at.year <= 2200:
        raise Unreadable("field_time", got=text)
    # the end of an hour that is shown twice is its second one: a permit is not cut short by the clock
    aware = at if at.tzinfo is not None else at.replace(tzinfo=zone, fold=int(last))
    return aware.astimezone(UTC)
