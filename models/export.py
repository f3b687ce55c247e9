"""`python -m models.export PT OUTDIR`: a trained Ultralytics checkpoint becomes `OUTDIR/model.onnx`.

Needs the training extra (torch, ultralytics, onnx); the runtime never imports this file. The same
checkpoint and the same versions give the same bytes: what varies between runs (date, paths) is
taken out of the file. Prints one JSON object: the file's hash and how far it is from torch.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

#: 17 is the newest operator set that ONNX Runtime, OpenVINO and ncnn all read (tried 2026-11).
OPSET: Final = 17
#: Largest difference between torch and ONNX Runtime that passes for the same network. Box coordinates
#: go up to 640, so float32's seven digits alone allow some thousandths of a pixel.
TOLERANCE_SCORE: Final = 1e-3
TOLERANCE_PX: Final = 1e-2
#: Input sizes (height, width) on which both are compared: 16:9, square, and a larger 16:9.
CHECKED_HW: Final = ((256, 416), (416, 416), (384, 640))


def export(checkpoint: Path, out_dir: Path) -> dict[str, Any]:
    """Write `out_dir/model.onnx` (batch 1, free height and width) and compare it with torch."""
    os.environ.update(YOLO_OFFLINE="true", YOLO_AUTOINSTALL="false")
    with tempfile.TemporaryDirectory() as scratch:
        os.environ.setdefault("YOLO_CONFIG_DIR", scratch)
        import ultralytics

        onnx = importlib.import_module("onnx")  # untyped where the training extra is absent

        # Ultralytics writes beside its input, so it gets a copy in the scratch folder.
        copied = Path(scratch) / "checkpoint.pt"
        shutil.copyfile(checkpoint, copied)
        yolo = ultralytics.YOLO(str(copied))
        names = [str(yolo.names[i]) for i in range(len(yolo.names))]
        exported = yolo.export(
            format="onnx", imgsz=416, opset=OPSET, dynamic=True, simplify=False, device="cpu"
        )
        graph = onnx.load(str(exported))
        _make_plain(graph, rows=4 + len(names))
        onnx.checker.check_model(graph)
        out_dir.mkdir(parents=True, exist_ok=True)
        target = out_dir / "model.onnx"
        target.write_bytes(graph.SerializeToString(deterministic=True))
        difference_px, difference_score = _differences(copied, target)
    return {
        "model": str(target),
        "sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
        "bytes": target.stat().st_size,
        "classes": names,
        "max_difference_px": difference_px,
        "max_difference_score": difference_score,
        "equal": difference_px <= TOLERANCE_PX and difference_score <= TOLERANCE_SCORE,
    }


def _make_plain(graph: Any, *, rows: int) -> None:
    """Fix the batch to 1 and the output's rows, drop dates, authors and docs, so that equal networks are equal files."""
    for value in (*graph.graph.input, *graph.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    graph.graph.output[0].type.tensor_type.shape.dim[1].dim_value = rows
    del graph.metadata_props[:]
    graph.doc_string = graph.graph.doc_string = ""
    graph.producer_name, graph.producer_version = "hcawatch", ""
    for node in graph.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]


def _differences(checkpoint: Path, exported: Path) -> tuple[float, float]:
    """Largest differences of the bare outputs, (boxes in input pixels, scores), on fixed smooth pictures."""
    import cv2
    import numpy as np
    import onnxruntime as ort
    import torch
    import ultralytics

    network = ultralytics.YOLO(str(checkpoint)).model.float().eval()
    session = ort.InferenceSession(exported.read_bytes(), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    worst_px = worst_score = 0.0
    for height_px, width_px in CHECKED_HW:
        coarse = rng.random((height_px // 16, width_px // 16, 3), dtype=np.float32)
        smooth = cv2.resize(coarse, (width_px, height_px), interpolation=cv2.INTER_CUBIC)
        picture = np.ascontiguousarray(np.clip(smooth, 0, 1).transpose(2, 0, 1)[np.newaxis])
        with torch.no_grad():
            expected = network(torch.from_numpy(picture))[0].numpy()
        (got,) = session.run(None, {session.get_inputs()[0].name: picture})
        difference = np.abs(expected - got)
        worst_px = max(worst_px, float(difference[:, :4].max()))
        worst_score = max(worst_score, float(difference[:, 4:].max()))
    return worst_px, worst_score


def main(arguments: list[str] | None = None) -> int:
    """Command line; exit status 1 if ONNX and torch differ by more than the tolerance."""
    parser = argparse.ArgumentParser(
        prog="python -m models.export", description="Export a checkpoint to ONNX."
    )
    parser.add_argument(
        "checkpoint", type=Path, metavar="PT", help="Ultralytics checkpoint, for example best.pt"
    )
    parser.add_argument("out_dir", type=Path, metavar="OUTDIR", help="folder for model.onnx")
    options = parser.parse_args(arguments)
    report = export(options.checkpoint, options.out_dir)
    print(json.dumps(report))
    return 0 if report["equal"] else 1


if __name__ == "__main__":
    sys.exit(main())
