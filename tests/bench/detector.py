"""What a frame costs our detector and Ultralytics' own predictor, the same weights on both sides.

    python -m tests.bench detector [--quick] [--json] [--model FOLDER] [--python PATH]

1080p frames of real footage, each side in a process of its own that was pinned to one core before it
imported anything, one thread each, turns about, CPU milliseconds, median of three rounds. Also
measures again what the 8-bit network loses of mean AP50 against the float one. The last line is one
JSON object: `ratio_ultralytics` (our 8 bits against Ultralytics' predictor on the ONNX file at the
same 640x384), `ratio_ultralytics_fp32` (our best float backend against the same),
`ratio_ultralytics_default` (8 bits against its own square 640x640), `int8_map50_loss`, and under
`ms` each side. `…_as_it_comes` is Ultralytics without our holding its ONNX Runtime to one thread:
on one core its threads then wait for each other.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models import registry
from models.eval.dataset import read_set
from models.eval.run import look
from models.quantize import loss
from tests.bench.detector_python import python_with_ultralytics

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
FRAME_HW = (1080, 1920)
ROUNDS = 3
#: Clips of what a pipeline's camera sees: machines, people, cars, an empty night.
CLIPS = (
    "excavator_loading_dump_truck.mp4", "construction_site_cctv_people.mp4", "motorway_trucks_a.mp4",
    "street_residential_cars.mp4", "night_neon_sign_negative.mp4", "outdoor_fire_smoke_fence.mp4",
)  # fmt: skip
OURS = ("openvino-int8", "openvino", "onnxruntime")
THEIRS = ("ultralytics", "ultralytics-default")
AIMS = {
    "ratio_ultralytics": 1.8, "ratio_ultralytics_fp32": 1.3, "ratio_ultralytics_default": 2.5, "int8_map50_loss": 0.01,
}  # fmt: skip


class Side:
    """A worker process that answers for one or several sides."""

    def __init__(
        self, python: str, core: int, threads: str, weights: Path, frames: Path, sides: tuple[str, ...]
    ) -> None:
        self._process = subprocess.Popen(
            [python, "-m", "tests.bench.detector_worker", str(core), threads, str(weights), str(frames), *sides],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._answer("ready")

    def ms(self, side: str, count: int) -> float:
        """CPU milliseconds a frame, over `count` frames."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{side} {count}\n")
        self._process.stdin.flush()
        return float(self._answer("ms")["ms"])

    def close(self) -> None:
        """End the process; it has nothing to save."""
        self._process.kill()
        self._process.wait()

    def _answer(self, key: str) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{") and key in (answer := json.loads(line)):
                return dict(answer)
        raise SystemExit(f"bench: a side ended with status {self._process.wait()}; what it said stands above")


def main() -> int:
    """Measure and print; exit status 1 if an aim is missed."""
    told = _arguments()
    folder = registry.find(told.model)
    python = python_with_ultralytics(told.python)
    core = max(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as scratch:
        frames = Path(scratch) / "frames.npy"
        np.save(frames, frames_of(DATA / "video", 2 if told.quick else 6))
        ms = timed(folder, python, core, frames, count=12 if told.quick else 36, say=_say)
    _say("CPU ms a frame: " + ", ".join(f"{name} {value:.1f}" for name, value in ms.items()))
    table: dict[str, Any] = ratios(ms) | _loss(folder)
    table["model"] = registry.read_card(folder).name
    table["ms"] = {name: round(value, 2) for name, value in ms.items()}
    missed = [
        name for name, aim in AIMS.items() if (table[name] > aim if "loss" in name else table[name] < aim)
    ]
    table["missed"] = missed
    if not told.json:
        for name, value in sorted(ms.items(), key=lambda row: row[1]):
            print(f"{name:<34} {value:7.2f} CPU ms a frame")
        for name, aim in AIMS.items():
            print(f"{name:<34} {table[name]:7.4f} (aim {aim}{', missed' if name in missed else ''})")
    print(json.dumps(table))
    return 1 if missed else 0


def timed(folder: Path, python: str, core: int, frames: Path, *, count: int, say: Any) -> dict[str, float]:
    """Median CPU milliseconds of each side; all are loaded before the first round, and take turns."""
    with ExitStack() as ending:

        def side(*arguments: Any) -> Side:
            made = Side(*arguments)
            ending.callback(made.close)
            return made

        sides: dict[str, tuple[Side, str]] = {}
        for name in OURS:
            say(f"loading {name}")
            sides[name] = (side(sys.executable, core, "1", folder, frames, (name,)), name)
        for suffix, threads in (("", "1"), ("-as-it-comes", "own")):
            say(f"loading Ultralytics{suffix.replace('-', ' ')}")
            both = side(python, core, threads, folder, frames, THEIRS)
            sides |= {name + suffix: (both, name) for name in THEIRS}
        took: dict[str, list[float]] = {name: [] for name in sides}
        for k in range(ROUNDS):
            for name, (one, key) in sides.items():
                took[name].append(one.ms(key, count))
            say(f"round {k + 1} of {ROUNDS}")
    return {name: statistics.median(values) for name, values in took.items()}


def ratios(ms: dict[str, float]) -> dict[str, float]:
    """How many times dearer Ultralytics is."""
    best_float = min(ms["openvino"], ms["onnxruntime"])
    found = {
        "ratio_ultralytics": ms["ultralytics"] / ms["openvino-int8"],
        "ratio_ultralytics_fp32": ms["ultralytics"] / best_float,
        "ratio_ultralytics_default": ms["ultralytics-default"] / ms["openvino-int8"],
        "ratio_ultralytics_as_it_comes": ms["ultralytics-as-it-comes"] / ms["openvino-int8"],
        "ratio_ultralytics_fp32_as_it_comes": ms["ultralytics-as-it-comes"] / best_float,
        "ratio_ultralytics_default_as_it_comes": ms["ultralytics-default-as-it-comes"] / ms["openvino-int8"],
    }
    return {name: round(value, 3) for name, value in found.items()}


def frames_of(videos: Path, each: int) -> NDArray[np.uint8]:
    """(N, 1080, 1920, 3) frames, `each` of every clip at even distances, their shape kept, bars beside."""
    found = []
    for name in CLIPS:
        capture = cv2.VideoCapture(str(videos / name))
        total = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        for k in range(each):
            capture.set(cv2.CAP_PROP_POS_FRAMES, total * (k + 1) // (each + 1))
            good, frame = capture.read()
            if not good:
                raise SystemExit(
                    f"bench: {videos / name} can't be read; the clips lie in ../shared/data/video"
                )
            found.append(_in_1080p(np.asarray(frame, dtype=np.uint8)))
    # Clips in turns, so that any number of them from the start is a mixture.
    return np.stack([found[c * each + k] for k in range(each) for c in range(len(CLIPS))])


def _in_1080p(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scale = min(FRAME_HW[0] / frame.shape[0], FRAME_HW[1] / frame.shape[1])
    height, width = round(frame.shape[0] * scale), round(frame.shape[1] * scale)
    canvas = np.full((*FRAME_HW, 3), 16, dtype=np.uint8)
    top, left = (FRAME_HW[0] - height) // 2, (FRAME_HW[1] - width) // 2
    canvas[top : top + height, left : left + width] = cv2.resize(frame, (width, height))
    return canvas


def _loss(folder: Path) -> dict[str, Any]:
    """What 8 bits lose, measured as `models.quantize` does.

    On all pictures even if quick: every second one alone moves the loss by half a hundredth.
    """
    labelled = read_set(DATA / "data.yaml", "val")
    threads = len(os.sched_getaffinity(0))
    seen = {}
    for name in ("openvino", "openvino-int8"):
        _say(f"{len(labelled.pictures)} validation pictures, {name}")
        seen[name] = list(look(labelled, registry.load(folder, name, threads=threads)))
    found = loss(seen["openvino"], seen["openvino-int8"], labelled.classes)
    return {
        "int8_map50_loss": round(found.map50, 4), "map50": round(found.map50_float, 4),
        "map50_int8": round(found.map50_int8, 4), "images": found.images,
    }  # fmt: skip


def _say(line: str) -> None:
    print(f"bench: {line}", file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench detector",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="fewer frames")
    parser.add_argument("--json", action="store_true", help="nothing but the JSON object on standard output")
    parser.add_argument("--model", metavar="NAME_OR_FOLDER", help="a set of weights; else the shipped one")
    parser.add_argument(
        "--python",
        metavar="PATH",
        help="a Python with ultralytics; else one is made (or HCAWATCH_BENCH_PYTHON)",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
