"""The sections `rules` and `schedules` of a document to the rulebook's values."""

from hcawatch.config.schema import Document, NumbersSection, RuleSection, text_of
from monitor.domain.hours import Hours, Schedule, clock_min
from monitor.domain.rulebook import NUMBERS, ClassNumbers, RuleNumbers, RuleSetting


def schedules_of(document: Document) -> tuple[Schedule, ...]:
    """The named hours; those that the checks found faulty (an end that is the beginning) are left out."""
    return tuple(
        Schedule(
            schedule_id=s.id, name=text_of(s.name),
            hours=tuple(
                Hours(days=tuple(h.days), from_min=clock_min(h.begin), to_min=clock_min(h.end)) for h in s.hours
                if clock_min(h.begin) != clock_min(h.end) and h.begin != "24:00"
            ),
        )
        for s in document.schedules
    )  # fmt: skip


def rules_of(sections: list[RuleSection]) -> tuple[RuleSetting, ...]:
    """What a camera or an edge sets of rules."""
    return tuple(
        RuleSetting(
            rule_id=r.rule, reason=r.reason, on=r.on, numbers=_numbers(r), night=_numbers(r.night),
            within=r.within, outside=r.outside,
            by_class=tuple(
                ClassNumbers(object_class=c.object_class, numbers=_numbers(c), night=_numbers(c.night)) for c in r.by_class or ()
            ),
        )
        for r in sections
    )  # fmt: skip


def _numbers(section: NumbersSection) -> RuleNumbers:
    return RuleNumbers(**{name: getattr(section, name) for name in NUMBERS})
