"""Real surveillance footage for the demo, out of Debian's package opencv-doc.

Decides where the clips come from and proves that they are the ones we know. vtest.avi shows people
on a campus road before a fixed camera (768x576, 10 frames/s, 79.5 s; of the PETS 2009 series),
tree.avi a hand that covers the lens. Neither is in our repository. `apt-get download` needs no
root; where the machine's package lists are empty, private ones are fetched beside the clips.
How a clip is made ready for RTSP is told in clips.py.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

from filelock import FileLock

from monitor.child import Child

PACKAGE: Final = "opencv-doc"
FOLDER_IN_PACKAGE: Final = "usr/share/doc/opencv-doc/examples/data"
CLIPS: Final = {
    "vtest.avi": "45cddc9490be69345cbdab64ca583be65987e864ca408038e648db99e10516cf",
    "tree.avi": "4666099d0f704e310047b2f0a5ec9f936cb76a7271de9a2e70a0c57f82ac82dc",
}
# Of the package in Debian 12; for the progress and the check for room only.
PACKAGE_BYTES: Final = 95_715_012
STALL_S: Final = 90.0
# Names a folder that holds the clips, or one clip that takes vtest.avi's place.
ENVIRONMENT: Final = "HCAWATCH_FOOTAGE"

Progress = Callable[[str], None]


class FootageUnavailable(Exception):
    """The real footage can't be had here; the message says why and what to do instead."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"No real footage: {reason}. Give a clip of a fixed camera with --footage FILE or in "
            f"{ENVIRONMENT}, or put vtest.avi of Debian's package {PACKAGE} there."
        )


def fetch_vtest(cache_dir: Path, progress: Progress) -> Path:
    """The clip with people on a road; from the cache, else fetched. `progress` gets short lines."""
    return fetch_clip("vtest.avi", cache_dir, progress)


def fetch_clip(name: str, cache_dir: Path, progress: Progress) -> Path:
    """One of CLIPS, its hash checked. Raises FootageUnavailable.

    Safe when two ask at once (the second waits) and after an interruption at any point: a clip
    appears in the cache by renaming, complete.
    """
    if (given := os.environ.get(ENVIRONMENT)) and (found := _given(Path(given), name)) is not None:
        return found
    target = cache_dir / name
    if _is_clip(target, name):
        return target
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(cache_dir / ".footage.lock"):
            if not _is_clip(target, name):
                _fetch_all(cache_dir, progress)
    except OSError as error:
        raise FootageUnavailable(f"{cache_dir}: {error}") from error
    return target


def _given(path: Path, name: str) -> Path | None:
    """What the user named: a folder with the clip in it, or a clip in vtest.avi's place."""
    if not path.exists():
        raise FootageUnavailable(f"{ENVIRONMENT} names {path}, which is not there")
    if path.is_dir():
        return path / name if (path / name).is_file() else None
    return path if name == "vtest.avi" else None


def _is_clip(path: Path, name: str) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == CLIPS[name]
    except OSError:
        return False


def _fetch_all(cache_dir: Path, progress: Progress) -> None:
    """All clips at once, since they come in one package. The caller holds the lock."""
    installed = Path("/", FOLDER_IN_PACKAGE)
    if all(_is_clip(installed / name, name) for name in CLIPS):
        for name in CLIPS:
            _keep(cache_dir, name, (installed / name).open("rb"))
        return
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            raise FootageUnavailable(f"{program} is not here to fetch {PACKAGE}")
    if shutil.disk_usage(cache_dir).free < PACKAGE_BYTES * 1.3:
        raise FootageUnavailable(f"{cache_dir} has no {PACKAGE_BYTES * 1.3 / 1e6:.0f} MB free")
    work = cache_dir / ".download"
    try:
        _extract(_download(work, progress), cache_dir, progress)
    finally:
        # Also what an earlier, killed run has left there.
        shutil.rmtree(work, ignore_errors=True)


def _download(work: Path, progress: Progress) -> Path:
    """The package file, checked by apt against Debian's signed lists."""
    download = work / "package"
    download.mkdir(parents=True, exist_ok=True)
    log = work / "apt.log"
    if not _apt(["download", PACKAGE], log, download, progress):
        # Mostly because the machine has no package lists, as in containers.
        lists, cache = work / "lists", work / "cache"
        (lists / "partial").mkdir(parents=True, exist_ok=True)
        (cache / "archives" / "partial").mkdir(parents=True, exist_ok=True)
        private = ["-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache={cache}"]
        private += ["-o", "Acquire::Languages=none"]
        progress("fetching Debian's package lists")
        _apt([*private, "update"], log, download, progress)
        if not _apt([*private, "download", PACKAGE], log, download, progress):
            lines = log.read_text(errors="replace").splitlines() if log.exists() else []
            errors = [line for line in lines if line.startswith("E:")] or lines or ["no answer"]
            raise FootageUnavailable(f"apt-get download {PACKAGE} said '{errors[-1].strip()}'")
    return next(download.glob(f"{PACKAGE}_*.deb"))


def _apt(arguments: list[str], log: Path, download: Path, progress: Progress) -> bool:
    """Runs apt-get in the download folder; False when it failed or stood still for too long."""
    # As root, apt would drop to an account that may not reach our folder.
    command = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=2"]
    command += ["-o", "Acquire::http::Timeout=30", "-o", "Acquire::https::Timeout=30"]
    child = Child([*command, *arguments], log=log, cwd=download, env={**os.environ, "LC_ALL": "C"})
    try:
        last_bytes, moved_s = -1, time.monotonic()
        while (code := child.wait(0.5)) is None:
            seen_bytes = sum(path.stat().st_size for path in work_files(download.parent))
            if seen_bytes != last_bytes:
                last_bytes, moved_s = seen_bytes, time.monotonic()
            elif time.monotonic() - moved_s > STALL_S:
                return False
            got_bytes = sum(path.stat().st_size for path in download.glob("*.deb"))
            if got_bytes:
                progress(f"fetching {PACKAGE}: {got_bytes / 1e6:.0f} of {PACKAGE_BYTES / 1e6:.0f} MB")
    finally:
        child.stop((signal.SIGTERM, 3.0))
    return code == 0


def work_files(folder: Path) -> list[Path]:
    """The plain files below a folder that another program is writing into."""
    return [path for path in folder.rglob("*") if path.is_file()]


def _extract(package: Path, cache_dir: Path, progress: Progress) -> None:
    """Takes the clips alone out of the package, without unpacking its other 270 MB to the disk."""
    progress(f"taking the clips out of {PACKAGE}")
    wanted = {f"./{FOLDER_IN_PACKAGE}/{name}": name for name in CLIPS}
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        try:
            with tarfile.open(fileobj=child.stdout, mode="r|") as archive:
                for member in archive:
                    name = wanted.pop(member.name, None)
                    file = archive.extractfile(member) if name and member.isfile() else None
                    if name and file:
                        _keep(cache_dir, name, file)
                    if not wanted:
                        break
        except tarfile.TarError as error:
            raise FootageUnavailable(f"{package.name} can't be read ({error})") from error
        finally:
            child.kill()
    if wanted:
        raise FootageUnavailable(f"{package.name} has no {', '.join(wanted.values())}")


def _keep(cache_dir: Path, name: str, source: IO[bytes]) -> None:
    """Copies a clip into the cache if it is the one we know."""
    partial = cache_dir / f".{name}.partial"
    with source, partial.open("wb") as file:
        shutil.copyfileobj(source, file)
    if not _is_clip(partial, name):
        partial.unlink()
        raise FootageUnavailable(f"the {name} of this {PACKAGE} is another one than we know")
    partial.replace(cache_dir / name)
