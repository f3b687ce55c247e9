"""Replays one seed with a readable log, or runs seeds for a night.

    python -m tests.sim --seed 17              what happened, line by line, and what is wrong
    python -m tests.sim --hours 8 --from 1     seeds 1, 2, 3, … for eight hours of real time
    python -m tests.sim --count 200 --from 1   or so many of them

The last line of a night is one JSON object. Exit status 1 if any seed failed.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
import traceback
from pprint import pformat

import structlog

from tests.sim.plan import Plan, drawn, plain
from tests.sim.world import World, digest


def main(arguments: list[str] | None = None) -> int:
    """Exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--seed", type=int, help="replay this one; 0 is the demo's story without a fault")
    parser.add_argument("--hours", type=float, default=8.0, help="of real time")
    parser.add_argument("--count", type=int, help="at most so many seeds")
    parser.add_argument("--from", dest="first", type=int, default=1, help="first seed")
    given = parser.parse_args(arguments)
    # warnings of the parts are faults that the plan ordered
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    return replay(given.seed) if given.seed is not None else night(given.first, given.hours, given.count)


def plan_of(seed: int) -> Plan:
    """The plan of a seed; 0 is the plain story."""
    return drawn(seed) if seed else plain()


def replay(seed: int) -> int:
    """One seed, told."""
    plan = plan_of(seed)
    print(pformat(plan, width=110))

    def say(at_s: float, who: str, text: str) -> None:
        print(f"{int(at_s) // 3600}:{int(at_s) // 60 % 60:02}:{at_s % 60:06.3f}  {who:7} {text}")

    world = World(plan, say)
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


def faults_of(world: World) -> list[str]:
    """What is wrong after the run; a part that raised is wrong too."""
    try:
        return world.run().faults
    except Exception as exc:  # a night goes on with the next seed
        where = "".join(traceback.format_exception(exc)[-4:])
        return [f"raised at {world.agenda.now_s:.2f} s: {exc!r}\n{where}"]


if __name__ == "__main__":
    sys.exit(main())
