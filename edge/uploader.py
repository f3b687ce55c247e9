"""Brings evidence to the centre over HTTP, slower than events, and deletes only what the centre has.

Decides when to try again (`later_s`, pure). A connection that breaks goes on where it broke. Bytes whose
hash no longer fits were damaged here and are given up in a numbered record.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Literal

import httpx
import structlog

from edge.errors import OutboxRefused, OutboxUnusable
from edge.evidence_queue import LONGEST_WAIT_S, PendingEvidence
from edge.losses import given_up
from edge.outbox import SqliteOutbox

CHUNK_BYTES: Final = 64 * 1024
#: Bytes a second at most, so that a weak uplink keeps room for events.
RATE_BYTES_S: Final = 2 * 1024 * 1024
IDLE_S: Final = 0.25
TIMEOUT_S: Final = 20.0
#: The outbox could not be opened or could not note an upload: tried again after this.
UNUSABLE_S: Final = 1.0
#: Not announced yet: the event is still on its way.
ANNOUNCED_SOON_S: Final = 1.0
#: Nobody there, or refused: the first wait; then twice as long each time.
FIRST_WAIT_S: Final = 2.0

Outcome = Literal["stored", "not_announced", "damaged", "refused", "unreachable"]

log = structlog.get_logger()


def later_s(outcome: Outcome, attempts: int) -> float:
    """Seconds until the next try of evidence that is not stored.

    >>> later_s("not_announced", 0), later_s("unreachable", 0), later_s("unreachable", 30)
    (1.0, 2.0, 120.0)
    """
    first_s = ANNOUNCED_SOON_S if outcome == "not_announced" else FIRST_WAIT_S
    return min(LONGEST_WAIT_S, first_s * 2.0 ** min(attempts, 10))


class Uploader(threading.Thread):
    """Uploads one item at a time."""

    def __init__(
        self,
        edge_id: str,
        client: httpx.Client,
        folder: Path,
        open_outbox: Callable[[], SqliteOutbox],
        *,
        busy: Callable[[], bool] = lambda: False,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`client` has the centre's base URL and the edge's token; `now` is the wall clock in Unix seconds."""
        super().__init__(name="uploader", daemon=True)
        self._edge_id, self._client, self._folder, self._open_outbox = edge_id, client, folder, open_outbox
        self._busy, self._now, self._halt = busy, now, threading.Event()
        self._said: str | None = None
        #: SHA-256 of what is being uploaded
        self.sending: str | None = None

    def stop(self, timeout_s: float = 2.0) -> None:
        """End after the chunk that is on its way."""
        self._halt.set()
        self.join(timeout_s)

    def run(self) -> None:
        """Upload what is due until stopped."""
        outbox: SqliteOutbox | None = None
        try:
            while not self._halt.wait(IDLE_S):
                try:
                    outbox = outbox or self._open_outbox()
                    while not self._halt.is_set() and self._one(outbox):
                        pass
                except (OutboxRefused, OutboxUnusable) as exc:  # a full disk may get well again
                    log.error("upload_not_noted", error=str(exc))
                    self._halt.wait(UNUSABLE_S)
        finally:
            if outbox is not None:
                outbox.close()
            self._client.close()

    def _one(self, outbox: SqliteOutbox) -> bool:
        """Try one item that is due; whether there was one."""
        items = outbox.evidence.due(self._now())
        if not items:
            return False
        item = items[0]
        self.sending = item.ref.sha256
        try:
            outcome = self.upload(item)
        finally:
            self.sending = None
        if outcome == "stored":
            # in this order: a kill in between leaves a file that nobody names and that the next start sweeps;
            # the other way round the entry would name a file that is gone, and be told as lost
            outbox.evidence.done(item.ref.sha256)
            (self._folder / item.name).unlink(missing_ok=True)
            log.info("evidence_stored", sha256=item.ref.sha256, kind=item.ref.kind, bytes=item.ref.bytes)
        elif outcome == "damaged":
            self._give_up(outbox, item)
        else:
            outbox.evidence.later(item.ref.sha256, self._now() + later_s(outcome, item.attempts))
        if outcome != self._said and outcome not in ("stored", "not_announced"):
            log.warning("evidence_waits", reason=outcome, sha256=item.ref.sha256)
        self._said = outcome
        return True

    def upload(self, item: PendingEvidence) -> Outcome:
        """Send one item from where the centre has it; what came of it."""
        path, url = self._folder / item.name, f"/api/v1/evidence/{item.ref.sha256}"
        try:
            offset, complete = self._there(url)
            if complete:  # an answer that we did not hear, or another event that named the same bytes
                return "stored"
            if not _intact(path, item.ref.sha256):
                return "damaged"
            offset = offset if offset < item.ref.bytes else 0
            headers = {"Content-Type": item.ref.content_type, "Content-Length": str(item.ref.bytes - offset)}
            if offset:
                headers["Content-Range"] = f"bytes {offset}-{item.ref.bytes - 1}/{item.ref.bytes}"
            answer = self._client.put(url, content=self._chunks(path, offset), headers=headers)
        except (httpx.HTTPError, OSError):
            return "unreachable"
        if answer.status_code in (200, 201):
            return "stored"
        return "not_announced" if answer.status_code == 404 else "refused"

    def _there(self, url: str) -> tuple[int, bool]:
        """How many bytes of it the centre has already, and whether it has stored the whole."""
        answer = self._client.head(url)
        if not answer.is_success:
            return 0, False
        try:
            offset = max(0, int(answer.headers.get("Upload-Offset", "0")))
        except ValueError:
            return 0, False
        return offset, answer.headers.get("Upload-Complete") == "?1"

    def _chunks(self, path: Path, offset: int) -> Iterator[bytes]:
        """The rest of the file, no faster than the rate, and waiting while events are on their way."""
        with path.open("rb") as file:
            file.seek(offset)
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
                self._halt.wait(len(chunk) / RATE_BYTES_S)
                for _ in range(20):  # at most a second a chunk, so that the upload does not time out
                    if not self._busy() or self._halt.wait(0.05):
                        break

    def _give_up(self, outbox: SqliteOutbox, item: PendingEvidence) -> None:
        log.error("evidence_damaged", sha256=item.ref.sha256, name=item.name)
        make = given_up(self._edge_id, item.ref.sha256, item.event_id, "damaged_or_missing",
                        announced_at=item.announced_at, now=self._now())  # fmt: skip
        try:
            outbox.give_up(item.ref.sha256, make)
        except OutboxRefused:
            outbox.evidence.later(item.ref.sha256, self._now() + LONGEST_WAIT_S)
            return
        (self._folder / item.name).unlink(missing_ok=True)


def _intact(path: Path, sha256: str) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False
