"""The bench `edge`: what is really in its scenes, and which of a worker's events count as found."""

import pytest

from tests.bench.edge_parts import truth
from tests.bench.edge_parts.truth import FPS, Heard, Onset, Passage

WALK = Passage(kind="person", sprite=0, width_px=100, height_px=300, foot_px=850, first_frame=100, frames=175)
DRIVE = Passage(
    kind="machine", sprite=0, width_px=700, height_px=600, foot_px=1010, first_frame=400, frames=175
)
#: frame n was handed over n/25 s after noon
HANDED_S = [1000.0 + n / FPS for n in range(1000)]


def test_a_thing_enters_on_the_right_and_leaves_on_the_left() -> None:
    """The visible box is cut at the picture's sides, and is gone before and after."""
    assert WALK.box_px(99) is None
    assert WALK.box_px(275) is None
    first, last = WALK.box_px(101), WALK.box_px(273)
    assert first is not None
    assert last is not None
    assert first[2] == 1920.0
    assert first[2] - first[0] < 100
    assert last[0] == 0.0
    assert (first[1], first[3]) == (550.0, 850.0)


def test_the_rule_is_broken_three_seconds_after_the_foot_came_into_its_zone() -> None:
    """By hand: 2,020 px in 175 frames; the foot, 50 px behind the left side, passes x = 1,720 after 21.7 frames."""
    (onset,) = truth.onsets([WALK])
    assert onset.kind == "person"
    assert onset.onset_frame == 100 + 22 + 3 * FPS
    # … and x = 200 after 153.3
    assert onset.last_frame == 100 + 153


def test_a_thing_that_rushes_through_its_zone_breaks_nothing() -> None:
    """Sixty frames inside are fewer than the rule's dwell."""
    rushes = Passage(
        kind="person", sprite=0, width_px=100, height_px=300, foot_px=850, first_frame=0, frames=80
    )
    assert truth.onsets([rushes]) == ()
    elsewhere = Passage(
        kind="person", sprite=0, width_px=100, height_px=300, foot_px=650, first_frame=0, frames=175
    )
    assert truth.onsets([elsewhere]) == ()


def test_moving_frames_are_merged_and_cut_to_what_counts() -> None:
    """Two that overlap are one run; what lies outside the counted part is none."""
    overlaps = Passage(
        kind="machine", sprite=0, width_px=9, height_px=9, foot_px=9, first_frame=250, frames=175
    )
    assert truth.moving_frames([WALK, overlaps], 0, 1000) == ((100, 425),)
    assert truth.moving_frames([WALK, DRIVE], 150, 500) == ((150, 275), (400, 500))
    assert truth.moving_frames([WALK], 300, 500) == ()


@pytest.mark.parametrize(
    ("late_s", "found"),
    [(-0.6, 0), (-0.4, 1), (0.3, 1), (4.0 + truth.LATE_S - 0.01, 1), (4.0 + truth.LATE_S + 0.01, 0)],
)
def test_an_event_counts_from_a_little_before_its_truth_to_a_little_after_the_thing_left(
    late_s: float, found: int
) -> None:
    """Both sides of both boundaries; an event outside is a false one."""
    onset = Onset(kind="person", onset_frame=200, last_frame=300)
    score = truth.matched([onset], [Heard(kind="person", at_s=HANDED_S[200] + late_s)], HANDED_S)
    assert (score.expected, score.found, score.false) == (1, found, 1 - found)
    assert score.missed == (() if found else (onset,))
    assert score.delays_s == (pytest.approx(late_s),) * found


def test_a_second_event_of_one_passage_and_one_of_the_other_kind_are_false() -> None:
    """An id that was lost and found again must not look like better recall."""
    onset = Onset(kind="person", onset_frame=200, last_frame=300)
    heard = [
        Heard(kind=kind, at_s=HANDED_S[200] + at)
        for kind, at in (("person", 1.0), ("machine", 0.1), ("person", 0.2))
    ]
    score = truth.matched([onset], heard, HANDED_S)
    assert (score.found, score.false) == (1, 2)
    assert score.delays_s == (pytest.approx(0.2),)


def test_a_truth_whose_frame_was_never_handed_over_is_not_expected() -> None:
    """A stream that was cut short is no miss of the worker."""
    score = truth.matched([Onset(kind="person", onset_frame=990, last_frame=995)], [], HANDED_S[:900])
    assert score.expected == 0


def test_only_whole_passages_inside_the_counted_part_are_judged() -> None:
    """One that is still in its zone near the end has no time to be told."""
    early, late = (
        Onset(kind="person", onset_frame=200, last_frame=300),
        Onset(kind="person", onset_frame=900, last_frame=960),
    )
    assert truth.between([early, late], 150, 1000) == (early,)
    assert truth.between([early, late], 201, 1011) == (late,)
