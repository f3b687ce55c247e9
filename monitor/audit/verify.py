"""Verifies the log, offline from a bundle or in the running database, in numbered steps that a reviewer can tick.

Needs nothing but the bundle and, to know who signed, the key from outside. Never raises for what it finds.
"""

import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import msgspec
import psycopg
from psycopg.rows import DictRow, dict_row

from monitor.audit import export
from monitor.audit import heads as published_heads
from monitor.audit.entries import read
from monitor.audit.errors import AuditError, NoteError
from monitor.audit.heads import Published
from monitor.audit.log import QUERIES
from monitor.audit.note import Checkpoint, VerifierKey, open_checkpoint, read_checkpoint
from monitor.audit.replay import Leaf, replay
from monitor.audit.sequencer import signing_keys
from monitor.audit.verdict import Report, Verdict

#: what zipfile and zlib raise for damaged or strange archives
DAMAGE = (
    zipfile.BadZipFile, zlib.error, struct.error, OSError, EOFError, ValueError, KeyError, RuntimeError,
    NotImplementedError,
)  # fmt: skip

#: a line of entries.jsonl that is longer is no entry of ours
LINE_MAX_BYTES = 8 * 1024 * 1024


def verify_bundle(
    path: Path, trusted_key: VerifierKey | str | None = None, *, known_checkpoints: Sequence[str] = ()
) -> Verdict:
    """Verifies a bundle. With `trusted_key` that key must have signed the newest checkpoint.

    `known_checkpoints` are signed notes that the reader got earlier: a bundle that was cut back to an older
    state, or grew from another history, cannot contain them.
    """
    report = Report()
    # 1. the file is a bundle
    try:
        archive = zipfile.ZipFile(path)
        names = set(archive.namelist())
    except DAMAGE as exc:
        report.note("bundle", False, f"{path} is no bundle: {exc}")
        return Verdict(steps=tuple(report.steps))
    with archive:
        wanted = {export.ENTRIES, export.LEAVES, export.CHECKPOINT, export.HEADS, export.KEYS}
        if missing := sorted(wanted - names):
            report.note("bundle", False, f"not in the bundle: {', '.join(missing)}")
            return Verdict(steps=tuple(report.steps))
        report.note("bundle", True, f"{len(names)} files")
        try:
            return _verify_archive(archive, report, trusted_key, known_checkpoints)
        except DAMAGE as exc:
            report.note("bundle_readable", False, f"the bundle is damaged: {exc}")
            return Verdict(steps=tuple(report.steps))


def _verify_archive(
    archive: zipfile.ZipFile,
    report: Report,
    trusted_key: VerifierKey | str | None,
    known_checkpoints: Sequence[str],
) -> Verdict:
    with archive.open(export.ENTRIES) as entries, archive.open(export.LEAVES) as hashes:
        log = _Log(
            checkpoint=archive.read(export.CHECKPOINT).decode(),
            keys=archive.read(export.KEYS).decode().split(),
            heads=[*_notes_of_lines(archive.read(export.HEADS).splitlines()), *known_checkpoints],
            leaves=_leaves_of_files(entries, hashes),
        )
        return _verify(log, report, trusted_key)


def verify_database(
    conn: psycopg.Connection[Any], key: VerifierKey | str | None = None, *, heads_dir: Path | None = None
) -> Verdict:
    """Verifies what the database holds; with `heads_dir` also that everything published is still in it."""
    report = Report()
    # first, since what is published was committed before: the sequencer may go on meanwhile
    outside = _published(heads_dir) if heads_dir is not None else []
    with conn.transaction(), conn.cursor(row_factory=dict_row) as cursor:
        # 1. there is a log
        rows = cursor.execute(QUERIES["all_heads"], {"size": 2**62}).fetchall()
        if not report.note("log", bool(rows), f"{len(rows)} signed heads in the database"):
            return Verdict(steps=tuple(report.steps))
        # 2. its heads' columns say what was signed (the rest as for a bundle)
        fault = next((fault for row in rows if (fault := _contradicted_head(row))), "")
        report.note("head_rows", not fault, fault or "each says what its signed note says")
        notes = [*(row["checkpoint"] for row in rows), *outside]
        try:
            keys = [str(one) for one in signing_keys(conn)]
        except (AuditError, KeyError) as exc:
            report.note("keys", False, f"the log's own list of keys cannot be read: {exc}")
            return Verdict(steps=tuple(report.steps))
        with conn.cursor("verify", row_factory=dict_row) as leaves:
            # what is sequenced meanwhile belongs to a later head
            leaves.execute(QUERIES["all_entries"], {"size": rows[-1]["size"]})
            stored = (_leaf_of_row(row) for row in leaves)
            log = _Log(checkpoint=rows[-1]["checkpoint"], keys=keys, heads=notes, leaves=stored)
            return _verify(log, report, key)


def _published(heads_dir: Path) -> list[str]:
    """All signed notes outside the database."""
    newest = published_heads.newest(heads_dir)
    notes = [head.checkpoint for head in published_heads.published(heads_dir)]
    return [*notes, *([newest] if newest else [])]


class _Log(msgspec.Struct, frozen=True, kw_only=True):
    """A log to verify, wherever it comes from."""

    checkpoint: str  # the newest, a signed note
    keys: Sequence[str]  # verifier keys that the log names
    heads: Sequence[str]  # all checkpoints at hand, signed notes, in any order
    leaves: Iterable[Leaf]


def _verify(log: _Log, report: Report, trusted_key: VerifierKey | str | None) -> Verdict:
    # a. which keys may have signed
    try:
        trusted = VerifierKey.parse(trusted_key) if isinstance(trusted_key, str) else trusted_key
        named = [VerifierKey.parse(text) for text in log.keys]
    except NoteError as exc:
        report.note("keys", False, str(exc))
        return Verdict(steps=tuple(report.steps))
    said = (
        f"the given key {trusted}" if trusted else "no key was given: the log's own, so who signed stays open"
    )
    report.note("keys", True, said)
    # b. the newest checkpoint is signed by the trusted key (or, without one, by a key that the log names)
    try:
        newest, signer = open_checkpoint(log.checkpoint, [trusted] if trusted else named)
    except NoteError as exc:
        report.note("checkpoint_signature", False, str(exc))
        return Verdict(steps=tuple(report.steps))
    report.note("checkpoint_signature", True, f"{newest.size} entries, signed by {signer.name}")
    # c. every other head is signed too
    heads, fault = _open_heads(log.heads, [*named, *([trusted] if trusted else [])])
    report.note("head_signatures", not fault, fault or f"{len(heads)} heads")
    # d. to g. from one walk over all leaves: order, leaves, root, earlier heads
    found = replay(log.leaves, sorted({*heads, newest}, key=lambda head: (head.size, head.root)))
    report.note("order", not found.order_fault, found.order_fault or "no index is missing")
    report.note(
        "leaves", not found.leaf_fault, found.leaf_fault or f"{found.size} entries, each with its hash"
    )
    same = found.size == newest.size and found.root == newest.root
    wanted = f"signed: {newest.size} entries, root {newest.root.hex()}"
    got = f"found: {found.size} entries, root {found.root.hex()}"
    report.note(
        "root", same, f"{wanted}; {got}" if not same else f"{newest.size} entries, {newest.root.hex()}"
    )
    report.note(
        "earlier_heads",
        not found.head_fault,
        found.head_fault or f"{found.heads_checked} heads are prefixes of this log",
    )
    bad = found.first_bad_leaf
    if bad is None and not same:
        bad = min(newest.size, found.size)
    return Verdict(
        steps=tuple(report.steps), size=newest.size, root=newest.root.hex(), signed_by=str(signer),
        key_was_given=trusted is not None, first_bad_leaf=bad,
    )  # fmt: skip


def _open_heads(notes: Iterable[str], keys: Sequence[VerifierKey]) -> tuple[list[Checkpoint], str]:
    """The checkpoints of these notes, and the first fault or ''."""
    opened: list[Checkpoint] = []
    fault = ""
    for note in dict.fromkeys(notes):
        try:
            opened.append(open_checkpoint(note, keys)[0])
        except NoteError as exc:
            fault = fault or str(exc)
    return opened, fault


def _notes_of_lines(lines: Iterable[bytes]) -> list[str]:
    try:
        return [msgspec.json.decode(line, type=Published).checkpoint for line in lines if line]
    except msgspec.MsgspecError as exc:
        raise ValueError(f"{export.HEADS}: {exc}") from exc


def _leaves_of_files(entries: IO[bytes], hashes: IO[bytes]) -> Iterator[Leaf]:
    """Leaves of a bundle; a line without its hash, or a hash without its line, is a fault of that leaf."""
    index = 0
    while body := entries.readline(LINE_MAX_BYTES):
        listed = hashes.readline(128).strip()
        try:
            listed_hash = bytes.fromhex(listed.decode("ascii"))
        except ValueError:
            listed_hash = b""
        yield Leaf(index=index, body=body.removesuffix(b"\n"), listed_hash=listed_hash)
        index += 1


def _contradicted_head(row: DictRow) -> str:
    """What a head's columns say otherwise than its note, or ''."""
    try:
        signed = read_checkpoint(row["checkpoint"])
    except NoteError as exc:
        return f"the head of {row['size']} entries: {exc}"
    if (signed.size, signed.root) == (row["size"], bytes(row["root"])):
        return ""
    return f"the head of {row['size']} entries has columns that differ from its signed note of {signed.size}"


def _leaf_of_row(row: DictRow) -> Leaf:
    """A leaf of the database, with what its columns say otherwise than its bytes."""
    body = bytes(row["body"])
    contradiction = ""
    try:
        entry = read(body)
        differing = [name for name in ("kind", "subject", "actor", "at") if getattr(entry, name) != row[name]]
        if differing:
            contradiction = f"the columns {', '.join(differing)} differ from the signed bytes"
    except AuditError:
        pass  # replay says so
    return Leaf(
        index=row["leaf_index"], body=body, listed_hash=bytes(row["leaf_hash"]), contradiction=contradiction
    )
