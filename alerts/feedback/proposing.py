"""Whether a higher number of one rule would keep false alarms of one camera away, and which. Pure.

One step at a time, bounded three times: by the step, by how far from the shipped number, and by the rulebook's own
ceiling, so that no chain of approvals silences an act that the law prohibits. No step that would have missed a
confirmed alert, or one that nobody has judged yet, is ever proposed.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec

from alerts.feedback.causes import CAUSES, Verdict
from alerts.feedback.points import Point, lights, only_at, touched
from alerts.feedback.replaying import Case, Comes, episodes, might_come, of_model, surely_comes
from alerts.feedback.rows import BOUNDS as BOUNDS
from alerts.feedback.rows import NUMBERS as NUMBERS
from alerts.feedback.rows import Number as Number
from alerts.feedback.rows import Row as Row

#: so far back false alarms count
WINDOW: Final = timedelta(weeks=4)
#: fewer false alarms of causes that the number helps say nothing; counted since the last decision about the rule
LEAST_FALSE: Final = 3
#: a step that keeps fewer away is not worth a person's decision
LEAST_AVOIDED: Final = 2
#: values that are tried within one step
TRIES: Final = 5


class Why(StrEnum):
    """Why a step is proposed, or none is."""

    KEEPS_AWAY = "keeps_away"  # a step up
    MISSED_BY_REPORT = "missed_by_report"  # a step back: a person saw what the camera did not tell
    ANOTHER_MODEL = "another_model"  # a step back: its scores are another model's
    TOO_FEW = "too_few"
    NO_NUMBER_HELPS = "no_number_helps"
    AT_CEILING = "at_ceiling"
    NONE_AVOIDED = "none_avoided"
    WOULD_MISS = "would_miss"
    JUDGE_FIRST = "judge_first"  # it would touch alerts that nobody has judged
    OWN_NIGHT = "own_night"  # the row has numbers of its own at night: a person sets both
    OWN_CLASS = "own_class"  # a class of the row has such a number of its own: a person sets both
    NOT_ON = "not_on"  # the row is switched off here


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A confirmed alert that would have come all the same."""

    alert_id: str
    number: int
    later_s: float


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """An alert, as people call it."""

    alert_id: str
    number: int


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One number one step up, and what it would have done."""

    camera_id: str
    rule_id: str
    number: Number
    #: by day alone, at night alone, or always
    point: Point = Point.ALWAYS
    from_value: float
    to_value: float
    ceiling: float
    shipped: float
    #: false alarms by cause
    causes: tuple[tuple[str, int], ...]
    avoided: tuple[Named, ...]
    #: false alarms that would have come all the same
    left: tuple[Named, ...]
    kept: tuple[Kept, ...]
    #: right or lawful alerts of the other point, which it has nothing to do with
    untouched: int = 0
    since: datetime
    until: datetime


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """Why nothing is proposed; of WOULD_MISS and JUDGE_FIRST, for the sake of which alerts."""

    camera_id: str
    rule_id: str
    why: Why
    alerts: tuple[Named, ...] = ()


def propose(
    row: Row, cases: Sequence[Case], *, decided_at: datetime | None, now: datetime, model: str | None = None
) -> Step | Silence:
    """The best step for one row at one camera, or why there is none.

    Args:
        cases: the row's alerts at that camera of the last `WINDOW`, whatever their verdict.
        decided_at: when somebody last decided about this row at this camera.
        now: aware.
        model: SHA-256 of the detector that looks now. Only its false alarms count; whatever another one told and was so
            still stops a step.
    """

    def silent(why: Why, alerts: Iterable[Named] = ()) -> Silence:
        return Silence(camera_id=row.camera_id, rule_id=row.shipped.rule_id, why=why, alerts=tuple(alerts))

    cases = [one for one in cases if one.judged.verdict is not Verdict.FALSE or of_model(one, model)]
    false = [case for case in cases if case.judged.verdict is Verdict.FALSE]
    fresh = [case for case in false if decided_at is None or case.judged.onset_at > decided_at]
    if len(fresh) < LEAST_FALSE:
        return silent(Why.TOO_FEW)
    if not row.rule().on:
        return silent(Why.NOT_ON)
    helped = [number for number in NUMBERS if sum(_remedy(case) == number for case in fresh) >= LEAST_FALSE]
    if not helped:
        return silent(Why.NO_NUMBER_HELPS)
    # where the last weeks' false alarms came only by night, or only by day, the other stays as watchful as it is
    point = only_at(false, row.place) if row.shipped.when == "always" else Point.ALWAYS
    found = [_best(row, number, point, cases, now) for number in helped]
    steps = [one for one in found if isinstance(one, Step)]
    if steps:
        return max(steps, key=lambda step: (len(step.avoided), -sum(kept.later_s for kept in step.kept)))
    silences = [one for one in found if isinstance(one, Silence)]
    return min(silences, key=lambda one: _TELLING.index(one.why))


#: of several reasons the one that a person can do most about
_TELLING: Final = (
    Why.JUDGE_FIRST,
    Why.WOULD_MISS,
    Why.OWN_NIGHT,
    Why.OWN_CLASS,
    Why.AT_CEILING,
    Why.NONE_AVOIDED,
)


def _remedy(case: Case) -> str:
    return CAUSES[case.judged.cause].remedy if case.judged.cause is not None else "none"


def _best(row: Row, number: Number, point: Point, cases: Sequence[Case], now: datetime) -> Step | Silence:
    own = own_numbers(row, number, point)
    if own is not None:
        return Silence(camera_id=row.camera_id, rule_id=row.shipped.rule_id, why=own)
    values = _values(row, number, point)
    if not values:
        return Silence(camera_id=row.camera_id, rule_id=row.shipped.rule_id, why=Why.AT_CEILING)
    tried = [_tried(row, number, point, value, cases, now) for value in values]
    steps = [one for one in tried if isinstance(one, Step)]
    if steps:
        # as many as can be kept away, by the smallest change
        return max(steps, key=lambda step: (len(step.avoided), -step.to_value))
    silences = [one for one in tried if isinstance(one, Silence)]
    return min(silences, key=lambda one: _TELLING.index(one.why))


def own_numbers(row: Row, number: Number, point: Point) -> Why | None:
    """Whether the number has another value at night or for a class, which a person sets; None: one number says it all."""
    if row.setting is None:
        return None
    if point is Point.ALWAYS and getattr(row.setting.night, number) is not None:
        return Why.OWN_NIGHT
    of_classes = [numbers for one in row.setting.by_class for numbers in (one.numbers, one.night)]
    return Why.OWN_CLASS if any(getattr(one, number) is not None for one in of_classes) else None


def _values(row: Row, number: Number, point: Point) -> list[float]:
    """What is tried, upwards."""
    now_is, bound = row.in_force(number, point), BOUNDS[number]
    whole = bound.step * (float(getattr(row.shipped, number)) if bound.relative else 1.0)
    tried = (round(now_is + whole * n / TRIES, 3) for n in range(1, TRIES + 1))
    return [value for value in tried if now_is < value <= row.ceiling(number) + 1e-9]


def _tried(
    row: Row, number: Number, point: Point, value: float, cases: Sequence[Case], now: datetime
) -> Step | Silence:
    false = [case for case in cases if case.judged.verdict is Verdict.FALSE]
    avoided = [case for case in false if not _might_come(row, number, value, point, case)]
    if len(avoided) < LEAST_AVOIDED:
        return Silence(camera_id=row.camera_id, rule_id=row.shipped.rule_id, why=Why.NONE_AVOIDED)
    near = touched(cases, point, row.place)
    kept, harm = _harm(row, number, value, near, point)
    if harm is not None:
        return harm
    seen_rightly = [case for case in cases if case.judged.verdict in _SEEN_RIGHTLY]
    untouched = len(seen_rightly) - sum(case in near for case in seen_rightly)
    return Step(
        camera_id=row.camera_id, rule_id=row.shipped.rule_id, number=number, point=point,
        from_value=row.in_force(number, point), to_value=value, ceiling=row.ceiling(number), shipped=float(getattr(row.shipped, number)),
        causes=_causes(false), avoided=tuple(map(named, avoided)),
        left=tuple(named(case) for case in false if case not in avoided), kept=kept, untouched=untouched,
        since=now - WINDOW, until=now,
    )  # fmt: skip


#: lawful work was seen rightly: without its record nobody knows that it stayed within its permit
_SEEN_RIGHTLY: Final = (Verdict.RIGHT, Verdict.LAWFUL)


def _might_come(row: Row, number: Number, value: float, point: Point, case: Case) -> bool:
    """By any number that may have held then: the lowest of its classes, by day and at night."""
    rules = [
        msgspec.structs.replace(row.rule(light), **{number: value})
        for light in lights(case, point, row.place)
    ]
    return any(might_come(case, rule, row.others_at(point)) for rule in rules)


def _comes(row: Row, number: Number, value: float, point: Point, case: Case) -> Comes | None:
    """By every number that may have held then: those of its own class, by day and at night."""
    found: list[Comes] = []
    for looks in episodes(case, row.shipped.rule_id):
        one = msgspec.structs.replace(case, looks=tuple(looks))
        by = [
            surely_comes(one, row.of_class(name, light, **{number: value}), row.of_class(name, light))
            for name in sorted({look.object_class for look in looks})
            for light in lights(case, point, row.place)
        ]
        proven = [comes for comes in by if comes is not None]
        if len(proven) == len(by):
            found.append(max(proven, key=lambda comes: comes.later_s))
    return min(found, key=lambda comes: comes.later_s, default=None)


def _harm(
    row: Row, number: Number, value: float, cases: Sequence[Case], point: Point
) -> tuple[tuple[Kept, ...], Silence | None]:
    """Who would have come all the same, and for whose sake it must not be."""
    kept: list[Kept] = []
    missed: list[Named] = []
    waiting: list[Named] = []
    for case in cases:
        one = _comes(row, number, value, point, case)
        if case.judged.verdict in _SEEN_RIGHTLY:
            if one is None:
                missed.append(named(case))
            else:
                kept.append(
                    Kept(
                        alert_id=case.judged.alert_id,
                        number=case.judged.number,
                        later_s=round(one.later_s, 1),
                    )
                )
        elif case.judged.verdict is Verdict.UNJUDGED and case.judged.may_be_right and one is None:
            waiting.append(named(case))
    for why, alerts in ((Why.WOULD_MISS, missed), (Why.JUDGE_FIRST, waiting)):
        if alerts:
            return tuple(kept), Silence(
                camera_id=row.camera_id, rule_id=row.shipped.rule_id, why=why, alerts=tuple(alerts)
            )
    return tuple(kept), None


def still_safe(
    row: Row, number: Number, value: float, cases: Sequence[Case], point: Point = Point.ALWAYS
) -> bool:
    """Whether a step that was proposed before would, by what is known now, have missed nobody."""
    _, harm = _harm(row, number, value, touched(cases, point, row.place), point)
    return harm is None


def named(case: Case) -> Named:
    """How people call it."""
    return Named(alert_id=case.judged.alert_id, number=case.judged.number)


def _causes(false: Iterable[Case]) -> tuple[tuple[str, int], ...]:
    by: dict[str, int] = {}
    for case in false:
        key = str(case.judged.cause or "unsaid")
        by[key] = by.get(key, 0) + 1
    return tuple(sorted(by.items(), key=lambda item: (-item[1], item[0])))
