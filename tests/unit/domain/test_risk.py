"""A wrong level leaves a digger alone or sends an officer for nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.domain.levels import HcaGrade, Level
from monitor.domain.risk import Facts, grade
from monitor.domain.violations import CATALOGUE


def _facts(**changes: object) -> Facts:
    usual: dict[str, object] = {
        "violation": "excavation_5m", "hca_grade": HcaGrade.III, "activity": "working",
        "dwell_s": 5.0, "within_band": 0.97,
    }  # fmt: skip
    return Facts(**{**usual, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "level"),
    [
        ({}, Level.I),
        ({"activity": "stopped"}, Level.II),
        ({"hca_grade": HcaGrade.I, "activity": "stopped"}, Level.II),
        ({"violation": "works_50m"}, Level.II),
        ({"violation": "engineering_200m", "activity": "stopped", "hca_grade": HcaGrade.I}, Level.III),
        (
            {"violation": "on_pipe", "within_band": None, "activity": "passing", "hca_grade": HcaGrade.I},
            Level.IV,
        ),
        ({"within_band": 0.5}, Level.II),
        ({"within_band": 0.5, "may_lie_within": True}, Level.I),
    ],
)
def test_cases_from_the_control_room(changes: dict[str, object], level: Level) -> None:
    """Hand-worked: a digger at work within 5 m in the worst HCA is red, one that only stands is orange …"""
    assert grade(_facts(**changes)).level is level


@given(
    violation=st.sampled_from(sorted(CATALOGUE)), hca=st.sampled_from(list(HcaGrade)),
    activity=st.sampled_from(["passing", "stopped", "working"]), dwell_s=st.floats(0, 1e5),
    within=st.none() | st.floats(0, 1), night=st.booleans(), repeats=st.integers(0, 9),
    permit=st.none() | st.just("P-1"),
)  # fmt: skip
def test_reasons_add_up_and_worse_facts_never_lower(
    violation: str, hca: HcaGrade, activity: str, dwell_s: float, within: float | None, night: bool,
    repeats: int, permit: str | None,
) -> None:  # fmt: skip
    """The points shown are the points counted; night, repeats, a worse HCA and work only raise."""
    facts = _facts(violation=violation, hca_grade=hca, activity=activity, dwell_s=dwell_s, within_band=within,
                   night=night, repeats=repeats, permit=permit)  # fmt: skip
    risk = grade(facts)
    assert sum(reason.points for reason in risk.reasons) == risk.points
    worse = grade(_facts(violation=violation, hca_grade=HcaGrade.III, activity="working", dwell_s=dwell_s + 60,
                         within_band=None if within is None else 1.0, night=True, repeats=repeats + 1,
                         permit=permit))  # fmt: skip
    assert worse.level.rank <= risk.level.rank


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_a_permit_lowers_only_where_the_law_knows_one(code: str) -> None:
    """Art 30 knows no permit: it is named and lowers nothing."""
    without, with_ = grade(_facts(violation=code)), grade(_facts(violation=code, permit="P-1"))
    assert (with_.points < without.points) == (CATALOGUE[code].permit == "approval")
    assert any("P-1" in reason.detail for reason in with_.reasons)


@pytest.mark.parametrize("hca_grade", list(HcaGrade))
@pytest.mark.parametrize("activity", ["passing", "stopped", "working"])
def test_what_nobody_recognised_never_rings_a_phone(hca_grade: HcaGrade, activity: str) -> None:
    """An unexplained change stays level IV with every reason that can be added; only a person sends somebody."""
    worst = _facts(
        violation="unexplained_change",
        hca_grade=hca_grade,
        activity=activity,
        dwell_s=1e6,
        night=True,
        repeats=9,
    )
    assert grade(worst).level is Level.IV
