"""The coverage ledger: honest to the second, over minutes, stalls, kills and clock jumps."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge import coverage
from edge.coverage import Minute, Tick
from monitor.domain.events import CameraState, WatchRecord
from tests.doubles.edge_things import NOON

GOOD, BAD = CameraState.STREAMING, CameraState.OBSCURED


class Ledger:
    """Ticks five times a second and keeps what was closed."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now, self.minute = now, coverage.start("c", now)
        self.closed: list[Minute] = []

    def run(
        self, seconds: float, state: CameraState = GOOD, *, looks: int = 1, step_s: float = 0.2
    ) -> Ledger:
        for _ in range(round(seconds / step_s)):
            self.now += timedelta(seconds=step_s)
            self.minute, closed = coverage.advance(
                self.minute, Tick(now=self.now, dt_s=step_s, state=state, looks=looks, frames=2 * looks)
            )
            self.closed.extend(closed)
        return self

    def records(self) -> list[WatchRecord]:
        return [record(m) for m in self.closed]


def record(minute: Minute) -> WatchRecord:
    return coverage.record(
        minute, edge_id="e", epoch="x", seq=1, seen=(), calibration_version="1", config_version="1"
    )


def test_a_good_minute_is_watched_in_full() -> None:
    """Sixty seconds of looks are sixty watched seconds, in one record a minute."""
    ledger = Ledger().run(180.4)
    assert [r.minute for r in ledger.records()] == [NOON + timedelta(minutes=i) for i in range(3)]
    for r in ledger.records():
        assert r.watched_s == pytest.approx(60.0, abs=0.3)
        assert r.span_s == 60.0
        assert r.longest_blind_s == 0.0
        assert r.looks == pytest.approx(300, abs=2)


def test_seconds_in_a_bad_state_are_not_watched() -> None:
    """Twenty covered seconds are twenty unwatched ones, named by their state."""
    (r,) = Ledger().run(20).run(20, BAD).run(20.4).records()
    assert r.watched_s == pytest.approx(40.0, abs=0.5)
    assert r.longest_blind_s == pytest.approx(20.0, abs=0.5)
    assert r.state_s["obscured"] == pytest.approx(20.0, abs=0.3)


def test_seconds_without_a_look_are_not_watched() -> None:
    """Streaming by name, but nobody looked for ten seconds: ten unwatched seconds, not seven."""
    (r,) = Ledger().run(20).run(10, looks=0).run(30.4).records()
    assert r.watched_s == pytest.approx(50.0, abs=0.5)
    assert r.longest_blind_s == pytest.approx(10.0, abs=0.5)


def test_looks_a_few_seconds_apart_watch_what_lies_between() -> None:
    """Every two and a half seconds is watching, every three and a half is not."""
    (r,) = Ledger().run(62.5, step_s=2.5).records()
    assert r.watched_s == pytest.approx(60.0, abs=2.6)
    (r,) = Ledger().run(63.0, step_s=3.5).records()
    assert r.watched_s <= coverage.TAIL_S
    assert r.longest_blind_s > 3.0


def test_a_minute_begun_late_has_a_shorter_span() -> None:
    """Started at second forty: responsible for twenty seconds."""
    ledger = Ledger(NOON + timedelta(seconds=40)).run(20.4)
    assert ledger.records()[0].span_s == pytest.approx(20.0, abs=0.3)
    assert ledger.records()[0].watched_s == pytest.approx(20.0, abs=0.3)


def killed(ledger: Ledger) -> tuple[Minute, ...]:
    saved = coverage.load(coverage.dump(ledger.minute))
    assert saved is not None
    return (saved,)


def test_after_a_kill_in_the_same_minute_the_dead_time_is_unwatched() -> None:
    """Twenty seconds watched, ten dead, thirty watched: one record with fifty, and the ten as blind."""
    ledger = Ledger().run(20)
    over, minute = coverage.resume(killed(ledger), "c", NOON + timedelta(seconds=30))
    assert over == ()
    after = Ledger(NOON + timedelta(seconds=30))
    after.minute = minute
    (r,) = after.run(30.4).records()
    assert r.watched_s == pytest.approx(50.0, abs=0.5)
    assert r.span_s == 60.0
    assert r.longest_blind_s == pytest.approx(10.0, abs=0.5)


def test_after_a_kill_over_the_minute_the_old_one_is_closed_as_it_was() -> None:
    """Twenty seconds of the old minute stay twenty of sixty; the new one begins when the worker is back."""
    over, minute = coverage.resume(killed(Ledger().run(20)), "c", NOON + timedelta(seconds=75))
    (old,) = (record(m) for m in over)
    assert (old.watched_s, old.span_s) == (pytest.approx(20.0, abs=0.3), 60.0)
    assert old.longest_blind_s == pytest.approx(40.0, abs=0.3)
    assert minute.minute == NOON + timedelta(minutes=1)
    assert minute.from_s == 15.0


def test_a_clock_set_back_makes_no_second_record_of_a_minute() -> None:
    """The clock goes back by 90 s: the running minute waits for it, no minute is told twice."""
    ledger = Ledger().run(100)
    ledger.now -= timedelta(seconds=90)
    ledger.run(200)
    minutes = [m.minute for m in ledger.closed]
    assert len(set(minutes)) == len(minutes)
    assert all(r.watched_s <= r.span_s <= 60.0 for r in ledger.records())


def test_a_clock_that_was_wrong_for_days_tells_minutes_again_once_it_is_set_right() -> None:
    """Thirty days ahead, then set back: else there would be no record for thirty days. A restart changes nothing."""
    ledger = Ledger().run(20)
    ledger.now += timedelta(days=30)
    ledger.run(70)
    ledger.now -= timedelta(days=30)
    ledger.run(60)
    ahead, minute = NOON + timedelta(days=30), timedelta(minutes=1)
    assert [m.minute for m in ledger.closed] == [NOON, ahead, ahead + minute, NOON + minute]
    over, running = coverage.resume((coverage.start("cam-1", ahead),), "cam-1", NOON + timedelta(seconds=5))
    assert [m.minute for m in over] == [ahead]
    assert (running.minute, running.from_s) == (NOON, 5.0)


def test_a_clock_set_forward_leaves_unwatched_minutes_to_the_centre() -> None:
    """An hour's jump closes the running minute; the skipped minutes have no record."""
    ledger = Ledger().run(30)
    ledger.now += timedelta(hours=1)
    ledger.run(60)
    assert [m.minute for m in ledger.closed] == [NOON, NOON + timedelta(hours=1)]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.05, 8.0), st.sampled_from([GOOD, BAD]), st.integers(0, 1)), max_size=80)
)
def test_watched_seconds_are_never_more_than_there_were(ticks: list[tuple[float, CameraState, int]]) -> None:
    """For any sequence: watched + blind fit into the span, and states add up to no more than it."""
    now, minute, closed = NOON, coverage.start("c", NOON), []
    for dt_s, state, looks in ticks:
        now += timedelta(seconds=dt_s)
        minute, over = coverage.advance(minute, Tick(now=now, dt_s=dt_s, state=state, looks=looks))
        closed.extend(over)
    total_s = (now - NOON).total_seconds()
    records = [record(m) for m in (*closed, coverage.finish(minute))]
    for r in records:
        assert 0.0 <= r.watched_s <= r.span_s <= 60.0
        assert r.watched_s <= r.state_s.get("streaming", 0.0) + 0.01
        assert r.longest_blind_s <= r.span_s
    assert sum(r.watched_s for r in records) <= total_s + 0.01


def test_a_dozing_camera_is_watched_as_long_as_its_packets_are_kept() -> None:
    """One look in two seconds: the minute that ends between two of them is watched in full; one whose packets stop is not."""
    ledger = Ledger()

    def doze(seconds: float, kept: int) -> None:
        for k in range(round(seconds / 0.2)):
            ledger.now += timedelta(seconds=0.2)
            tick = Tick(now=ledger.now, dt_s=0.2, state=GOOD, looks=int(k % 10 == 5), kept=kept)
            ledger.minute, closed = coverage.advance(ledger.minute, tick)
            ledger.closed.extend(closed)

    doze(120.0, kept=5)
    assert [r.watched_s for r in ledger.records()] == pytest.approx([60.0, 60.0])
    assert [r.looks for r in ledger.records()] == [30, 30]
    for _ in range(round(60.0 / 0.2)):  # neither looks nor packets, and nobody has noticed yet
        ledger.now += timedelta(seconds=0.2)
        ledger.minute, closed = coverage.advance(ledger.minute, Tick(now=ledger.now, dt_s=0.2, state=GOOD))
        ledger.closed.extend(closed)
    assert ledger.records()[-1].watched_s == pytest.approx(0.0, abs=0.3)
