"""Blurred copies of evidence: made when first asked for, kept beside the originals, never instead of them.

A picture is hidden within the request, two at a time. A film is queued for one worker, which makes it in a
process of low priority (`monitor.web.blurred_film`), one after the other, so that copies never take
more than one core from the room. A copy can be made again at any time; nothing of it is in the audit log.
"""

from __future__ import annotations

import io
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import structlog
from PIL import Image, ImageOps

from monitor.domain import privacy_note
from monitor.domain.privacy import hidden_parts
from monitor.web.blurring import Bgr, hide, hide_all, stamp
from monitor.web.photos import MAX_PIXELS
from monitor.web.uploads import make_folder, path_of, shown_path_of, sync_folder, write_whole

log = structlog.get_logger(__name__)

#: Part of a copy's name: raise it when what is hidden changes, and all copies are made anew.
VERSION: Final = 2
JPEG_QUALITY: Final = 82
FILM_WITHIN_S: Final = 900.0
#: A film whose copy failed is tried again after so long.
AGAIN_S: Final = 600.0
#: So many films wait at most; who asks for one more is told to come again.
MOST_WAITING: Final = 50


class NoCopyError(Exception):
    """The original can't be read, so there is nothing to show."""


def blurred_picture(original: bytes, sha256: str, *, boxes_known: bool = True, strip: bool = True) -> bytes:
    """The copy of a JPEG. NoCopyError if it can't be read.

    Args:
        original: the bytes of `sha256`, or of what is shown of it (a field photo's clean copy).
        boxes_known: False hides all of it, whatever it says itself.
        strip: False leaves the words below it away, so that its pixels stay those of the original.
    """
    try:
        with Image.open(io.BytesIO(original), formats=["JPEG"]) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise NoCopyError(f"more than {MAX_PIXELS} pixels")
            size_px = (opened.width, opened.height)
            rgb = np.asarray(ImageOps.exif_transpose(opened).convert("RGB"), dtype=np.uint8)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as exc:
        raise NoCopyError(str(exc)) from exc
    bgr: Bgr = np.ascontiguousarray(rgb[:, :, ::-1])
    note = privacy_note.from_jpeg(original) if boxes_known else None
    if note is None or note.size_px != size_px or size_px != (bgr.shape[1], bgr.shape[0]):
        hidden = hide_all(bgr)
    else:
        hidden = hide(bgr, hidden_parts(note.looks[0].boxes))
    shown = stamp(hidden, sha256) if strip else hidden
    good, data = cv2.imencode(".jpg", shown, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not good:
        raise NoCopyError("the copy could not be encoded")
    return data.tobytes()


def copy_path_of(data_dir: Path, sha256: str, suffix: str) -> Path:
    """Where the blurred copy of that original is or will be."""
    return data_dir / "blurred" / sha256[:2] / f"{sha256}.v{VERSION}{suffix}"


class Copies:
    """The blurred copies of one centre."""

    def __init__(self, data_dir: Path, clock_s: Callable[[], float]) -> None:
        self._data_dir, self._clock_s = data_dir, clock_s
        self._pictures = threading.BoundedSemaphore(2)
        self._changed = threading.Condition()
        self._waiting: deque[str] = deque()
        self._failed: dict[str, float] = {}
        self._stopping = False
        self._worker: threading.Thread | None = None
        self._child: subprocess.Popen[bytes] | None = None

    def picture(self, sha256: str, *, photo: bool) -> Path:
        """The copy of a picture, made now if need be. NoCopyError if the original can't be read.

        Args:
            photo: a field photo: no detector looked at it, so all of it is hidden.
        """
        path = copy_path_of(self._data_dir, sha256, ".jpg")
        if path.is_file():
            return path
        source = shown_path_of(self._data_dir, sha256) if photo else path_of(self._data_dir, sha256)
        with self._pictures:
            if not path.is_file():
                try:
                    original = source.read_bytes()
                except OSError as exc:
                    raise NoCopyError(str(exc)) from exc
                write_whole(path, blurred_picture(original, sha256, boxes_known=not photo))
        return path

    def fleeting(self, original: bytes, sha256: str) -> bytes:
        """A copy that is not kept, at its original's own size, in its turn with the others. NoCopyError as above."""
        with self._pictures:
            return blurred_picture(original, sha256, strip=False)

    def film(self, sha256: str) -> Path | None:
        """The copy of a film; None while it is being made. NoCopyError if it could not be made lately."""
        path = copy_path_of(self._data_dir, sha256, ".mp4")
        if path.is_file():
            return path
        with self._changed:
            failed_at = self._failed.get(sha256)
            if failed_at is not None and self._clock_s() - failed_at < AGAIN_S:
                raise NoCopyError("the film could not be encoded anew")
            if sha256 not in self._waiting and len(self._waiting) < MOST_WAITING and not self._stopping:
                self._waiting.append(sha256)
                self._changed.notify_all()
            if self._worker is None and not self._stopping:
                self._worker = threading.Thread(target=self._work, name="blurred-films", daemon=True)
                self._worker.start()
        return None

    def stop(self) -> None:
        """End the worker, and the film that it is at."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
            if self._child is not None:
                self._child.kill()
        if self._worker is not None:
            self._worker.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._stopping:
                    self._changed.wait()
                if self._stopping:
                    return
                sha256 = self._waiting[0]
            try:
                made = self._make_film(sha256)
            except OSError as exc:  # a full disk: the next who asks starts it again
                log.error("web.blurred_film_refused", sha256=sha256, error=str(exc))
                made = False
            with self._changed:
                self._waiting.popleft()
                if made:
                    self._failed.pop(sha256, None)
                elif not self._stopping:
                    self._failed[sha256] = self._clock_s()

    def _make_film(self, sha256: str) -> bool:
        path = copy_path_of(self._data_dir, sha256, ".mp4")
        make_folder(path.parent)
        partial = path.with_suffix(".new.mp4")
        command = [sys.executable, "-m", "monitor.web.blurred_film",
                   str(path_of(self._data_dir, sha256)), str(partial), sha256]  # fmt: skip
        with self._changed:
            if self._stopping:
                return False
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
            self._child = child
        try:
            _, said = child.communicate(timeout=FILM_WITHIN_S)
        except subprocess.TimeoutExpired:
            child.kill()
            _, said = child.communicate()
        finally:
            with self._changed:
                self._child = None
        if child.returncode != 0:
            partial.unlink(missing_ok=True)
            log.error("web.blurred_film_failed", sha256=sha256, status=child.returncode,
                      said=said.decode(errors="replace")[-500:])  # fmt: skip
            return False
        partial.replace(path)
        sync_folder(path.parent)
        return True
