"""The log in a real database: gapless, signed, exported, and whatever is altered is found and named."""

import json
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from monitor.audit import heads, verify
from monitor.audit.entries import Entry
from monitor.audit.errors import AuditError, LogBrokenError
from monitor.audit.export import bundle
from monitor.audit.log import append, append_all
from monitor.audit.note import Signer, VerifierKey, open_checkpoint
from monitor.audit.sequencer import Head, newest_head, run_once, signing_keys
from monitor.audit.tree import leaf_hash, root
from monitor.audit.verdict import Verdict
from monitor.audit.verify import verify_bundle, verify_database

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
SIGNER = Signer("hcawatch.example/audit", bytes(range(32)))
KEY = SIGNER.verifier


def entry(n: int) -> Entry:
    return Entry(kind="test", subject=f"subject:{n}", actor="tester", at=NOW, body={"n": n, "text": "挖掘机"})


@pytest.fixture
def conn(postgres_dsn: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres_dsn) as connection:
        yield connection


def grow(conn: psycopg.Connection[Any], first: int, count: int, heads_dir: Path | None = None) -> Head:
    """`count` more entries and a head over them."""
    append_all(conn, (entry(n) for n in range(first, first + count)))
    conn.commit()
    head = run_once(conn, SIGNER, NOW + timedelta(seconds=first), heads_dir=heads_dir)
    assert head is not None
    return head


def indices(conn: psycopg.Connection[Any]) -> list[int | None]:
    found = [
        row[0] for row in conn.execute("SELECT leaf_index FROM audit_entry ORDER BY entry_id").fetchall()
    ]
    conn.commit()
    return found


def test_committed_entries_get_a_gapless_index_in_order(
    conn: psycopg.Connection[Any], postgres_dsn: str
) -> None:
    """One that was rolled back leaves no hole; one that commits late comes later; the root is that of the leaves."""
    append(conn, entry(1))
    conn.commit()
    append(conn, entry(2))
    conn.rollback()
    with psycopg.connect(postgres_dsn) as late:
        append(late, entry(3))
        append(conn, entry(4))
        conn.commit()
        head = run_once(conn, SIGNER, NOW)
        assert head is not None
        assert indices(conn) == [0, 1, 2]  # 1, 4 and the key's own entry; 3 is not there yet
        late.commit()
    second = run_once(conn, SIGNER, NOW)
    assert second is not None
    assert indices(conn) == [0, 3, 1, 2]
    rows = conn.execute("SELECT body FROM audit_entry ORDER BY leaf_index").fetchall()
    assert second.root == root([leaf_hash(row[0]) for row in rows])
    assert open_checkpoint(second.checkpoint, [KEY])[0].root == second.root
    conn.commit()
    assert run_once(conn, SIGNER, NOW) is None


def test_one_sequencer_at_a_time(conn: psycopg.Connection[Any], postgres_dsn: str) -> None:
    """The second does nothing while the first is at work, and goes on afterwards."""
    append(conn, entry(1))
    conn.commit()
    with psycopg.connect(postgres_dsn) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", (0x68636175,))
        assert run_once(conn, SIGNER, NOW) is None
        assert indices(conn) == [None]
    assert run_once(conn, SIGNER, NOW) is not None


def test_the_sequencer_wants_a_connection_of_its_own(conn: psycopg.Connection[Any]) -> None:
    """Else it would publish what may be rolled back."""
    append(conn, entry(1))
    with pytest.raises(AuditError, match="commit first"):
        run_once(conn, SIGNER, NOW)


def test_entries_cannot_be_changed_or_deleted_by_accident(conn: psycopg.Connection[Any]) -> None:
    """The database itself refuses."""
    grow(conn, 1, 2)
    for statement in (
        b"UPDATE audit_entry SET body = 'x'", b"DELETE FROM audit_entry", b"UPDATE audit_entry SET leaf_index = 9"
    ):  # fmt: skip
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"), conn.transaction():
            conn.execute(statement)


def test_heads_are_published_outside_and_after_a_crash_too(
    conn: psycopg.Connection[Any], tmp_path: Path
) -> None:
    """A head that was committed but not published is published by the next run, though nothing is new."""
    unpublished = grow(conn, 1, 2)
    assert heads.newest(tmp_path / "heads") is None
    assert run_once(conn, SIGNER, NOW, heads_dir=tmp_path / "heads") is None
    assert heads.newest(tmp_path / "heads") == unpublished.checkpoint
    grow(conn, 3, 1, tmp_path / "heads")
    day = tmp_path / "heads" / "2026-11-24.jsonl"
    day.write_bytes(day.read_bytes() + b'{"size": 4, "torn')
    last = grow(conn, 4, 1, tmp_path / "heads")
    assert [head.size for head in heads.published(tmp_path / "heads")] == [3, 4, 5]
    assert heads.newest(tmp_path / "heads") == last.checkpoint
    assert verify_database(conn, KEY, heads_dir=tmp_path / "heads").ok


def test_a_change_of_key_is_an_entry(conn: psycopg.Connection[Any], tmp_path: Path) -> None:
    """Old heads still verify, and the new key must be the trusted one."""
    grow(conn, 1, 2)
    append(conn, entry(3))
    conn.commit()
    new = Signer("hcawatch.example/audit", bytes(32))
    assert run_once(conn, new, NOW) is not None
    bundle(conn, tmp_path / "b.zip")
    assert verify_database(conn, new.verifier).ok
    assert verify_bundle(tmp_path / "b.zip", new.verifier).ok
    assert not verify_bundle(tmp_path / "b.zip", KEY).ok


def test_a_database_that_was_rolled_back_is_not_signed_on(
    conn: psycopg.Connection[Any], tmp_path: Path
) -> None:
    """An older backup was restored: the published checkpoint is ahead, nothing is signed, verification says so."""
    grow(conn, 1, 3, tmp_path / "heads")
    keep = newest_head(conn)
    assert keep is not None
    conn.commit()
    grow(conn, 4, 2, tmp_path / "heads")
    tamper(conn, "DELETE FROM audit_entry WHERE leaf_index >= 4; DELETE FROM audit_head WHERE size > 4")
    append(conn, entry(9))
    conn.commit()
    with pytest.raises(LogBrokenError, match="rolled back"):
        run_once(conn, SIGNER, NOW, heads_dir=tmp_path / "heads")
    conn.rollback()
    assert verify_database(conn, KEY).ok
    verdict = verify_database(conn, KEY, heads_dir=tmp_path / "heads")
    assert (verdict.ok, verdict.first_bad_leaf) == (False, 4)


def tamper(conn: psycopg.Connection[Any], sql: str) -> None:
    """As somebody with all rights on the server."""
    conn.execute(
        f"ALTER TABLE audit_entry DISABLE TRIGGER ALL; {sql}; ALTER TABLE audit_entry ENABLE TRIGGER ALL".encode()
    )
    conn.commit()


def replaced(what: str, by: str) -> str:
    return f"convert_to(replace(convert_from(body, 'UTF8'), '{what}', '{by}'), 'UTF8')"


#: what is done to a log of 0..2 | 3..5 | 6..9 (heads at 4, 7, 10: the key's entry is leaf 3), and the first bad leaf
TAMPERED = {
    "body changed": (f"UPDATE audit_entry SET body = {replaced('subject:4', 'subject:6')} WHERE leaf_index = 5", 5),
    "body and its hash changed": (
        f"UPDATE audit_entry SET body = {replaced('tester', 'nobody')} WHERE leaf_index = 5;"
        " UPDATE audit_entry SET leaf_hash = sha256('\\x00' || body) WHERE leaf_index = 5;"
        " UPDATE audit_entry SET actor = 'nobody' WHERE leaf_index = 5", 4),
    "only the hash changed": ("UPDATE audit_entry SET leaf_hash = sha256('x') WHERE leaf_index = 2", 2),
    "a column changed": ("UPDATE audit_entry SET actor = 'other' WHERE leaf_index = 8", 8),
    "a time changed": ("UPDATE audit_entry SET at = at + interval '1 us' WHERE leaf_index = 8", 8),
    "removed from the tail": ("DELETE FROM audit_entry WHERE leaf_index = 9", 9),
    "removed from the tail with its head": (
        "DELETE FROM audit_entry WHERE leaf_index = 9; UPDATE audit_head SET size = 9 WHERE size = 10", 9),
    "removed from the middle": ("DELETE FROM audit_entry WHERE leaf_index = 5", 5),
    "removed from the middle, closed up": (
        "DELETE FROM audit_entry WHERE leaf_index = 5;"
        " UPDATE audit_entry SET leaf_index = -leaf_index WHERE leaf_index > 5;"
        " UPDATE audit_entry SET leaf_index = -leaf_index - 1 WHERE leaf_index < 0", 4),
    "two swapped": (
        "UPDATE audit_entry SET leaf_index = -1 WHERE leaf_index = 1;"
        " UPDATE audit_entry SET leaf_index = 1 WHERE leaf_index = 2;"
        " UPDATE audit_entry SET leaf_index = 2 WHERE leaf_index = -1", 0),
    "one inserted": (
        "UPDATE audit_entry SET leaf_index = -leaf_index - 1 WHERE leaf_index > 5;"
        " UPDATE audit_entry SET leaf_index = -leaf_index WHERE leaf_index < 0;"
        " INSERT INTO audit_entry (leaf_index, body, leaf_hash, kind, subject, actor, at)"
        " SELECT 6, body, leaf_hash, kind, subject, actor, at FROM audit_entry WHERE leaf_index = 5", 4),
    "an earlier head's note changed": (
        "UPDATE audit_head SET checkpoint = replace(checkpoint, E'\\n4\\n', E'\\n3\\n') WHERE size = 4", None),
    "the newest head's note changed": (
        "UPDATE audit_head SET checkpoint = replace(checkpoint, E'\\n10\\n', E'\\n11\\n') WHERE size = 10", None),
    "a head's column changed": ("UPDATE audit_head SET root = sha256('x') WHERE size = 7", None),
    "everything gone": ("DELETE FROM audit_entry; DELETE FROM audit_head", None),
}  # fmt: skip


def ten_leaves(conn: psycopg.Connection[Any], heads_dir: Path | None = None) -> None:
    for first in (0, 3, 6):
        grow(conn, first, 3, heads_dir)


@pytest.mark.parametrize("what", TAMPERED)
def test_what_was_done_to_the_database_is_found(conn: psycopg.Connection[Any], what: str) -> None:
    """Each kind, with the first leaf that fails: exactly, or as the first after the last head that matches."""
    ten_leaves(conn)
    assert verify_database(conn, KEY).ok
    sql, first_bad = TAMPERED[what]
    tamper(conn, sql)
    verdict = verify_database(conn, KEY)
    assert not verdict.ok, verdict.diagnostics()
    assert verdict.first_bad_leaf == first_bad, verdict.diagnostics()
    assert [step.number for step in verdict.steps] == list(range(1, len(verdict.steps) + 1))


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM audit_entry WHERE leaf_index = 9",
        "INSERT INTO audit_entry (leaf_index, body, leaf_hash, kind, subject, actor, at)"
        " VALUES (10, 'x', 'y', 'k', 's', 'a', now())",
        "UPDATE audit_head SET frontier = 'short' WHERE size = 10",
        "UPDATE audit_head SET root = sha256('other') WHERE size = 10",
    ],
)
def test_nothing_is_signed_on_top_of_a_broken_tail(conn: psycopg.Connection[Any], sql: str) -> None:
    """The sequencer sees a missing last entry, an added one and a damaged head, and stops."""
    ten_leaves(conn)
    tamper(conn, sql)
    append(conn, entry(99))
    conn.commit()
    with pytest.raises(LogBrokenError):
        run_once(conn, SIGNER, NOW)


# ---------------------------------------------------------------- bundles


@pytest.fixture
def exported(conn: psycopg.Connection[Any], tmp_path: Path) -> Path:
    ten_leaves(conn)
    out = tmp_path / "bundle.zip"
    assert bundle(conn, out).size == 10
    return out


def rewrite(path: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    """Unpacks a bundle, lets `change` at its files, packs it again."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)


def test_a_bundle_verifies_offline(exported: Path) -> None:
    """With the key, and without it saying that who signed stays open; its README speaks both languages."""
    with_key, without = verify_bundle(exported, str(KEY)), verify_bundle(exported)
    assert with_key.ok, with_key.diagnostics()
    assert without.ok
    assert (with_key.size, with_key.key_was_given, without.key_was_given) == (10, True, False)
    with zipfile.ZipFile(exported) as archive:
        readme = archive.read("README.txt").decode()
        lines = archive.read("entries.jsonl").splitlines()
    assert "THIS.zip" in readme
    assert "审计日志" in readme
    assert [json.loads(line)["kind"] for line in lines].count("audit.key") == 1


def test_before_the_first_head_there_is_nothing_to_export(
    conn: psycopg.Connection[Any], tmp_path: Path
) -> None:
    """One clear line, and no file."""
    with pytest.raises(AuditError, match="nothing was signed yet"):
        bundle(conn, tmp_path / "b.zip")
    assert list(tmp_path.iterdir()) == []
    assert not verify_database(conn, KEY).ok


def lines_changed(
    name: str, change: Callable[[list[bytes]], list[bytes]]
) -> Callable[[dict[str, bytes]], None]:
    def on_files(files: dict[str, bytes]) -> None:
        files[name] = b"".join(line + b"\n" for line in change(files[name].splitlines()))

    return on_files


def both_changed(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[dict[str, bytes]], None]:
    """Entries, with leaf hashes to fit: an attacker who knows the format."""

    def on_files(files: dict[str, bytes]) -> None:
        lines_changed("entries.jsonl", change)(files)
        hashes = [leaf_hash(line).hex().encode() for line in files["entries.jsonl"].splitlines()]
        files["leaves.txt"] = b"".join(line + b"\n" for line in hashes)

    return on_files


BUNDLES: dict[str, tuple[Callable[[dict[str, bytes]], None], int | None]] = {
    "a byte of an entry": (
        lines_changed("entries.jsonl", lambda rows: [*rows[:6], rows[6].replace(b"tester", b"Tester"), *rows[7:]]), 6),
    "an entry and its hash": (
        both_changed(lambda rows: [*rows[:6], rows[6].replace(b"tester", b"Tester"), *rows[7:]]), 4),
    "an entry written otherwise": (
        lines_changed("entries.jsonl", lambda rows: [rows[0].replace(b",", b", ", 1), *rows[1:]]), 0),
    "a leaf hash": (lines_changed("leaves.txt", lambda rows: [*rows[:2], b"0" * 64, *rows[3:]]), 2),
    "a leaf hash that is none": (lines_changed("leaves.txt", lambda rows: [*rows[:2], b"xyz", *rows[3:]]), 2),
    "the last entry missing": (both_changed(lambda rows: rows[:-1]), 9),
    "the first entry missing": (both_changed(lambda rows: rows[1:]), 0),
    "two entries swapped": (both_changed(lambda rows: [*rows[:8], rows[9], rows[8]]), 7),
    "an entry more": (both_changed(lambda rows: [*rows, rows[-1]]), 10),
    "an empty log": (both_changed(lambda rows: []), 0),
    "the checkpoint's size": (lambda f: f.update(checkpoint=f["checkpoint"].replace(b"\n10\n", b"\n11\n")), None),
    "the checkpoint of an earlier head": (
        lambda f: f.update(checkpoint=json.loads(f["heads.jsonl"].splitlines()[0])["checkpoint"].encode()), 4),
    "heads that are no JSON": (lambda f: f.update({"heads.jsonl": b"{\n"}), None),
    "keys that are none": (lambda f: f.update({"keys.txt": b"nonsense\n"}), None),
    "a file missing": (lambda f: f.pop("leaves.txt"), None),  # type: ignore[dict-item,return-value]
}  # fmt: skip


@pytest.mark.parametrize("what", BUNDLES)
def test_what_was_done_to_a_bundle_is_found(exported: Path, what: str) -> None:
    """Each kind of change, with the first leaf that fails where one can be named."""
    change, first_bad = BUNDLES[what]
    rewrite(exported, change)
    verdict = verify_bundle(exported, KEY)
    assert not verdict.ok, verdict.diagnostics()
    assert verdict.first_bad_leaf == first_bad, verdict.diagnostics()


def test_a_bundle_signed_by_somebody_else_is_found_only_with_the_key(
    conn: psycopg.Connection[Any], tmp_path: Path
) -> None:
    """That is why the key must come by another way, and why the verdict says whether it did."""
    append(conn, entry(1))
    conn.commit()
    forger = Signer("hcawatch.example/audit", bytes(32))
    run_once(conn, forger, NOW)
    bundle(conn, tmp_path / "forged.zip")
    assert verify_bundle(tmp_path / "forged.zip").ok
    assert not verify_bundle(tmp_path / "forged.zip", KEY).ok


def test_a_bundle_that_was_cut_back_is_found_by_whoever_has_a_later_checkpoint(
    conn: psycopg.Connection[Any], tmp_path: Path
) -> None:
    """An old, valid state verifies by itself; the regulator's own copy of a later checkpoint does not fit into it."""
    grow(conn, 0, 3)
    bundle(conn, tmp_path / "old.zip")
    later = grow(conn, 3, 3)
    bundle(conn, tmp_path / "new.zip")
    assert verify_bundle(tmp_path / "old.zip", KEY).ok
    assert verify_bundle(tmp_path / "new.zip", KEY, known_checkpoints=[later.checkpoint]).ok
    cut = verify_bundle(tmp_path / "old.zip", KEY, known_checkpoints=[later.checkpoint])
    assert (cut.ok, cut.first_bad_leaf) == (False, 4)


def test_no_flipped_byte_of_a_bundle_is_an_error_of_ours(exported: Path, tmp_path: Path) -> None:
    """A damaged file gives a verdict, never a traceback; and no change of the log's bytes passes."""
    whole = exported.read_bytes()
    for at in range(0, len(whole), max(1, len(whole) // 150)):
        damaged = tmp_path / "damaged.zip"
        damaged.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        verdict = verify_bundle(damaged, KEY)
        assert isinstance(verdict, Verdict)
        if verdict.ok:  # headers and the README may change without harm to the log
            assert (verdict.size, verdict.root) == (10, verify_bundle(exported, KEY).root)
    for size in (0, 10, len(whole) // 2):
        damaged.write_bytes(whole[:size])
        assert not verify_bundle(damaged, KEY).ok
    assert not verify_bundle(tmp_path / "none.zip", KEY).ok


def test_an_export_leaves_no_half_file(conn: psycopg.Connection[Any], tmp_path: Path) -> None:
    """A folder that cannot be written to is named."""
    grow(conn, 0, 1)
    with pytest.raises(AuditError, match="cannot be written"):
        bundle(conn, tmp_path / "missing" / "b.zip")


def test_the_newest_head_is_what_was_signed(conn: psycopg.Connection[Any]) -> None:
    """For pages."""
    head = grow(conn, 0, 2)
    assert newest_head(conn) == head


def test_a_log_that_grows_while_it_is_verified_is_not_called_broken(
    conn: psycopg.Connection[Any], postgres_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sequencer signs and publishes every second; a head from then is no proof of missing entries."""
    grow(conn, 1, 3, tmp_path)
    with psycopg.connect(postgres_dsn) as other:

        def and_meanwhile(one: psycopg.Connection[Any]) -> tuple[VerifierKey, ...]:
            grow(other, 4, 1, tmp_path)
            return signing_keys(one)

        monkeypatch.setattr(verify, "signing_keys", and_meanwhile)
        verdict = verify_database(conn, SIGNER.verifier, heads_dir=tmp_path)
    assert verdict.ok, verdict.diagnostics()
