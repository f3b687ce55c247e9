"""How often cameras are right, week by week, with honest intervals."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.feedback.causes import FalseCause, Verdict
from alerts.feedback.judged import Judged, looks_needed, precision
from monitor.domain.shares import share
from tests.doubles.alert_story import NOON

SHANGHAI = ZoneInfo("Asia/Shanghai")


def judged(
    verdict: Verdict,
    n: int = 1,
    at: datetime = NOON,
    rule_id: str = "dig-5m",
    cause: FalseCause | None = None,
) -> Judged:
    return Judged(alert_id=f"a{n}", number=n, camera_id="c1", rule_id=rule_id, site_id="s1", object_class="excavator",
                  level="I", onset_at=at, verdict=verdict, cause=cause)  # fmt: skip


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (8, 10, 0.4902, 0.9433),
        (81, 263, 0.2553, 0.3662),
        (1, 1, 0.2065, 1.0),
    ],
)
def test_the_interval_is_wilsons(hits: int, of: int, low: float, high: float) -> None:
    """81 of 263: Newcombe 1998 (Stat. Med. 17, 857-872), table I; the rest by R's prop.test(correct=FALSE)."""
    one = share(hits, of)
    assert (one.low, one.high) == (pytest.approx(low, abs=6e-4), pytest.approx(high, abs=6e-4))


@given(st.integers(0, 500), st.integers(0, 500))
def test_the_interval_holds_the_share_and_stays_within_its_bounds(hits: int, misses: int) -> None:
    """Whatever was counted; nothing counted says nothing."""
    one = share(hits, hits + misses)
    assert 0.0 <= one.low <= (one.share if one.share is not None else 0.0) + 1e-12
    assert one.high <= 1.0
    if hits + misses == 0:
        assert (one.share, one.low, one.high) == (None, 0.0, 1.0)


def test_lawful_and_unjudged_alerts_neither_help_nor_hurt() -> None:
    """They are said beside it."""
    found = precision(
        [judged(Verdict.RIGHT), judged(Verdict.FALSE), judged(Verdict.LAWFUL), judged(Verdict.UNJUDGED), judged(Verdict.UNJUDGED)],
        NOON - timedelta(weeks=1), NOON, SHANGHAI,
    )  # fmt: skip
    counts = found[0].counts
    assert (counts.right, counts.false, counts.lawful, counts.unjudged) == (1, 1, 1, 2)
    assert (counts.precision.hits, counts.precision.of, counts.precision.share) == (1, 2, 0.5)


def test_weeks_are_the_citys_and_none_is_left_out() -> None:
    """Sunday 23:30 in Shanghai is still last week, although UTC's is the same day; an empty week has its place."""
    sunday = datetime(2026, 11, 29, 23, 30, tzinfo=SHANGHAI).astimezone(UTC)
    late = judged(Verdict.FALSE, at=sunday)
    monday = judged(Verdict.RIGHT, at=sunday + timedelta(hours=1))
    (one,) = precision([late, monday], sunday - timedelta(weeks=2), sunday + timedelta(days=1), SHANGHAI)
    assert [(week.begins, week.counts.right, week.counts.false) for week in one.weeks] == [
        (date(2026, 11, 9), 0, 0), (date(2026, 11, 16), 0, 0), (date(2026, 11, 23), 0, 1), (date(2026, 11, 30), 1, 0),
    ]  # fmt: skip


def test_the_least_trusted_comes_first_and_says_what_to_look_at() -> None:
    """A supervisor with a minute reads the top of the page."""
    good = [judged(Verdict.RIGHT, rule_id="on-track")] * 3
    bad = [judged(Verdict.FALSE, cause=FalseCause.WRONG_ZONE), judged(Verdict.FALSE, cause=FalseCause.WRONG_ZONE),
           judged(Verdict.FALSE, cause=FalseCause.ANIMAL), judged(Verdict.FALSE)]  # fmt: skip
    first, second = precision([*good, *bad], NOON - timedelta(weeks=1), NOON, SHANGHAI)
    assert (first.rule_id, second.rule_id) == ("dig-5m", "on-track")
    assert dict(first.causes) == {"wrong_zone": 2, "animal": 1, "unsaid": 1}
    assert looks_needed(first) == (("zone", 2),)
