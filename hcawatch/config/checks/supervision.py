"""Supervision rules: ids used once, conditions that are given and make sense, pipelines that exist."""

from collections.abc import Iterator

from hcawatch.config.checks.look import Look
from hcawatch.config.faults import Fault, some_of
from hcawatch.config.schema import SupervisionRuleSection


def check(look: Look) -> Iterator[Fault]:
    """Faults of the section `supervision`."""
    section = look.document.supervision
    ids = [rule.id for rule in section.rules]
    for index, rule in enumerate(section.rules):
        path = ("supervision", "rules", index)
        if (first := ids.index(rule.id)) < index:
            line = look.line("supervision", "rules", first, "id")
            yield look.fault("duplicate_id", *path, "id", id=rule.id, first=line)
        if look.ok(*path) and (code := _wrong(rule)):
            yield look.fault(code, *path, "then", rule=rule.id)
        if rule.credited and not (section.credited.pipelines or section.credited.companies):
            yield look.fault("supervision_nobody_credited", *path, "credited", rule=rule.id)
    for index, name in enumerate(section.credited.pipelines):
        if name not in look.ids("pipelines") and look.ok("pipelines"):
            known = some_of(look.ids("pipelines"))
            yield look.fault(
                "unknown_pipeline", "supervision", "credited", "pipelines", index, name=name, known=known
            )


def _wrong(rule: SupervisionRuleSection) -> str | None:
    """A rule without a condition holds everywhere; one that spares repeaters, or hurries to the clean, is upside down."""
    if rule.clean_months is None and rule.repeats is None and not rule.credited:
        return "supervision_no_condition"
    if rule.then == "sooner" and (rule.repeats is None or rule.clean_months is not None):
        return "supervision_sooner_for_repeats"
    if rule.then != "sooner" and (rule.clean_months is None or rule.repeats is not None):
        return "supervision_fewer_for_clean"
    return None
