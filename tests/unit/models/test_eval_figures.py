"""Figures of a detector: the reference implementation's numbers, cases worked by hand, and properties."""

from __future__ import annotations

import inspect
import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.eval import bootstrap, calibration, precision
from models.eval.bootstrap import Placed
from models.eval.confusion import NOTHING, confusion
from models.eval.matching import ANY_AREA_PX2, AREAS_PX2, Pool, match, pool
from models.eval.summary import ENTER_SCORE, SIX, STAY_SCORE, as_table, figures
from models.eval.values import Seen
from models.eval.worst import worst
from monitor.domain.violations import Rule

#: Average precision at IoU .50 to .95 of `_reference_pictures`, computed by pycocotools 2.0.11 (numpy 2.4.6):
#: one category, 40 pictures, 96 labelled and 215 found boxes with many equal scores.
PYCOCOTOOLS = {
    "all": (0.346330187, 0.301957172, 0.272852867, 0.198389932, 0.136937063, 0.066394875, 0.024517212, 0.002089656, 0.00045348, 0.0),
    "small": (0.051705171, 0.01760176, 0.016265912, 0.016265912, 0.00990099, 0.00990099, 0.0, 0.0, 0.0, 0.0),
    "medium": (0.396636049, 0.354288441, 0.312511251, 0.212448684, 0.137531213, 0.05115362, 0.016025132, 0.002305888, 0.000576757, 0.0),
    "large": (0.584158416, 0.584158416, 0.584158416, 0.584158416, 0.584158416, 0.584158416, 0.351909477, 0.005211047, 0.0, 0.0),
}  # fmt: skip

Boxes = NDArray[np.float64]


def _boxes(*rows: tuple[float, float, float, float]) -> Boxes:
    return np.array(rows, dtype=np.float64).reshape(-1, 4)


def _reference_pictures() -> list[tuple[Boxes, Boxes, Boxes]]:
    """Labelled boxes, found boxes and scores of 40 pictures; whole numbers, so that every overlap is an exact ratio."""
    rng = np.random.default_rng(7)

    def drawn(count: int) -> NDArray[np.int64]:
        corner, size = rng.integers(0, 200, (count, 2)), rng.integers(8, 120, (count, 2))
        return np.concatenate([corner, corner + size], axis=1)

    pictures = []
    for _ in range(40):
        truth = drawn(int(rng.integers(0, 6)))
        found = np.concatenate([truth + rng.integers(-10, 11, truth.shape), drawn(int(rng.integers(0, 8)))])
        found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 1)
        pictures.append((truth.astype(float), found.astype(float), rng.integers(1, 101, len(found)) / 100))
    return pictures


def _seen(
    truth: dict[str, Boxes] | None = None,
    found: list[tuple[str, float, tuple[float, float, float, float]]] | None = None,
    exhaustive: tuple[str, ...] = ("excavator", "person"),
    name: str = "a.jpg",
    source: str = "",
) -> Seen:
    truth, found = truth or {}, found or []
    return Seen(
        path=Path(name),
        truth_xyxy=np.concatenate([_boxes(), *truth.values()]),
        truth_classes=tuple(key for key, boxes in truth.items() for _ in boxes),
        found_xyxy=_boxes(*(box for _, _, box in found)),
        scores=np.array([score for _, score, _ in found], dtype=np.float64),
        found_classes=tuple(key for key, _, _ in found),
        exhaustive=frozenset(exhaustive),
        source=source,
    )


def _pooled(hits: str, truths: int, scores: list[float] | None = None) -> Pool:
    """Found boxes best first, "+" a hit and "-" none, in one picture."""
    hit = np.array([[c == "+" for c in hits]], dtype=np.bool_)
    given_scores = scores or [1 - k / 100 for k in range(len(hits))]
    return Pool(
        scores=np.array(given_scores), picture=np.zeros(len(hits), np.int64), hit=hit,
        ignored=np.zeros_like(hit), truths=np.array([truths]),
    )  # fmt: skip


@pytest.mark.parametrize("area", ["all", *AREAS_PX2])
def test_average_precision_is_the_reference_implementations(area: str) -> None:
    """At all ten overlaps and all of COCO's sizes the figures are pycocotools' to nine digits."""
    limits = ANY_AREA_PX2 if area == "all" else AREAS_PX2[area]
    pooled = pool([match(t, f, s, area_px2=limits) for t, f, s in _reference_pictures()])
    got = [precision.average_precision(pooled, at) for at in range(10)]
    assert got == pytest.approx(PYCOCOTOOLS[area], abs=1e-9)
    assert precision.mean_average_precision(pooled) == pytest.approx(np.mean(PYCOCOTOOLS[area]), abs=1e-9)


def test_average_precision_as_worked_by_hand() -> None:
    """Hit, false, hit of two: precision 1 up to recall 0.5 (51 of the 101 recalls), then 2/3 (the other 50)."""
    assert precision.average_precision(_pooled("+-+", 2)) == pytest.approx((51 + 50 * 2 / 3) / 101)


@pytest.mark.parametrize(("hits", "truths", "expected"), [("", 3, 0.0), ("---", 3, 0.0), ("+++", 3, 1.0)])
def test_average_precision_at_its_ends(hits: str, truths: int, expected: float) -> None:
    """Nothing found is 0, everything found and nothing else is 1."""
    assert precision.average_precision(_pooled(hits, truths)) == pytest.approx(expected)


def test_a_class_without_labels_has_no_figure() -> None:
    """With nothing to find there is no precision to speak of: NaN, not 0 and not 1."""
    pooled = _pooled("--", 0)
    assert math.isnan(precision.average_precision(pooled))
    assert math.isnan(precision.recall_at_precision(pooled, 0.9))
    assert math.isnan(precision.at_threshold(pooled, 0.5)[1])
    placed = Placed(pooled=pooled, places=np.arange(len(pooled.truths)))
    assert math.isnan(bootstrap.interval(bootstrap.average_precisions(placed, bootstrap.draw(1)))[0])


def test_a_labelled_box_is_found_once() -> None:
    """The second box on the same machine is a false alarm, even if it fits better."""
    truth = _boxes((0, 0, 10, 10))
    matched = match(truth, _boxes((0, 0, 10, 10), (0, 0, 10, 9)), np.array([0.5, 0.9]), ious=(0.5,))
    assert matched.scores.tolist() == [0.9, 0.5]
    assert matched.hit.tolist() == [[True, False]]


def test_the_overlap_that_just_suffices_is_a_hit() -> None:
    """Half of the union is a hit at 0.5, and a little less is none."""
    truth = _boxes((0, 0, 10, 10))
    assert match(truth, _boxes((0, 0, 10, 5)), np.array([1.0]), ious=(0.5,)).hit.all()
    assert not match(truth, _boxes((0, 0, 10, 4.999)), np.array([1.0]), ious=(0.5,)).hit.any()


def test_recall_at_precision_is_a_threshold_that_exists() -> None:
    """Nine hits, one false, one hit: all ten of ten at 10/11; equal scores can't be told apart."""
    assert precision.recall_at_precision(_pooled("+++++++++-+", 10), 0.9) == pytest.approx(1.0)
    assert precision.recall_at_precision(_pooled("+-", 1), 0.9) == pytest.approx(1.0)
    assert precision.recall_at_precision(_pooled("+-", 1, scores=[0.5, 0.5]), 0.9) == 0.0
    assert precision.recall_at_precision(_pooled("-++", 2), 0.9) == 0.0


def test_precision_and_recall_at_a_threshold() -> None:
    """The threshold itself belongs to what counts."""
    pooled = _pooled("+-+", 4, scores=[0.9, 0.5, 0.4])
    assert precision.at_threshold(pooled, 0.5) == (0.5, 0.25)
    assert precision.at_threshold(pooled, 0.51) == (1.0, 0.25)
    right, found = precision.at_threshold(pooled, 0.95)
    assert math.isnan(right)
    assert found == 0.0


def test_the_interval_holds_the_figure_and_is_the_same_each_time() -> None:
    """The bootstrap is seeded, and wider than nothing where pictures differ."""
    pooled = pool([match(t, f, s) for t, f, s in _reference_pictures()])
    placed = Placed(pooled=pooled, places=np.arange(40))
    low, high = bootstrap.interval(bootstrap.average_precisions(placed, bootstrap.draw(40, 200)))
    assert low < precision.average_precision(pooled) < high
    again = bootstrap.interval(bootstrap.average_precisions(placed, bootstrap.draw(40, 200)))
    assert again == (low, high)


def test_each_draw_gives_what_the_drawn_pictures_give() -> None:
    """A picture drawn twice counts as two pictures: every figure of a draw is that of a set with the copies in it."""
    pictures = [match(t, f, s) for t, f, s in _reference_pictures()[:12]]
    placed = Placed(pooled=pool(pictures), places=np.arange(12))
    draws = bootstrap.draw(12, 5)
    drawn = [pool([pictures[k] for k in np.repeat(np.arange(12), w.astype(int))]) for w in draws.weights]
    right, found = zip(*(precision.at_threshold(one, 0.5) for one in drawn), strict=True)
    for ours, theirs in (
        (bootstrap.average_precisions(placed, draws), [precision.average_precision(one) for one in drawn]),
        (
            bootstrap.mean_average_precisions(placed, draws),
            [precision.mean_average_precision(one) for one in drawn],
        ),
        (
            bootstrap.recalls_at(placed, draws, 0.3),
            [precision.recall_at_precision(one, 0.3) for one in drawn],
        ),
        (bootstrap.at_threshold(placed, draws, 0.5)[0], right),
        (bootstrap.at_threshold(placed, draws, 0.5)[1], found),
        (
            bootstrap.calibration_errors([placed], draws),
            [calibration.expected_error(calibration.reliability(one.scores, one.hit[0])) for one in drawn],
        ),
    ):
        # Equal scores of copies are sorted otherwise, which moves precision between them by a little.
        assert ours.tolist() == pytest.approx(list(theirs), abs=0.02)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 30))
def test_figures_keep_within_their_bounds(seed: int, count: int) -> None:
    """Whatever is found: figures lie in 0 to 1, precision at more overlap is never better, order of pictures is nothing."""
    rng = np.random.default_rng(seed)
    pictures = []
    for _ in range(3):
        corners = rng.uniform(0, 50, (count, 2))
        boxes = np.concatenate([corners, corners + rng.uniform(1, 40, (count, 2))], axis=1)
        pictures.append(match(boxes[: count // 3], boxes[count // 4 :], rng.random(len(boxes[count // 4 :]))))
    pooled, turned = pool(pictures), pool(pictures[::-1])
    if count < 3:
        return
    values = [precision.average_precision(pooled, at) for at in range(10)]
    assert all(0 <= v <= 1 for v in values)
    assert all(low >= high - 1e-12 for low, high in itertools.pairwise(values))
    assert values == pytest.approx([precision.average_precision(turned, at) for at in range(10)])


def test_reliability_as_worked_by_hand() -> None:
    """Four boxes of 0.8 with two hits miss by 0.3, a fifth of 0.1 without by 0.1: (4 x 0.3 + 0.1) / 5."""
    bins = calibration.reliability(
        np.array([0.8, 0.8, 0.8, 0.8, 0.1]), np.array([True, True, False, False, False])
    )
    assert [(b.count, round(b.score, 3), b.hit_share) for b in bins] == [(1, 0.1, 0.0), (4, 0.8, 0.5)]
    assert calibration.expected_error(bins) == pytest.approx(1.3 / 5)
    assert math.isnan(calibration.expected_error(()))


def test_reliability_takes_a_score_of_one_and_leaves_out_low_ones() -> None:
    """1.0 lies in the last bin; boxes below the least score are not in the figure."""
    scores, hit = np.array([1.0, 0.2]), np.array([True, True])
    assert calibration.expected_error(calibration.reliability(scores, hit, score_min=0.3)) == 0.0


def test_a_class_is_scored_only_where_it_is_labelled_in_full() -> None:
    """A found person in a picture whose people nobody labelled is neither hit nor false alarm."""
    box = (0.0, 0.0, 100.0, 100.0)
    labelled = _seen({"person": _boxes(box)}, [("person", 0.6, box)])
    unknown = _seen({}, [("person", 0.9, box)], exhaustive=("excavator",))
    table = as_table(figures([labelled, unknown], ["person", "excavator"]))
    person = table["classes"]["person"]
    assert (person["map50"], person["precision"], person["images"], person["boxes"]) == (1.0, 1.0, 1, 1)
    assert table["classes"]["excavator"]["map50"] is None
    assert table["classes"]["excavator"]["images"] == 2
    assert table["map50"] == 1.0
    both = as_table(figures([labelled, _seen({}, [("person", 0.9, box)])], ["person"]))
    assert both["classes"]["person"]["map50"] == 0.5


def test_sizes_are_told_apart() -> None:
    """A small machine that is missed spoils the figure of small ones only."""
    large, small = (0.0, 0.0, 200.0, 200.0), (300.0, 300.0, 320.0, 320.0)
    seen = _seen({"excavator": _boxes(large, small)}, [("excavator", 0.9, large)])
    parts = as_table(figures([seen], ["excavator"]))["classes"]["excavator"]["parts"]
    assert parts["large"] == {"boxes": 1, "map50": 1.0, "map50_interval": [1.0, 1.0]}
    assert parts["small"] == {"boxes": 1, "map50": 0.0, "map50_interval": [0.0, 0.0]}
    assert parts["medium"] == {"boxes": 0, "map50": None, "map50_interval": [None, None]}
    assert parts["day"]["boxes"] == 2


def test_confusions_are_counted_once() -> None:
    """A person taken for an excavator, a missed person, a false excavator; weak boxes count as not found."""
    a, b, c = (0.0, 0.0, 10.0, 10.0), (20.0, 0.0, 30.0, 10.0), (40.0, 0.0, 50.0, 10.0)
    found = [("excavator", 0.9, a), ("person", 0.4, b), ("excavator", 0.8, c), ("truck", 0.8, c)]
    counts = confusion([_seen({"person": _boxes(a, b)}, found)], score_min=0.5)
    assert counts == {("person", "excavator"): 1, ("person", NOTHING): 1, (NOTHING, "excavator"): 1}


def test_the_worst_picture_comes_first() -> None:
    """Two misses are worse than one false alarm, and a picture without fault is not shown."""
    box, other = (0.0, 0.0, 10.0, 10.0), (20.0, 0.0, 30.0, 10.0)
    good = _seen({"person": _boxes(box)}, [("person", 0.9, box)], name="good.jpg")
    missed = _seen({"person": _boxes(box, other)}, [], name="missed.jpg")
    false = _seen({}, [("person", 0.7, box)], name="false.jpg")
    listed = worst([good, false, missed], score_min=0.5, most=5)
    assert [(f.seen.path.name, f.missed, f.false, f.cost) for f in listed] == [
        ("missed.jpg", 2, 0, 2.0),
        ("false.jpg", 0, 1, 0.7),
    ]


def test_thresholds_are_those_of_the_shipped_rules() -> None:
    """Figures are made at the scores from which rules enter and stay."""
    defaults = inspect.signature(Rule).parameters
    assert defaults["enter_score"].default == ENTER_SCORE
    assert defaults["leave_score"].default == STAY_SCORE


def test_a_box_that_must_be_found_is_taken_first() -> None:
    """A found box between a medium and a small machine is a hit for the one that counts, though it fits the other better."""
    medium, small = (0.0, 0.0, 40.0, 30.0), (0.0, 0.0, 31.0, 30.0)
    found = _boxes((0, 0, 33, 30))
    matched = match(_boxes(medium, small), found, np.array([1.0]), ious=(0.5,), area_px2=AREAS_PX2["medium"])
    assert (matched.hit.tolist(), matched.ignored.tolist(), matched.truths.tolist()) == (
        [[True]],
        [[False]],
        [1],
    )
    matched = match(_boxes(small), found, np.array([1.0]), ious=(0.5,), area_px2=AREAS_PX2["medium"])
    assert (matched.hit.tolist(), matched.ignored.tolist(), matched.truths.tolist()) == (
        [[True]],
        [[True]],
        [0],
    )


def test_the_mean_of_the_six_needs_all_six() -> None:
    """Five found and one missed is 5/6, with an interval; without a labelled car there is no such mean."""
    box = (0.0, 0.0, 50.0, 50.0)
    pictures = [
        _seen(
            {name: _boxes(box)}, [] if name == "car" else [(name, 0.9, box)], exhaustive=SIX, name=f"{k}.jpg"
        )
        for k, name in enumerate(SIX)
    ]
    table = as_table(figures(pictures, SIX))
    assert table["map50_six"] == pytest.approx(5 / 6, abs=1e-3)
    low, high = table["map50_six_interval"]
    assert 0.5 < low < 0.8 < high == 1.0  # without the car's picture nothing is missed
    without_car = as_table(figures(pictures[:-1], SIX))
    assert (without_car["map50_six"], without_car["map50_six_interval"]) == (None, [None, None])
    assert table["classes"]["car"]["map50_interval"] == [0.0, 0.0]
