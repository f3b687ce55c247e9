"""From one detector to another: used when it is here and looks, given up when it does not, never a gap between."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from edge.model_swap import MOST_DEATHS, PATIENCE_S, Facts, Swap, next_step

NEW, OLD = "b" * 64, "a" * 64


def facts(**changes: Any) -> Facts:
    values: dict[str, Any] = {
        "wanted": NEW,
        "ready": NEW,
        "serves_as_wanted": False,
        "deaths": 0,
        "now_s": 0.0,
    }
    return Facts(**{**values, **changes})


def test_it_is_used_when_it_is_here_and_looks() -> None:
    """Not before: a set that is still on its way changes nothing."""
    swap = Swap(in_use=OLD)
    assert next_step(swap, facts(ready=None)) == (swap, "nothing")
    coming, step = next_step(swap, facts())
    assert (step, coming.in_use, coming.coming) == ("begin", OLD, NEW)
    assert next_step(coming, facts(now_s=5.0)) == (coming, "nothing")
    done, step = next_step(coming, facts(serves_as_wanted=True))
    assert (step, done.in_use, done.is_coming) == ("finish", NEW, False)


def test_one_that_does_not_begin_to_look_is_given_up_until_another_is_wanted() -> None:
    """The one before goes on, and it is not tried for ever."""
    coming, _ = next_step(Swap(in_use=OLD), facts())
    for trouble in (facts(deaths=MOST_DEATHS), facts(now_s=PATIENCE_S + 1)):
        given_up, step = next_step(coming, trouble)
        assert (step, given_up.in_use, given_up.given_up) == ("give_up", OLD, NEW)
        assert given_up.trouble
        assert next_step(given_up, facts()) == (given_up, "nothing")
        back, step = next_step(given_up, facts(wanted=OLD))
        assert (step, back.trouble, back.given_up) == ("nothing", "", None)
        assert next_step(back, facts())[1] == "begin"


def test_the_edges_own_needs_no_line() -> None:
    """Rolled back to what was shipped: it is there."""
    assert next_step(Swap(in_use=NEW), facts(wanted=None, ready=NEW))[1] == "begin"


names = st.sampled_from([None, OLD, NEW])


@given(st.lists(st.tuples(names, names, st.booleans(), st.integers(0, 3), st.floats(0, 500)), max_size=30))
def test_whatever_happens_only_what_was_ready_and_looks_is_used(story: list[Any]) -> None:
    """And never anything else than the one before meanwhile."""
    swap, ready_ever, now_s = Swap(in_use=OLD), {OLD, None}, 0.0
    for wanted, ready, serves, deaths, wait_s in story:
        now_s += wait_s
        ready_ever.add(ready)
        before = swap.in_use
        swap, step = next_step(
            swap, Facts(wanted=wanted, ready=ready, serves_as_wanted=serves, deaths=deaths, now_s=now_s)
        )
        assert swap.in_use == before or (step == "finish" and serves)
        assert swap.in_use in ready_ever
