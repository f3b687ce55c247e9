"""The lifecycle's table, walked as a whole: nothing unlisted passes, nothing is a dead end."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.lifecycle import FINAL, TRANSITIONS, AlertKind, IllegalStep, NotAllowed, State, Step, next_state
from monitor.domain.levels import Level
from monitor.domain.roles import Role

_HEALTH_ONLY = {State.ACKNOWLEDGED, State.CLEARED}


def reachable(kind: AlertKind) -> set[State]:
    found, todo = {State.OPEN}, [State.OPEN]
    while todo:
        here = todo.pop()
        for (k, state, _), transition in TRANSITIONS.items():
            if k is kind and state is here and transition.to not in found:
                found.add(transition.to)
                todo.append(transition.to)
    return found


def test_no_state_is_unreachable() -> None:
    """Violations reach all of their states from open, health alerts theirs."""
    assert reachable(AlertKind.VIOLATION) == set(State) - _HEALTH_ONLY
    assert reachable(AlertKind.HEALTH) == {State.OPEN} | _HEALTH_ONLY


def test_only_final_states_have_no_way_out() -> None:
    """From every other state a final one can be reached, and no step leads out of a final one."""
    for kind in AlertKind:
        ways = {
            state: {t.to for (k, s, _), t in TRANSITIONS.items() if (k, s) == (kind, state)}
            for state in State
        }
        ends = set(FINAL)
        while grown := {s for s, to in ways.items() if s not in ends and to & ends}:
            ends |= grown
        assert reachable(kind) <= ends
        assert all(not ways[state] for state in FINAL)


def test_every_step_is_taken_by_somebody() -> None:
    """No step of the vocabulary is without a transition, and no transition without a role."""
    assert {step for _, _, step in TRANSITIONS} == set(Step)
    assert all(transition.roles for transition in TRANSITIONS.values())


@pytest.mark.parametrize(("kind", "state"), list(product(AlertKind, State)))
def test_exactly_the_listed_steps_pass(kind: AlertKind, state: State) -> None:
    """Every pair, every role: a listed pair by a listed role leads where the table says, all else raises."""
    for step, role in product(Step, Role):
        transition = TRANSITIONS.get((kind, state, step))
        arguments = {"role": role, "level": Level.IV, "user": "u", "resolved_by": None}
        if transition is None:
            with pytest.raises(IllegalStep):
                next_state(kind, state, step, **arguments)  # type: ignore[arg-type]
        elif role not in transition.roles:
            with pytest.raises(NotAllowed):
                next_state(kind, state, step, **arguments)  # type: ignore[arg-type]
        else:
            assert next_state(kind, state, step, **arguments) is transition.to  # type: ignore[arg-type]


@given(
    st.sampled_from(Role),
    st.sampled_from([Step.VERIFY, Step.REOPEN]),
    st.text(min_size=1),
    st.sampled_from(Level),
)
def test_nobody_judges_what_they_resolved(role: Role, step: Step, user: str, level: Level) -> None:
    """Whatever the role and level: who resolved neither verifies nor reopens."""
    with pytest.raises(NotAllowed):
        next_state(
            AlertKind.VIOLATION, State.RESOLVED, step, role=role, level=level, user=user, resolved_by=user
        )


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.HOLDER, Role.ADMIN, Role.EDGE])
def test_who_only_looks_takes_no_step(role: Role) -> None:
    """Auditors, holders, administrators and edges are in no transition."""
    assert all(role not in transition.roles for transition in TRANSITIONS.values())


@pytest.mark.parametrize(
    ("level", "operator_may"), [(Level.I, False), (Level.II, False), (Level.III, True), (Level.IV, True)]
)
def test_who_dismisses_which_level(level: Level, operator_may: bool) -> None:
    """Operators dismiss III and IV; I and II take a supervisor."""
    arguments = {"level": level, "user": "u", "resolved_by": None}
    if operator_may:
        next_state(AlertKind.VIOLATION, State.OPEN, Step.DISMISS, role=Role.OPERATOR, **arguments)  # type: ignore[arg-type]
    else:
        with pytest.raises(NotAllowed):
            next_state(AlertKind.VIOLATION, State.OPEN, Step.DISMISS, role=Role.OPERATOR, **arguments)  # type: ignore[arg-type]
    next_state(AlertKind.VIOLATION, State.OPEN, Step.DISMISS, role=Role.SUPERVISOR, **arguments)  # type: ignore[arg-type]
