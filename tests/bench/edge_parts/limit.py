"""`python -m tests.bench.edge_parts.limit FILE WEIGHTS BACKEND RUNS`: the least that must be spent.

CPU seconds for decoding just the frames in which the truth moves and detecting in every fifth of them,
with the backend that our worker uses. Frames before them in their group of pictures must be decoded too,
by anybody; the limit doesn't count them.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

STRIDE = 5


def main() -> None:
    """Print one JSON object."""
    path, weights, backend, runs_text = sys.argv[1:]
    import av
    import cv2
    import numpy as np

    from models.registry import load

    cv2.setNumThreads(1)
    detector = load(Path(weights), backend, threads=1)
    detector.warm_up()
    decode_s = detect_s = 0.0
    frames = looks = 0
    for first, end in json.loads(runs_text):
        with av.open(path) as container:
            stream: Any = container.streams.video[0]
            stream.codec_context.thread_count = 1
            container.seek(int(first / stream.average_rate / stream.time_base), stream=stream, backward=True)
            for packet in container.demux(stream):
                began_s = time.process_time()
                decoded = packet.decode()
                took_s = time.process_time() - began_s
                for frame in decoded:
                    index = round(float(frame.pts * stream.time_base) * float(stream.average_rate))
                    if not first <= index < end:
                        continue
                    decode_s += took_s
                    frames += 1
                    if frames % STRIDE == 0:
                        began_s = time.process_time()
                        detector.detect(np.asarray(frame.to_ndarray(format="bgr24"), dtype=np.uint8))
                        detect_s += time.process_time() - began_s
                        looks += 1
                if decoded and index >= end:
                    break
    print(json.dumps({"decode_s": decode_s, "detect_s": detect_s, "frames": frames, "looks": looks}))


if __name__ == "__main__":
    main()
