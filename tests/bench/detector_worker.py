"""One side of the bench `detector`, in a process of its own, on one core from its first import on.

    python -m tests.bench.detector_worker CORE THREADS WEIGHTS FRAMES SIDE...

Loads what is to be measured, then answers each line `SIDE COUNT` on its input with the CPU
milliseconds a frame that all its threads together spent.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path


def main() -> None:
    """Pinned before anything else is imported: libraries count cores when they are loaded."""
    core, threads, weights, frames_path, *sides = sys.argv[1:]
    os.sched_setaffinity(0, {int(core)})
    if threads == "1":
        os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
    import numpy as np

    frames = np.load(frames_path, mmap_mode="r")
    looks = {side: _side(side, Path(weights), None if threads == "own" else int(threads)) for side in sides}
    for look in looks.values():
        for k in range(6):
            look(np.array(frames[k % len(frames)]))
    print(json.dumps({"ready": sides}), flush=True)
    for line in sys.stdin:
        side, count = line.split()
        shown = [np.array(frames[k % len(frames)]) for k in range(int(count))]
        began_s = time.process_time()
        found = sum(looks[side](frame) for frame in shown)
        took_s = time.process_time() - began_s
        print(json.dumps({"ms": took_s / len(shown) * 1000, "boxes": found / len(shown)}), flush=True)


#: Longer side of the input, and the score from which both sides give boxes: Ultralytics' own default.
LONG_SIDE_PX = 640
SCORE_MIN = 0.25


def _side(side: str, folder: Path, threads: int | None):  # type: ignore[no-untyped-def]
    return _theirs(side, folder, threads) if side.startswith("ultralytics") else _ours(side, folder)


def _ours(backend: str, folder: Path) -> "Callable[..., int]":
    import cv2

    from models.registry import load

    cv2.setNumThreads(1)
    detector = load(folder, backend, threads=1, long_side_px=LONG_SIDE_PX, score_min=SCORE_MIN)
    return lambda frame: len(detector.detect(frame))


def _theirs(side: str, folder: Path, threads: int | None) -> "Callable[..., int]":
    import cv2
    import yaml

    from models.boxes import fit
    from models.ultralytics_backend import predictor

    if threads is not None:
        cv2.setNumThreads(threads)
    classes = tuple(yaml.safe_load((folder / "card.yaml").read_text())["classes"])
    yolo = predictor((folder / "model.onnx").read_bytes(), classes, threads=threads)
    square = (LONG_SIDE_PX, LONG_SIDE_PX)
    size = square if side == "ultralytics-default" else fit((1080, 1920), long_side_px=LONG_SIDE_PX).input_hw
    return lambda frame: len(
        yolo.predict(frame, imgsz=size, conf=SCORE_MIN, verbose=False, device="cpu")[0].boxes
    )


if __name__ == "__main__":
    main()
