"""Which rows an object matches, on both sides of each threshold."""

from __future__ import annotations

from statistics import NormalDist

import msgspec
import pytest

from edge.rules import Sighting, matches
from models.footprint import FOOTPRINTS
from monitor.domain.violations import RULES, graded_as
from tests.doubles.edge_things import Pinhole, setup

CORE = setup(Pinhole().camera())
REACH_M = FOOTPRINTS["excavator"].half_depth_m


def excavator(offset_m: float, **changes: object) -> Sighting:
    made = Sighting(
        track_id=1, object_class="excavator", score=0.9, xyxy=(1, 2, 3, 4), frame_size_px=(1280, 720),
        activity="working", ground_m=(0.0, 0.0), lonlat=(121.5, 31.2), accuracy_m=1.5, chainage_m=500.0,
        offset_m=offset_m, sigma_across_m=1.0,
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def keys(sighting: Sighting) -> set[str]:
    return {
        m.key for m in matches(sighting, CORE.camera, CORE.place, RULES) if m.rule_id == "dig-5m" and m.active
    }


def at_probability(p: float) -> float:
    """The offset at which the near footprint edge lies within 5 m with probability p, for a sigma of 1 m."""
    return 5.0 + REACH_M + NormalDist().inv_cdf(1.0 - p)


@pytest.mark.parametrize(
    ("p", "expected"),
    [(0.81, {"dig-5m", "dig-5m/may"}), (0.79, {"dig-5m/may"}), (0.21, {"dig-5m/may"}), (0.19, set())],
)
@pytest.mark.parametrize("side", [1.0, -1.0])
def test_the_band_is_a_probability(p: float, expected: set[str], side: float) -> None:
    """From 0.8 that article, from 0.2 'may lie within', below it nothing; on both sides of the line."""
    assert keys(excavator(side * at_probability(p))) == expected


def test_may_lie_within_names_the_outer_article_and_grades_as_the_inner() -> None:
    """As the domain's own function has it, for every band; beyond the widest band its own article stays."""
    for band_m, rule_id, outer in ((5.0, "dig-5m", "works_50m"), (50.0, "works-50m", "engineering_200m"),
                                   (200.0, "works-200m", "engineering_200m")):  # fmt: skip
        found = matches(excavator(band_m + REACH_M), CORE.camera, CORE.place, RULES)
        (match,) = (m for m in found if m.rule_id == rule_id and m.may_lie_within)
        assert match.violation == outer
        assert match.graded_as == graded_as(match.violation, match.rule_id, may_lie_within=True)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"score": 0.51}, True),
        ({"score": 0.49}, False),  # enter
        ({"activity": "passing"}, False),
        ({"object_class": "car"}, False),
        ({"offset_m": None}, False),
    ],
)
def test_who_doing_what_and_how_sure(changes: dict[str, object], expected: bool) -> None:
    """Class, activity, score and a place are all needed."""
    assert bool(keys(msgspec.structs.replace(excavator(0.0), **changes))) is expected


def test_a_lower_score_keeps_an_episode_alive_but_opens_none() -> None:
    """Between the row's two scores the object is in its place, not active; below the lower it is not there."""

    def dig(score: float) -> list[bool]:
        found = matches(excavator(0.0, score=score), CORE.camera, CORE.place, RULES)
        return [m.active for m in found if m.key == "dig-5m"]

    assert dig(0.45) == [False]
    assert dig(0.29) == []
