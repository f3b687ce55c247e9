"""Writes event figures as a page for people: a table, and a time line a clip with events above and reports below.

Decides where bars lie; every number comes from `summary`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.detector import ModelInfo
from models.eval.events.matching import Matched, Outcome
from models.eval.events.rates import RECALL_BIAS
from models.eval.events.summary import EventSummary, ScoredClip
from models.eval.events.texts import text
from models.eval.pages import number, write_pages

#: Width of a time line and height of a class' two bars, in the drawing's own units.
WIDTH: Final = 900
LINE: Final = 30
#: Narrower bars could not be seen or pointed at.
LEAST: Final = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar of a time line."""

    x: float
    width: float
    #: 0 the upper, 1 the lower one.
    row: int
    #: Style, and text key of what it is.
    kind: str
    from_s: str
    to_s: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One class of a clip."""

    class_name: str
    bars: tuple[Bar, ...]


def write_event_page(folder: Path, summary: EventSummary, *, info: ModelInfo, long_side_px: int) -> Path:
    """Write the page into `folder` (made if need be) and return its English version."""
    minutes = summary.film_s / 60
    return write_pages(
        folder, Path(__file__).with_name("events.html.j2"), text,
        info=info, long_side_px=long_side_px, summary=summary, minutes=number(minutes, 1),
        looks_per_s=number(summary.looks / summary.film_s, 1) if summary.film_s else "–",
        one_a_day=number(24 * 60 / minutes, 0) if minutes else "–", bias=RECALL_BIAS,
        rows=[*((row.name, row) for row in summary.classes), ("all", summary.all), ("shipped", summary.shipped)], width=WIDTH, line=LINE,
        clips=[(clip, tuple(_lines(clip)), _ticks(clip.watched.length_s)) for clip in summary.clips],
    )  # fmt: skip


def _lines(clip: ScoredClip) -> Iterator[Line]:
    for name, matched in clip.by_class.items():
        bars = (*_events(clip, name, matched), *_reports(clip, matched))
        if bars:
            yield Line(class_name=name, bars=bars)


def _events(clip: ScoredClip, name: str, matched: Matched) -> Iterator[Bar]:
    for unsure in clip.watched.clip.unsure:
        if unsure.class_name == name:
            yield _bar(clip, unsure.from_s, unsure.to_s, 0, "event_unsure")
    for event in clip.watched.clip.events:
        if event.class_name == name:
            kind = "event_missed" if event in matched.missed else "event_found"
            yield _bar(clip, event.from_s, event.to_s, 0, kind)


def _reports(clip: ScoredClip, matched: Matched) -> Iterator[Bar]:
    for judged in matched.reports:
        report: Outcome = judged.outcome
        yield _bar(clip, judged.report.at_s, judged.report.until_s, 1, f"outcome_{report}")


def _bar(clip: ScoredClip, from_s: float, to_s: float, row: int, kind: str) -> Bar:
    scale = WIDTH / max(clip.watched.length_s, 1e-6)
    width = max(LEAST, (to_s - from_s) * scale)
    return Bar(
        x=round(min(from_s * scale, WIDTH - width), 1), width=round(width, 1), row=row, kind=kind,
        from_s=number(from_s, 1), to_s=number(to_s, 1),
    )  # fmt: skip


def _ticks(length_s: float) -> tuple[tuple[float, int], ...]:
    """(place, second) of the marks: at most ten, at round seconds."""
    step = next(
        s
        for s in (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 86_400)
        if length_s / s <= 10 or s == 86_400
    )
    return tuple((round(s * WIDTH / max(length_s, 1e-6), 1), s) for s in range(0, int(length_s) + 1, step))
