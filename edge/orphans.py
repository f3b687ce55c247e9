"""A child process of an edge ends with its parent, however that ends: kill -9 must leave nothing behind."""

from __future__ import annotations

import ctypes
import os
import signal
from typing import Final

#: Exit status of a process whose parent was gone before it began.
ORPHAN: Final = 3
_PR_SET_PDEATHSIG: Final = 1


def die_with_parent(parent_pid: int) -> None:
    """The kernel kills this process when its parent dies (Linux); to be called first in the child."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:  # it died between our birth and the line above
        os._exit(ORPHAN)
