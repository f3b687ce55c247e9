"""Which holes in the numbers are reported, and when."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from monitor.domain.numbers import Stored
from monitor.ingest.gaps import Gap, decide
from monitor.ingest.minutes import due_minutes
from tests.doubles.ingest_messages import MINUTE, NOW

LIMIT_S = 60.0


def test_a_new_hole_waits() -> None:
    """It is remembered with its age and not reported."""
    decision = decide([(2, 3)], [], NOW, LIMIT_S)
    assert decision.gaps == (Gap(from_seq=2, to_seq=3, first_seen_at=NOW),)
    assert decision.report is None


def test_a_hole_is_reported_at_the_limit_and_once() -> None:
    """Not a moment before; a second look says nothing."""
    known = decide([(2, 3)], [], NOW, LIMIT_S).gaps
    assert decide([(2, 3)], known, NOW + timedelta(seconds=59.9), LIMIT_S).report is None
    reported = decide([(2, 3)], known, NOW + timedelta(seconds=60), LIMIT_S)
    assert reported.report == ((2, 3),)
    assert decide([(2, 3)], reported.gaps, NOW + timedelta(seconds=61), LIMIT_S).report is None


def test_pieces_of_a_reported_hole_are_not_news() -> None:
    """5 came of 2..9: both pieces are known to whoever was told of 2..9."""
    known = [Gap(from_seq=2, to_seq=9, first_seen_at=NOW, reported_at=NOW)]
    decision = decide([(2, 4), (6, 9)], known, NOW + timedelta(hours=1), LIMIT_S)
    assert decision.report is None
    assert [(gap.from_seq, gap.to_seq) for gap in decision.gaps] == [(2, 4), (6, 9)]


def test_a_tail_that_grows_is_reported_again_with_all_of_it() -> None:
    """The new part has an age of its own; neighbours are told as one range."""
    known = [Gap(from_seq=5, to_seq=9, first_seen_at=NOW, reported_at=NOW)]
    grown = decide([(5, 12)], known, NOW + timedelta(seconds=1), LIMIT_S)
    assert grown.report is None
    assert [(gap.from_seq, gap.to_seq) for gap in grown.gaps] == [(5, 9), (10, 12)]
    assert decide([(5, 12)], grown.gaps, NOW + timedelta(seconds=61), LIMIT_S).report == ((5, 12),)


def test_the_end_of_all_reported_holes_is_told_once() -> None:
    """Also while a young hole, never reported, still stands."""
    known = [Gap(from_seq=2, to_seq=3, first_seen_at=NOW, reported_at=NOW)]
    decision = decide([(7, 7)], known, NOW, LIMIT_S)
    assert decision.report == ()
    assert decide([(7, 7)], decision.gaps, NOW, LIMIT_S).report is None


def test_a_hole_that_was_never_reported_ends_in_silence() -> None:
    """Late mail is nobody's business."""
    known = [Gap(from_seq=2, to_seq=3, first_seen_at=NOW)]
    assert decide([], known, NOW + timedelta(hours=1), LIMIT_S).report is None


@given(
    before=st.sets(st.integers(1, 40)),
    after=st.sets(st.integers(1, 40)),
    last=st.integers(0, 40),
    seen=st.booleans(),
)
def test_the_remembered_holes_are_exactly_the_missing_numbers(
    before: set[int], after: set[int], last: int, seen: bool
) -> None:
    """However holes are cut, no number is forgotten, doubled or made up; a reported number stays reported."""
    first, second = Stored(), Stored()
    for seq in before:
        first = first.add(seq)
    for seq in before | after:
        second = second.add(seq)
    known = decide(first.missing(last), [], NOW, 0.0 if seen else LIMIT_S).gaps
    decision = decide(second.missing(40), known, NOW, LIMIT_S)
    covered = [seq for gap in decision.gaps for seq in range(gap.from_seq, gap.to_seq + 1)]
    assert covered == [seq for seq in range(1, 41) if seq not in before | after]
    told = {seq for gap in known if gap.reported_at for seq in range(gap.from_seq, gap.to_seq + 1)}
    still = {seq for gap in decision.gaps if gap.reported_at for seq in range(gap.from_seq, gap.to_seq + 1)}
    assert still == told - after


def test_a_minute_is_overdue_after_its_end_and_the_grace() -> None:
    """08:00 ends at 08:01 and is looked at from 08:04 on, once."""
    assert due_minutes(MINUTE - timedelta(minutes=1), MINUTE + timedelta(seconds=239.9), 180) is None
    assert due_minutes(MINUTE - timedelta(minutes=1), MINUTE + timedelta(seconds=240), 180) == (
        MINUTE,
        MINUTE,
    )
    assert due_minutes(MINUTE, MINUTE + timedelta(seconds=240), 180) is None


def test_after_an_absence_a_week_is_looked_at() -> None:
    """The centre itself was away, or starts for the first time."""
    due = due_minutes(None, MINUTE + timedelta(seconds=240), 180)
    assert due == (MINUTE - timedelta(days=7), MINUTE)
