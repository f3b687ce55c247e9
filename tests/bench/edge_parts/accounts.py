"""What a worker costs: CPU seconds of all its processes, and their memory.

A live process counts its own time and that of its children that ended and were waited for (the kernel
adds those to their parent), so nothing counts twice; what a dead, not yet waited for child spent is read
from it still. Only a process that its parent never waited for and that was adopted by another escapes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec
import numpy as np
import psutil


class Times(Protocol):
    """As psutil gives them, seconds."""

    user: float
    system: float
    children_user: float
    children_system: float


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What a tree of processes has spent until now."""

    cpu_s: float
    processes: int


def summed(times: Iterable[Times]) -> Usage:
    """All processes of a tree together."""
    rows = [t.user + t.system + t.children_user + t.children_system for t in times]
    return Usage(cpu_s=sum(rows), processes=len(rows))


def usage(pid: int) -> Usage:
    """What the process and all below it have spent; zero processes if it is gone."""
    found = []
    for process in _tree(pid):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            found.append(process.cpu_times())
    return summed(found)


def memory_mb(pid: int) -> float:
    """Memory that belongs to the tree alone (USS), megabytes."""
    total = 0
    for process in _tree(pid):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            total += process.memory_full_info().uss
    return total / 1e6


def _tree(pid: int) -> list[psutil.Process]:
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def growth_mb_h(samples: Sequence[tuple[float, float]]) -> float | None:
    """Slope of memory over time, from (seconds, megabytes); None if there is too little to tell.

    Theil and Sen's median of slopes: one long clip in flight moves it less than a least-squares line.
    """
    if len(samples) < 10:
        return None
    at_s, mb = np.array(samples, dtype=float).T
    i, j = np.triu_indices(len(at_s), k=1)
    return float(np.median((mb[j] - mb[i]) / (at_s[j] - at_s[i])) * 3600.0)
