"""What holds for a camera now, and why: the table of rules with the camera's own numbers, by day and by night.

Pure. A setting may change a row's numbers, at night other ones, switch it off or keep it to some hours - all
within `LIMITS`, so that no number can silence an act that the law prohibits. Edges and the centre check a
setting by the same `setting_faults`.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final, Literal, get_args
from zoneinfo import ZoneInfo

import msgspec

from monitor.domain.hours import Schedule, is_whole_week, within
from monitor.domain.sun import Light
from monitor.domain.violations import CATALOGUE, Numbers, Rule

#: `within` and `outside` take these beside the schedules' names
DAY: Final = "day"
NIGHT: Final = "night"


class RuleNumbers(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers that take the place of a row's own; None leaves it."""

    enter_score: float | None = None
    leave_score: float | None = None
    dwell_s: float | None = None
    min_box_px: float | None = None


class ClassNumbers(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers that one class of a row has of its own: they go over the row's, by day and by night."""

    object_class: str
    numbers: RuleNumbers = RuleNumbers()
    #: at night these over `numbers`
    night: RuleNumbers = RuleNumbers()


class RuleSetting(msgspec.Struct, frozen=True, kw_only=True):
    """What one camera (or all of an edge) has set for one row, and why."""

    rule_id: str
    reason: str
    on: bool = True
    numbers: RuleNumbers = RuleNumbers()
    #: at night these instead of, or beside, `numbers`
    night: RuleNumbers = RuleNumbers()
    #: names of a schedule, 'day' or 'night': the row holds only within, or only outside of it
    within: str | None = None
    outside: str | None = None
    #: of classes that have their own
    by_class: tuple[ClassNumbers, ...] = ()


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """From where to where a number may be set; tighter for an act that no approval makes lawful."""

    unit: str
    least: float
    most: float
    most_prohibited: float
    why: dict[str, str]


LIMITS: Final[dict[Numbers, Limit]] = {
    "enter_score": Limit(
        unit="", least=0.2, most=0.9, most_prohibited=0.75,
        why={"en": "a real machine far away or half hidden seldom scores more", "zh": "远处或被遮挡的真实目标很少得到更高分"}),
    "leave_score": Limit(
        unit="", least=0.1, most=0.8, most_prohibited=0.6,
        why={"en": "an episode would break up while its cause still stands there", "zh": "目标仍在时事件会被打断"}),
    "dwell_s": Limit(
        unit="s", least=1.0, most=300.0, most_prohibited=30.0,
        why={"en": "a bucket reaches the pipe in less than a minute", "zh": "铲斗不到一分钟即可触及管道"}),
    "min_box_px": Limit(
        unit="px", least=0.0, most=200.0, most_prohibited=80.0,
        why={"en": "what is far away in the picture may be near the pipe", "zh": "画面中远处的目标可能就在管道旁"}),
}  # fmt: skip
NUMBERS: Final[tuple[Numbers, ...]] = get_args(Numbers)


class RuleFault(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a setting; `monitor.domain.rule_texts` says it in words."""

    code: str
    #: keys below the setting
    path: tuple[str, ...] = ()
    facts: dict[str, str] = msgspec.field(default_factory=dict)


Why = Literal["shipped", "set", "set_for_night", "switched_off", "outside_hours", "inside_hours", "not_now"]


class Ruling(msgspec.Struct, frozen=True, kw_only=True):
    """One row as it holds at this moment, and why it does or doesn't."""

    rule: Rule
    why: Why
    #: why somebody set it so; empty for the shipped row
    reason: str = ""
    #: the schedule that decided
    schedule: str | None = None


def is_prohibited(rule: Rule) -> bool:
    """Whether no approval makes the act of this row lawful; what nobody has recognised yet is no act."""
    row = CATALOGUE.get(rule.violation)
    return row is None or (row.permit == "none" and bool(row.article))


def most(rule: Rule, number: Numbers) -> float:
    """The highest value that a camera may set."""
    limit = LIMITS[number]
    return limit.most_prohibited if is_prohibited(rule) else limit.most


def merged(edge: tuple[RuleSetting, ...], camera: tuple[RuleSetting, ...]) -> tuple[RuleSetting, ...]:
    """An edge's settings with the camera's own before them, row by row: a camera's setting replaces all of the edge's."""
    own = {setting.rule_id for setting in camera}
    return (*camera, *(setting for setting in edge if setting.rule_id not in own))


def rulings(
    rules: tuple[Rule, ...],
    settings: tuple[RuleSetting, ...],
    schedules: Mapping[str, Schedule],
    *,
    at: datetime,
    timezone: ZoneInfo,
    now: Light,
) -> tuple[Ruling, ...]:
    """Each row as it holds at an aware moment; rows that don't are kept, with `on` False.

    A row whose classes have numbers of their own stands there once for the others and once for each of these.
    """
    by_rule = {setting.rule_id: setting for setting in settings}
    held: list[Ruling] = []
    for rule in rules:
        setting = by_rule.get(rule.rule_id)
        ruling = _ruling(rule, setting, schedules, at, timezone, now)
        held.extend(_by_class(ruling, setting, night=now.night) if setting is not None else (ruling,))
    return tuple(held)


def _by_class(ruling: Ruling, setting: RuleSetting, *, night: bool) -> Iterator[Ruling]:
    rule = ruling.rule
    own = [one for one in setting.by_class if one.object_class in rule.classes and rule.on]
    rest = rule.classes - {one.object_class for one in own}
    if rest:
        yield (
            msgspec.structs.replace(ruling, rule=msgspec.structs.replace(rule, classes=rest))
            if own
            else ruling
        )
    for one in own:
        at_night = _given(one.night) if night else {}
        numbers = {**_given(one.numbers), **at_night}
        row = msgspec.structs.replace(rule, classes=frozenset({one.object_class}), **numbers)
        yield msgspec.structs.replace(ruling, rule=row, why="set_for_night" if at_night else ruling.why)


def _ruling(
    rule: Rule,
    setting: RuleSetting | None,
    schedules: Mapping[str, Schedule],
    at: datetime,
    timezone: ZoneInfo,
    now: Light,
) -> Ruling:
    if rule.when != "always" and (rule.when == NIGHT) is not now.night:
        return Ruling(rule=_off(rule), why="not_now", schedule=rule.when)
    if setting is None:
        return Ruling(rule=rule, why="shipped")
    if not setting.on:
        return Ruling(rule=_off(rule), why="switched_off", reason=setting.reason)
    decided = closed_by(setting.within, setting.outside, schedules, at=at, timezone=timezone, now=now)
    if decided is not None:
        why: Why = "outside_hours" if decided == setting.within else "inside_hours"
        return Ruling(rule=_off(rule), why=why, reason=setting.reason, schedule=decided)
    changed = _given(setting.numbers)
    at_night = _given(setting.night) if now.night else {}
    why = "set_for_night" if at_night else "set"
    return Ruling(
        rule=msgspec.structs.replace(rule, **{**changed, **at_night}), why=why, reason=setting.reason
    )


def closed_by(
    only_within: str | None,
    only_outside: str | None,
    schedules: Mapping[str, Schedule],
    *,
    at: datetime,
    timezone: ZoneInfo,
    now: Light,
) -> str | None:
    """The schedule because of which a row or zone does not hold now; None: it holds.

    A name that nobody knows closes nothing: what is watched too much does less harm.
    """

    def holds(name: str) -> bool | None:
        if name in (DAY, NIGHT):
            return now.night is (name == NIGHT)
        schedule = schedules.get(name)
        return None if schedule is None else within(schedule, at, timezone)

    if only_within is not None and holds(only_within) is False:
        return only_within
    return only_outside if only_outside is not None and holds(only_outside) is True else None


def setting_faults(
    setting: RuleSetting, rules: Mapping[str, Rule], schedules: Mapping[str, Schedule]
) -> Iterator[RuleFault]:
    """All that is wrong with one setting."""
    rule = rules.get(setting.rule_id)
    if rule is None:
        yield RuleFault(code="rule_unknown", path=("rule",), facts={"name": setting.rule_id, "known": ", ".join(sorted(rules))})  # fmt: skip
        return
    if not setting.reason.strip():
        yield RuleFault(code="rule_without_reason", path=("reason",), facts={"rule": rule.rule_id})
    if not rule.may_be_off:
        facts = {"rule": rule.rule_id, "article": CATALOGUE[rule.violation].article}
        if not setting.on:
            yield RuleFault(code="rule_must_stay_on", path=("on",), facts=facts)
        for key in ("within", "outside"):
            if getattr(setting, key) is not None:
                yield RuleFault(code="rule_must_stay_on", path=(key,), facts=facts)
    yield from hours_faults(setting.within, setting.outside, schedules)
    for path, numbers in (((), setting.numbers), (("night",), setting.night)):
        yield from _limit_faults(rule, numbers, path)
    day = _given(setting.numbers)
    yield from _order_faults(rule, {}, day, ())
    yield from _order_faults(rule, day, _given(setting.night), ("night",))
    yield from _class_faults(rule, setting)


def _class_faults(rule: Rule, setting: RuleSetting) -> Iterator[RuleFault]:
    day = _given(setting.numbers)
    night = {**day, **_given(setting.night)}
    for at, one in enumerate(setting.by_class):
        path = ("by_class", str(at))
        facts = {"rule": rule.rule_id, "name": one.object_class, "known": ", ".join(sorted(rule.classes))}
        if one.object_class not in rule.classes:
            yield RuleFault(code="rule_class_unknown", path=(*path, "object_class"), facts=facts)
        elif one.object_class in {before.object_class for before in setting.by_class[:at]}:
            yield RuleFault(code="rule_class_twice", path=(*path, "object_class"), facts=facts)
        yield from _limit_faults(rule, one.numbers, path)
        yield from _limit_faults(rule, one.night, (*path, "night"))
        own = _given(one.numbers)
        by_day = [*_order_faults(rule, day, own, path)]
        yield from by_day
        # by night it stands over the row's numbers of the night
        at_night = {**own, **_given(one.night)}
        by_night = _order_faults(rule, night, at_night, (*path, "night") if _given(one.night) else path)
        yield from () if by_day else by_night


def _order_faults(
    rule: Rule, before: dict[str, float], given: dict[str, float], path: tuple[str, ...]
) -> Iterator[RuleFault]:
    """The lower score has to be the lower one, with what is `given` over what was set before."""
    held = msgspec.structs.replace(rule, **{**before, **given})
    scores = [key for key in ("leave_score", "enter_score") if key in given]
    if scores and not held.leave_score < held.enter_score:
        facts = {"leave": f"{held.leave_score:g}", "enter": f"{held.enter_score:g}"}
        yield RuleFault(code="rule_leave_above_enter", path=(*path, scores[0]), facts=facts)


def hours_faults(
    only_within: str | None, only_outside: str | None, schedules: Mapping[str, Schedule]
) -> Iterator[RuleFault]:
    """What is wrong with the hours of a row or zone."""
    for key, name in (("within", only_within), ("outside", only_outside)):
        if name is not None and name not in (DAY, NIGHT) and name not in schedules:
            yield RuleFault(code="schedule_unknown", path=(key,),
                            facts={"name": name, "known": ", ".join([*sorted(schedules), DAY, NIGHT])})  # fmt: skip
    if only_within is not None and only_within == only_outside:
        yield RuleFault(code="hours_never", path=("outside",), facts={"name": only_outside or ""})
    elif only_outside is not None and only_outside in schedules and is_whole_week(schedules[only_outside]):
        yield RuleFault(code="hours_never", path=("outside",), facts={"name": only_outside})


def zone_faults(
    kind: str,
    only_within: str | None,
    only_outside: str | None,
    rules: Mapping[str, Rule],
    schedules: Mapping[str, Schedule],
) -> Iterator[RuleFault]:
    """What is wrong with the hours of a zone: none where they would silence a row that must stay on."""
    kept = [rule for rule in rules.values() if rule.zone == kind and not rule.may_be_off]
    for key, name in (("within", only_within), ("outside", only_outside)):
        if name is not None and kept:
            articles = ", ".join(CATALOGUE[rule.violation].article for rule in kept)
            facts = {"kind": kind, "rule": ", ".join(rule.rule_id for rule in kept), "article": articles}
            yield RuleFault(code="zone_must_stay_on", path=(key,), facts=facts)
    yield from hours_faults(only_within, only_outside, schedules)


def _limit_faults(rule: Rule, numbers: RuleNumbers, path: tuple[str, ...]) -> Iterator[RuleFault]:
    for number in NUMBERS:
        value, limit = getattr(numbers, number), LIMITS[number]
        # written so that NaN is a fault too
        if value is None or limit.least <= value <= most(rule, number):
            continue
        facts = {
            "rule": rule.rule_id, "number": number, "found": f"{value:g}", "article": CATALOGUE[rule.violation].article,
            "least": f"{limit.least:g}", "most": f"{most(rule, number):g}", "unit": f" {limit.unit}".rstrip(),
            "why": limit.why["en"], "why_zh": limit.why["zh"],
        }  # fmt: skip
        code = "rule_would_silence" if value > most(rule, number) else "rule_number_low"
        yield RuleFault(code=code, path=(*path, number), facts=facts)


def _given(numbers: RuleNumbers) -> dict[str, float]:
    return {number: getattr(numbers, number) for number in NUMBERS if getattr(numbers, number) is not None}


def _off(rule: Rule) -> Rule:
    return msgspec.structs.replace(rule, on=False)
