"""Seeded fault runs against the real edge: its processes are killed, cut off, filled and set wrong.

    python -m tests.faults edge --seeds 200 --json      seeds 1 to 200
    python -m tests.faults edge --from 17 --seeds 1     one of them again: the same plan, other microseconds
    python -m tests.faults edge --quick                 a dozen
    python -m tests.faults edge --seeds 200 --state F   keeps results in F and goes on after them
    python -m tests.faults edge --sabotage puback       an edge that is wrong: does the run find it?

Most seeds run outbox, publisher and uploader with processes that play cameras; each 20th the whole worker.
The last line is one JSON object. Exit status 1 if any seed failed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from tests.faults.edge_disk import Disk
from tests.faults.edge_plan import FaultKind, Plan, drawn
from tests.faults.edge_sabotage import FINDS, SABOTAGES
from tests.faults.edge_seed import Outcome, Run, play

QUICK: Final = 12
_LINE: Final = msgspec.json.Decoder(Outcome)


def main(arguments: list[str] | None = None) -> int:
    """Exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=200, metavar="N", help="so many seeds (200)")
    parser.add_argument("--from", dest="first", type=int, default=1, metavar="N", help="the first seed (1)")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} seeds, none with the whole worker")
    parser.add_argument("--json", action="store_true", help="nothing but the last line")
    parser.add_argument(
        "--state",
        type=Path,
        metavar="FILE",
        help="keep each seed's result here; those that are there are not run again",
    )
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="leave the files of seeds that failed here"
    )
    parser.add_argument(
        "--sabotage", choices=sorted(SABOTAGES), help="; ".join(f"{k}: {v}" for k, v in SABOTAGES.items())
    )
    parser.add_argument(
        "--disk", choices=("tmpfs", "limit"), help="how the disk gets full (tmpfs for root, else limit)"
    )
    given = parser.parse_args(arguments)
    if given.sabotage and given.state:
        parser.error("--sabotage keeps no state: its results are no results")
    seeds = QUICK if given.quick else given.seeds
    plans = [drawn(seed) for seed in range(given.first, given.first + seeds)]
    if given.quick:
        plans = [plan for plan in plans if not plan.whole]
    began_s = time.monotonic()
    outcomes = run(plans, given.state, given.keep, given.sabotage or "", given.disk, quiet=given.json)
    said = summary(outcomes, given.sabotage or "")
    said["wall_s"] = round(time.monotonic() - began_s, 1)
    print(json.dumps(said, ensure_ascii=False))
    return 1 if said["failed"] else 0


def run(
    plans: list[Plan],
    state: Path | None,
    keep: Path | None,
    sabotage: str,
    disk_kind: str | None,
    *,
    quiet: bool,
) -> list[Outcome]:
    """Run what the state does not have yet, in order."""
    known = _known(state)
    outcomes = []
    multiprocessing.set_forkserver_preload(["tests.faults.edge", "tests.faults.edge_children"])
    with tempfile.TemporaryDirectory(prefix="edge-faults-") as work:
        disk = Disk(Path(work) / "disk", kind=disk_kind)
        try:
            for plan in plans:
                outcome = known.get(plan.seed)
                if outcome is None:
                    folder = (keep or Path(work)) / f"seed-{plan.seed}"
                    outcome = play(_maker(plan, disk, folder, sabotage, Path(work)), disk, folder)
                    if state is not None:
                        with state.open("ab") as file:
                            file.write(msgspec.json.encode(outcome) + b"\n")
                if not quiet:
                    print(_told(outcome), flush=True)
                outcomes.append(outcome)
        finally:
            disk.end()
    return outcomes


def _maker(plan: Plan, disk: Disk, folder: Path, sabotage: str, work: Path) -> Callable[[], Run]:
    if not plan.whole:
        return lambda: Run(plan, disk, folder, sabotage)
    from tests.faults import (
        edge_clock,
        edge_whole,
    )  # a decoder and a renderer, which the light seeds' processes do not need

    return lambda: edge_whole.WholeRun(plan, disk, folder, *edge_whole.digging(work), edge_clock.built(work))


def _known(state: Path | None) -> dict[int, Outcome]:
    if state is None or not state.exists():
        return {}
    text = state.read_bytes()
    lines = text[: text.rfind(b"\n") + 1].splitlines()
    return {outcome.seed: outcome for outcome in map(_LINE.decode, lines)}


def _told(outcome: Outcome) -> str:
    wrong = [f"{name}: {', '.join(said[:3])}" for name, said in _wrong(outcome).items()]
    struck = " ".join(f"{kind} {n}" for kind, n in outcome.struck.items())
    made = sum(n for kind, n in outcome.produced.items() if kind != "evidence")
    return (f"seed {outcome.seed}{' (whole)' if outcome.whole else ''}: {'; '.join(wrong) or 'right'}; {made} messages"
            f" in {outcome.wall_s} s, at rest after {outcome.rest_s} s; {struck}")  # fmt: skip


def _wrong(outcome: Outcome) -> dict[str, list[str]]:
    verdict = outcome.verdict
    found = {
        "lost": list(verdict.lost), "duplicates": list(verdict.duplicates),
        "numbered_but_missing": list(verdict.numbered_but_missing),
        "untold": [str(verdict.untold)] if verdict.untold else [], "other": list(verdict.other),
    }  # fmt: skip
    return {name: said for name, said in found.items() if said}


def summary(outcomes: list[Outcome], sabotage: str) -> dict[str, Any]:
    """The last line's object."""
    verdicts = [outcome.verdict for outcome in outcomes]
    struck, produced, received = Counter[str](), Counter[str](), Counter[str]()
    for outcome in outcomes:
        struck.update(outcome.struck)
        produced.update(outcome.produced)
        received.update(outcome.received)
    failed = [
        {"seed": o.seed, "repeat": f"python -m tests.faults edge --from {o.seed} --seeds 1",
         "wrong": {name: said[:5] for name, said in _wrong(o).items()}}
        for o in outcomes if not o.verdict.right
    ]  # fmt: skip
    kinds = ("event", "watch", "loss", "evidence")
    return {
        "seeds": len(outcomes),
        "whole": sum(outcome.whole for outcome in outcomes),
        "lost": sum(len(v.lost) for v in verdicts),
        "duplicates": sum(len(v.duplicates) for v in verdicts),
        "numbered_but_missing": sum(len(v.numbered_but_missing) for v in verdicts),
        "untold": sum(v.untold for v in verdicts),
        "other": sum(len(v.other) for v in verdicts),
        "faults": {kind.value: struck[kind.value] for kind in FaultKind},
        "produced": sum(n for kind, n in produced.items() if kind != "evidence"),
        "received": sum(n for kind, n in received.items() if kind != "evidence"),
        "by_kind": {kind: {"produced": produced[kind], "received": received[kind]} for kind in kinds},
        "came_again": sum(o.came_again for o in outcomes),
        "refused": sum(o.refused for o in outcomes),
        "shed": sum(o.shed for o in outcomes),
        "failed": failed,
        "slowest_rest_s": max((o.rest_s for o in outcomes), default=0.0),
        **({"sabotage": sabotage, "must_be_above_0": FINDS[sabotage]} if sabotage else {}),
    }


if __name__ == "__main__":
    sys.exit(main())
