"""Which running visits a look goes through: each comes to its turn, and no look has all of a storm's."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from alerts.visiting.planning import MOST_VISITS, SHARE, Planning
from tests.doubles.alert_story import CITY


@given(count=st.integers(0, MOST_VISITS))
def test_each_visit_comes_to_its_turn(count: int) -> None:
    """An officer on the way takes along what waits at the site, however many others are on theirs."""
    planning, visits = Planning(CITY), [{"dispatch_id": str(n)} for n in range(count)]
    seen: list[str] = []
    for _ in range(-(-count // SHARE)):
        share = planning._share(visits)
        assert len(share) <= SHARE
        seen += [visit["dispatch_id"] for visit in share]
    assert seen == [visit["dispatch_id"] for visit in visits]
    assert list(planning._share(visits)) == visits[:SHARE]  # and from the newest on again


def test_a_look_with_fewer_visits_than_before_begins_anew() -> None:
    """The storm is over: what is left is not past the end of what the last look saw."""
    planning = Planning(CITY)
    for _ in range(4):
        planning._share([{"dispatch_id": str(n)} for n in range(300)])
    assert len(planning._share([{"dispatch_id": "a"}])) == 1
