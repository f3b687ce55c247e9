"""A Python that has Ultralytics, for the bench `detector`: the one that is named, else one made once.

The product never has torch, so the competitor gets an environment of its own below the user's
cache folder, from pinned requirements. Ultralytics refuses to start without torchvision, of which its
predictor uses NMS alone; a registry's torchvision fits only its own build of torch, so a stand-in of a
few lines takes its place and calls Ultralytics' own NMS.
"""

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import platformdirs

REQUIREMENTS = Path(__file__).with_name("requirements-detector.txt")
ULTRALYTICS = "ultralytics==8.4.190"
#: The torchvision that goes with the pinned torch.
TORCHVISION = "0.28.0"
ENV = "HCAWATCH_BENCH_PYTHON"


def python_with_ultralytics(named: str | None) -> str:
    """Path of a Python that can import ultralytics; SystemExit with what to do if there is none."""
    chosen = named or os.environ.get(ENV)
    if chosen:
        if _can(chosen):
            return chosen
        raise SystemExit(
            f"{chosen} can't import ultralytics and onnxruntime; leave --python out and one is made"
        )
    key = hashlib.sha256(REQUIREMENTS.read_bytes() + Path(__file__).read_bytes()).hexdigest()[:12]
    folder = platformdirs.user_cache_path("hcawatch") / f"bench-detector-{key}"
    python = folder / "bin" / "python"
    if not (python.exists() and _can(str(python))):
        _make(folder, python)
    return str(python)


def _make(folder: Path, python: Path) -> None:
    started_s = time.monotonic()

    def step(what: str, *command: str) -> None:
        print(f"bench: {what} ({time.monotonic() - started_s:.0f} s) …", file=sys.stderr, flush=True)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(
                f"bench: {what} failed: {done.stderr[-1500:]}\nName a Python that has it: --python PATH"
            )

    step(f"making {folder}", sys.executable, "-m", "venv", "--clear", str(folder))
    pip = (str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    step("installing torch and what Ultralytics needs, some minutes once", *pip, "-r", str(REQUIREMENTS))
    step("installing Ultralytics", *pip, "--no-deps", ULTRALYTICS)
    (packages,) = (folder / "lib").glob("python*/site-packages")
    if not (packages / "torchvision").exists():
        _stand_in(packages)
    if not _can(str(python)):
        raise SystemExit(
            f"bench: {python} still can't import ultralytics. Remove {folder}, or name one: --python PATH"
        )


def _stand_in(packages: Path) -> None:
    """A torchvision that has what Ultralytics' predictor uses of it, in Ultralytics' own words."""
    registered, module = packages / f"torchvision-{TORCHVISION}.dist-info", packages / "torchvision"
    registered.mkdir()
    (registered / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: torchvision\nVersion: {TORCHVISION}\n"
    )
    module.mkdir()
    (module / "__init__.py").write_text(f'from torchvision import ops\n\n__version__ = "{TORCHVISION}"\n')
    (module / "ops.py").write_text(
        "def nms(boxes, scores, iou_threshold):\n"
        "    from ultralytics.utils.nms import TorchNMS\n\n"
        "    return TorchNMS.nms(boxes, scores, iou_threshold)\n"
    )


def _can(python: str) -> bool:
    told = {**os.environ, "YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false"}
    try:
        found = subprocess.run(
            [python, "-c", "import torch, torchvision.ops, onnx, onnxruntime; from ultralytics import YOLO"],
            capture_output=True, check=False, timeout=300, env=told,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    return found.returncode == 0
