"""The wall clock of a whole worker in a fault run: a small library, built here, that is loaded before it.

Only this reaches all of it: its children, their decoders, and what makes ids. Without a C compiler there is none,
and the clock jumps of whole seeds don't strike; what struck is counted.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).with_name("edge_clock.c")


def built(folder: Path) -> Path | None:
    """The library, built once a run; None without a compiler."""
    library = folder / "edge_clock.so"
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is not None and not library.exists():
        subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", str(library), str(SOURCE)], check=True)
    return library if library.exists() else None


def environment(library: Path | None, switches: Path) -> dict[str, str]:
    """What a process needs to live by the clock of these switches."""
    if library is None:
        return {}
    preload = " ".join(filter(None, (str(library), os.environ.get("LD_PRELOAD", ""))))
    return {"LD_PRELOAD": preload, "HCAWATCH_FAULT_CLOCK": str(switches)}
