"""What a higher number would have done to an alert, by the events that its edge sent of it. Pure.

Events are sparse: the onset, one at least every 30 s, and the end. So whoever must not be missed has to be proven
by an event, and a false alarm counts as kept away only if no event says that it would have come. Between two
events a score may have been higher: the replay errs towards changing nothing.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import msgspec

from alerts.feedback.judged import Judged
from monitor.domain.events import NO_LOOK
from monitor.domain.violations import Rule

#: what was first seen at a look began up to half a look before it, as the edge counts it
DWELL_SLACK_S: Final = 0.05


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One event of an alert, as far as a number can depend on it."""

    episode_id: str
    camera_id: str
    rule_id: str
    phase: str
    reason: str
    at: datetime
    object_class: str
    activity: str
    confidence: float
    dwell_s: float
    #: SHA-256 of the detector that looked; empty if the event does not say
    model: str = ""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """An alert with all its events, oldest first."""

    judged: Judged
    looks: tuple[Look, ...]


def of_model(case: Case, model: str | None) -> bool:
    """Whether that detector told all of it: another one's scores say nothing of it. None: nobody knows which looks now."""
    return model is None or all(look.model == model for look in case.looks)


class Comes(msgspec.Struct, frozen=True, kw_only=True):
    """An alert that would have come all the same, and how much later than it did."""

    later_s: float = 0.0


def surely_comes(case: Case, rule: Rule, was: Rule) -> Comes | None:
    """Whether this very row, with these numbers, is proven to have raised it at this camera; None: it may be missed.

    Args:
        rule: with the new numbers.
        was: with the numbers that are in force.
    """
    found = [_episode(looks, rule, was) for looks in episodes(case, rule.rule_id)]
    later = [one for one in found if one is not None]
    return Comes(later_s=min(later)) if later else None


def might_come(case: Case, rule: Rule, others: Iterable[Rule]) -> bool:
    """Whether anything says that it would have come all the same: this row, another camera, or another row.

    Args:
        rule: with the new numbers.
        others: the camera's other rows with the numbers that are in force.
    """
    mine = [look for look in case.looks if look.camera_id == case.judged.camera_id]
    if len(mine) < len(case.looks) or not mine:
        return True  # another camera saw it too, or nobody knows how it was seen
    by_episode: dict[str, list[Look]] = {}
    for look in mine:
        by_episode.setdefault(look.episode_id, []).append(look)
    rows = (rule, *(other for other in others if other.rule_id != rule.rule_id and _covers(other, rule)))
    return any(_touches(looks, row) for looks in by_episode.values() for row in rows) or any(
        # a row that has nothing to do with this one raised it as well
        look.rule_id not in {row.rule_id for row in rows}
        for look in mine
    )


def _covers(other: Rule, rule: Rule) -> bool:
    """Whether what lies within one row's place lies within the other's."""
    if not other.on:
        return False
    if rule.band_m is not None and other.band_m is not None:
        return other.band_m >= rule.band_m
    return rule.zone is not None and other.zone == rule.zone


def _touches(looks: list[Look], rule: Rule) -> bool:
    shown = [look for look in looks if look.reason not in NO_LOOK]
    dwelt_s = max((_dwelt_s(look, rule) for look in shown), default=0.0)
    return dwelt_s >= rule.dwell_s - DWELL_SLACK_S and any(
        look.object_class in rule.classes
        and look.activity in rule.activities
        and look.confidence >= rule.enter_score
        for look in shown
    )


def episodes(case: Case, rule_id: str) -> list[list[Look]]:
    """What that row saw at the alert's camera, each oldest first."""
    by_episode: dict[str, list[Look]] = {}
    for look in case.looks:
        if look.camera_id == case.judged.camera_id and look.rule_id == rule_id:
            by_episode.setdefault(look.episode_id, []).append(look)
    return [sorted(looks, key=lambda look: look.at) for looks in by_episode.values()]


def _episode(looks: list[Look], rule: Rule, was: Rule) -> float | None:
    """Seconds later than it came, at most; None: no event proves that it would have come.

    The edge counts dwell while the score is at the number that opens (edge/watcher.py), so it runs from one event that
    says so over others to one that says so still.
    """
    shown = [look for look in looks if look.reason not in NO_LOOK]
    first, since = shown[0] if shown else None, None
    for look in shown:
        if look.confidence < rule.enter_score or look.activity not in rule.activities:
            since = None
            continue
        if since is None and look.phase != "end":
            # before the first one it held for its dwell, but by the old score: what a higher one says of then nobody knows
            held = look is first and rule.enter_score <= was.enter_score
            since = look.at - timedelta(seconds=look.dwell_s) if held else look.at
        if since is None or first is None:
            continue
        due = since + timedelta(seconds=rule.dwell_s)
        if _seen_at(look, rule) + timedelta(seconds=DWELL_SLACK_S) >= due:
            return max(0.0, (due - first.at).total_seconds())
    return None


def _seen_at(look: Look, rule: Rule) -> datetime:
    """An end that says 'gone' comes so long after the object was last seen."""
    gone = look.phase == "end" and look.reason == "gone"
    return look.at - timedelta(seconds=rule.gone_s) if gone else look.at


def _dwelt_s(look: Look, rule: Rule) -> float:
    gone = look.phase == "end" and look.reason == "gone"
    return look.dwell_s - rule.gone_s if gone else look.dwell_s
