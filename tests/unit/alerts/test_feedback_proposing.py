"""Thresholds: one bounded step, never at the price of a confirmed alert, and back when the reason is gone."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.feedback.causes import FalseCause, Verdict
from alerts.feedback.judged import Judged
from alerts.feedback.proposing import BOUNDS, NUMBERS, Named, Row, Silence, Step, Why, propose, still_safe
from alerts.feedback.replaying import Case, Comes, Look, surely_comes
from alerts.feedback.taking_back import Since, Standing, newest_first, on_standing
from monitor.domain.rulebook import ClassNumbers, RuleNumbers, RuleSetting, most, setting_faults
from monitor.domain.violations import RULES
from tests.doubles.alert_story import NOON

ROWS = {rule.rule_id: rule for rule in RULES}
NOW = NOON + timedelta(days=1)


def looks(
    *scores: float, rule_id: str = "dig-5m", lasts_s: float = 60.0, first_dwell_s: float = 4.0, **changes: Any
) -> tuple[Look, ...]:
    """An onset, updates every 10 s, and the end that comes gone_s after it was last seen."""
    values: dict[str, Any] = {"episode_id": "e", "camera_id": "c1", "rule_id": rule_id, "object_class": "excavator",
                              "activity": "working", **changes}  # fmt: skip
    found = [
        Look(phase="onset" if n == 0 else "update", reason="onset" if n == 0 else "heartbeat", at=NOON + timedelta(seconds=10 * n),
             confidence=score, dwell_s=first_dwell_s + 10 * n, **values)
        for n, score in enumerate(scores)
    ]  # fmt: skip
    gone_s = ROWS[rule_id].gone_s
    end = Look(phase="end", reason="gone", at=NOON + timedelta(seconds=lasts_s + gone_s), confidence=scores[-1],
               dwell_s=first_dwell_s + lasts_s + gone_s, **values)  # fmt: skip
    return (*found, end)


def case(
    n: int, verdict: Verdict, seen: Sequence[Look], cause: FalseCause | None = None, **changes: Any
) -> Case:
    judged = Judged(alert_id=f"a{n}", number=n, camera_id="c1", rule_id=seen[0].rule_id, site_id="s1",
                    object_class="excavator", level="I", onset_at=NOON, verdict=verdict, cause=cause, **changes)  # fmt: skip
    return Case(judged=judged, looks=tuple(seen))


def false(n: int, seen: Sequence[Look], cause: FalseCause = FalseCause.SHADOW_LIGHT) -> Case:
    return case(n, Verdict.FALSE, seen, cause)


def row(rule_id: str = "dig-5m", setting: RuleSetting | None = None) -> Row:
    return Row(
        camera_id="c1",
        shipped=ROWS[rule_id],
        setting=setting,
        others=tuple(r for r in RULES if r.rule_id != rule_id),
    )


def said(*cases: Case, of: Row | None = None, **more: Any) -> Step | Silence:
    return propose(of or row(), cases, decided_at=more.get("decided_at"), now=NOW)


SHORT = 10.0  # seconds: too short for the rows that also cover the place
WEAK = [false(n, looks(score, lasts_s=SHORT)) for n, score in enumerate((0.51, 0.52, 0.53), 1)]


def test_a_small_step_keeps_weak_false_alarms_away() -> None:
    """The smallest number that keeps all three away, with what it would have done."""
    step = said(*WEAK, case(9, Verdict.RIGHT, looks(0.8)))
    assert isinstance(step, Step)
    assert (step.number, step.from_value, step.to_value) == ("enter_score", 0.5, 0.54)
    assert [one.number for one in step.avoided] == [1, 2, 3]
    assert [(one.number, one.later_s) for one in step.kept] == [
        (9, 4.0)
    ]  # at most: its dwell began anew at its onset
    assert step.causes == (("shadow_light", 3),)


def test_no_step_that_would_have_missed_a_confirmed_alert() -> None:
    """However many false alarms it kept away; the page names the alert for whose sake there is none."""
    missed = said(*WEAK, case(9, Verdict.RIGHT, looks(0.505)))
    assert isinstance(missed, Silence)
    assert (missed.why, [one.number for one in missed.alerts]) == (Why.WOULD_MISS, [9])
    lawful = said(*WEAK, case(9, Verdict.LAWFUL, looks(0.505)))
    assert lawful.why is Why.WOULD_MISS if isinstance(lawful, Silence) else False
    some = said(*WEAK, case(9, Verdict.RIGHT, looks(0.53)))
    assert isinstance(some, Step)
    assert (some.to_value, [one.number for one in some.avoided], [one.number for one in some.left]) == (
        0.53,
        [1, 2],
        [3],
    )


def test_what_nobody_has_judged_is_judged_first() -> None:
    """An alert that runs may turn out to be one; a duplicate says nothing."""
    waits = said(*WEAK, case(9, Verdict.UNJUDGED, looks(0.505), may_be_right=True))
    assert isinstance(waits, Silence)
    assert (waits.why, [one.number for one in waits.alerts]) == (Why.JUDGE_FIRST, [9])
    assert isinstance(said(*WEAK, case(9, Verdict.UNJUDGED, looks(0.505))), Step)


def test_a_confirmed_alert_counts_only_if_an_event_proves_it() -> None:
    """Its score rose later and stayed: it comes later, by so much. It rose in the last moment: nobody knows."""
    rule = ROWS["dig-5m"]
    higher = msgspec.structs.replace(rule, enter_score=0.6)
    rises = case(1, Verdict.RIGHT, looks(0.55, 0.58, 0.7, lasts_s=60))
    comes = surely_comes(rises, higher, rule)
    assert comes is not None
    assert comes.later_s == 24.0  # seen from 20 s on, and the row's 4 s of dwell
    late = case(1, Verdict.RIGHT, looks(0.55, 0.58, 0.7, lasts_s=22))
    assert surely_comes(late, higher, rule) is None
    stopped = case(1, Verdict.RIGHT, looks(0.9, activity="stopped"))
    assert surely_comes(stopped, higher, rule) is None


def test_the_dwell_before_the_onset_proves_nothing_of_a_higher_score() -> None:
    """It scored 0.51 until its onset and 0.55 for a second: at 0.54 the edge tells nothing, so a confirmed one is missed."""
    rule = ROWS["dig-5m"]
    higher = msgspec.structs.replace(rule, enter_score=0.54)
    a_second = case(1, Verdict.RIGHT, looks(0.55, lasts_s=1))
    assert surely_comes(a_second, rule, rule) == Comes()
    assert surely_comes(a_second, higher, rule) is None
    assert surely_comes(a_second, higher, higher) == Comes()  # it opened by that number
    assert surely_comes(case(1, Verdict.RIGHT, looks(0.55, lasts_s=4)), higher, rule) == Comes(later_s=4.0)
    fell = looks(0.55, 0.51, lasts_s=14)  # by the next event it was below: how long it held nobody knows
    assert surely_comes(case(1, Verdict.RIGHT, fell), higher, rule) is None
    missed = said(*WEAK, case(9, Verdict.RIGHT, looks(0.55, lasts_s=1)))
    assert isinstance(missed, Silence)
    assert (missed.why, [one.number for one in missed.alerts]) == (Why.WOULD_MISS, [9])


def test_false_alarms_of_a_detector_that_is_gone_raise_nothing() -> None:
    """The new one never told them; what the old one told and was so still stops a step."""
    old = [
        false(n, looks(score, lasts_s=SHORT, model="old")) for n, score in enumerate((0.51, 0.52, 0.53), 1)
    ]
    mine = [
        false(n, looks(score, lasts_s=SHORT, model="new")) for n, score in enumerate((0.51, 0.52, 0.53), 4)
    ]
    assert propose(row(), old, decided_at=None, now=NOW, model="new").why is Why.TOO_FEW  # type: ignore[union-attr]
    step = propose(row(), [*old, *mine], decided_at=None, now=NOW, model="new")
    assert isinstance(step, Step)
    assert ([one.number for one in step.avoided], step.left, step.causes) == (
        [4, 5, 6],
        (),
        (("shadow_light", 3),),
    )
    right = case(9, Verdict.RIGHT, looks(0.505, model="old"))
    assert propose(row(), [*mine, right], decided_at=None, now=NOW, model="new").why is Why.WOULD_MISS  # type: ignore[union-attr]


def test_dwell_helps_against_what_passes() -> None:
    """A vehicle that stays a moment: the row waits a little longer, and the confirmed one comes that much later."""
    passing = [false(n, looks(0.9, lasts_s=0.5), FalseCause.PASSING_VEHICLE) for n in (1, 2, 3)]
    step = said(*passing, case(9, Verdict.RIGHT, looks(0.9, lasts_s=100)))
    assert isinstance(step, Step)
    assert (step.number, step.from_value, step.to_value) == ("dwell_s", 4.0, 4.6)
    assert step.kept[0].later_s == pytest.approx(0.6)


def test_what_another_row_or_camera_tells_is_not_kept_away() -> None:
    """A machine that stays for half a minute is told by the row for stopped machines all the same."""
    stays = [false(n, looks(0.52, lasts_s=60)) for n in (1, 2, 3)]
    assert said(*stays).why is Why.NONE_AVOIDED  # type: ignore[union-attr]
    elsewhere = [
        false(n, (*looks(0.52, lasts_s=SHORT), *looks(0.9, lasts_s=SHORT, camera_id="c2", episode_id="f")))
        for n in (1, 2, 3)
    ]
    assert said(*elsewhere).why is Why.NONE_AVOIDED  # type: ignore[union-attr]


def dwells(**own: float) -> Row:
    """A row with dwells of single classes, by hand."""
    by_class = tuple(
        ClassNumbers(object_class=name, numbers=RuleNumbers(dwell_s=value)) for name, value in own.items()
    )
    return row(setting=RuleSetting(rule_id="dig-5m", reason="r", by_class=by_class))


def test_a_confirmed_alert_is_proven_by_the_numbers_of_its_own_class() -> None:
    """A supervisor approves what "would have come all the same": not by the shorter dwell of another class."""
    loader = case(9, Verdict.RIGHT, looks(0.8, object_class="loader", lasts_s=10))
    digger = case(9, Verdict.RIGHT, looks(0.8, lasts_s=2))
    longer, shorter = dwells(loader=20.0), dwells(loader=1.0)
    for of, one in ((longer, loader), (shorter, digger)):
        missed = said(*WEAK, one, of=of)
        assert isinstance(missed, Silence)
        assert (missed.why, [named.number for named in missed.alerts]) == (Why.WOULD_MISS, [9])
        assert not still_safe(of, "enter_score", 0.54, [one])
    stays = case(9, Verdict.RIGHT, looks(0.8, 0.8, object_class="loader", lasts_s=25))
    kept = said(*WEAK, stays, of=longer)
    assert isinstance(kept, Step)
    assert [(one.number, one.later_s) for one in kept.kept] == [(9, 20.0)]
    both = case(
        9, Verdict.RIGHT, (*looks(0.8), *looks(0.8, object_class="loader", episode_id="f", lasts_s=10))
    )
    assert isinstance(said(*WEAK, both, of=longer), Step), "one of its episodes is proven"


@pytest.mark.parametrize(
    ("cases", "of", "why"),
    [
        (WEAK[:2], row(), Why.TOO_FEW),
        ([false(n, looks(0.52, lasts_s=SHORT), FalseCause.WRONG_PLACE) for n in (1, 2, 3)], row(), Why.NO_NUMBER_HELPS),
        ([false(n, looks(0.95, lasts_s=SHORT)) for n in (1, 2, 3)], row(), Why.NONE_AVOIDED),
        (WEAK, row(setting=RuleSetting(rule_id="dig-5m", reason="r", numbers=RuleNumbers(enter_score=0.65))), Why.AT_CEILING),
        (WEAK, row(setting=RuleSetting(rule_id="dig-5m", reason="r", night=RuleNumbers(enter_score=0.6))), Why.OWN_NIGHT),
        ([false(n, looks(0.52, rule_id="works-50m", first_dwell_s=20, lasts_s=2)) for n in (1, 2, 3)],
         row("works-50m", RuleSetting(rule_id="works-50m", reason="r", on=False)), Why.NOT_ON),
    ],
)  # fmt: skip
def test_why_nothing_is_proposed(cases: list[Case], of: Row, why: Why) -> None:
    """Each reason has its name, so that the page can say it."""
    found = said(*cases, of=of)
    assert isinstance(found, Silence)
    assert found.why is why


def test_after_a_decision_new_false_alarms_must_come_first() -> None:
    """What a supervisor refused is not proposed again the next day."""
    assert said(*WEAK, decided_at=NOON + timedelta(hours=1)).why is Why.TOO_FEW  # type: ignore[union-attr]
    assert isinstance(said(*WEAK, decided_at=NOON - timedelta(hours=1)), Step)


scores = st.floats(0.3, 1.0)
kinds = st.sampled_from([*Verdict])
causes = st.sampled_from([*FalseCause])
some_cases = st.lists(
    st.tuples(kinds, causes, st.lists(scores, min_size=1, max_size=4), st.floats(0.0, 90.0)), max_size=12
)
settings_of = st.one_of(st.none(), st.tuples(st.floats(0.5, 0.75), st.floats(4.0, 30.0)))


@given(some_cases, settings_of)
def test_whatever_happened_a_step_is_bounded_lawful_and_misses_nobody(drawn: Any, given_numbers: Any) -> None:
    """One step, all steps together, the rulebook's own ceiling; and no confirmed alert of the replay is lost."""
    numbers = (
        RuleNumbers()
        if given_numbers is None
        else RuleNumbers(enter_score=given_numbers[0], dwell_s=given_numbers[1])
    )
    of = row(setting=RuleSetting(rule_id="dig-5m", reason="r", numbers=numbers))
    cases = [case(n, verdict, looks(*found, lasts_s=lasts_s), cause if verdict is Verdict.FALSE else None)
             for n, (verdict, cause, found, lasts_s) in enumerate(drawn)]  # fmt: skip
    step = said(*cases, of=of)
    if isinstance(step, Silence):
        return
    shipped, bound = getattr(ROWS["dig-5m"], step.number), BOUNDS[step.number]
    unit = shipped if bound.relative else 1.0
    assert 0 < step.to_value - step.from_value <= bound.step * unit + 1e-6
    assert step.to_value <= min(shipped + bound.over * unit, most(ROWS["dig-5m"], step.number)) + 1e-6
    right = {c.judged.alert_id for c in cases if c.judged.verdict in (Verdict.RIGHT, Verdict.LAWFUL)}
    assert {one.alert_id for one in step.kept} == right
    assert still_safe(of, step.number, step.to_value, cases)
    after = RuleSetting(
        rule_id="dig-5m", reason="r", numbers=msgspec.structs.replace(numbers, **{step.number: step.to_value})
    )
    assert list(setting_faults(after, ROWS, {})) == []


def test_no_chain_of_steps_goes_over_the_rulebooks_ceiling() -> None:
    """Approved again and again: every row stays within what no number may silence."""
    for rule in RULES:
        for number in NUMBERS:
            assert row(rule.rule_id).ceiling(number) <= most(rule, number)


STANDING = Standing(proposal_id=4, camera_id="c1", rule_id="dig-5m", number="enter_score", from_value=0.5, to_value=0.55,
                    decided_at=NOON, models=("m1",))  # fmt: skip


def test_a_report_of_what_the_camera_did_not_tell_proposes_the_step_back() -> None:
    """So does another model; nothing does if somebody has set another number meanwhile."""
    missed = (Named(alert_id="r", number=7),)
    back = on_standing(STANDING, Since(in_force=0.55, missed=missed, model="m1"))
    assert back is not None
    assert (back.why, back.alerts) == (Why.MISSED_BY_REPORT, missed)
    other = on_standing(STANDING, Since(in_force=0.55, model="m2"))
    assert other is not None
    assert other.why is Why.ANOTHER_MODEL
    for since in (
        Since(in_force=0.55, model="m1"),
        Since(in_force=0.6, missed=missed),
        Since(in_force=None, missed=missed),
        Since(in_force=0.55),
    ):
        assert on_standing(STANDING, since) is None


def test_of_two_steps_only_the_newest_is_taken_back() -> None:
    """The older one's number is not in force any more."""
    later = Standing(proposal_id=9, camera_id="c1", rule_id="dig-5m", number="enter_score", from_value=0.55, to_value=0.6,
                     decided_at=NOON + timedelta(days=9))  # fmt: skip
    assert newest_first([later, STANDING]) == (later,)
