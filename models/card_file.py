"""Writes the 8-bit network's part into a card's text, and leaves every other line as people wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import yaml

_HEADING: Final = (
    "# The same network in 8-bit integers; written by python -m models.quantize, which measured it."
)


def with_int8(card: str, section: Mapping[str, Any]) -> str:
    """The card's text with this `int8`, in the place of an older one."""
    kept: list[str] = []
    inside = False
    for line in card.splitlines():
        if line.startswith("int8:"):
            inside = True
            if kept and kept[-1] == _HEADING:
                kept.pop()
        elif inside and line[:1] not in (" ", "", "#"):
            inside = False
        if not inside:
            kept.append(line)
    text = yaml.safe_dump(
        {"int8": dict(section)}, allow_unicode=True, sort_keys=False, width=110, default_flow_style=None
    )
    return "\n".join([*kept, _HEADING, text])
