"""Event-level figures over clips, per class and in all: what `hcawatch models eval --video` prints. Pure.

A class is scored only in the clips in which it is exhaustively annotated, and only for so long as those last.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.eval.events.debounce import SHIPPED, Debounce, Look, reports
from models.eval.events.matching import FALSE, Matched, Outcome, match
from models.eval.events.rates import RECALL_BIAS, SECONDS_A_DAY, f1, poisson_interval
from models.eval.events.truth import WITHIN_S, Clip


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A clip as the detector saw it."""

    clip: Clip
    #: In the order of time.
    looks: tuple[Look, ...]
    #: From the first frame to the end of the last.
    length_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredClip:
    """A clip with every class judged that is annotated in it and that the detector knows."""

    watched: Watched
    by_class: Mapping[str, Matched]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFigures:
    """One class, or all together. NaN where nothing could be measured."""

    #: Class, or "" for several together.
    name: str
    clips: int
    #: Seconds of film in which it was scored.
    watched_s: float
    events: int
    found: int
    #: Median and nine tenths of the seconds from an event's beginning to its report, found ones only.
    to_report_median_s: float
    to_report_p90_s: float
    #: {outcome: reports} of those that are false alarms.
    false: Mapping[Outcome, int]
    #: Reports in stretches that nobody can judge.
    unsure: int

    @property
    def missed(self) -> int:
        """Events that were not found."""
        return self.events - self.found

    @property
    def false_alarms(self) -> int:
        """Reports that found no event."""
        return sum(self.false.values())

    @property
    def recall(self) -> float:
        """Share of events that were found."""
        return self.found / self.events if self.events else math.nan

    @property
    def precision(self) -> float:
        """Share of judged reports that found an event."""
        judged = self.found + self.false_alarms
        return self.found / judged if judged else math.nan

    def f1(self, role: str) -> float:
        """i-LIDS' F1 in a role; no report at all counts as precision 0."""
        return f1(0.0 if math.isnan(self.precision) else self.precision, self.recall, RECALL_BIAS[role])

    def a_day(self, count: float) -> float:
        """So many in the film watched, as a number a camera and day."""
        return count * SECONDS_A_DAY / self.watched_s if self.watched_s else math.nan

    @property
    def false_a_day_interval(self) -> tuple[float, float]:
        """95 % interval of the false alarms a camera and day, exact."""
        low, high = poisson_interval(self.false_alarms)
        return self.a_day(low), self.a_day(high)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSummary:
    """Everything that the command prints and the page shows."""

    clips: tuple[ScoredClip, ...]
    #: Every class that is scored somewhere, in the detector's order.
    classes: tuple[EventFigures, ...]
    all: EventFigures
    #: Only those on which rules raise alarms.
    shipped: EventFigures
    thresholds: Mapping[str, float]
    debounce: Debounce
    within_s: float
    looks: int
    film_s: float


def summarise(
    watched: Sequence[Watched],
    thresholds: Mapping[str, float],
    *,
    within_s: float = WITHIN_S,
    debounce: Debounce = SHIPPED,
    alarms: Collection[str] | None = None,
) -> EventSummary:
    """Judge clips.

    Args:
        watched: clips with what was seen in them.
        thresholds: {class that the detector knows: score from which it counts as seen}.
        within_s: time to report of events that name none.
        debounce: how looks become reports.
        alarms: classes on which rules raise alarms with this detector; all if nobody said.
    """
    clips = tuple(_judged(one, thresholds, within_s, debounce) for one in watched)
    scored = [name for name in thresholds if any(name in clip.by_class for clip in clips)]
    film_s = sum(clip.watched.length_s for clip in clips if clip.by_class)
    return EventSummary(
        clips=clips,
        classes=tuple(_figures(name, [name], clips) for name in scored),
        all=_figures("", scored, clips),
        shipped=_figures("", [name for name in scored if alarms is None or name in alarms], clips),
        thresholds={name: thresholds[name] for name in scored},
        debounce=debounce,
        within_s=within_s,
        looks=sum(len(clip.watched.looks) for clip in clips),
        film_s=film_s,
    )


def _judged(
    watched: Watched, thresholds: Mapping[str, float], within_s: float, debounce: Debounce
) -> ScoredClip:
    clip = watched.clip
    return ScoredClip(
        watched=watched,
        by_class={
            name: match(
                reports(watched.looks, name, threshold=threshold, debounce=debounce),
                [e for e in clip.events if e.class_name == name],
                [u for u in clip.unsure if u.class_name == name],
                within_s=within_s,
            )
            for name, threshold in thresholds.items()
            if name in clip.exhaustive
        },
    )


def _figures(name: str, classes: Sequence[str], clips: Sequence[ScoredClip]) -> EventFigures:
    own = [clip for clip in clips if any(c in clip.by_class for c in classes)]
    matched = [clip.by_class[c] for clip in own for c in classes if c in clip.by_class]
    took_s = [seconds for m in matched for _, seconds in m.found]
    outcomes = Counter(j.outcome for m in matched for j in m.reports)
    return EventFigures(
        name=name,
        clips=len(own),
        watched_s=sum(clip.watched.length_s for clip in own),
        events=len(took_s) + sum(len(m.missed) for m in matched),
        found=len(took_s),
        to_report_median_s=float(np.median(took_s)) if took_s else math.nan,
        to_report_p90_s=float(np.percentile(took_s, 90)) if took_s else math.nan,
        false={outcome: outcomes[outcome] for outcome in Outcome if outcome in FALSE},
        unsure=outcomes[Outcome.UNSURE],
    )


def as_table(summary: EventSummary) -> dict[str, Any]:
    """The figures as plain JSON values; None for what could not be measured."""
    return {
        "all": _row(summary.all),
        "shipped": _row(summary.shipped),
        "classes": {row.name: _row(row) for row in summary.classes},
        "clips": {clip.watched.clip.file: _clip(clip) for clip in summary.clips},
        "thresholds": dict(summary.thresholds),
        "within_s": summary.within_s,
        "debounce": {
            "seen_least": summary.debounce.seen_least, "of_last": summary.debounce.of_last,
            "gone_s": summary.debounce.gone_s, "stay_score": summary.debounce.stay_score,
        },
        "looks": summary.looks,
        "film_s": round(summary.film_s, 2),
        "looks_per_s": _plain(summary.looks / summary.film_s if summary.film_s else math.nan),
    }  # fmt: skip


def _row(row: EventFigures) -> dict[str, Any]:
    return {
        "clips": row.clips, "watched_s": round(row.watched_s, 2),
        "events": row.events, "found": row.found, "missed": row.missed,
        "recall": _plain(row.recall), "precision": _plain(row.precision),
        "f1": {role: _plain(row.f1(role)) for role in RECALL_BIAS},
        "to_report_median_s": _plain(row.to_report_median_s), "to_report_p90_s": _plain(row.to_report_p90_s),
        "false_alarms": row.false_alarms, "false": {str(k): n for k, n in row.false.items()}, "unsure": row.unsure,
        "false_per_camera_day": _plain(row.a_day(row.false_alarms)),
        "false_per_camera_day_interval": [_plain(v) for v in row.false_a_day_interval],
    }  # fmt: skip


def _clip(clip: ScoredClip) -> dict[str, Any]:
    return {
        "length_s": round(clip.watched.length_s, 2),
        "looks": len(clip.watched.looks),
        "classes": {
            name: {
                "reports": [
                    {"at_s": round(j.report.at_s, 2), "until_s": round(j.report.until_s, 2), "outcome": str(j.outcome)}
                    for j in matched.reports
                ],
                "missed": [{"from_s": e.from_s, "to_s": e.to_s} for e in matched.missed],
            }
            for name, matched in clip.by_class.items()
            if matched.reports or matched.missed
        },
    }  # fmt: skip


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)
