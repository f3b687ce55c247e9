"""Writes a comparison as a page for people: verdict, reasons, differences by class, and the site's false alarms.

Decides how it looks; every number comes from `figures`, every reason from `verdict`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from models.compare.texts import say, signed, text
from models.compare.values import FIGURES, Comparison, Paired
from models.compare.verdict import Limits, Reason, Verdict
from models.detector import ModelInfo
from models.eval.html import drawn
from models.eval.pages import write_pages
from models.eval.values import Seen

#: Pictures of the site that are shown.
WORST: Final = 12
#: Width of the drawing of a difference, and the difference at its ends.
WIDTH: Final = 180
REACH: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One of the two, and what it saw of the site."""

    info: ModelInfo
    long_side_px: int
    site: Sequence[Seen]


def write_page(
    folder: Path, found: Comparison, decided: tuple[Verdict, tuple[Reason, ...]], old: Look, new: Look,
    *, pictures: int, limits: Limits,
) -> Path:  # fmt: skip
    """Write the page into `folder` (made if need be) and return its English version."""
    folder.mkdir(parents=True, exist_ok=True)
    verdict, reasons = decided
    return write_pages(
        folder, Path(__file__).with_name("compare.html.j2"), text,
        found=found, verdict=verdict, reasons=reasons, say=say, signed=signed, old=old, new=new, pictures=pictures,
        figures=FIGURES, bar=_bar, place=_place, width=WIDTH, may_lose=limits.may_lose,
        shown=_shown(folder, found, new.site),
    )  # fmt: skip


def _shown(folder: Path, found: Comparison, new: Sequence[Seen]) -> list[tuple[str, str, int, int]]:
    """(file, picture's name, false alarms of the old, of the new), most of the new first."""
    counts = found.site.totals
    order = [k for k in np.argsort(-counts[1], kind="stable").tolist() if counts[1][k] > 0][:WORST]
    shown = []
    for number, k in enumerate(order):
        name = f"site-{number:02d}.jpg"
        cv2.imwrite(str(folder / name), drawn(new[k], found.threshold))
        shown.append((name, new[k].path.name, int(counts[0][k]), int(counts[1][k])))
    return shown


def _bar(paired: Paired) -> tuple[float, float, float] | None:
    """Places of an interval's ends and the difference itself in the drawing; None if nothing was measured."""
    values = (paired.low, paired.high, paired.difference)
    return (
        None
        if any(math.isnan(v) for v in values)
        else (_place(values[0]), _place(values[1]), _place(values[2]))
    )


def _place(value: float) -> float:
    return round((min(max(value, -REACH), REACH) + REACH) / (2 * REACH) * WIDTH, 1)
