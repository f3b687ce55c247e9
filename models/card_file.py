"""Writes what programs measured into a card's text, and leaves every other line as people wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import yaml

_HEADING: Final = (
    "# The same network in 8-bit integers; written by python -m models.quantize, which measured it."
)


_CALIBRATION_HEADING: Final = "# Scores become shares of right boxes by these curves; written by hcawatch models calibrate, which fitted them."


def with_int8(card: str, section: Mapping[str, Any]) -> str:
    """The card's text with this `int8`, in the place of an older one."""
    return _with(card, "int8", _HEADING, section)


def with_calibration(card: str, section: Mapping[str, Any]) -> str:
    """The card's text with this `calibration`, in the place of an older one; `scores_calibrated` says so."""
    text = _with(card, "calibration", _CALIBRATION_HEADING, section)
    return text.replace("\nscores_calibrated: false\n", "\nscores_calibrated: true\n")


def _with(card: str, key: str, heading: str, section: Mapping[str, Any]) -> str:
    kept: list[str] = []
    inside = False
    for line in card.splitlines():
        if line.startswith(f"{key}:"):
            inside = True
            if kept and kept[-1] == heading:
                kept.pop()
        elif inside and line[:1] not in (" ", ""):
            inside = False
        if not inside:
            kept.append(line)
    text = yaml.safe_dump(
        {key: dict(section)}, allow_unicode=True, sort_keys=False, width=110, default_flow_style=None
    )
    return "\n".join([*kept, heading, text])
