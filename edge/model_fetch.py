"""Fetches the detector that the centre wants, by its name, and tries it before anybody uses it.

A set is on this disk whole or not at all: manifest and files are checked against their SHA-256, the card against its
weights, and the network is loaded once in a process of its own. Whatever is wrong leaves the old one in use, and the
edge's status says so. Sets that were used stay, so that going back needs no line.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx
import structlog

from models.card import check, read_card
from models.errors import ModelError
from models.registry import describe
from monitor.domain.model_release import (
    MANIFEST,
    MANIFEST_MOST_BYTES,
    ManifestRefused,
    ModelFile,
    ModelManifest,
    is_name,
    read,
)

LOOK_S: Final = 1.0
FIRST_WAIT_S: Final = 5.0
LONGEST_WAIT_S: Final = 300.0
CHUNK_BYTES: Final = 64 * 1024
#: bytes a second at most, so that a weak line keeps room for events
RATE_BYTES_S: Final = 4 * 1024 * 1024
#: loading and one look, on a busy machine
TRY_S: Final = 180.0
#: sets that stay on disk: in use, before, and one more
KEPT: Final = 3

log = structlog.get_logger()


class FetchFailed(Exception):
    """It is not here; the next try may bring it."""


class SetRefused(Exception):
    """What came is not what was named, or can't be run here. No retry mends it."""


def folder_of(data_dir: Path, name: str) -> Path:
    """Where a set is or will be."""
    return data_dir / "models" / name


def complete(folder: Path, name: str) -> ModelManifest | None:
    """The manifest of a set that is here, whole and unchanged; None if it is not."""
    try:
        manifest = read((folder / MANIFEST).read_bytes(), name)
        whole = all(_is(folder / file.name, file) for file in manifest.files)
    except (OSError, ManifestRefused):
        return None
    return manifest if whole else None


def _is(path: Path, file: ModelFile) -> bool:
    with path.open("rb") as opened:
        return (
            path.stat().st_size == file.bytes
            and hashlib.file_digest(opened, "sha256").hexdigest() == file.sha256
        )


def checked(folder: Path, manifest: ModelManifest, backend: str) -> None:
    """Raise SetRefused unless the card vouches for the weights, names the same classes, and the backend has a network."""
    try:
        card = read_card(folder)
        check(card)
        describe(card, backend, card.long_side_px)
    except ModelError as exc:
        raise SetRefused(str(exc)) from exc
    if (card.classes, card.long_side_px, card.name, card.version) != (
        manifest.classes, manifest.long_side_px, manifest.name, manifest.version,
    ):  # fmt: skip
        raise SetRefused("its card names other classes, another size or another version than the manifest")


def tried(folder: Path, backend: str) -> None:
    """Load the network and look once, in a process of its own; SetRefused if that fails."""
    command = [sys.executable, "-m", "edge.model_try", str(folder), backend]
    try:
        ended = subprocess.run(
            command, capture_output=True, timeout=TRY_S, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as exc:
        raise FetchFailed(f"it did not look within {TRY_S:.0f} s") from exc
    if ended.returncode:
        said = ended.stderr.decode(errors="replace").strip().splitlines()
        raise SetRefused(f"its network does not run here: {said[-1][:200] if said else ended.returncode}")


class Fetcher(threading.Thread):
    """Keeps the set that is wanted here. `wanted`, `ready` and `trouble` may be read and set by any thread."""

    def __init__(
        self,
        client: httpx.Client,
        data_dir: Path,
        backend: str,
        *,
        wanted: str | None = None,
        ready: str | None = None,
        needed: Callable[[], frozenset[str]] = frozenset,
        try_it: Callable[[Path, str], None] = tried,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`client` has the centre's base URL and the edge's token; `needed` names the sets that must stay on disk."""
        super().__init__(name="model", daemon=True)
        self._client, self._data_dir, self._backend = client, data_dir, backend
        self._needed, self._refused = needed, ""
        self._try_it, self._monotonic, self._halt = try_it, monotonic, threading.Event()
        #: name of the set that is to be used; None: the edge's own
        self.wanted = wanted
        #: name of the set that is here and was tried
        self.ready = ready
        #: why the one that is wanted is not here; empty if all is well
        self.trouble = ""
        self._failures, self._again_s = 0, 0.0
        self._judged: str | None = None

    def stop(self, timeout_s: float = 2.0) -> None:
        """End after the chunk that is on its way."""
        self._halt.set()
        self.join(timeout_s)

    def run(self) -> None:
        """Fetch what is wanted until stopped."""
        try:
            while not self._halt.wait(LOOK_S):
                self.turn()
        finally:
            self._client.close()

    def turn(self) -> None:
        """One look at what is wanted."""
        wanted = self.wanted
        if wanted != self._judged:
            self._forget_refused(wanted)
            self._judged, self._failures, self._again_s, self.trouble = wanted, 0, 0.0, ""
        if wanted is None or wanted == self.ready or self._monotonic() < self._again_s:
            return
        try:
            self._bring(wanted)
        except (FetchFailed, httpx.HTTPError, OSError) as exc:
            self._failures += 1
            self._wait(min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(self._failures - 1, 10)), exc)
        except (SetRefused, ManifestRefused) as exc:
            self._wait(LONGEST_WAIT_S, exc)
        else:
            self.ready, self.trouble, self._failures = wanted, "", 0
            log.info("model_ready", model=wanted[:12])

    def _wait(self, seconds: float, why: Exception) -> None:
        said = str(why) or type(why).__name__
        if said != self.trouble:
            log.error("model_not_here", model=str(self.wanted)[:12], reason=said, again_s=seconds)
        self.trouble, self._again_s = said, self._monotonic() + seconds

    def _bring(self, name: str) -> None:
        if not is_name(name):
            raise SetRefused("that is no SHA-256")
        folder = folder_of(self._data_dir, name)
        manifest = complete(folder, name)
        if manifest is None:
            manifest = self._fetch(folder, name)
        try:
            checked(folder, manifest, self._backend)
            self._try_it(folder, self._backend)
        except SetRefused:
            self._refused = name
            raise
        self._refused = ""
        folder.touch()
        self._sweep(name)

    def _fetch(self, folder: Path, name: str) -> ModelManifest:
        data = self._got(f"/api/v1/models/{name}", MANIFEST_MOST_BYTES)
        manifest = read(data, name)
        folder.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(folder.parent).free < 2 * manifest.total_bytes:
            raise FetchFailed(f"the disk has no room for {manifest.total_bytes} bytes")
        partial = folder.with_suffix(".part")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        try:
            for file in manifest.files:
                self._file(name, file, partial / file.name)
            (partial / MANIFEST).write_bytes(data)
            shutil.rmtree(folder, ignore_errors=True)  # a damaged one
            partial.replace(folder)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        return manifest

    def _got(self, url: str, most: int) -> bytes:
        answer = self._client.get(url)
        if answer.status_code != 200:
            raise FetchFailed(f"the centre answers {answer.status_code} to {url}")
        if len(answer.content) > most:
            raise SetRefused("the manifest is too large")
        return answer.content

    def _file(self, name: str, file: ModelFile, path: Path) -> None:
        digest, left = hashlib.sha256(), file.bytes
        with (
            self._client.stream("GET", f"/api/v1/models/{name}/files/{file.name}") as answer,
            path.open("wb") as out,
        ):
            if answer.status_code != 200:
                raise FetchFailed(f"the centre answers {answer.status_code} to {file.name}")
            for chunk in answer.iter_bytes(CHUNK_BYTES):
                left -= len(chunk)
                if left < 0:
                    raise SetRefused(f"{file.name} is longer than its manifest says")
                digest.update(chunk)
                out.write(chunk)
                if self._halt.wait(len(chunk) / RATE_BYTES_S):
                    raise FetchFailed("the edge stops")
        if left or digest.hexdigest() != file.sha256:
            raise SetRefused(f"{file.name} is not the file that the manifest names")

    def _forget_refused(self, wanted: str | None) -> None:
        """A refused set goes when another one is wanted; until then it stays, so that the next try needs no line."""
        refused, self._refused = self._refused, ""
        if refused and refused != wanted and refused not in self._needed():
            shutil.rmtree(folder_of(self._data_dir, refused), ignore_errors=True)

    def _sweep(self, name: str) -> None:
        """The sets in use and before stay, however old, and of the others the newest."""
        folders = sorted((f for f in folder_of(self._data_dir, name).parent.iterdir() if is_name(f.name)),
                         key=lambda f: f.stat().st_mtime, reverse=True)  # fmt: skip
        needed = self._needed() | {name}
        others = [folder for folder in folders if folder.name not in needed]
        for old in others[max(0, KEPT - len(needed)) :]:
            shutil.rmtree(old, ignore_errors=True)
