"""The whole loop in simulated time: the demo's story, seeds with faults, that a seed replays, and that no part reads a clock."""

from __future__ import annotations

import gc
import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
import pytest
import uuid_utils

from alerts.values import Permit
from tests.sim.clock import START
from tests.sim.plan import brief, drawn, plain
from tests.sim.story import Act
from tests.sim.world import World, digest, run

#: the demo's story runs at least so many times faster than it would in reality
LEAST_RATIO = 1000
#: what reads a clock, or makes something of one
CLOCKS = frozenset(
    {time.time, time.time_ns, time.monotonic, time.monotonic_ns, time.perf_counter, time.perf_counter_ns,
     uuid_utils.uuid7, os.urandom}
)  # fmt: skip
ROUGH = {"duplicated": 0.3, "answer_lost": 0.1, "late_s": 0.5}
_NOW = frozenset({"now", "utcnow", "today"})


def _well(world: World, seed: int) -> None:
    assert not world.faults, "\n".join([*world.faults, f"replay: python -m tests.sim --seed {seed}"])


def test_the_demos_story_runs_a_thousand_times_faster_than_real_time() -> None:
    """Dig, dispatch, photo, verification and the ledger of three hours, and all that must hold does."""
    for _ in range(2):  # once more if something else kept the machine busy
        # of this process's own time: what else the machine does is not the simulation's matter
        began_s = time.process_time()
        world = run(plain())
        ratio = world.plan.story.ends_s / (time.process_time() - began_s)
        print(f"simulated {world.plan.story.ends_s:.0f} s at {ratio:.0f} times real time")
        if ratio >= LEAST_RATIO:
            break
    _well(world, 0)
    closed = {a.violation: a.state.value for a in world.database.book.tables.alerts.values() if a.violation}
    assert closed == {"excavation_5m": "verified", "on_pipe": "verified"}
    assert ratio >= LEAST_RATIO


@pytest.mark.parametrize("seed", [7, 31, 43, 50])
def test_nothing_is_lost_or_doubled_whatever_fails(seed: int) -> None:
    """Line, broker, database, centre, edge, disk and clocks fail as the seed says; every promise holds."""
    _well(run(drawn(seed)), seed)


def test_works_under_a_permit_are_recorded_and_nobody_is_sent() -> None:
    """The same digging 20 m off the line disturbs an officer without a permit, and none with one."""
    far = Act(what="dig", from_s=60.0, lasts_s=60.0, rests_s=3.0, beside_m=-20.0)
    story = msgspec.structs.replace(brief().story, acts=(far,))
    permit = Permit(permit_number="P-1", violation="works_50m", pipeline_id="p-sim", from_m=2900.0, to_m=3100.0,
                    valid_from=START, valid_to=START + timedelta(days=1))  # fmt: skip
    seen = {}
    for permits in ((), (permit,)):
        tables = run(brief(story=story, permits=permits)).database.book.tables
        (alert,) = (a for a in tables.alerts.values() if a.violation)
        seen[len(permits)] = (alert.violation, alert.state.value, len(tables.dispatches))
    assert seen == {0: ("works_50m", "verified", 1), 1: ("works_50m", "supervised", 0)}


def test_a_seed_replays_in_another_process() -> None:
    """The same plan gives the same log and the same rows, byte for byte, whatever Python's hashes are."""
    code = (
        "from tests.sim.plan import brief\nfrom tests.sim.world import digest, run\n"
        f"print('digest', digest(run(brief(**{ROUGH}))))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], text=True, capture_output=True,
        env={**os.environ, "PYTHONHASHSEED": "4711"}, timeout=120, check=True,
    )  # fmt: skip
    assert re.findall(r"^digest (\w+)$", answer.stdout, re.MULTILINE) == [digest(run(brief(**ROUGH)))]


class ReadAClock(AssertionError):
    """Somebody asked for the real time, or for chance that no seed decides."""


class NoClocks:
    """Raises in whoever reads a clock, however they imported it."""

    def __enter__(self) -> None:
        # hypothesis times the garbage collector by a callback, which is none of ours
        self._callbacks, gc.callbacks[:] = list(gc.callbacks), []
        sys.setprofile(self._watch)

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        gc.callbacks[:] = self._callbacks

    def _watch(self, frame: FrameType, event: str, called: Any) -> None:
        if event != "c_call":
            return
        of_a_date = getattr(called, "__name__", "") in _NOW and isinstance(
            getattr(called, "__self__", None), type
        )
        if of_a_date or (getattr(called, "__hash__", None) and called in CLOCKS):
            raise ReadAClock(f"{frame.f_globals.get('__name__')} calls {called!r}")


def test_no_part_reads_a_clock() -> None:
    """Edge, ingest, loop and audit decide by the time that they are given, faults or not."""
    world = World(brief(**ROUGH))
    with NoClocks():
        world.run()
    _well(world, 1)


@pytest.mark.parametrize(
    "read", [lambda: datetime.now(UTC), time.monotonic, time.time, lambda: uuid_utils.uuid7()]
)
def test_reading_a_clock_would_be_noticed(read: Any) -> None:
    """The guard itself works, also for functions written in C or Rust."""

    def somebody() -> None:
        read()

    with pytest.raises(ReadAClock), NoClocks():
        somebody()
