"""`python -m edge.model_try FOLDER BACKEND`: loads a set of weights and looks once; a process of its own, since what a
driver does must not reach the worker.
"""

import sys
from pathlib import Path

import numpy as np

from models.errors import ModelError
from models.registry import load


def main(folder: str, backend: str) -> int:
    """0 if it looks."""
    try:
        detector = load(Path(folder), backend)
        height, width = detector.info.input_hw
        detector.detect(np.zeros((height, width, 3), np.uint8))
    except ModelError as exc:
        sys.stderr.write(" ".join(str(exc).split()) + "\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
