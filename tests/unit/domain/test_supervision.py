"""Supervision rules by what is on record: fewer checks where it is clean, more where it repeats, red always."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.domain.levels import Level
from monitor.domain.supervision import (
    RULED_LEVELS,
    SiteRecord,
    Supervision,
    SupervisionRule,
    Then,
    months_before,
    ruled,
)

NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)


def rule(**changes: Any) -> SupervisionRule:
    values: dict[str, Any] = {
        "rule_id": "r",
        "name": {"en": "r"},
        "levels": tuple(Level),
        "then": Then.REMOTE,
    }
    return SupervisionRule(**{**values, **changes})


rules = st.lists(
    st.builds(
        SupervisionRule, rule_id=st.sampled_from(["a", "b", "c"]), name=st.just({"en": "r"}),
        levels=st.sets(st.sampled_from(Level), min_size=1).map(tuple), then=st.sampled_from(Then),
        clean_months=st.none() | st.integers(1, 24), repeats=st.none() | st.integers(1, 4),
        within_days=st.integers(1, 400), credited=st.booleans(),
    ),
    max_size=5,
).map(tuple)  # fmt: skip
ago = st.integers(0, 900).map(lambda days: NOW - timedelta(days=days))
records = st.builds(
    SiteRecord, known_since=st.none() | ago, confirmed=st.lists(ago, max_size=6).map(tuple),
    pipeline_id=st.sampled_from(["p1", "p2"]), companies=st.sampled_from([(), ("A",), ("B",)]),
)  # fmt: skip


@given(rules=rules, record=records, level=st.sampled_from(Level))
def test_no_rule_ever_touches_red_or_orange(
    rules: tuple[SupervisionRule, ...], record: SiteRecord, level: Level
) -> None:
    """Whatever is written in the file and whatever is on record: I and II are dispatched as ever."""
    supervision = Supervision(rules=rules, credited_pipelines=("p1",), credited_companies=("A",))
    found = ruled(level, record, supervision, NOW)
    if level not in RULED_LEVELS:
        assert found is None
    if found is not None:
        assert found in rules
        assert level in found.levels
        assert (found.clean_months, found.repeats, found.credited) != (None, None, False)


@given(record=records, months=st.integers(1, 24), level=st.sampled_from(sorted(RULED_LEVELS)))
def test_clean_means_on_record_and_without_a_confirmed_violation(
    record: SiteRecord, months: int, level: Level
) -> None:
    """One confirmed violation within the months, or no records for as long, and the rule does not hold."""
    supervision = Supervision(rules=(rule(clean_months=months),))
    since = months_before(NOW, months)
    clean = record.known_since is not None and record.known_since <= since
    clean = clean and not any(at >= since for at in record.confirmed)
    assert (ruled(level, record, supervision, NOW) is not None) is clean


@given(record=records, more=ago, then=st.sampled_from([Then.REMOTE, Then.BUNDLED]))
def test_another_confirmed_violation_never_makes_checks_fewer(
    record: SiteRecord, more: datetime, then: Then
) -> None:
    """A worse record is never treated more mildly by a rule for clean sites, nor less strictly by one for repeats."""
    worse = SiteRecord(known_since=record.known_since, confirmed=(*record.confirmed, more),
                       pipeline_id=record.pipeline_id, companies=record.companies)  # fmt: skip
    mild = Supervision(rules=(rule(then=then, clean_months=6),))
    strict = Supervision(rules=(rule(then=Then.SOONER, repeats=2),))
    if ruled(Level.III, worse, mild, NOW):
        assert ruled(Level.III, record, mild, NOW)
    if ruled(Level.III, record, strict, NOW):
        assert ruled(Level.III, worse, strict, NOW)


def test_credited_is_the_operator_or_a_company_that_a_permit_names() -> None:
    """Nobody else; and the first rule that fits holds."""
    supervision = Supervision(
        rules=(rule(rule_id="first", credited=True, levels=(Level.III,)), rule(rule_id="second", credited=True)),
        credited_pipelines=("p1",), credited_companies=("A",),
    )  # fmt: skip

    def held(level: Level, **record: Any) -> str | None:
        found = ruled(level, SiteRecord(**record), supervision, NOW)
        return found.rule_id if found else None

    assert held(Level.III, pipeline_id="p1") == "first"
    assert held(Level.IV, pipeline_id="p2", companies=("A",)) == "second"
    assert held(Level.III, pipeline_id="p2", companies=("B",)) is None


@pytest.mark.parametrize(
    ("at", "months", "wanted"),
    [
        (datetime(2026, 3, 31, tzinfo=UTC), 1, "2026-02-28"), (datetime(2028, 3, 31, tzinfo=UTC), 1, "2028-02-29"),
        (datetime(2026, 1, 15, tzinfo=UTC), 1, "2025-12-15"), (datetime(2026, 11, 24, tzinfo=UTC), 23, "2024-12-24"),
    ],
)  # fmt: skip
def test_months_are_those_of_the_calendar(at: datetime, months: int, wanted: str) -> None:
    """Also over the year's end and in February."""
    assert f"{months_before(at, months):%Y-%m-%d}" == wanted
