"""A camera's own numbers of the rules: what they may be, and which hold when."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from monitor.domain.hours import Hours, Schedule
from monitor.domain.rulebook import (
    LIMITS,
    NUMBERS,
    ClassNumbers,
    RuleNumbers,
    RuleSetting,
    merged,
    most,
    rulings,
    setting_faults,
)
from monitor.domain.sun import Light
from monitor.domain.violations import CATALOGUE, RULES, UNEXPLAINED, Rule

ROWS = {rule.rule_id: rule for rule in RULES}
SHANGHAI = ZoneInfo("Asia/Shanghai")
SCHOOL = {"school": Schedule(schedule_id="school", hours=(Hours(from_min=450, to_min=495),))}
AT_EIGHT = datetime(2026, 11, 30, 0, 0, tzinfo=UTC)
AT_TEN = datetime(2026, 11, 30, 2, 0, tzinfo=UTC)
DAY, NIGHT = Light(night=False, why="sun_up", sun_deg=20), Light(night=True, why="infrared", sun_deg=20)


def held(setting: RuleSetting, at: datetime = AT_TEN, now: Light = DAY) -> tuple[Rule, str]:
    """The row as it holds with that setting, and why."""
    found = rulings(RULES, (setting,), SCHOOL, at=at, timezone=SHANGHAI, now=now)
    assert [ruling.rule.rule_id for ruling in found] == [rule.rule_id for rule in RULES], "a row went missing"
    assert all(r.why == "shipped" for r in found if r.rule.rule_id != setting.rule_id)
    (mine,) = (ruling for ruling in found if ruling.rule.rule_id == setting.rule_id)
    return mine.rule, mine.why


def test_the_shipped_table_keeps_to_its_own_limits() -> None:
    """Every row has a guard in both languages, a lower score that is lower, numbers that a camera could set."""
    for rule in RULES:
        assert set(rule.guard) == {"en", "zh"}
        assert rule.leave_score < rule.enter_score
        assert rule.min_looks >= 2
        assert bool(CATALOGUE[rule.violation].article) is (UNEXPLAINED not in rule.classes)
        for number in NUMBERS:
            assert LIMITS[number].least <= getattr(rule, number) <= most(rule, number), (rule.rule_id, number)


def test_no_prohibited_act_can_be_left_without_a_row() -> None:
    """Each act that has rows has one that can't be switched off, unless an approval makes it lawful."""
    for code in {rule.violation for rule in RULES}:
        if CATALOGUE[code].permit == "none" and CATALOGUE[code].article:
            assert any(not rule.may_be_off for rule in RULES if rule.violation == code), code


def test_numbers_by_day_and_by_night() -> None:
    """At night the night's numbers go over the day's, which go over the row's own."""
    setting = RuleSetting(rule_id="dig-5m", reason="r", numbers=RuleNumbers(enter_score=0.6, dwell_s=6.0),
                          night=RuleNumbers(enter_score=0.7))  # fmt: skip
    rule, why = held(setting)
    assert (rule.enter_score, rule.leave_score, rule.dwell_s, why) == (0.6, 0.3, 6.0, "set")
    rule, why = held(setting, now=NIGHT)
    assert (rule.enter_score, rule.leave_score, rule.dwell_s, why) == (0.7, 0.3, 6.0, "set_for_night")


@pytest.mark.parametrize(
    ("changes", "on_at_eight", "on_at_ten"),
    [({"within": "school"}, True, False), ({"outside": "school"}, False, True), ({"on": False}, False, False),
     ({"within": "night"}, False, False), ({"outside": "night"}, True, True), ({"within": "nobody knows"}, True, True)],
)  # fmt: skip
def test_hours_and_switches(changes: dict[str, object], on_at_eight: bool, on_at_ten: bool) -> None:
    """A row that does not hold now stays in the table, switched off; a name that nobody knows silences nothing."""
    setting = RuleSetting(rule_id="works-50m", reason="r", **changes)  # type: ignore[arg-type]
    assert held(setting, AT_EIGHT)[0].on is on_at_eight
    assert held(setting, AT_TEN)[0].on is on_at_ten


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("rule_id", ["dig-5m", "works-50m"])
def test_limits_on_both_sides(number: str, rule_id: str) -> None:
    """The last value within is taken, the next one is refused; tighter where the act is prohibited."""

    def codes(value: float) -> set[str]:
        numbers = RuleNumbers(**{number: value})  # type: ignore[arg-type]
        found = setting_faults(RuleSetting(rule_id=rule_id, reason="r", numbers=numbers), ROWS, {})
        return {fault.code for fault in found} - {"rule_leave_above_enter"}

    limit, top = LIMITS[number], most(ROWS[rule_id], number)  # type: ignore[index, arg-type]
    assert (top < limit.most) is (rule_id == "dig-5m")
    assert codes(limit.least) == codes(top) == set()
    assert codes(top + 0.001) == {"rule_would_silence"}
    assert codes(limit.least - 0.001) == {"rule_number_low"}
    assert codes(float("nan")) == {"rule_number_low"}


def test_a_cameras_setting_takes_the_place_of_its_edges() -> None:
    """Row by row, whole: numbers of two settings are never mixed."""
    edge = (RuleSetting(rule_id="dig-5m", reason="e", numbers=RuleNumbers(dwell_s=9)),
            RuleSetting(rule_id="works-50m", reason="e"))  # fmt: skip
    own = (RuleSetting(rule_id="dig-5m", reason="c", numbers=RuleNumbers(enter_score=0.6)),)
    assert merged(edge, own) == (own[0], edge[1])


def by_class(**classes: RuleNumbers) -> RuleSetting:
    own = tuple(ClassNumbers(object_class=name, numbers=numbers) for name, numbers in classes.items())
    return RuleSetting(rule_id="dig-5m", reason="r", numbers=RuleNumbers(enter_score=0.6), by_class=own,
                       night=RuleNumbers(dwell_s=8.0))  # fmt: skip


def test_a_class_with_numbers_of_its_own_stands_in_a_row_of_its_own() -> None:
    """A crane that scores low gets a number of its own, and nobody else's changes."""
    setting = by_class(loader=RuleNumbers(enter_score=0.7, leave_score=0.4))
    for now, dwell_s in ((DAY, 4.0), (NIGHT, 8.0)):
        held = rulings((ROWS["dig-5m"],), (setting,), {}, at=AT_TEN, timezone=SHANGHAI, now=now)
        rows = {tuple(sorted(r.rule.classes)): r.rule for r in held}
        assert set(rows) == {("drill_rig", "excavator"), ("loader",)}
        assert {row.rule_id for row in rows.values()} == {"dig-5m"}
        assert (rows["loader",].enter_score, rows["loader",].leave_score, rows["loader",].dwell_s) == (
            0.7,
            0.4,
            dwell_s,
        )
        assert rows["drill_rig", "excavator"].enter_score == 0.6


def test_a_row_that_does_not_hold_is_not_switched_on_by_a_class() -> None:
    """Numbers are not a switch."""
    setting = RuleSetting(rule_id="works-50m", reason="r", on=False,
                          by_class=(ClassNumbers(object_class="crane", numbers=RuleNumbers(enter_score=0.6)),))  # fmt: skip
    (ruling,) = rulings((ROWS["works-50m"],), (setting,), {}, at=AT_TEN, timezone=SHANGHAI, now=DAY)
    assert (ruling.rule.on, ruling.why) == (False, "switched_off")


@pytest.mark.parametrize(
    ("setting", "code", "path"),
    [
        (by_class(truck=RuleNumbers(enter_score=0.6)), "rule_class_unknown", ("by_class", "0", "object_class")),
        (by_class(loader=RuleNumbers(enter_score=0.85)), "rule_would_silence", ("by_class", "0", "enter_score")),
        (by_class(loader=RuleNumbers(dwell_s=31.0)), "rule_would_silence", ("by_class", "0", "dwell_s")),
        (by_class(loader=RuleNumbers(leave_score=0.6)), "rule_leave_above_enter", ("by_class", "0", "leave_score")),
        (RuleSetting(rule_id="dig-5m", reason="r", night=RuleNumbers(leave_score=0.45), by_class=(
            ClassNumbers(object_class="loader", numbers=RuleNumbers(enter_score=0.4)),)),
         "rule_leave_above_enter", ("by_class", "0", "enter_score")),
        (RuleSetting(rule_id="dig-5m", reason="r", by_class=(
            ClassNumbers(object_class="loader"), ClassNumbers(object_class="loader"))),
         "rule_class_twice", ("by_class", "1", "object_class")),
    ],
)  # fmt: skip
def test_a_class_can_be_silenced_no_more_than_its_row(
    setting: RuleSetting, code: str, path: tuple[str, ...]
) -> None:
    """The same limits; and by night, over the row's numbers of the night, the lower score is still the lower one."""
    assert [(fault.code, fault.path) for fault in setting_faults(setting, ROWS, SCHOOL)] == [(code, path)]
