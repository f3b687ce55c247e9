"""Seeded fault runs against the real loop: two alert workers, a real database, a receiver that fails.

    python -m tests.faults loop --seeds 500 --json      seeds 1 to 500
    python -m tests.faults loop --from 17 --seeds 1     one of them again: the same plan, other microseconds
    python -m tests.faults loop --seeds 500 --state F   keeps results in F and goes on after them
    python -m tests.faults loop --seeds 500 --jobs 4    four at a time, each with a database server of its own

Workers are killed at every step of theirs and at any time, the database is restarted and killed, connections are
cut, the receiver refuses or hangs. Minutes of the policy are seconds. What must be 0: `undelivered` (committed,
and not with the receiver 60 s after all was mended), `twice_without_key` (one command under two keys), `late`
(timers over 2 s after due while both workers were ready all the time and the machine let them run), `other`.
The last line is one JSON object. Exit status 1 if any seed failed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, ClassVar, Final

import msgspec
import structlog

from monitor.store.embedded import EmbeddedPostgres
from tests.faults.loop_plan import drawn
from tests.faults.loop_seed import Outcome, Run, database

_LINE: Final = msgspec.json.Decoder(Outcome)
#: what a verdict lists
FAULTS: Final = ("undelivered", "twice_without_key", "late", "other")


def main(arguments: list[str] | None = None) -> int:
    """Exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=500, metavar="N", help="so many seeds (500)")
    parser.add_argument("--from", dest="first", type=int, default=1, metavar="N", help="the first seed (1)")
    parser.add_argument("--json", action="store_true", help="nothing but the last line")
    parser.add_argument(
        "--state", type=Path, metavar="FILE", help="keep each seed's result here; those are not run again"
    )
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="so many seeds at a time (1)")
    given = parser.parse_args(arguments)
    began_s = time.monotonic()
    outcomes = run(range(given.first, given.first + given.seeds), given.state, given.jobs, quiet=given.json)
    said = summary(outcomes)
    said["wall_s"] = round(time.monotonic() - began_s, 1)
    print(json.dumps(said, ensure_ascii=False))
    return 1 if said["failed"] else 0


def run(seeds: range, state: Path | None, jobs: int = 1, *, quiet: bool) -> list[Outcome]:
    """Run what the state does not have yet, `jobs` at a time; the outcomes in the seeds' order."""
    known = _known(state)
    with (
        tempfile.TemporaryDirectory(prefix="loop-faults-") as name,
        ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _begin, (name,)) as pool,
    ):
        playing = {pool.submit(_play, seed): seed for seed in seeds if seed not in known}
        for done in as_completed(playing):
            outcome = known[playing[done]] = done.result()
            if state is not None:
                with state.open("ab") as file:
                    file.write(msgspec.json.encode(outcome) + b"\n")
            if not quiet:
                print(_told(outcome), flush=True)
    return [known[seed] for seed in seeds]


class _Here:
    """What a process that plays seeds has: its folder and its database server, which ends with it."""

    folder: ClassVar[Path]
    server: ClassVar[EmbeddedPostgres]
    open: ClassVar[contextlib.ExitStack]


def _begin(name: str) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr),
                        wrapper_class=structlog.make_filtering_bound_logger(40))  # fmt: skip
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    _Here.folder = Path(name) / str(os.getpid())
    _Here.open = contextlib.ExitStack()
    _Here.server = _Here.open.enter_context(database(_Here.folder))


def _end_with(parent: int) -> None:
    """Whoever stops a run by force leaves no databases and workers behind; they end with this process."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def _play(seed: int) -> Outcome:
    return Run(drawn(seed), _Here.server, _Here.folder / f"seed-{seed}").play()


def _known(state: Path | None) -> dict[int, Outcome]:
    if state is None or not state.exists():
        return {}
    text = state.read_bytes()
    return {o.seed: o for o in map(_LINE.decode, text[: text.rfind(b"\n") + 1].splitlines())}


def _wrong(outcome: Outcome) -> dict[str, list[str]]:
    found = {name: list(getattr(outcome.verdict, name)) for name in FAULTS}
    return {name: said for name, said in found.items() if said}


def _told(outcome: Outcome) -> str:
    wrong = [f"{name}: {', '.join(said[:3])}" for name, said in _wrong(outcome).items()]
    struck = " ".join(f"{kind} {n}" for kind, n in outcome.struck.items() if n)
    return (f"seed {outcome.seed}: {'; '.join(wrong) or 'right'}; {outcome.alerts} alerts, {outcome.messages} messages"
            f" ({outcome.came_again} again), {outcome.timers} timers, judged {outcome.judged_s} of"
            f" {outcome.wall_s} s; {struck}")  # fmt: skip


def summary(outcomes: list[Outcome]) -> dict[str, Any]:
    """The last line's object."""
    struck: Counter[str] = Counter()
    for outcome in outcomes:
        struck.update(outcome.struck)
    failed = [
        {"seed": o.seed, "repeat": f"python -m tests.faults loop --from {o.seed} --seeds 1",
         "wrong": {name: said[:5] for name, said in _wrong(o).items()}}
        for o in outcomes if not o.verdict.right
    ]  # fmt: skip
    return {
        "seeds": len(outcomes),
        **{name: sum(len(getattr(o.verdict, name)) for o in outcomes) for name in FAULTS},
        "faults": dict(struck),
        **{
            name: sum(getattr(o, name) for o in outcomes)
            for name in ("alerts", "messages", "came_again", "timers")
        },
        "judged_s": round(sum(o.judged_s for o in outcomes)),
        "failed": failed,
    }


if __name__ == "__main__":
    sys.exit(main())
