"""Peer: Ultralytics' `track()` over the stream with every fifth picture, and its zone solution's test.

    PYTHON -m tests.bench.edge_parts.peer_ultralytics URL WEIGHTS ZONES

Its own letterbox, ONNX Runtime session (held to one thread: more of them wait for each other on one core),
NMS and ByteTrack. The zone test asks what `ultralytics.solutions.RegionCounter` asks (is the point in
the polygon), by OpenCV, which is cheaper; its drawing is left out, which a server wouldn't want. Boxes
from Ultralytics' own default score.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

STRIDE = 5
SCORE_MIN = 0.25


def main() -> None:
    """Track until the stream ends."""
    url, weights, zones_text = sys.argv[1:]
    import cv2
    import numpy as np
    import yaml

    from models.boxes import fit
    from models.ultralytics_backend import _with_names
    from tests.bench.edge_parts.zones import Dwell, Voice

    cv2.setNumThreads(1)
    folder = Path(weights)
    classes = tuple(yaml.safe_load((folder / "card.yaml").read_text())["classes"])
    scratch = (
        tempfile.TemporaryDirectory()
    )  # lives as long as we do: it loads the file when the stream begins
    path = Path(scratch.name) / "model.onnx"
    path.write_bytes(_with_names((folder / "model.onnx").read_bytes(), classes))
    yolo = _held_to_one_thread(path)
    size = fit((1080, 1920), long_side_px=640).input_hw
    zones = [(z, np.array(z["polygon"], np.float32), Dwell(z["dwell_s"])) for z in json.loads(zones_text)]
    voice = Voice()
    voice.ready(input_hw=size)
    results = yolo.track(
        source=url, stream=True, vid_stride=STRIDE, imgsz=size, conf=SCORE_MIN, tracker="bytetrack.yaml",
        verbose=False, device="cpu", save=False,
    )  # fmt: skip
    for found in results:
        voice.look()
        boxes = found.boxes
        if boxes is None or boxes.id is None:
            for _, _, dwell in zones:
                dwell.update([], time.monotonic())
            continue
        rows = list(zip(boxes.id.int().tolist(), boxes.cls.int().tolist(), boxes.xyxy.tolist(), strict=True))
        for zone, area, dwell in zones:
            inside = [
                track
                for track, class_id, (x1, _, x2, y2) in rows
                if classes[class_id] in zone["classes"]
                and cv2.pointPolygonTest(area, ((x1 + x2) / 2, y2), False) >= 0
            ]
            for _ in dwell.update(inside, time.monotonic()):
                voice.onset(zone["kind"])


def _held_to_one_thread(path: Path) -> Any:
    """Ultralytics' model object, whose session takes one thread instead of one a core."""
    import onnxruntime as ort
    import torch
    import ultralytics

    class Held(ort.InferenceSession):  # type: ignore[misc]
        def __init__(self, source: Any, sess_options: Any = None, **rest: Any) -> None:
            held = sess_options or ort.SessionOptions()
            held.intra_op_num_threads = 1
            super().__init__(source, held, **rest)

    torch.set_num_threads(1)
    ort.InferenceSession = Held
    return ultralytics.YOLO(str(path), task="detect")


if __name__ == "__main__":
    main()
