"""A disk that really gets full: what was owed room has it, what goes is told, and numbering goes on."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge.episodes import Emission
from edge.errors import EvidenceRefused, OutboxRefused
from edge.evidence import EvidenceStore
from edge.evidence_queue import PendingEvidence
from edge.frames import PacketRing
from edge.keeper import Keeper
from edge.outbox import SavedEpisode, SqliteOutbox
from edge.reserve import Reserve
from edge.telling import Shot, Teller
from edge.watcher import Seen, WatcherState, step
from models.footprint import FOOTPRINTS
from monitor.domain.events import LossRecord, ModelRef, RiskEvent, decode_numbered
from monitor.domain.levels import Level
from tests.doubles.edge_things import Pinhole, event, ids, looks, setup

MB = 2**20
DISK_MB = 24


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own; mounting needs root."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def somebody_fills(folder: Path) -> Path:
    """Data that are not ours, to the last block."""
    path = folder / "foreign"
    with path.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    return path


def put(outbox: SqliteOutbox, *evidence: PendingEvidence, phase: str = "update") -> int:
    return outbox.append(lambda e, s: event(s, e, phase), evidence=evidence).seq


def put_until_refused(outbox: SqliteOutbox, folder: Path) -> None:
    while True:
        put(outbox)
        somebody_fills(folder)


def keeper(outbox_path: Path, store: EvidenceStore, *, share: float = 0.5) -> Keeper:
    return Keeper("edge-1", store, outbox_path, lambda: SqliteOutbox(outbox_path), cameras=4, share=share)


def keep(worker: Keeper, outbox: SqliteOutbox) -> None:
    """Look until there is nothing more to do, and the reserve is as large as it gets."""
    for _ in range(40):
        while worker.round(outbox):
            pass


def losses(outbox: SqliteOutbox) -> dict[str, LossRecord]:
    """{event id: the record that its evidence went}"""
    rows = (decode_numbered(row.payload) for row in outbox.unreceipted(100_000))
    return {str(m.event_id): m for m in rows if isinstance(m, LossRecord)}


def capture(
    outbox: SqliteOutbox,
    store: EvidenceStore,
    event_id: str,
    level: Level,
    *,
    kind: str = "clip",
    size: int = MB,
) -> Path:
    """Evidence as an event names it; of a running episode if its name says so."""
    ref, name = store.keep_jpeg(os.urandom(size), kind)
    item = PendingEvidence(ref=ref, name=name, event_id=event_id, camera_id="c", episode_id=f"ep-{event_id}",
                           level=level, announced_at=time.time())  # fmt: skip
    put(outbox, item)
    return store.folder / name


def test_on_a_disk_that_others_have_filled_events_are_still_numbered(disk: Path) -> None:
    """Thousands of them, durable and without a gap, from the reserve alone; even an edge that starts only now."""
    path, store = disk / "outbox.sqlite", EvidenceStore(disk / "evidence")
    outbox = SqliteOutbox(path)
    put(outbox)
    keep(keeper(path, store), outbox)
    assert Reserve(path).size() > 2 * MB
    somebody_fills(disk)
    outbox.file.db.execute("PRAGMA synchronous = OFF")  # time: what is tried here is room
    for _ in range(500):
        put(outbox)
        somebody_fills(disk)  # and again takes all that is free
    outbox.close()
    again = SqliteOutbox(path)
    assert put(again) == 502
    assert [row.seq for row in again.unreceipted(5000)] == list(range(1, 503))
    again.file.db.execute("PRAGMA synchronous = OFF")
    with pytest.raises(OutboxRefused, match="full"):
        put_until_refused(again, disk)
    assert Reserve(path).size() == 0


def test_a_worker_that_starts_on_a_full_disk_opens_its_outbox(disk: Path) -> None:
    """The files that SQLite makes anew at each start find room in the reserve, too."""
    path, store = disk / "outbox.sqlite", EvidenceStore(disk / "evidence")
    outbox = SqliteOutbox(path)
    put(outbox)
    keep(keeper(path, store), outbox)
    outbox.close()  # the last one: its side files go
    assert not path.with_name("outbox.sqlite-wal").exists()
    somebody_fills(disk)
    assert put(SqliteOutbox(path)) == 2


def test_once_there_is_room_the_reserve_is_whole_again(disk: Path) -> None:
    """What was given back is taken back, gently."""
    path, store = disk / "outbox.sqlite", EvidenceStore(disk / "evidence")
    outbox = SqliteOutbox(path)
    put(outbox)
    worker = keeper(path, store)
    keep(worker, outbox)
    whole = Reserve(path).size()
    foreign = somebody_fills(disk)
    while Reserve(path).give_back():
        pass
    foreign.unlink()
    keep(worker, outbox)
    assert Reserve(path).size() == pytest.approx(whole, abs=MB)


def test_evidence_over_its_share_goes_in_order_and_each_piece_is_told(disk: Path) -> None:
    """Mild clips first, worse pictures stay; events all stay; a record names each piece, event and reason."""
    path, store = disk / "outbox.sqlite", EvidenceStore(disk / "evidence")
    outbox = SqliteOutbox(path)
    files = {
        "worst": capture(outbox, store, "worst", Level.I),
        "mild": capture(outbox, store, "mild", Level.IV),
        "picture": capture(outbox, store, "picture", Level.IV, kind="snapshot_clean"),
        "running": capture(outbox, store, "running", Level.III),
        "middling": capture(outbox, store, "middling", Level.II),
    }
    outbox.save_episodes([SavedEpisode(camera_id="c", episode_id="ep-running", state=b"1")])
    (store.folder / "nobodys.jpg").write_bytes(b"x")
    os.utime(store.folder / "nobodys.jpg", (0, 0))
    worker = keeper(path, store, share=3.2 / DISK_MB)
    keep(worker, outbox)
    told = losses(outbox)
    assert set(told) == {"mild", "running"}
    assert {name for name, file in files.items() if not file.exists()} == {"mild", "running"}
    assert not (store.folder / "nobodys.jpg").exists()
    assert (told["mild"].reason, told["mild"].what, told["mild"].count) == ("disk_share", "evidence", 1)
    assert f"{told['mild'].sha256}.jpg" == files["mild"].name
    assert (outbox.summary().numbered["event"], outbox.summary().evidence_pending) == (5, 3)
    keep(worker, outbox)
    assert len(losses(outbox)) == 2


def test_evidence_makes_room_for_messages_when_others_fill_the_disk(disk: Path) -> None:
    """It goes until the reserve can be whole again, and no new picture is kept in its place; events go on."""
    path, store = disk / "outbox.sqlite", EvidenceStore(disk / "evidence")
    outbox = SqliteOutbox(path)
    files = [capture(outbox, store, f"e{n}", Level.IV) for n in range(6)]
    worker = keeper(path, store)
    keep(worker, outbox)
    assert not losses(outbox)
    somebody_fills(disk)
    with pytest.raises(EvidenceRefused, match="nearly full"):
        store.keep_jpeg(b"x" * 100, "snapshot_clean")
    for _ in range(5):
        Reserve(path).give_back()
    somebody_fills(disk)
    keep(worker, outbox)
    gone = [n for n, file in enumerate(files) if not file.exists()]
    assert gone == list(range(len(gone)))
    assert len(gone) >= 3
    assert {record.reason for record in losses(outbox).values()} == {"disk_full"}
    assert set(losses(outbox)) == {f"e{n}" for n in gone}
    assert put(outbox) == 6 + len(gone) + 1


def test_what_was_uploaded_meanwhile_is_not_told_as_shed(disk: Path) -> None:
    """The centre has it: no loss record says otherwise."""
    path, store = disk / "outbox.sqlite", EvidenceStore(disk / "evidence")
    outbox = SqliteOutbox(path)
    capture(outbox, store, "e", Level.IV)
    (item,) = outbox.evidence.sheddable()
    outbox.evidence.done(item.sha256)
    keeper(path, store)._shed(outbox, item, "disk_share")
    assert not losses(outbox)


def test_an_event_that_got_no_picture_for_want_of_room_says_so(disk: Path) -> None:
    """It is told at once, without one; a loss record counts the pictures, once however often its look came again."""
    path, store = disk / "outbox.sqlite", EvidenceStore(disk / "evidence")
    outbox = SqliteOutbox(path)
    keep(keeper(path, store), outbox)
    hole, new_id = Pinhole(), ids()
    core, state, told = setup(hole.camera()), WatcherState(), list[Emission]()
    box = hole.box(0.0, -FOOTPRINTS["excavator"].half_depth_m, 4.0, 3.0)
    digger = Seen(track_id=1, class_name="excavator", score=0.9, xyxy=box, box_motion=0.1)
    for look in looks(lambda _: (digger,), seconds=10.0):
        state, emissions = step(core, state, look, new_id)
        told += emissions
    model = ModelRef(name="m", version="1", sha256="0" * 64)
    teller = Teller(edge_id="edge-1", config_version="1", setup=core, outbox=outbox, store=store, rings=(PacketRing(),),
                    model=model, new_id=new_id)  # fmt: skip
    shot = Shot(bgr=lambda: np.zeros((720, 1280, 3), np.uint8))
    foreign = somebody_fills(disk)
    assert [emission.phase for emission in told] == ["onset"]
    assert teller.tell(told[0], shot)
    foreign.unlink()
    teller.close_clips(1000.0, ())
    (onset, loss) = (decode_numbered(row.payload) for row in outbox.unreceipted(10))
    assert isinstance(onset, RiskEvent)
    assert onset.evidence == ()
    assert isinstance(loss, LossRecord)
    assert (loss.what, loss.count, loss.reason, loss.sha256) == ("evidence", 1, "disk_full", None)
