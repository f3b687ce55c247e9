"""The outbox: one contract for SQLite and memory, and the real one under kill -9."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.errors import OutboxRefused, OutboxUnusable
from edge.evidence_queue import PendingEvidence
from edge.losses import LossCounter, given_up
from edge.outbox import Outbox, SavedEpisode, SqliteOutbox
from monitor.domain.events import EvidenceRef, LossRecord, Receipt, decode_numbered, sha256_hex
from tests.doubles.edge_things import NOON, event
from tests.doubles.outbox import MemoryOutbox


@pytest.fixture(params=["sqlite", "memory"])
def outbox(request: pytest.FixtureRequest, tmp_path: Path) -> Outbox:
    return SqliteOutbox(tmp_path / "o.sqlite") if request.param == "sqlite" else MemoryOutbox()


def put(outbox: Outbox, phase: str = "update", **more: Any) -> int:
    return outbox.append(lambda epoch, seq: event(seq, epoch, phase), **more).seq


def fill(outbox: Outbox) -> None:
    while True:
        put(outbox)


def receipt(outbox: Outbox, through: int, *ranges: tuple[int, int], epoch: str | None = None) -> Receipt:
    return Receipt(edge_id="edge-1", epoch=epoch or outbox.epoch, stored_through=through, ranges=ranges)


def test_numbers_are_gapless_and_bytes_are_the_hashed_ones(outbox: Outbox) -> None:
    """Messages are numbered 1, 2, 3, and the kept bytes carry number, epoch and hash."""
    rows = [outbox.append(lambda e, s: event(s, e, "update")) for _ in range(3)]
    assert [r.seq for r in rows] == [1, 2, 3]
    for row in rows:
        message = decode_numbered(row.payload)
        assert (message.seq, message.epoch, sha256_hex(row.payload)) == (row.seq, outbox.epoch, row.sha256)


def test_a_message_with_another_number_is_refused_and_leaves_no_gap(outbox: Outbox) -> None:
    """Whoever ignores the number given to them numbers nothing."""
    with pytest.raises(ValueError, match="carries the number 99"):
        outbox.append(lambda epoch, seq: event(99, epoch))
    assert put(outbox) == 1


def test_new_onsets_go_before_the_backlog(outbox: Outbox) -> None:
    """Onsets newest first, then everything else by number; what is on its way is left out."""
    for phase in ("onset", "update", "update", "onset", "end"):
        put(outbox, phase)
    assert [r.seq for r in outbox.unreceipted(10)] == [4, 1, 2, 3, 5]
    assert [r.seq for r in outbox.unreceipted(2, skip=frozenset({4, 2}))] == [1, 3]


def test_a_receipt_deletes_what_it_covers_and_nothing_else(outbox: Outbox) -> None:
    """Covered numbers go, those between the ranges stay, numbering goes on."""
    for _ in range(8):
        put(outbox)
    assert outbox.apply_receipt(receipt(outbox, 2, (5, 6))) == 4
    assert [r.seq for r in outbox.unreceipted(10)] == [3, 4, 7, 8]
    assert put(outbox) == 9
    assert outbox.summary().stored_through == 2


def test_a_receipt_of_another_epoch_deletes_nothing(outbox: Outbox) -> None:
    """A receipt that an earlier outbox's life left in the broker is not about these messages."""
    put(outbox)
    assert outbox.apply_receipt(receipt(outbox, 5, epoch="another")) == 0
    assert len(outbox.unreceipted(10)) == 1


def test_an_older_receipt_after_a_newer_changes_nothing(outbox: Outbox) -> None:
    """Receipts may come late and twice."""
    for _ in range(4):
        put(outbox)
    outbox.apply_receipt(receipt(outbox, 3))
    outbox.apply_receipt(receipt(outbox, 1))
    assert [r.seq for r in outbox.unreceipted(10)] == [4]
    assert outbox.summary().stored_through == 3


def test_episodes_are_saved_and_forgotten_with_their_message(outbox: Outbox) -> None:
    """A running episode is there for the next start; an ended one is not."""
    put(outbox, "onset", episodes=[SavedEpisode(camera_id="c", episode_id="a", state=b"1")])
    put(outbox, "onset", episodes=[SavedEpisode(camera_id="c", episode_id="b", state=b"2")])
    outbox.save_episodes([SavedEpisode(camera_id="c", episode_id="a", state=b"3")])
    assert outbox.episodes("c") == (b"3", b"2")
    put(outbox, "end", episodes=[SavedEpisode(camera_id="c", episode_id="a", state=None)])
    assert outbox.episodes("c") == (b"2",)
    assert outbox.episodes("other") == ()


def test_a_minute_is_forgotten_with_the_record_that_closes_it(outbox: Outbox) -> None:
    """Saving a minute twice keeps the later state; closing it removes only that one."""
    outbox.save_minute("c", NOON, b"1")
    outbox.save_minute("c", NOON, b"2")
    outbox.save_minute("c", NOON + timedelta(minutes=1), b"3")
    assert outbox.minutes("c") == (b"2", b"3")
    put(outbox, close_minute=("c", NOON))
    assert outbox.minutes("c") == (b"3",)


def item(sha: str, kind: str, at: float = 0.0) -> PendingEvidence:
    return PendingEvidence(
        ref=EvidenceRef(sha256=sha, kind=kind, bytes=3),  # type: ignore[arg-type]
        name=f"{sha}.jpg", event_id="e", camera_id="c", announced_at=at,
    )  # fmt: skip


def test_evidence_waits_until_it_is_done_snapshots_first(outbox: Outbox) -> None:
    """Snapshots go before clips; a try that failed waits for its time; the same bytes are announced once."""
    put(outbox, evidence=[item("clip", "clip", 1.0), item("a", "snapshot_clean", 2.0)])
    put(outbox, evidence=[item("a", "snapshot_clean", 3.0)])
    assert [i.ref.sha256 for i in outbox.evidence.due(10.0, 5)] == ["a", "clip"]
    outbox.evidence.later("a", 20.0)
    assert [i.ref.sha256 for i in outbox.evidence.due(10.0, 5)] == ["clip"]
    assert outbox.evidence.due(20.0)[0].attempts == 1
    outbox.evidence.done("a")
    row = outbox.give_up("clip", given_up("edge-1", "clip", "e", "damaged", announced_at=1.0, now=2.0))
    assert row is not None
    assert (row.seq, row.kind) == (3, "loss")
    assert outbox.give_up("a", given_up("edge-1", "a", "e", "damaged", announced_at=1.0, now=2.0)) is None
    summary = outbox.summary()
    assert summary.evidence_announced == {"clip": 1, "snapshot_clean": 1}
    assert (summary.evidence_stored, summary.evidence_pending) == (1, 0)


def test_the_summary_outlives_receipts(outbox: Outbox) -> None:
    """How many of each kind were numbered can be asked when all are forgotten."""
    for _ in range(3):
        put(outbox)
    outbox.apply_receipt(receipt(outbox, 3))
    summary = outbox.summary()
    assert (summary.last_seq, summary.unreceipted, summary.numbered) == (
        3,
        0,
        {"event": 3, "watch": 0, "loss": 0},
    )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(st.sampled_from(["onset", "update"]), st.tuples(st.integers(0, 12), st.integers(0, 12)))
    )
)
def test_sqlite_and_memory_agree(tmp_path_factory: pytest.TempPathFactory, steps: list[Any]) -> None:
    """Whatever is appended and receipted, in any order, both hold the same messages in the same order."""
    real, double = SqliteOutbox(tmp_path_factory.mktemp("o") / "o.sqlite"), MemoryOutbox()
    for step in steps:
        if isinstance(step, str):
            put(real, step)
            put(double, step)
        else:
            low, high = sorted(step)
            spans = ((low + 2, high + 2),) if high > low else ()
            real.apply_receipt(receipt(real, low, *spans))
            double.apply_receipt(receipt(double, low, *spans))
        assert [r.seq for r in real.unreceipted(50)] == [r.seq for r in double.unreceipted(50)]
        assert real.summary().last_seq == double.summary().last_seq
    real.close()


def test_what_a_full_disk_refused_is_told_once_it_can_be(tmp_path: Path) -> None:
    """A full disk leaves no gap, and a numbered record says how much was refused and when."""
    outbox = SqliteOutbox(tmp_path / "o.sqlite")
    losses = LossCounter(outbox, "edge-1", lambda: NOON)
    (pages,) = outbox._db.execute("PRAGMA page_count").fetchone()
    outbox._db.execute(f"PRAGMA max_page_count = {pages + 1}")  # what a full disk answers: SQLITE_FULL
    with pytest.raises(OutboxRefused, match="full"):
        fill(outbox)
    numbered = outbox.summary().last_seq
    assert numbered > 0
    losses.refuse()
    losses.refuse()
    outbox._db.execute(f"PRAGMA max_page_count = {pages + 100}")
    row = losses.settle()
    assert row is not None
    assert row.seq == numbered + 1
    record = decode_numbered(row.payload)
    assert isinstance(record, LossRecord)
    assert (record.what, record.count) == ("refused", 2)
    assert losses.settle() is None


@pytest.mark.parametrize(
    "step",
    [
        lambda o: o.apply_receipt(receipt(o, 1)),
        lambda o: o.evidence.later("a", 1.0),
        lambda o: o.evidence.done("a"),
        lambda o: o.give_up("a", given_up("edge-1", "a", "e", "damaged", announced_at=1.0, now=2.0)),
        lambda o: o.set_note("k", "v"),
        lambda o: o.save_minute("c", NOON, b"1"),
    ],
)
def test_what_a_full_disk_cannot_note_is_refused_by_name_and_changes_nothing(
    tmp_path: Path, step: Callable[[SqliteOutbox], object]
) -> None:
    """Whoever forgets or notes something can wait for room: one error of ours, and all is as before."""
    outbox = SqliteOutbox(tmp_path / "o.sqlite")
    put(outbox, evidence=[item("a", "clip")])
    for db in (outbox._db, outbox._quick):
        db.execute("PRAGMA query_only = ON")  # SQLite refuses to write, as it does on a full disk
    with pytest.raises(OutboxRefused):
        step(outbox)
    for db in (outbox._db, outbox._quick):
        db.execute("PRAGMA query_only = OFF")
    assert (outbox.summary().unreceipted, outbox.summary().evidence_pending) == (1, 1)
    step(outbox)


def test_a_file_that_is_no_outbox_is_refused_with_a_remedy(tmp_path: Path) -> None:
    """A damaged database is named, with what to do; it is not overwritten."""
    path = tmp_path / "o.sqlite"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(OutboxUnusable, match=r"o\.sqlite.*move the file aside"):
        SqliteOutbox(path)
    assert path.read_bytes().startswith(b"not a database")


WRITER = """
import sys
from pathlib import Path
from edge.outbox import SavedEpisode, SqliteOutbox
from tests.doubles.edge_things import event
outbox = SqliteOutbox(Path(sys.argv[1]))
me, n = sys.argv[2], 0
while True:
    n += 1
    row = outbox.append(lambda e, s: event(s, e, "update", event_id=f"{me}-{n}"),
                        episodes=[SavedEpisode(camera_id=me, episode_id="ep", state=str(n).encode())])
    print(row.seq, n, flush=True)
"""


def test_kill_9_of_several_writers_leaves_no_gap_and_no_duplicate(tmp_path: Path, repository: Path) -> None:
    """Hundreds of appends by processes that are killed at random: every number once, nothing told is lost."""
    path, rng = tmp_path / "o.sqlite", random.Random(20261124)
    SqliteOutbox(path).close()
    told: dict[int, str] = {}
    for round_ in range(6):
        writers = [
            subprocess.Popen([sys.executable, "-c", WRITER, str(path), f"w{round_}-{i}"], cwd=repository,
                             env={**os.environ, "PYTHONPATH": str(repository)}, stdout=subprocess.PIPE, text=True)
            for i in range(3)
        ]  # fmt: skip
        lines: dict[str, list[str]] = {}
        for i, writer in enumerate(writers):
            assert writer.stdout is not None
            first = writer.stdout.readline()  # it writes: now it may die at any moment
            lines[f"w{round_}-{i}"] = [first]
        time.sleep(rng.uniform(0.05, 0.25))
        for i, writer in enumerate(writers):
            writer.send_signal(signal.SIGKILL)
            rest, _ = writer.communicate()
            assert writer.returncode == -signal.SIGKILL, "a writer ended by itself"
            lines[f"w{round_}-{i}"] += rest.splitlines()
        for me, said in lines.items():
            for line in said:
                if len(parts := line.split()) == 2:  # the last line may be cut
                    told[int(parts[0])] = f"{me}-{parts[1]}"
    outbox = SqliteOutbox(path)
    rows = outbox.unreceipted(100_000)
    events = {row.seq: decode_numbered(row.payload).event_id for row in rows}  # type: ignore[union-attr]
    assert len(rows) > 200
    assert sorted(events) == list(range(1, outbox.summary().last_seq + 1))
    assert len(set(events.values())) == len(events)
    assert told.items() <= events.items()
    for me in {e.rsplit("-", 1)[0] for e in events.values()}:
        numbers = [int(e.rsplit("-", 1)[1]) for e in events.values() if e.rsplit("-", 1)[0] == me]
        assert outbox.episodes(me) == (str(max(numbers)).encode(),), "episode and message are one transaction"
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_an_outbox_of_an_older_version_goes_on_where_it_was(tmp_path: Path) -> None:
    """Made by the version before this file was split: numbers, backlog, evidence, episodes and notes are all there."""
    path = tmp_path / "o.sqlite"
    old = sqlite3.connect(path)
    old.executescript((Path(__file__).parent / "data" / "outbox-2026-11.sql").read_text(encoding="utf-8"))
    old.close()
    outbox = SqliteOutbox(path)
    assert outbox.epoch == "01a22b7a-bfb1-73e6-95fa-cf764212ebf1"
    assert [row.seq for row in outbox.unreceipted(10)] == [4, 3, 5, 6]
    assert [i.name for i in outbox.evidence.due(600.0, 5)] == [f"{'a' * 64}.jpg", f"{'b' * 64}.mp4"]
    assert (outbox.episodes("c"), outbox.minutes("c")) == ((b'{"running":1}',), (b"minute",))
    assert outbox.note("began:c") == "noted"
    assert put(outbox, evidence=[item("c" * 64, "clip")]) == 7
    assert outbox.apply_receipt(receipt(outbox, 7)) == 5
    outbox.evidence.done("b" * 64)
    summary = outbox.summary()
    assert (summary.evidence_announced, summary.evidence_pending) == ({"clip": 2, "snapshot_clean": 1}, 2)
