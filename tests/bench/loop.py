"""How long from an onset's MQTT publish until the dispatch is with its receiver, beside Alertmanager.

    python -m tests.bench loop [--quick] [--json] [--seed N]

Level I onsets at 12,000 distinct places, 200 a second for 60 s (quick: 20 s), through the real broker, ingest,
PostgreSQL, alert worker, courier and webhook, to an HTTP receiver on loopback that answers 200. Then the same
number of alerts at the same rate to Debian's Alertmanager with the same receiver: it waits `group_wait` before
it first tells of a group, so it is run with none, with 1 s and with its default, one after the other, so that
nobody disturbs anybody. Then ours again, with 100 and with 100,000 alerts open. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tests.bench.loop_parts import alertmanager, runs
from tests.bench.loop_parts.receiver import Receiver, receiver

FEW, MANY = 100, 100_000
#: what must hold: key, and whether the value does
AIMS: Final[dict[str, Callable[[float], bool]]] = {
    "onset_to_dispatched_p99_ms": lambda ms: ms < 500,
    "ratio_alertmanager": lambda ratio: ratio >= 2,
    "open_slowdown": lambda ratio: ratio <= 2,
}


def main() -> int:
    """Exit status 1 if an aim is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="20 s instead of 60 s")
    parser.add_argument("--json", action="store_true", help="nothing but the last line")
    parser.add_argument("--seed", type=int, default=1, help="order of the places (1)")
    parser.add_argument(
        "--only", choices=("ours", "alertmanager", "open"), help="one part; the others are null"
    )
    given = parser.parse_args()
    seconds = 20 if given.quick else 60
    told = (lambda _line: None) if given.json else (lambda line: print(line, flush=True))
    began_s = time.monotonic()
    with receiver() as inbox:
        said = _all(inbox, seconds * runs.RATE_PER_S, given.seed, given.only, told)
    said |= {"seconds": seconds, "quick": given.quick, "wall_s": round(time.monotonic() - began_s),
             "cores": os.cpu_count(), "load_1min": round(os.getloadavg()[0], 1)}  # fmt: skip
    missed = [key for key, holds in AIMS.items() if said[key] is not None and not holds(said[key])]
    print(json.dumps({**said, "missed": missed}, ensure_ascii=False))
    return 1 if missed or said["undelivered"] else 0


def _all(
    inbox: Receiver, count: int, seed: int, only: str | None, told: Callable[[str], None]
) -> dict[str, Any]:
    said: dict[str, Any] = dict.fromkeys(
        ("onset_to_dispatched_p50_ms", "onset_to_dispatched_p95_ms", "onset_to_dispatched_p99_ms",
         "alertmanager_p99_ms", "ratio_alertmanager", "open_slowdown")
    )  # fmt: skip
    said |= {"alerts": count, "rate_per_s": runs.RATE_PER_S, "undelivered": 0, "delivered_twice": 0,
             "notes": ["Alertmanager runs after ours, not beside it, each with the whole machine"]}  # fmt: skip
    if only in (None, "ours"):
        main_run = _ours(inbox, count, seed, 0, said, told)
        for percent in (50, 95, 99):
            said[f"onset_to_dispatched_p{percent}_ms"] = round(main_run.p(percent), 1)
        said["cpu_ms_per_alert"] = main_run.cpu_ms
        said["publisher_late_ms_p99"] = main_run.publisher_late_ms_p99
    if only in (None, "alertmanager"):
        _alertmanager(inbox, count, said, told)
    if only in (None, "open"):
        few = _ours(inbox, count // 3, seed + 1, FEW, said, told).p(99)
        many = _ours(inbox, count // 3, seed + 1, MANY, said, told).p(99)
        said |= {"open_p99_ms": {str(FEW): round(few, 1), str(MANY): round(many, 1)},
                 "open_slowdown": round(many / few, 2)}  # fmt: skip
    return said


def _ours(
    inbox: Receiver, count: int, seed: int, already: int, said: dict[str, Any], told: Callable[[str], None]
) -> runs.Latencies:
    run = runs.ours(inbox, count, seed, already)
    said["undelivered"] += run.missing
    said["delivered_twice"] += run.twice
    if run.short_of:
        said["notes"].append(
            f"alerts, dispatches, sent messages: {run.short_of}, of {count} onsets and a warm-up"
        )
    told(f"ours, {already} open: p50 {run.p(50):.0f} ms, p99 {run.p(99):.0f} ms, max {max(run.ms):.0f} ms;"
         f" {run.missing} missing, {run.twice} twice; publisher late p99 {run.publisher_late_ms_p99} ms;"
         f" CPU ms each: {run.cpu_ms}; load {os.getloadavg()[0]:.1f}")  # fmt: skip
    return run


def _alertmanager(inbox: Receiver, count: int, said: dict[str, Any], told: Callable[[str], None]) -> None:
    with tempfile.TemporaryDirectory(prefix="loop-bench-deb-") as folder:
        try:
            binary = alertmanager.program(Path(folder))
        except alertmanager.NoAlertmanager as exc:
            said["notes"].append(f"no Alertmanager: {exc}")
            return
        said["alertmanager"] = alertmanager.version(binary)
        said["alertmanager_p99_ms"] = {}
        for name, group_wait in alertmanager.GROUP_WAIT.items():
            run = runs.theirs(inbox, binary, count, group_wait)
            said["alertmanager_p99_ms"][name] = round(run.p(99), 1)
            told(f"Alertmanager, group_wait {group_wait}: p50 {run.p(50):.0f} ms, p99 {run.p(99):.0f} ms,"
                 f" max {max(run.ms):.0f} ms; {run.missing} missing; feeder late p99 {run.publisher_late_ms_p99} ms")  # fmt: skip
    if ours := said["onset_to_dispatched_p99_ms"]:
        said["ratio_alertmanager"] = round(said["alertmanager_p99_ms"]["gw1s"] / ours, 2)


if __name__ == "__main__":
    sys.exit(main())
