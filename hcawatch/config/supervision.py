"""The section `supervision` of a document to the domain's values."""

from hcawatch.config.schema import SupervisionSection, text_of
from monitor.domain.levels import Level
from monitor.domain.supervision import Supervision, SupervisionRule, Then


def supervision_of(section: SupervisionSection) -> Supervision:
    """The rules in their order, and who is credited."""
    return Supervision(
        rules=tuple(
            SupervisionRule(
                rule_id=r.id, name=text_of(r.name), levels=tuple(map(Level, r.levels)), then=Then(r.then),
                clean_months=r.clean_months, repeats=r.repeats, within_days=r.within_days, credited=r.credited,
                at_most_days=r.at_most_days,
            )
            for r in section.rules
        ),
        credited_pipelines=tuple(section.credited.pipelines),
        credited_companies=tuple(section.credited.companies),
    )  # fmt: skip
