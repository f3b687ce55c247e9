"""Figures of the loop: what a control room is judged by must be counted right."""

from __future__ import annotations

import csv
import io
import statistics
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.figures import texts
from alerts.figures.benchmarks import bins, chattering, load
from alerts.figures.desk import Figures
from alerts.figures.monthly import WHATS, Finding, Watched, month
from alerts.figures.tables import figures_csv, month_csv
from alerts.figures.times import by_level, by_team, percentile
from alerts.figures.values import AlertFact, BadPeriod, DispatchFact, Period, month_of, period_of
from monitor.domain.levels import Level
from monitor.domain.response import Milestone, Response
from tests.doubles.alert_story import CITY

NOON = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
DAY = Period(since=NOON - timedelta(days=1), until=NOON)
SHANGHAI = ZoneInfo("Asia/Shanghai")


def at(minutes: float) -> datetime:
    """So many minutes before NOON."""
    return NOON - timedelta(minutes=minutes)


def alert(number: int = 1, **changes: Any) -> AlertFact:
    values: dict[str, Any] = {
        "alert_id": f"id-{number}", "number": number, "kind": "violation", "level": Level.I, "what": "excavation_5m",
        "source": "c1", "opened_at": at(60),
    }  # fmt: skip
    return AlertFact(**{**values, **changes})


def value_of(alerts: list[AlertFact], key: str, positions: int = 1) -> float:
    found = load(alerts, DAY, positions, NOON)
    return next(b.value for b in found.benchmarks if b.key == key)


# ---------------------------------------------------------------- times
@settings(deadline=None)
@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=50))
def test_percentiles_are_those_of_postgresql(values: list[float]) -> None:
    """The page and Grafana, which asks PostgreSQL's percentile_cont, must not say two things."""
    inclusive = statistics.quantiles(values, n=100, method="inclusive")
    assert percentile(values, 0.5) == pytest.approx(inclusive[49])
    assert percentile(values, 0.95) == pytest.approx(inclusive[94])


def test_three_times_have_three_beginnings() -> None:
    """Acknowledged from the opening, arrived from the dispatch, cured from the arrival: a late dispatch is nobody's slow drive."""
    one = alert(acknowledged_at=at(58), dispatched_at=at(50), arrived_at=at(30), resolved_at=at(10))
    row = by_level([one], DAY, Response())[0]
    assert (row.of, row.count) == ("I", 1)
    assert [t.p50_s for t in row.took] == [120.0, 1200.0, 1200.0]


def test_what_never_was_answered_is_said_beside_the_percentiles() -> None:
    """Five easy answers must not hide an alert that nobody looks at."""
    quick = [alert(n, acknowledged_at=at(59)) for n in range(5)]
    took = by_level([*quick, alert(9)], DAY, Response())[0].took[0]
    assert (took.n, took.p95_s, took.waiting) == (5, 60.0, 1)
    closed = by_level([alert(closed_at=at(1))], DAY, Response())[0].took[0]
    assert (closed.n, closed.waiting) == (0, 0)


def test_late_is_counted_against_the_limit_of_that_level() -> None:
    """The room has five minutes for level I and an hour for level III."""
    six_minutes = {"acknowledged_at": at(54)}
    rows = by_level([alert(**six_minutes), alert(2, level=Level.III, **six_minutes)], DAY, Response())
    assert [row.took[0].late for row in rows] == [1, None, 0, None]


def test_only_the_periods_violations_that_rang_count() -> None:
    """Neither lawful work nor a camera's failure nor last week makes a team look slow or fast."""
    others = [
        alert(1, rang=False, acknowledged_at=at(1)), alert(2, kind="health", acknowledged_at=at(1)),
        alert(3, opened_at=NOON - timedelta(days=3), acknowledged_at=at(1)),
    ]  # fmt: skip
    assert sum(row.count for row in by_level(others, DAY, Response())) == 0


def test_a_team_is_measured_by_its_dispatches() -> None:
    """Who handed over did not put it right; a team that the city no longer has is not dropped."""
    done = DispatchFact(team_id="near", level=Level.I, dispatched_at=at(60), accepted_at=at(58), arrived_at=at(40),
                        ended_at=at(10), end_reason="resolved")  # fmt: skip
    passed_on = DispatchFact(team_id="near", level=Level.I, dispatched_at=at(60), accepted_at=at(40),
                             arrived_at=at(35), ended_at=at(30), end_reason="handed_over")  # fmt: skip
    gone = DispatchFact(team_id="gone", level=Level.II, dispatched_at=at(60))
    rows = {row.of: row for row in by_team([done, passed_on, gone], DAY, CITY, Response())}
    took = {t.milestone: t for t in rows["near"].took}
    assert (took[Milestone.CURE].n, took[Milestone.CURE].p50_s) == (1, 1800.0)
    assert (took[Milestone.ACCEPT].late, took[Milestone.ACCEPT].n) == (1, 2)
    assert rows["gone"].took[0].waiting == 1
    assert rows["far"].count == 0


# ---------------------------------------------------------------- benchmarks
@settings(deadline=None)
@given(st.lists(st.floats(0.01, 24 * 60 - 0.01), max_size=80), st.integers(0, 9))
def test_every_alarm_is_in_one_ten_minutes(minutes: list[float], shift: int) -> None:
    """However the period is cut: none is counted twice, none is lost."""
    since, until = NOON - timedelta(days=1, minutes=shift), NOON + timedelta(minutes=shift)
    counted = bins([at(m) for m in minutes], since, until)
    assert sum(counted) == len(minutes)
    assert len(counted) in (144 + 2 * shift // 10, 145 + 2 * shift // 10, 146 + 2 * shift // 10)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 600)), max_size=25))
def test_chattering_is_three_within_a_minute_of_one_source(rung: list[tuple[str, int]]) -> None:
    """By the slow way: some three of the source lie within 60 s."""
    facts = [
        alert(n, source=s, opened_at=NOON - timedelta(seconds=after)) for n, (s, after) in enumerate(rung)
    ]
    slow = set()
    for source in "ab":
        times = sorted(f.opened_at for f in facts if f.source == source)
        if any(c - a <= timedelta(seconds=60) for a, c in zip(times, times[2:], strict=False)):
            slow.add(source)
    assert {found.source for found in chattering(facts)} == slow


def test_a_flood_is_over_ten_for_each_position() -> None:
    """Eleven in ten minutes flood one operator and not two."""
    eleven = [alert(n, source=f"c{n}", opened_at=at(3)) for n in range(11)]
    ten = eleven[:10]
    assert value_of(ten, "flood_share") == 0.0
    assert value_of(eleven, "flood_share") == pytest.approx(1 / 144)
    assert value_of(eleven, "flood_share", positions=2) == 0.0
    assert value_of(eleven, "peak_10min", positions=2) == 5.5


def test_stale_stands_over_a_day_and_is_counted_whenever_it_was_opened() -> None:
    """An alert of last month that nobody closed is this week's stale alarm; one closed yesterday is none."""
    old = NOON - timedelta(days=40)
    facts = [
        alert(1, opened_at=old),
        alert(2, opened_at=old, closed_at=at(5)),
        alert(3, opened_at=at(23 * 60)),
    ]
    assert value_of(facts, "stale") == 1
    assert value_of(facts, "standing") == 2


def test_figures_of_a_time_that_is_over_are_those_of_then() -> None:
    """What was acknowledged or closed later was waiting at that time."""
    then = Period(since=NOON - timedelta(days=3), until=NOON - timedelta(days=2))
    opened_at = then.until - timedelta(hours=2)
    found = load([alert(opened_at=opened_at, acknowledged_at=at(5), closed_at=at(1))], then, 1, NOON)
    assert [(w.number, w.age_s) for w in found.unacknowledged] == [(1, 7200.0)]


def test_the_busiest_ten_and_the_split() -> None:
    """Shares are of all that rang; the split is of violations."""
    facts = [alert(n, source=f"c{n % 12}", level=Level.IV) for n in range(24)]
    facts += [alert(100, source="c0"), alert(101, kind="health", source="e1", level=Level.III)]
    found = load(facts, DAY, 1, NOON)
    assert (found.busiest[0].source, found.busiest[0].times, len(found.busiest)) == ("c0", 3, 10)
    assert value_of(facts, "busiest_share") == pytest.approx(21 / 26)
    assert value_of(facts, "priority_high") == pytest.approx(1 / 25)
    assert value_of(facts, "priority_low") == pytest.approx(24 / 25)


def test_a_benchmark_says_how_it_stands() -> None:
    """Target, limit, beyond: by the table of docs/calm.md. What merely stands and the split are not judged."""
    stands = {b.key: b.stands for b in load([alert(n) for n in range(200)], DAY, 1, NOON).benchmarks}
    assert stands["per_day"] == "above_target"
    assert stands["per_10min"] == "above_target"
    assert stands["peak_10min"] == "above_target", "it has no limit to be above"
    assert stands["chattering"] == "above_limit"
    assert stands["stale"] == "within"
    assert stands["standing"] == stands["priority_low"] == "none"


# ---------------------------------------------------------------- periods
def test_a_month_is_the_citys() -> None:
    """November begins at midnight in Shanghai, not in Greenwich; December leads into the next year."""
    november = month_of("2026-11", SHANGHAI)
    assert november.since == datetime(2026, 10, 31, 16, 0, tzinfo=UTC)
    assert november.until == datetime(2026, 11, 30, 16, 0, tzinfo=UTC)
    assert month_of("2026-12", SHANGHAI).until == datetime(2026, 12, 31, 16, 0, tzinfo=UTC)


def test_the_last_day_is_taken_whole() -> None:
    """Who asks for 'to 30 November' wants the thirtieth too."""
    found = period_of("", "2026-11-01", "2026-11-30", SHANGHAI, NOON)
    assert found.until == datetime(2026, 11, 30, 16, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "begin", "end"),
    [("2y", "", ""), ("", "2026-11-31", ""), ("", "x", ""), ("", "2026-11-30", "2026-11-01"),
     ("", "2020-01-01", "2026-11-01"), ("", "9999-12-31", "9999-12-31")],
)  # fmt: skip
def test_what_is_no_period_is_refused_with_a_sentence(name: str, begin: str, end: str) -> None:
    """And not by a crash; the sentence is there in both languages."""
    with pytest.raises(BadPeriod) as refused:
        period_of(name, begin, end, SHANGHAI, NOON)
    assert texts.PROBLEMS[refused.value.key]["zh"].format(**refused.value.facts)


@pytest.mark.parametrize("text", ["", "2026", "2026-13", "2026-11-01", "9999-12", "x"])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(BadPeriod):
        month_of(text, SHANGHAI)


# ---------------------------------------------------------------- the monthly list
def test_the_list_names_every_point_and_what_was_found() -> None:
    """A camera without a finding is in it too; a report without a camera counts for its site."""
    span = month_of("2026-11", SHANGHAI)
    findings = [
        Finding(what="off_scan", camera_id="c1", from_at=at(100), to_at=at(90), minutes=10, why="dark"),
        Finding(what="false_alarm", camera_id="c1", from_at=at(50), number=7, who="olga"),
        Finding(what="false_alarm", site_id="s1", from_at=at(50), number=8),
        Finding(what="shelved", camera_id="gone", from_at=at(50)),
    ]
    found = month("2026-11", span.since, span.until, findings,
                  [Watched(camera_id="c1", minutes=100, watched_s=5400.0)], {"c1": 3}, CITY, NOON)  # fmt: skip
    points = {p.point: p for p in found.points}
    assert set(points) == {"c1", "c2", "s1", "gone"}
    assert (points["c1"].off_scan, points["c1"].false_alarms, points["c1"].judged) == (1, 1, 3)
    assert points["c1"].watched_share == pytest.approx(0.9)
    assert points["c1"].site == {"en": "S1"}
    assert (points["s1"].camera_id, points["gone"].camera_id) == (None, "gone")
    assert points["c2"].watched_share is None
    assert [found.total(what) for what in WHATS] == [1, 1, 0, 2]
    assert found.running


def test_a_sheet_runs_nobodys_formula() -> None:
    """A note that begins like a formula is a text in the CSV, and every row has every column."""
    span = month_of("2026-11", SHANGHAI)
    evil = Finding(
        what="false_alarm", camera_id="c1", from_at=at(9), note='=HYPERLINK("http://x")', name="@ann"
    )
    text = month_csv(month("2026-11", span.since, span.until, [evil], [], {}, CITY, NOON))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows[0]["note"].startswith("'=")
    assert rows[0]["name"] == "'@ann"
    assert {len(row) for row in csv.reader(io.StringIO(text))} == {16}
    empty = Figures(period=DAY, as_of=NOON, load=load([], DAY, 1, NOON), levels=(), teams=())
    assert len({len(row) for row in csv.reader(io.StringIO(figures_csv(empty)))}) == 1


def test_texts_are_there_in_both_languages() -> None:
    """A key without a text would be shown bare."""
    found = load([], DAY, 1, NOON)
    wanted = (
        {b.key for b in found.benchmarks} | {*WHATS} | {f"took_{m.value}" for m in Milestone if m != "verify"}
    )
    assert wanted <= set(texts.WORDS)
    for text in (*texts.WORDS.values(), *texts.PROBLEMS.values()):
        assert text["en"]
        assert text["zh"]


def test_times_of_nobody_are_no_time() -> None:
    """No division by nothing on a quiet day."""
    found = load([], Period(since=NOON, until=NOON + timedelta(seconds=1)), 1, NOON)
    assert all(b.value == 0 for b in found.benchmarks)
    assert [a for a, b in pairwise(found.busiest) if a.times < b.times] == []
