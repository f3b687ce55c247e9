"""Days of the city one after the other, on all cores, until so many hours are simulated."""

from __future__ import annotations

import itertools
import json
import logging
import multiprocessing
import sys
import time
import traceback
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import structlog

from tests.sim import town
from tests.sim.town_world import TownWorld


def faults_of(world: Any) -> list[str]:
    """What is wrong after the run; a part that raised is wrong too."""
    try:
        return list(world.run().faults)
    except Exception as exc:  # a night goes on with the next seed
        where = "".join(traceback.format_exception(exc)[-4:])
        return [f"raised at {world.agenda.now_s:.2f} s: {exc!r}\n{where}"]


def day(seed: int) -> tuple[int, float, int, list[str]]:
    """One day of the city: its seed, simulated seconds, alerts, and what is wrong."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    world = TownWorld(town.drawn(seed))
    faults = faults_of(world)
    return seed, world.plan.story.ends_s, len(world.database.book.tables.alerts), faults


def days(first: int, hours: float, jobs: int, *, quiet: bool) -> int:
    """Days from the seed `first` on until so many hours are simulated; the order of seeds is the same for any `jobs`."""
    began_s, simulated_s, alerts, seeds, failures = time.monotonic(), 0.0, 0, 0, []
    shown = 0
    seeds_left = itertools.count(first)
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        waiting = deque(pool.submit(day, next(seeds_left)) for _ in range(2 * jobs))
        while simulated_s < hours * 3600:
            seed, ends_s, opened, faults = waiting.popleft().result()
            simulated_s, alerts, seeds = simulated_s + ends_s, alerts + opened, seeds + 1
            if faults:
                failures.append(
                    {"seed": seed, "replay": f"python -m tests.sim --town {seed}", "faults": faults[:5]}
                )
                print(json.dumps(failures[-1], ensure_ascii=False), flush=True)
            if not quiet and (tenth := int(10 * simulated_s / (hours * 3600))) > shown:
                shown = tenth
                print(f"{simulated_s / 3600:.0f} of {hours:.0f} h, {len(failures)} of {seeds} days failed",
                      file=sys.stderr, flush=True)  # fmt: skip
            waiting.append(pool.submit(day, next(seeds_left)))
        pool.shutdown(wait=False, cancel_futures=True)
    wall_s = time.monotonic() - began_s
    said = {
        "sim_hours": round(simulated_s / 3600, 1), "sim_hours_per_s": round(simulated_s / 3600 / wall_s, 2),
        "wall_s": round(wall_s, 1), "days": seeds, "first_seed": first, "alerts": alerts, "jobs": jobs,
        "failed": len(failures), "failures": failures[:20],
    }  # fmt: skip
    print(json.dumps(said, ensure_ascii=False))
    return 1 if failures else 0
