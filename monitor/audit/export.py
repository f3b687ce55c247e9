"""A bundle that a regulator verifies offline, without trusting us: a zip of the log and what was signed of it.

entries.jsonl    the leaves, one canonical JSON document a line, in the order of the tree
leaves.txt       their hashes as stored, hex, a line each, so that the first wrong leaf can be named
checkpoint       the newest signed checkpoint (C2SP)
heads.jsonl      all earlier ones
keys.txt         the verifier keys that the log names, the running one last
README.txt       how to check it, in English and 简体中文
"""

import json
import zipfile
from importlib import resources
from pathlib import Path
from typing import IO, Any

import msgspec
import psycopg
from psycopg.rows import dict_row

from monitor.audit.errors import AuditError
from monitor.audit.heads import Published
from monitor.audit.log import QUERIES
from monitor.audit.sequencer import newest_head, signing_keys

ENTRIES, LEAVES, CHECKPOINT = "entries.jsonl", "leaves.txt", "checkpoint"
HEADS, KEYS, README = "heads.jsonl", "keys.txt", "README.txt"
FETCH = 2_000


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """What was exported."""

    path: Path | None
    size: int
    checkpoint: str


def bundle(conn: psycopg.Connection[Any], out: Path | IO[bytes]) -> Bundle:
    """Writes the log up to its newest signed head to a file or stream. AuditError if nothing was signed yet.

    An entry of the export is the caller's to write, since it knows who asked.
    """
    with conn.transaction():
        head = newest_head(conn)
        if head is None:
            raise AuditError("nothing was signed yet: start the centre and wait a second, then export again")
        if not isinstance(out, Path):
            _write(conn, out, head.size, head.checkpoint)
            return Bundle(path=None, size=head.size, checkpoint=head.checkpoint)
        partial = out.with_name(out.name + ".part")
        try:
            with partial.open("wb") as file:
                _write(conn, file, head.size, head.checkpoint)
        except OSError as exc:
            raise AuditError(f"the bundle cannot be written to {out}: {exc.strerror or exc}") from exc
        partial.replace(out)
    return Bundle(path=out, size=head.size, checkpoint=head.checkpoint)


def _write(conn: psycopg.Connection[Any], out: IO[bytes], size: int, checkpoint: str) -> None:
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(README, resources.files("monitor.audit").joinpath("bundle_readme.txt").read_bytes())
        archive.writestr(CHECKPOINT, checkpoint)
        archive.writestr(KEYS, "".join(f"{key}\n" for key in signing_keys(conn)))
        hashes: list[str] = []
        # a cursor on the server: the log may be larger than memory
        server_side = conn.cursor("bundle", row_factory=dict_row)
        with archive.open(ENTRIES, "w", force_zip64=True) as entries, server_side as cursor:
            cursor.itersize = FETCH
            cursor.execute(QUERIES["all_entries"], {"size": size})
            for row in cursor:
                entries.write(bytes(row["body"]) + b"\n")
                hashes.append(bytes(row["leaf_hash"]).hex())
        archive.writestr(LEAVES, "".join(f"{one}\n" for one in hashes))
        with archive.open(HEADS, "w", force_zip64=True) as heads, conn.cursor(row_factory=dict_row) as cursor:
            for row in cursor.execute(QUERIES["all_heads"], {"size": size}):
                line = Published(row["size"], row["signed_at"], row["checkpoint"])
                heads.write(json.dumps(msgspec.to_builtins(line), ensure_ascii=False).encode() + b"\n")
