"""The whole loop in simulated time: one seed told, seeds for a night, or the loop of a city for thousands of hours.

    python -m tests.sim --seed 17                      what happened, line by line, and what is wrong
    python -m tests.sim --count 200 --from 1           seeds 1, 2, 3, … of edge, broker, centre and people
    python -m tests.sim --night 8                      or as many as eight hours of real time allow
    python -m tests.sim --hours 10000 --seed 1 --json  the loop of twelve sites for so many simulated hours
    python -m tests.sim --town 17                      one of its days told

The last line of a night and of hours is one JSON object. Exit status 1 if any seed failed.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from pprint import pformat
from typing import Any

import structlog

from tests.sim import town
from tests.sim.days import days, faults_of
from tests.sim.plan import Plan, drawn, plain
from tests.sim.town_world import TownWorld
from tests.sim.world import World, digest


def main(arguments: list[str] | None = None) -> int:
    """Exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument(
        "--seed",
        type=int,
        help="replay this one, 0 is the demo's story without a fault; with --hours the first of its days",
    )
    parser.add_argument("--hours", type=float, help="simulated hours of the city's loop")
    parser.add_argument("--town", type=int, metavar="SEED", help="replay this day of the city")
    parser.add_argument("--night", type=float, default=8.0, metavar="HOURS", help="of real time (8)")
    parser.add_argument("--count", type=int, help="at most so many seeds")
    parser.add_argument("--from", dest="first", type=int, default=1, help="first seed (1)")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="processes, with --hours (one a core)"
    )
    parser.add_argument("--json", action="store_true", help="nothing but JSON lines")
    given = parser.parse_args(arguments)
    # warnings of the parts are faults that the plan ordered
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    if given.town is not None:
        return replay(TownWorld, town.drawn(given.town))
    if given.hours is not None:
        first = given.first if given.seed is None else given.seed
        return days(first, given.hours, given.jobs, quiet=given.json)
    if given.seed is not None:
        return replay(World, plan_of(given.seed))
    return night(given.first, given.night, given.count)


def plan_of(seed: int) -> Plan:
    """The plan of a seed; 0 is the plain story."""
    return drawn(seed) if seed else plain()


def replay(kind: Any, plan: Any) -> int:
    """One seed of a kind of world, told."""
    print(pformat(plan, width=110))

    def say(at_s: float, who: str, text: str) -> None:
        print(f"{int(at_s) // 3600}:{int(at_s) // 60 % 60:02}:{at_s % 60:06.3f}  {who:7} {text}")

    world = kind(plan, say)
    faults = faults_of(world)
    for alert in world.database.book.tables.alerts.values():
        print(f"alert {alert.number}: {alert.violation or alert.health} {alert.level} {alert.state} onset {alert.onset_at:%H:%M:%S}")  # fmt: skip
        for move in world.database.book.tables.moves[alert.alert_id]:
            print(f"    {move.at:%H:%M:%S.%f}  {move.step:12} {move.from_state or '-'} → {move.to_state}  {move.actor}: {move.reason}")  # fmt: skip
    print("\n".join(f"FAULT {fault}" for fault in faults) or "all is well")
    print(f"digest {digest(world)}")
    return 1 if faults else 0


def night(first: int, hours: float, count: int | None) -> int:
    """Seeds from `first` on until the time or the count is over."""
    began_s, simulated_s, failures = time.monotonic(), 0.0, []
    seed = first
    while time.monotonic() - began_s < hours * 3600 and (count is None or seed < first + count):
        plan = plan_of(seed)
        faults = faults_of(World(plan))
        simulated_s += plan.story.ends_s
        if faults:
            failures.append(
                {"seed": seed, "replay": f"python -m tests.sim --seed {seed}", "faults": faults[:5]}
            )
            print(json.dumps(failures[-1], ensure_ascii=False), flush=True)
        seed += 1
    wall_s = time.monotonic() - began_s
    said = {
        "seeds": seed - first, "simulated_h": round(simulated_s / 3600, 2), "wall_s": round(wall_s, 1),
        "ratio": round(simulated_s / wall_s), "failures": failures,
    }  # fmt: skip
    print(json.dumps(said, ensure_ascii=False))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
