"""Starts the training in the Python that has Ultralytics, and waits for it; its output is the user's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from models.errors import TrainingFailed

#: What the training's Python must be able to import.
NEEDED: Final = ("torch", "ultralytics", "onnx", "onnxruntime", "cv2", "yaml")
HOW: Final = (
    "Make an environment of its own (python3.11 -m venv training; training/bin/pip install ultralytics onnx "
    "onnxruntime) and name it: --python training/bin/python"
)


def start(folder: Path, python: str | None = None) -> None:
    """Train what was prepared in `folder`.

    Raises:
        TrainingFailed: the Python lacks a library, or the training ended with an error.
    """
    chosen = python or sys.executable
    # Only our `models` is on the path: the running system's libraries must not meet the training's.
    environment = {**os.environ, "PYTHONPATH": str((folder / "code").resolve())}
    missing = _missing(chosen, environment)
    if missing:
        raise TrainingFailed(f"{chosen} has no {', '.join(missing)}. {HOW}")
    ended = subprocess.run(
        [chosen, "-m", "models.training.worker", str(folder.resolve())], env=environment, check=False
    )
    if ended.returncode:
        raise TrainingFailed(
            f"the training ended with status {ended.returncode}; what it said stands above. "
            f"The same command goes on from the last finished epoch in {folder}"
        )


def _missing(python: str, environment: dict[str, str]) -> list[str]:
    code = f"import importlib.util as u; print(*(n for n in {NEEDED!r} if u.find_spec(n) is None))"
    try:
        found = subprocess.run(
            [python, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=120
        )
    except (OSError, subprocess.SubprocessError) as exc:
        raise TrainingFailed(f"{python} is no Python that runs: {exc}. {HOW}") from exc
    return found.stdout.split()
