"""Where on the ground somebody says that a surveyed point is: read from what they typed or pasted. Pure.

Longitude and latitude, or chainage and offset along a pipeline. What can't be used is named, never guessed.
"""

from __future__ import annotations

import math
import re
import unicodedata
from enum import StrEnum
from typing import Final, Literal

import msgspec

from monitor.domain.assets import LonLat
from monitor.domain.geometry import Centreline, LocalFrame

#: A point further away than this, from the camera or (without one) from the line, is a slip of the pen.
FAR_M: Final = 1000.0
#: Chainages are rounded where they are written down: so little beyond the line's end is its end.
END_M: Final = 1.0
_NUMBER: Final = r"[+-]?\d{1,9}(?:\.\d{1,20})?"
_LONLAT: Final = re.compile(rf"\[?\s*({_NUMBER})\s*°?\s*(?:[,;、]|\s)\s*({_NUMBER})\s*°?\s*\]?")
_CHAINAGE: Final = re.compile(r"K?(\d{1,5})\+(\d{3}(?:\.\d{1,6})?)", re.IGNORECASE)
_METRES: Final = re.compile(rf"({_NUMBER})\s*m?", re.IGNORECASE)


class PlaceFault(StrEnum):
    """What is wrong with what was typed. Texts are looked up by these words."""

    EMPTY = "empty"
    UNREADABLE = "unreadable"
    SWAPPED = "swapped"
    OUT_OF_RANGE = "out_of_range"
    CHAINAGE_UNREADABLE = "chainage_unreadable"
    OFFSET_UNREADABLE = "offset_unreadable"
    BEYOND_LINE = "beyond_line"
    FAR = "far"


class Typed(msgspec.Struct, frozen=True, kw_only=True):
    """One point's place as it was typed; a chainage counts before longitude and latitude."""

    #: "121.46421, 31.21120"
    lonlat: str = ""
    #: "K4+520" or metres
    chainage: str = ""
    #: metres to the side
    offset_m: str = ""
    side: Literal["left", "right"] = "right"


def read_place(typed: Typed, centreline: Centreline, camera: LonLat | None = None) -> LonLat | PlaceFault:
    """The place, or what is wrong with it."""
    found = _beside(typed, centreline) if typed.chainage.strip() else _lonlat(typed.lonlat)
    if isinstance(found, PlaceFault):
        return found
    from_m = (
        abs(centreline.locate(found).offset_m)
        if camera is None
        else math.hypot(*LocalFrame(camera).to_en_m(found))
    )
    return PlaceFault.FAR if from_m > FAR_M else found


def read_chainage_m(text: str) -> float | None:
    """A chainage in metres; None if it can't be read.

    >>> read_chainage_m("K4+520.5"), read_chainage_m("4520,5"), read_chainage_m("Ｋ12＋030")
    (4520.5, None, 12030.0)
    """
    plain = _plain(text)
    if match := _CHAINAGE.fullmatch(plain):
        return int(match[1]) * 1000 + float(match[2])
    return float(match[1]) if (match := _METRES.fullmatch(plain)) else None


def _plain(text: str) -> str:
    """Without what Chinese keyboards make wide."""
    return unicodedata.normalize("NFKC", text).strip()


def _lonlat(text: str) -> LonLat | PlaceFault:
    plain = _plain(text)
    if not plain:
        return PlaceFault.EMPTY
    match = _LONLAT.fullmatch(plain)
    if match is None:
        return PlaceFault.UNREADABLE
    lon, lat = float(match[1]), float(match[2])
    if abs(lat) > 90 and abs(lat) <= 180 and abs(lon) <= 90:
        return PlaceFault.SWAPPED
    return PlaceFault.OUT_OF_RANGE if abs(lon) > 180 or abs(lat) > 90 else (lon, lat)


def _beside(typed: Typed, centreline: Centreline) -> LonLat | PlaceFault:
    chainage_m = read_chainage_m(typed.chainage)
    if chainage_m is None:
        return PlaceFault.CHAINAGE_UNREADABLE
    offset = _METRES.fullmatch(_plain(typed.offset_m) or "0")
    if offset is None:
        return PlaceFault.OFFSET_UNREADABLE
    if not centreline.chainages_m[0] - END_M <= chainage_m <= centreline.chainages_m[-1] + END_M:
        return PlaceFault.BEYOND_LINE
    return centreline.beside(chainage_m, float(offset[1]) * (1 if typed.side == "right" else -1))
