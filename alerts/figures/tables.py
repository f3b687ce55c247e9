"""The figures as rows of a CSV, one fact a row, in fixed English keys so that a sheet can be read by a program."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from alerts.figures.desk import Figures
from alerts.figures.monthly import Month

_FIGURES = ("group", "of", "figure", "value", "unit", "target", "limit", "count", "late", "waiting")
_MONTH = (
    "month", "point", "camera_id", "site_id", "what", "from", "to", "minutes", "number", "violation", "level", "who",
    "name", "why", "note", "alert_id",
)  # fmt: skip


def figures_csv(found: Figures) -> str:
    """Benchmarks, times by level and by team, busiest and chattering sources, what nobody acknowledged."""
    load = found.load
    rows: list[Sequence[Any]] = [
        ("load", f"{load.positions} positions", b.key, b.value, b.unit, b.target, b.limit, load.alarms, None, None)
        for b in load.benchmarks
    ]  # fmt: skip
    for group, lines in (("level", found.levels), ("team", found.teams)):
        for line in lines:
            for took in line.took:
                for name, seconds in (("p50", took.p50_s), ("p95", took.p95_s)):
                    rows.append((group, line.of, f"{took.milestone.value}_{name}", seconds, "s", None, None, took.n,
                                 took.late, took.waiting))  # fmt: skip
    for group, sources in (("busiest", load.busiest), ("chattering", load.chattering)):
        rows += [
            (group, s.source, "share", s.share, "share", None, None, s.times, None, None) for s in sources
        ]
    rows += [
        ("unacknowledged", f"#{w.number} {w.level} {w.what} {w.source}", "age", w.age_s, "s", None, None, None, None, None)
        for w in load.unacknowledged
    ]  # fmt: skip
    return _csv(_FIGURES, rows)


def month_csv(found: Month) -> str:
    """One finding a row; a point without any has one row that says so by its empty `what`."""
    rows: list[Sequence[Any]] = []
    for point in found.points:
        head = (found.month, point.point, point.camera_id, point.site_id)
        if not point.findings:
            rows.append((*head, *[None] * (len(_MONTH) - len(head))))
        for f in point.findings:
            rows.append(
                (*head, f.what, f.from_at.isoformat(), f.to_at.isoformat() if f.to_at else None, f.minutes, f.number,
                 f.violation, f.level, f.who, f.name, f.why, f.note, f.alert_id)
            )  # fmt: skip
    return _csv(_MONTH, rows)


def _csv(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(head)
    for row in rows:
        writer.writerow(["" if cell is None else _cell(cell) for cell in row])
    return out.getvalue()


def _cell(cell: Any) -> Any:
    """A spreadsheet takes a text that begins so for a formula: a note of somebody's must not run there."""
    if isinstance(cell, float):
        return f"{cell:.3f}".rstrip("0").rstrip(".")
    text = str(cell)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else cell
