"""Writes the pictures that feedback judged as a folder that trains and measures detectors: the rim of the export.

Blurred copies unless originals are asked for, with a reason. Written aside first; the audit entry is committed before
the folder has its name, so that no export is anywhere without one.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from alerts.feedback.dataset import (
    Candidate,
    Chosen,
    Item,
    choose,
    classes_of,
    data_yaml,
    label_of,
    provenance,
)
from alerts.feedback.facts import QUERIES
from alerts.postgres_book import value
from alerts.values import Actor
from monitor.domain.roles import Sight, sight
from monitor.store.pool import Conn, Pool
from monitor.web import trail
from monitor.web.copies import NoCopyError, blurred_picture
from monitor.web.uploads import path_of

#: what stands with each picture unless somebody says it better
BASIS: Final = (
    "Recorded for public safety (Personal Information Protection Law of the PRC, Art 26). For improving the detector of"
    " this system only; not to be published or given away."
)
_README: Final = """# A dataset that hcawatch exported

Clean snapshots of alerts that people judged. `data.yaml` is in YOLO's form: `hcawatch models eval --data data.yaml`, or a
recipe's `sources: [{{data: data.yaml}}]` for `hcawatch models train`. `provenance.jsonl` says of each picture which event and
alert it is of, what was found, who said so, which model told it, and the SHA-256 of the evidence.

- `right-…`: a confirmed alert. One box is labelled, the one that was told; nothing else is claimed.
- `false-…`: a hard negative. There is none of that class in it, by the word of who closed the alert. Look them through
  before you train: a second machine behind the cow would teach the wrong thing.

Pictures are {copy}. {basis}
"""


class ExportError(Exception):
    """The export can't be made; says what is wrong and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be exported, by whom and why."""

    folder: Path
    actor: Actor
    since: datetime
    sites: tuple[str, ...] = ()
    originals: bool = False
    reason: str = ""
    simulated: bool = False
    basis: str = BASIS


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written."""

    folder: str
    pictures: int
    right: int
    false: int
    train: int
    val: int
    copy: str
    #: SHA-256 of provenance.jsonl; the audit entry names it
    provenance_sha256: str
    missing: tuple[str, ...] = ()
    left_out: dict[str, int] = field(default_factory=dict)


def export(
    pool: Pool, evidence_dir: Path, wanted: Wanted, known_classes: Sequence[str], now: datetime
) -> Exported:
    """Write the folder. ExportError; nothing is left behind if it fails.

    Args:
        evidence_dir: the centre's folder of files (`DATA/centre`).
        known_classes: of the detector in use, by number.
    """
    _check(wanted)
    with pool.connection() as conn:
        chosen = choose(_candidates(conn, wanted), simulated=wanted.simulated)
    partial = wanted.folder.with_name(f".{wanted.folder.name}.partial-{os.getpid()}")
    try:
        lines, missing = _write(partial, evidence_dir, chosen, wanted, known_classes)
        done = _summary(wanted, chosen, lines, missing)
        with pool.connection() as conn:
            _note(conn, wanted, done, lines, now)
        partial.replace(wanted.folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return done


def _check(wanted: Wanted) -> None:
    if wanted.folder.exists() and (not wanted.folder.is_dir() or any(wanted.folder.iterdir())):
        raise ExportError(f"{wanted.folder} is there already: name a new folder")
    if not wanted.folder.absolute().parent.is_dir():
        raise ExportError(f"there is no folder {wanted.folder.absolute().parent}")
    if wanted.originals and not wanted.reason.strip():
        raise ExportError("originals show faces and plates: say why they are needed (--reason)")
    if wanted.originals and sight(wanted.actor.role) is not Sight.CLEAR:
        raise ExportError(f"originals are not for the role {wanted.actor.role}")


def _candidates(conn: Conn, wanted: Wanted) -> list[Candidate]:
    given = {"since": wanted.since, "sites": list(wanted.sites) or None}
    return [value(row, Candidate) for row in conn.execute(QUERIES["exportable"], given)]


def _write(
    folder: Path, evidence_dir: Path, chosen: Chosen, wanted: Wanted, known_classes: Sequence[str]
) -> tuple[list[dict[str, Any]], list[str]]:
    """All files; returns the provenance of what is there, and the evidence that could not be read."""
    lines: list[dict[str, Any]] = []
    missing: list[str] = []
    there: list[Item] = []
    show: Callable[[bytes, str], bytes] = (lambda data, _: data) if wanted.originals else _blurred
    classes = classes_of(chosen.items, known_classes)
    for item in chosen.items:
        try:
            original = path_of(evidence_dir, item.of.sha256).read_bytes()
            if hashlib.sha256(original).hexdigest() != item.of.sha256:
                raise NoCopyError("its bytes are not those that were hashed")
            picture = show(original, item.of.sha256)
        except (OSError, NoCopyError):
            missing.append(item.of.sha256)
            continue
        _put(folder / "images" / item.split / f"{item.name}.jpg", picture)
        _put(folder / "labels" / item.split / f"{item.name}.txt", label_of(item, classes).encode())
        image_sha256 = hashlib.sha256(picture).hexdigest()
        lines.append(provenance(item, copy=_copy(wanted), image_sha256=image_sha256, basis=wanted.basis))
        there.append(item)
    if not there:
        what = f"; {len(missing)} pictures could not be read" if missing else ""
        raise ExportError(
            f"there is no judged picture to export{what}: {_said(chosen) or 'no alert was closed yet'}"
        )
    _put(
        folder / "data.yaml",
        yaml.safe_dump(data_yaml(there, classes), sort_keys=False, allow_unicode=True).encode(),
    )
    _put(folder / "provenance.jsonl", _jsonl(lines))
    _put(folder / "README.md", _README.format(copy=_copy(wanted), basis=wanted.basis).encode())
    return lines, missing


def _blurred(original: bytes, sha256: str) -> bytes:
    # without the strip of words, so that boxes stay where they are
    return blurred_picture(original, sha256, strip=False)


def _put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _jsonl(lines: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()


def _copy(wanted: Wanted) -> str:
    return "original" if wanted.originals else "blurred"


def _said(chosen: Chosen) -> str:
    return ", ".join(f"{count} {why}" for why, count in chosen.left_out)


def _summary(wanted: Wanted, chosen: Chosen, lines: list[dict[str, Any]], missing: list[str]) -> Exported:
    def count(key: str, what: str) -> int:
        return sum(1 for line in lines if line[key] == what)

    return Exported(
        folder=str(wanted.folder), pictures=len(lines), right=count("kind", "right"), false=count("kind", "false"),
        train=count("split", "train"), val=count("split", "val"), copy=_copy(wanted),
        provenance_sha256=hashlib.sha256(_jsonl(lines)).hexdigest(), missing=tuple(missing),
        left_out=dict(chosen.left_out),
    )  # fmt: skip


def _note(conn: Conn, wanted: Wanted, done: Exported, lines: list[dict[str, Any]], now: datetime) -> None:
    """The export's entry; of originals one for each besides, as for every view of one."""
    trail.record(
        conn, trail.EXPORT, "dataset", wanted.actor.user, now, what="dataset", role=wanted.actor.role, copy=done.copy,
        pictures=done.pictures, reason=wanted.reason, since=wanted.since.isoformat(), sites=list(wanted.sites),
        provenance_sha256=done.provenance_sha256, basis=wanted.basis,
    )  # fmt: skip
    if wanted.originals:
        for line in lines:
            trail.record(
                conn, trail.EVIDENCE_VIEWED, line["evidence_sha256"], wanted.actor.user, now, role=wanted.actor.role,
                copy="original", export=done.provenance_sha256,
            )  # fmt: skip


def plain(done: Exported) -> dict[str, Any]:
    """For --json."""
    found: dict[str, Any] = msgspec.to_builtins(done)
    return found
