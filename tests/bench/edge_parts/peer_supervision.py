"""Peer: OpenCV reads, ONNX Runtime detects, Roboflow's `trackers` ByteTrack, supervision's PolygonZone.

    PYTHON -m tests.bench.edge_parts.peer_supervision URL WEIGHTS ZONES

Four of five pictures are grabbed only (`grab` without `retrieve`), one thread each. The network's pre- and
postprocessing are ours over ONNX Runtime, which are lean: the peer is at its best.
"""

import json
import sys
import time
from pathlib import Path

STRIDE = 5
FPS = 25
SCORE_MIN = 0.25


def main() -> None:
    """Track until the stream ends."""
    url, weights, zones_text = sys.argv[1:]
    import cv2
    import numpy as np
    import supervision as sv
    from trackers import ByteTrackTracker

    from models.registry import load
    from tests.bench.edge_parts.zones import Dwell, Voice

    cv2.setNumThreads(1)
    detector = load(Path(weights), "onnxruntime", threads=1, long_side_px=640, score_min=SCORE_MIN)
    detector.warm_up()
    classes = detector.info.classes
    tracker = ByteTrackTracker(frame_rate=FPS / STRIDE)
    zones = []
    for zone in json.loads(zones_text):
        corners = np.array(zone["polygon"], dtype=np.int64)
        area = sv.PolygonZone(corners, triggering_anchors=(sv.Position.BOTTOM_CENTER,))
        zones.append(
            (zone, [classes.index(c) for c in zone["classes"] if c in classes], area, Dwell(zone["dwell_s"]))
        )
    voice = Voice()
    voice.ready(input_hw=detector.info.input_hw)
    capture, count = cv2.VideoCapture(url, cv2.CAP_FFMPEG), 0
    while capture.grab():
        count += 1
        if count % STRIDE:
            continue
        good, frame = capture.retrieve()
        if not good:
            break
        voice.look()
        found = detector.detect(np.asarray(frame, dtype=np.uint8))
        boxes = sv.Detections.empty()
        if found:
            boxes = sv.Detections(
                xyxy=np.array([d.xyxy for d in found]), confidence=np.array([d.score for d in found]),
                class_id=np.array([classes.index(d.class_name) for d in found]),
            )  # fmt: skip
        tracked = tracker.update(boxes)
        for zone, wanted, area, dwell in zones:
            inside: list[int] = []
            if len(tracked):
                hit = area.trigger(tracked) & np.isin(tracked.class_id, wanted) & (tracked.tracker_id >= 0)
                inside = tracked.tracker_id[hit].tolist()
            for _ in dwell.update(inside, time.monotonic()):
                voice.onset(zone["kind"])


if __name__ == "__main__":
    main()
