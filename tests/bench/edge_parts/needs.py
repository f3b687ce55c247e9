"""What Ultralytics' tracker needs beside the Python that the bench `detector` has: `lap`, in a folder of its own.

That Python may be somebody's, so nothing is installed into it.
"""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import platformdirs

LAP = "lap==0.5.13"


def folder_with_lap(python: str, say: Callable[[str], None]) -> Path | None:
    """Where `lap` lies for that Python; None if it has it. SystemExit with what to do if it can't be had."""
    if _can(python, None):
        return None
    version = subprocess.run(
        [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    folder = platformdirs.user_cache_path("hcawatch") / f"bench-edge-lap-{version}"
    if _can(python, folder):
        return folder
    say(f"installing {LAP} into {folder}")
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
               "--only-binary=:all:", "--target", str(folder), LAP]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or not _can(python, folder):
        raise SystemExit(
            f"bench: {LAP} can't be had: {done.stderr[-800:]}\nName a Python that has it: --python PATH, "
            "or leave the peer out: --only ours supervision"
        )
    return folder


def _can(python: str, folder: Path | None) -> bool:
    env = {**os.environ, **({"PYTHONPATH": str(folder)} if folder else {})}
    done = subprocess.run([python, "-c", "import lap; lap.lapjv"], capture_output=True, check=False, env=env)
    return done.returncode == 0
