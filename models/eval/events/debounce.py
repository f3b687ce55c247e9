"""When a detector that looks at a camera would report a class: from looks to reports, pure.

The edge's own way from boxes to an episode is track, place, activity and dwell (`edge.rules`,
`edge.episodes`), none of which a clip without a calibrated camera has; and `models` may not import it.
This is its part that belongs to the detector alone, by the same scores: a class is taken as seen from the
score on with which rules enter, kept from the lower one with which they stay, and is new again only when it
was gone for a while. A single look never reports.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from models.eval.summary import ENTER_SCORE, STAY_SCORE

#: Looks a second: `looks_per_s` of a camera as the edge ships it.
LOOKS_PER_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Debounce:
    """All that decides how boxes become reports."""

    #: Seen in at least so many …
    seen_least: int = 3
    #: … of so many looks, this one the last: three of five are 0.4 to 0.8 s at five a second.
    of_last: int = 5
    #: Not seen for so long, the class is gone, and may be reported again. The edge waits 8 s, but tells one
    #: object from the next by its track; without tracks 2 s (its motion gate's floor: what stands still is
    #: looked at that often) is the most that tells apart people who come one after another.
    gone_s: float = 2.0
    #: Score from which a class that was reported counts as still there.
    stay_score: float = STAY_SCORE


#: What is used.
SHIPPED: Final = Debounce()


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One picture that the detector saw."""

    #: Seconds since the clip's first frame, by the stream's clock.
    media_s: float
    #: {class: best score of its boxes}; a class without boxes is absent.
    best: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The detector says that a class is there."""

    class_name: str
    at_s: float
    #: Last look at which it still was.
    until_s: float


def reports(
    looks: Sequence[Look], class_name: str, *, threshold: float = ENTER_SCORE, debounce: Debounce = SHIPPED
) -> tuple[Report, ...]:
    """The reports of one class over one clip, in the order of time."""
    found: list[Report] = []
    window: deque[bool] = deque(maxlen=debounce.of_last)
    current: Report | None = None
    stay_score = min(debounce.stay_score, threshold)
    for look in looks:
        score = look.best.get(class_name, 0.0)
        if current is not None and look.media_s - current.until_s >= debounce.gone_s:
            found.append(current)
            current = None
            window.clear()
        if current is not None and score >= stay_score:
            current = Report(class_name=class_name, at_s=current.at_s, until_s=look.media_s)
        elif current is None:
            window.append(score >= threshold)
            if sum(window) >= debounce.seen_least:
                current = Report(class_name=class_name, at_s=look.media_s, until_s=look.media_s)
    return (*found, current) if current is not None else tuple(found)
