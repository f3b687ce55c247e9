"""Which detector an edge's cameras use, and the way from one to another. Pure.

A promoted set is used once it is here and was tried; until then, and if it fails, the one before goes on. What was
given up is not tried again until the centre wants another one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

import msgspec

#: So long the new detector may take to look; the old one goes on meanwhile.
PATIENCE_S: Final = 240.0
#: Deaths of detectors in that time after which the new one is given up.
MOST_DEATHS: Final = 2

Step = Literal["nothing", "begin", "finish", "give_up"]


class Swap(msgspec.Struct, frozen=True, kw_only=True):
    """Where the edge stands. A set is named by its SHA-256; None is the edge's own."""

    in_use: str | None = None
    #: the set whose detector loads now
    coming: str | None = None
    is_coming: bool = False
    began_s: float = 0.0
    deaths_before: int = 0
    given_up: str | None = None
    trouble: str = ""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known at this moment."""

    #: by the configuration in force
    wanted: str | None
    #: set that is on this disk and was tried
    ready: str | None
    #: whether the detector that looks is the one that was asked for last
    serves_as_wanted: bool
    #: detectors that died since the worker began
    deaths: int
    now_s: float


def next_step(swap: Swap, facts: Facts) -> tuple[Swap, Step]:
    """What to do now, and where the edge stands then."""
    if swap.is_coming:
        if facts.serves_as_wanted:
            return msgspec.structs.replace(
                swap, in_use=swap.coming, is_coming=False, coming=None, trouble=""
            ), "finish"
        if facts.deaths - swap.deaths_before >= MOST_DEATHS or facts.now_s - swap.began_s > PATIENCE_S:
            trouble = "its detector did not begin to look; the one before goes on"
            return msgspec.structs.replace(
                swap, is_coming=False, coming=None, given_up=swap.coming, trouble=trouble
            ), "give_up"
        return swap, "nothing"
    if facts.wanted == swap.in_use:
        return msgspec.structs.replace(swap, given_up=None, trouble=""), "nothing"
    if facts.wanted is not None and (facts.wanted != facts.ready or facts.wanted == swap.given_up):
        return swap, "nothing"
    return msgspec.structs.replace(
        swap, coming=facts.wanted, is_coming=True, began_s=facts.now_s, deaths_before=facts.deaths
    ), "begin"


def folder_for(name: str | None, own: Path | None, data_dir: Path) -> Path | None:
    """Where that set is."""
    return own if name is None else data_dir / "models" / name
