"""The end of a child process: in order as far as its own work goes, without the goodbyes of libraries."""

from __future__ import annotations

import multiprocessing
import os
import sys


def leave() -> None:
    """End this process now, if it is a child: OpenVINO aborts if it is taken down while a thread still compiles."""
    if multiprocessing.parent_process() is not None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
