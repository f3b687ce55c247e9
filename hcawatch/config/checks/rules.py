"""Rules' settings and hours: rows that exist, numbers within the rulebook's limits, schedules that are sometime."""

from collections.abc import Iterator, Sequence

from hcawatch.config.checks.look import Look
from hcawatch.config.faults import Fault, Path
from hcawatch.config.rules import rules_of, schedules_of
from hcawatch.config.schema import RuleSection
from monitor.domain.hours import Schedule, clock_min
from monitor.domain.rulebook import DAY, NIGHT, RuleFault, setting_faults, zone_faults
from monitor.domain.violations import RULES

_ROWS = {rule.rule_id: rule for rule in RULES}


def check(look: Look) -> Iterator[Fault]:
    """Faults of rules, zones' hours and schedules."""
    yield from _hours(look)
    schedules = {s.schedule_id: s for s in schedules_of(look.document)} if look.ok("schedules") else {}
    for index, edge in enumerate(look.document.edges):
        yield from _settings(look, edge.rules, schedules, ("edges", index, "rules"))
    for index, camera in enumerate(look.document.cameras):
        yield from _settings(look, camera.rules, schedules, ("cameras", index, "rules"))
        for n, rule in enumerate(camera.rules):
            for keys, enter in _enters(rule):
                if enter is not None and enter < camera.min_score:
                    yield look.fault("enter_below_min_score", "cameras", index, "rules", n, *keys,
                                     rule=rule.rule, enter=f"{enter:g}", min_score=f"{camera.min_score:g}")  # fmt: skip
        for n, zone in enumerate(camera.zones):
            for fault in zone_faults(zone.kind, zone.within, zone.outside, _ROWS, schedules):
                yield _said(look, fault, ("cameras", index, "zones", n))


def _enters(rule: RuleSection) -> Iterator[tuple[Path, float | None]]:
    """Each score that opens an episode, with its keys below the rule."""
    yield ("enter_score",), rule.enter_score
    yield ("night", "enter_score"), rule.night.enter_score
    for n, own in enumerate(rule.by_class or ()):
        yield ("by_class", n, "enter_score"), own.enter_score
        yield ("by_class", n, "night", "enter_score"), own.night.enter_score


def _settings(
    look: Look, sections: Sequence[RuleSection], schedules: dict[str, Schedule], path: Path
) -> Iterator[Fault]:
    first: dict[str, int] = {}
    for n, (section, setting) in enumerate(zip(sections, rules_of(list(sections)), strict=True)):
        if section.rule in first:
            line = look.line(*path, first[section.rule], "rule")
            yield look.fault("duplicate_id", *path, n, "rule", id=section.rule, first=line)
        first.setdefault(section.rule, n)
        for fault in setting_faults(setting, _ROWS, schedules):
            yield _said(look, fault, (*path, n))


def _said(look: Look, fault: RuleFault, path: Path) -> Fault:
    keys = (int(key) if key.isdigit() else key for key in fault.path)
    return look.fault(fault.code, *path, *keys, **fault.facts)


def _hours(look: Look) -> Iterator[Fault]:
    for index, schedule in enumerate(look.document.schedules):
        if schedule.id in (DAY, NIGHT):
            yield look.fault("schedule_reserved", "schedules", index, "id", id=schedule.id)
        for n, hours in enumerate(schedule.hours):
            if clock_min(hours.begin) == clock_min(hours.end) or hours.begin == "24:00":
                yield look.fault("hours_empty", "schedules", index, "hours", n, "end", at=hours.end)
