"""What it saves and costs that an edge's cameras share one detector, and who is served when it can't keep up.

    python -m tests.bench sharing [--quick] [--json] [--backend NAME]

Real processes, our own drawn picture at 1080p, pauses drawn under one seed; no streams: decoding is the same
either way. The last line is one JSON object.

`memory`: MB that one more camera's process takes for itself (unique set size, after its looks; imports as in
the edge), with a detector of its own and with a seat at the shared one, and what the detector's process takes.
`look`: CPU milliseconds of one look, all processes together, and milliseconds from asking to the answer, both
ways in turn; median of the rounds. `overload`: two cameras of each HCA grade ask five looks a second each in
motion, and the detector is given half the cores that it would take: per camera looks asked and served, the
longest time without one, and `evenness`, the least served of two equals over the most.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import statistics
import sys
import tempfile
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import cv2
import msgspec
import numpy as np
import psutil
from numpy.typing import NDArray

from edge.job import CameraJob
from models.backends import BACKENDS, FALLBACK
from models.detector import Detector
from models.errors import NotLooked
from monitor.domain.levels import HcaGrade
from tests.doubles.shared_cameras import KeptDetector, jobs_for

SEED: Final = 20261130
PROBE: Final = Path(__file__).parents[2] / "models" / "probe.jpg"
LOOKS: Final = 10
GRADES: Final = {f"{grade}-{n}": grade for grade in HcaGrade for n in (1, 2)}
MB: Final = 1e6


def picture() -> NDArray[np.uint8]:
    """Our own drawn picture, 1080p."""
    return np.asarray(cv2.resize(cv2.imread(str(PROBE)), (1920, 1080)), dtype=np.uint8)


def camera(job: CameraJob, line: Connection) -> None:
    """A camera's process without its stream: looks as often as it is told, says what that took."""
    import edge.camera_process  # noqa: F401 - what a camera's process imports is part of its memory
    from edge.scheduling import Occasion
    from edge.shared_detector import detector_for

    cv2.setNumThreads(1)
    detector = detector_for(job, lambda: Occasion.MOTION)
    detector.warm_up()
    frame, process = picture(), psutil.Process()
    while (looks := line.recv()) > 0:
        cpu_s, asked_s = time.process_time(), time.perf_counter()
        for _ in range(looks):
            look(detector, frame)
        line.send(
            (time.process_time() - cpu_s, time.perf_counter() - asked_s, process.memory_full_info().uss / MB)
        )


def look(detector: Detector, frame: NDArray[np.uint8]) -> bool:
    """Whether somebody looked."""
    try:
        detector.detect(frame)
    except NotLooked:
        return False
    return True


class Cameras:
    """Processes of cameras, by their jobs."""

    def __init__(self, jobs: tuple[CameraJob, ...]) -> None:
        context = multiprocessing.get_context("spawn")
        self.lines: list[Connection] = []
        self.processes = []
        for job in jobs:
            ours, theirs = context.Pipe()
            process = context.Process(target=camera, args=(job, theirs), daemon=True)
            process.start()
            theirs.close()
            self.lines.append(ours)
            self.processes.append(process)

    def look(self, index: int, looks: int) -> tuple[float, float, float]:
        """CPU seconds of that camera's process, seconds that passed, and the MB that it then has for itself."""
        self.lines[index].send(looks)
        taken: tuple[float, float, float] = self.lines[index].recv()
        return taken

    def stop(self) -> None:
        """End them."""
        for line, process in zip(self.lines, self.processes, strict=True):
            line.send(0)
            process.join(10)


def memory_and_looks(folder: Path, backend: str, rounds: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The first two parts."""
    jobs = tuple(
        msgspec.structs.replace(job, backend=backend)
        for job in jobs_for(folder, {"a": HcaGrade.III, "b": HcaGrade.III})
    )
    own = Cameras(jobs[:1])
    with KeptDetector(jobs) as kept:
        shared = Cameras(kept.jobs)
        for index in (0, 1):
            shared.look(index, LOOKS)
        own.look(0, LOOKS)
        assert kept.keeper.pid is not None
        detector = psutil.Process(kept.keeper.pid)
        cpu_ms: dict[str, list[float]] = {"own": [], "shared": []}
        wall_ms: dict[str, list[float]] = {"own": [], "shared": []}
        own_mb = shared_mb = 0.0
        for _ in range(rounds):  # in turn: what else runs on the machine costs both the same
            cpu_s, passed_s, own_mb = own.look(0, LOOKS)
            cpu_ms["own"].append(cpu_s / LOOKS * 1000)
            wall_ms["own"].append(passed_s / LOOKS * 1000)
            before_s = sum(detector.cpu_times()[:2])
            cpu_s, passed_s, shared_mb = shared.look(1, LOOKS)
            cpu_ms["shared"].append((cpu_s + sum(detector.cpu_times()[:2]) - before_s) / LOOKS * 1000)
            wall_ms["shared"].append(passed_s / LOOKS * 1000)
        detector_mb = detector.memory_full_info().uss / MB
        shared.stop()
    own.stop()
    cpu = {name: statistics.median(values) for name, values in cpu_ms.items()}
    memory = {
        "own_camera_mb": round(own_mb, 1), "shared_camera_mb": round(shared_mb, 1),
        "detector_mb": round(detector_mb, 1), "saved_a_camera_mb": round(own_mb - shared_mb, 1),
    }  # fmt: skip
    looks = {
        "own_cpu_ms": round(cpu["own"], 1), "shared_cpu_ms": round(cpu["shared"], 1),
        "overhead_cpu_ms": round(
            statistics.median(s - o for s, o in zip(cpu_ms["shared"], cpu_ms["own"], strict=True)), 1
        ),
        "own_ms": round(statistics.median(wall_ms["own"]), 1),
        "shared_ms": round(statistics.median(wall_ms["shared"]), 1),
    }  # fmt: skip
    return memory, looks


class Tally:
    """What one camera asked and had."""

    def __init__(self) -> None:
        self.asked, self.served, self.late_s, self.longest_s = 0, 0, 0.0, 0.0


def watch(detector: Detector, tally: Tally, interval_s: float, until_s: float, rng: random.Random) -> None:
    """A camera that asks each `interval_s`, and at once if the look before took longer."""
    frame, last_s = picture(), time.monotonic()
    next_s = last_s + rng.random() * interval_s
    while (now_s := time.monotonic()) < until_s:
        if now_s < next_s:
            time.sleep(next_s - now_s)
        next_s = max(next_s + interval_s, time.monotonic())
        tally.asked += 1
        if look(detector, frame):
            tally.served += 1
            now_s = time.monotonic()
            tally.longest_s, last_s = max(tally.longest_s, now_s - last_s), now_s
    tally.longest_s = max(tally.longest_s, until_s - last_s)


def overload(folder: Path, backend: str, seconds: float) -> dict[str, Any]:
    """The third part: twice what can be had is asked, whatever the machine."""
    jobs = tuple(msgspec.structs.replace(job, backend=backend) for job in jobs_for(folder, GRADES))
    with KeptDetector(jobs) as kept:
        cameras = kept.cameras()
        tallies = {name: Tally() for name in cameras}
        # how many looks a second can be had: everybody asks all the time
        capacity = sum(_run(cameras, {n: Tally() for n in cameras}, 0.0, seconds / 3)) / (seconds / 3)
        interval_s = len(cameras) / (2 * capacity)
        _run(cameras, tallies, interval_s, seconds)
    served = {grade: [tallies[n].served for n, g in GRADES.items() if g is grade] for grade in HcaGrade}
    return {
        "capacity_looks_s": round(capacity, 1), "asked_looks_s": round(len(cameras) / interval_s, 1),
        "cameras": {
            name: {"asked": t.asked, "served": t.served, "longest_unseen_s": round(t.longest_s, 2)}
            for name, t in tallies.items()
        },
        "served_share": {
            grade: round(sum(counts) / sum(tallies[n].asked for n, g in GRADES.items() if g is grade), 2)
            for grade, counts in served.items()
        },
        "evenness": {grade: round(min(counts) / max(1, *counts), 2) for grade, counts in served.items()},
    }  # fmt: skip


def _run(
    cameras: dict[str, Detector], tallies: dict[str, Tally], interval_s: float, seconds: float
) -> list[int]:
    """Looks that each camera had."""
    rng, until_s = random.Random(SEED), time.monotonic() + seconds
    threads = [
        threading.Thread(target=watch, args=(cameras[n], tallies[n], interval_s, until_s, rng))
        for n in cameras
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [tally.served for tally in tallies.values()]


def main() -> int:
    """Run all parts; the last line is the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench sharing", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )  # fmt: skip
    best = FALLBACK if BACKENDS["openvino-int8"].missing else "openvino-int8"
    parser.add_argument("--backend", default=best, help=f"one of {', '.join(BACKENDS)}")
    parser.add_argument("--quick", action="store_true", help="ten seconds of overload, and fewer rounds")
    parser.add_argument("--json", action="store_true", help="only the last line")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        memory, looks = memory_and_looks(Path(folder), given.backend, 3 if given.quick else 9)
        served = overload(Path(folder), given.backend, 12.0 if given.quick else 45.0)
    table = {"backend": given.backend, "memory": memory, "look": looks, "overload": served}
    if not given.json:
        print(json.dumps(table, indent=1), file=sys.stderr)
    print(json.dumps(table))
    return 0


if __name__ == "__main__":
    sys.exit(main())
