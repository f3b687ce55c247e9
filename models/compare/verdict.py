"""Whether the candidate is better: a table of rules over a comparison, and nothing else. Pure.

`worse` if something speaks against it, `undecided` if something is left open, else `better`: then no shipped
class loses, false alarms on the site don't rise, and something improves, each at 95 %. What can't be told from so few
pictures is open, never taken for granted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from models.compare.values import ComparedClass, Comparison, plain

#: How much AP50 or recall a shipped class may lose before it counts, as a share.
MAY_LOSE: Final = 0.05
#: How many more false alarms a picture of the site must be ruled out.
MAY_RISE: Final = 0.05
#: With fewer labelled boxes or pictures of a class, or pictures of the site, a bootstrap says nothing.
MIN_BOXES: Final = 20
MIN_PICTURES: Final = 10
#: What may not fall: how well boxes are ranked, and what is found at the threshold at which rules enter.
GUARDED: Final = ("map50", "recall")


class Verdict(StrEnum):
    """What to tell who asks."""

    BETTER = "better"
    WORSE = "worse"
    UNDECIDED = "undecided"


class Effect(StrEnum):
    """What a reason does to the verdict."""

    AGAINST = "against"
    OPEN = "open"
    FOR = "for"
    NOTE = "note"


class Code(StrEnum):
    """Why."""

    CLASS_GONE = "class_gone"
    CLASS_LOSES = "class_loses"
    CLASS_MAY_LOSE = "class_may_lose"
    FALSE_ALARMS_RISE = "false_alarms_rise"
    FALSE_ALARMS_MAY_RISE = "false_alarms_may_rise"
    SITE_TOO_SMALL = "site_too_small"
    NOTHING_JUDGED = "nothing_judged"
    CLASSES_IMPROVE = "classes_improve"
    FALSE_ALARMS_FALL = "false_alarms_fall"
    NOTHING_IMPROVES = "nothing_improves"
    RARE_CLASS_LOSES = "rare_class_loses"
    CLASS_TOO_RARE = "class_too_rare"
    CLASS_ADDED = "class_added"
    ALARMS_ADDED = "alarms_added"
    SAME_WEIGHTS = "same_weights"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the rules measure against; whoever asks may set the first two."""

    may_lose: float = MAY_LOSE
    may_rise: float = MAY_RISE


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One rule that applies, with the numbers that made it."""

    code: Code
    effect: Effect
    class_name: str = ""
    #: One of `GUARDED`, where a figure of a class is meant.
    figure: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)


Found = Iterator[tuple[str, str, dict[str, float]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row: what it looks for, and what that does to the verdict."""

    code: Code
    effect: Effect
    #: Gives (class, figure, numbers) for each time that it applies.
    applies: Callable[[Comparison, Limits], Found]


def counts(c: ComparedClass) -> bool:
    """Whether rules raise alarms on a class with the model in use, and it has labels enough for a figure of it to say anything."""
    return c.shipped and c.boxes >= MIN_BOXES and c.images >= MIN_PICTURES


def _judged(found: Comparison) -> list[ComparedClass]:
    return [c for c in found.classes if counts(c)]


def _gone(found: Comparison, _: Limits) -> Found:
    yield from ((name, "", {}) for name in found.gone)


def _loses(found: Comparison, limits: Limits) -> Found:
    """Even the best that the interval allows is a loss of more than is allowed."""
    for c in _judged(found):
        for key in GUARDED:
            if c.figures[key].high < -limits.may_lose:
                yield c.name, key, _numbers(c, key, limits)


def _may_lose(found: Comparison, limits: Limits) -> Found:
    """The interval reaches from a loss that is too large to one that isn't."""
    for c in _judged(found):
        for key in GUARDED:
            paired = c.figures[key]
            if paired.low < -limits.may_lose <= paired.high:
                yield c.name, key, _numbers(c, key, limits)


def _numbers(c: ComparedClass, key: str, limits: Limits) -> dict[str, float]:
    paired = c.figures[key]
    return {
        "old": paired.old, "new": paired.new, "low": paired.low, "high": paired.high,
        "boxes": c.boxes, "limit": limits.may_lose,
    }  # fmt: skip


def _site_numbers(found: Comparison, limits: Limits) -> dict[str, float]:
    paired = found.site.a_picture
    return {
        "old": paired.old, "new": paired.new, "low": paired.low, "high": paired.high,
        "pictures": found.site.pictures, "limit": limits.may_rise,
    }  # fmt: skip


def _enough_site(found: Comparison) -> bool:
    return found.site.pictures >= MIN_PICTURES


def _rise(found: Comparison, limits: Limits) -> Found:
    if _enough_site(found) and found.site.a_picture.low > 0:
        yield "", "", _site_numbers(found, limits)


def _may_rise(found: Comparison, limits: Limits) -> Found:
    paired = found.site.a_picture
    if _enough_site(found) and paired.low <= 0 and paired.high > limits.may_rise:
        yield "", "", _site_numbers(found, limits)


def _fall(found: Comparison, limits: Limits) -> Found:
    if _enough_site(found) and found.site.a_picture.high < 0:
        yield "", "", _site_numbers(found, limits)


def _site_too_small(found: Comparison, _: Limits) -> Found:
    if not _enough_site(found):
        yield "", "", {"pictures": found.site.pictures, "least": MIN_PICTURES}


def _nothing_judged(found: Comparison, _: Limits) -> Found:
    if not _judged(found):
        yield "", "", {"boxes": MIN_BOXES, "pictures": MIN_PICTURES}


def _improve(found: Comparison, _: Limits) -> Found:
    mean = found.mean_map50
    if mean.low > 0:
        yield "", "", {"old": mean.old, "new": mean.new, "low": mean.low, "high": mean.high}


def _nothing_improves(found: Comparison, limits: Limits) -> Found:
    if not any((*_improve(found, limits), *_fall(found, limits))):
        mean = found.mean_map50
        yield "", "", {"low": mean.low, "high": mean.high}


def _rare_loses(found: Comparison, limits: Limits) -> Found:
    """Too few boxes to call it worse, but what there is says so: nothing that calls it better either."""
    judged = _judged(found)
    for c in found.classes:
        if c.shipped and c not in judged:
            for key in GUARDED:
                if c.figures[key].high < -limits.may_lose:
                    yield c.name, key, _numbers(c, key, limits)


def _too_rare(found: Comparison, _: Limits) -> Found:
    judged = _judged(found)
    for c in found.classes:
        if c.shipped and c not in judged:
            yield c.name, "", {"boxes": c.boxes, "pictures": c.images, "least": MIN_BOXES}


def _added(found: Comparison, _: Limits) -> Found:
    yield from ((name, "", {}) for name in found.only_new)


def _alarms_added(found: Comparison, _: Limits) -> Found:
    yield from ((name, "", {}) for name in found.added)


def _same(found: Comparison, _: Limits) -> Found:
    if found.same:
        yield "", "", {}


RULES: Final[tuple[Rule, ...]] = (
    Rule(code=Code.CLASS_GONE, effect=Effect.AGAINST, applies=_gone),
    Rule(code=Code.CLASS_LOSES, effect=Effect.AGAINST, applies=_loses),
    Rule(code=Code.FALSE_ALARMS_RISE, effect=Effect.AGAINST, applies=_rise),
    Rule(code=Code.CLASS_MAY_LOSE, effect=Effect.OPEN, applies=_may_lose),
    Rule(code=Code.FALSE_ALARMS_MAY_RISE, effect=Effect.OPEN, applies=_may_rise),
    Rule(code=Code.NOTHING_JUDGED, effect=Effect.OPEN, applies=_nothing_judged),
    Rule(code=Code.SITE_TOO_SMALL, effect=Effect.OPEN, applies=_site_too_small),
    Rule(code=Code.NOTHING_IMPROVES, effect=Effect.OPEN, applies=_nothing_improves),
    Rule(code=Code.RARE_CLASS_LOSES, effect=Effect.OPEN, applies=_rare_loses),
    Rule(code=Code.CLASSES_IMPROVE, effect=Effect.FOR, applies=_improve),
    Rule(code=Code.FALSE_ALARMS_FALL, effect=Effect.FOR, applies=_fall),
    Rule(code=Code.CLASS_TOO_RARE, effect=Effect.NOTE, applies=_too_rare),
    Rule(code=Code.CLASS_ADDED, effect=Effect.NOTE, applies=_added),
    Rule(code=Code.ALARMS_ADDED, effect=Effect.NOTE, applies=_alarms_added),
    Rule(code=Code.SAME_WEIGHTS, effect=Effect.NOTE, applies=_same),
)


def decide(found: Comparison, limits: Limits | None = None) -> tuple[Verdict, tuple[Reason, ...]]:
    """The verdict and every reason that applies, in the order of the table."""
    measured = limits or Limits()
    reasons = tuple(
        Reason(code=rule.code, effect=rule.effect, class_name=name, figure=figure, numbers=numbers)
        for rule in RULES
        for name, figure, numbers in rule.applies(found, measured)
    )
    effects = {reason.effect for reason in reasons}
    if Effect.AGAINST in effects:
        return Verdict.WORSE, reasons
    return (Verdict.UNDECIDED if Effect.OPEN in effects else Verdict.BETTER), reasons


def as_row(reason: Reason) -> dict[str, Any]:
    """A reason as plain JSON values."""
    return {
        "code": str(reason.code), "effect": str(reason.effect), "class": reason.class_name or None,
        "figure": reason.figure or None, "numbers": {key: plain(value) for key, value in reason.numbers.items()},
    }  # fmt: skip
