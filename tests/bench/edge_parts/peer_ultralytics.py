"""Peer: Ultralytics' `track()` over the stream with every fifth picture, and its zone solution's test.

    PYTHON -m tests.bench.edge_parts.peer_ultralytics URL WEIGHTS ZONES

Its own letterbox, ONNX Runtime session (held to one thread: more of them wait for each other on one core),
NMS and ByteTrack. The zone test is that of `ultralytics.solutions.RegionCounter` (a prepared shapely
polygon); its drawing is left out, which a server wouldn't want. Boxes from Ultralytics' own default score.
"""

import json
import sys
import time
from pathlib import Path

STRIDE = 5
SCORE_MIN = 0.25


def main() -> None:
    """Track until the stream ends."""
    url, weights, zones_text = sys.argv[1:]
    import cv2
    import yaml
    from shapely.geometry import Point, Polygon
    from shapely.prepared import prep

    from models.boxes import fit
    from models.ultralytics_backend import predictor
    from tests.bench.edge_parts.zones import Dwell, Voice

    cv2.setNumThreads(1)
    folder = Path(weights)
    classes = tuple(yaml.safe_load((folder / "card.yaml").read_text())["classes"])
    yolo = predictor((folder / "model.onnx").read_bytes(), classes, threads=1)
    size = fit((1080, 1920), long_side_px=640).input_hw
    zones = [(z, prep(Polygon(z["polygon"])), Dwell(z["dwell_s"])) for z in json.loads(zones_text)]
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
                if classes[class_id] in zone["classes"] and area.contains(Point((x1 + x2) / 2, y2))
            ]
            for _ in dwell.update(inside, time.monotonic()):
                voice.onset(zone["kind"])


if __name__ == "__main__":
    main()
