"""What a child process of an edge is called in `top` and `ps`: which camera it is, or the detector."""

from __future__ import annotations

import ctypes
from typing import Final

_PR_SET_NAME: Final = 15
#: The kernel keeps so many bytes.
LONGEST: Final = 15


def call_me(name: str) -> None:
    """Name this process (Linux)."""
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode()[:LONGEST], 0, 0, 0)
