"""Signed checkpoints outside the database: whoever rewrites the database must rewrite these files too.

    <heads>/checkpoint              the newest, replaced at once
    <heads>/2026-11-24.jsonl        all of that day (UTC), appended, one JSON object a line

Copy the folder elsewhere (a witness, a printer, another authority) to make it worth more.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from monitor.audit.note import sync_folder, write_synced

NEWEST = "checkpoint"


class Published(msgspec.Struct, frozen=True):
    """A line of a day's file."""

    size: int
    signed_at: datetime
    checkpoint: str


def publish(folder: Path, head: Published) -> None:
    """Appends to the day's file, then replaces the newest; both are synced when this returns."""
    folder.mkdir(parents=True, exist_ok=True)
    day = folder / f"{head.signed_at.astimezone(UTC):%Y-%m-%d}.jsonl"
    is_new = not day.exists()
    with day.open("ab") as file:
        # a line that a power cut tore stays alone
        torn = file.tell() > 0 and not _ends_whole(day)
        file.write((b"\n" if torn else b"") + msgspec.json.encode(head) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    if is_new:
        sync_folder(folder)
    write_synced(folder / NEWEST, head.checkpoint.encode())


def newest(folder: Path) -> str | None:
    """The newest published checkpoint, None if there is none."""
    try:
        return (folder / NEWEST).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def published(folder: Path) -> Iterator[Published]:
    """All published heads, oldest day first; torn lines are passed over."""
    for day in sorted(folder.glob("*.jsonl")):
        for line in day.read_bytes().splitlines():
            try:
                yield msgspec.json.decode(line, type=Published)
            except msgspec.MsgspecError:
                continue


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
