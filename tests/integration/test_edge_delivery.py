"""From the outbox to the centre: MQTT over a real broker, evidence over real HTTP."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import pytest

from edge.evidence import EvidenceStore
from edge.evidence_queue import PendingEvidence
from edge.outbox import SqliteOutbox
from edge.publisher import MqttAccess, Publisher
from edge.uploader import Uploader
from monitor.domain.events import EvidenceRef, sha256_hex
from monitor.ingest.embedded_broker import EmbeddedBroker
from tests.doubles.edge_centre import EdgeCentre, EvidenceServer
from tests.doubles.edge_things import event


def access(broker: EmbeddedBroker, edge_id: str) -> MqttAccess:
    return MqttAccess(host=broker.host, port=broker.port, user=edge_id, password=broker.passwords[edge_id])


def put(outbox: SqliteOutbox, edge_id: str, phase: str = "update", **more: object) -> int:
    return outbox.append(lambda e, s: event(s, e, phase, edge_id=edge_id), **more).seq  # type: ignore[arg-type]


def wait_empty(outbox: SqliteOutbox, timeout_s: float = 20.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while outbox.summary().unreceipted and time.monotonic() < deadline:
        time.sleep(0.02)  # another process's database: there is nothing to await
    return not outbox.summary().unreceipted


def test_what_is_appended_arrives_at_once_with_the_outboxs_own_bytes(
    broker: EmbeddedBroker, tmp_path: Path
) -> None:
    """Within a tenth of a second of its append, byte for byte, with its number and hash; a receipt forgets it."""
    path = tmp_path / "o.sqlite"
    outbox = SqliteOutbox(path)
    publisher = Publisher("edge-11", access(broker, "edge-11"), lambda: SqliteOutbox(path))
    with EdgeCentre(broker, "edge-11") as centre:
        publisher.start()
        assert centre.wait(lambda c: bool(c.online))
        delays = []
        for _ in range(20):
            appended = time.time()
            row = outbox.append(lambda e, s: event(s, e, "onset", edge_id="edge-11"))
            assert centre.wait(lambda c, seq=row.seq: seq in c.messages)
            delays.append(next(at for at, seq in centre.arrived if seq == row.seq) - appended)
            assert centre.payloads[row.seq] == {row.payload}
        assert sorted(delays)[10] < 0.1, f"median delay {sorted(delays)[10]:.3f} s"
        assert wait_empty(outbox)
        publisher.stop()
        assert centre.wait(lambda c: c.online[-1] == b'{"online":false}')


def test_the_backlog_waits_for_new_onsets(broker: EmbeddedBroker, tmp_path: Path) -> None:
    """Three hundred old updates and one new onset, sent together: the onset is there first."""
    path = tmp_path / "o.sqlite"
    outbox = SqliteOutbox(path)
    for _ in range(300):
        put(outbox, "edge-12")
    onset = put(outbox, "edge-12", "onset")
    publisher = Publisher("edge-12", access(broker, "edge-12"), lambda: SqliteOutbox(path))
    with EdgeCentre(broker, "edge-12") as centre:
        publisher.start()
        assert centre.wait(lambda c: len(c.messages) == 301)
        publisher.stop()
    assert centre.arrived[0][1] == onset
    assert [seq for _, seq in centre.arrived[1:]] == sorted(seq for _, seq in centre.arrived[1:])


def test_what_no_receipt_covers_is_sent_again(
    broker: EmbeddedBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker acknowledges, the centre stays silent: the same bytes come again until a receipt covers them."""
    monkeypatch.setattr("edge.publisher.RESEND_S", 0.3)
    path = tmp_path / "o.sqlite"
    outbox = SqliteOutbox(path)
    publisher = Publisher("edge-13", access(broker, "edge-13"), lambda: SqliteOutbox(path))
    with EdgeCentre(broker, "edge-13") as centre:
        centre.receipts = False
        publisher.start()
        seq = put(outbox, "edge-13", "onset")
        assert centre.wait(lambda c: len(c.arrived) >= 3)
        assert outbox.summary().unreceipted == 1
        assert len(centre.payloads[seq]) == 1
        centre.send_receipt(outbox.epoch)
        assert wait_empty(outbox)
        publisher.stop()


def test_a_broker_that_was_away_and_forgot_everything_costs_nothing(tmp_path: Path) -> None:
    """Appended while the broker is down, and sent before but never receipted: all arrive once it is back."""
    edge_id, path = "edge-1", tmp_path / "o.sqlite"
    outbox = SqliteOutbox(path)
    with EmbeddedBroker(tmp_path / "b1", [edge_id]) as first:
        publisher = Publisher(edge_id, access(first, edge_id), lambda: SqliteOutbox(path))
        with EdgeCentre(first, edge_id) as centre:
            centre.receipts = False
            publisher.start()
            put(outbox, edge_id)
            assert centre.wait(lambda c: len(c.messages) == 1)
        port = first.port
    put(outbox, edge_id, "onset")
    # another broker without the first one's memory on the same port, with the passwords of the first
    (tmp_path / "b2").mkdir()
    (tmp_path / "b2" / "broker.json").write_bytes((tmp_path / "b1" / "broker.json").read_bytes())
    with (
        EmbeddedBroker(tmp_path / "b2", [edge_id], port=port) as second,
        EdgeCentre(second, edge_id) as centre,
    ):
        put(outbox, edge_id)
        assert centre.wait(lambda c: set(c.messages) == {1, 2, 3})
        assert wait_empty(outbox)
        publisher.stop()


def test_an_acknowledgement_that_comes_before_publish_returns_is_not_waited_for(
    broker: EmbeddedBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine the broker answers first. Nothing may count as on its way for ever: a hundred such would
    end all sending, and evidence would give way to them."""
    edge_id, path = "edge-20", tmp_path / "o.sqlite"
    outbox = SqliteOutbox(path)
    publisher = Publisher(edge_id, access(broker, edge_id), lambda: SqliteOutbox(path))
    really = publisher._client.publish

    def publish_and_be_preempted(*args: object, **more: object) -> object:
        info = really(*args, **more)  # type: ignore[arg-type]
        time.sleep(0.2)
        return info

    monkeypatch.setattr(publisher._client, "publish", publish_and_be_preempted)
    with EdgeCentre(broker, edge_id) as centre:
        publisher.start()
        put(outbox, edge_id, "onset")
        assert centre.wait(lambda c: set(c.messages) == {1})
        assert wait_empty(outbox)
        deadline = time.monotonic() + 5
        while publisher.acknowledged < 1 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert publisher.acknowledged == 1
        assert not publisher.busy
        publisher.stop()


def test_a_full_disk_costs_no_thread_and_a_receipt_is_applied_once_there_is_room(
    broker: EmbeddedBroker, tmp_path: Path
) -> None:
    """The disk takes nothing, not even a deletion: new onsets still leave, and are forgotten when it takes again."""
    edge_id, path = "edge-14", tmp_path / "o.sqlite"
    outbox, publishers = SqliteOutbox(path), SqliteOutbox(path)
    publishers._db.execute("PRAGMA query_only = ON")  # SQLite refuses to write, as it does on a full disk
    publisher = Publisher(edge_id, access(broker, edge_id), lambda: publishers)
    with EdgeCentre(broker, edge_id) as centre:
        publisher.start()
        put(outbox, edge_id, "onset")
        assert centre.wait(lambda c: set(c.messages) == {1})
        put(outbox, edge_id, "onset")
        assert centre.wait(lambda c: set(c.messages) == {1, 2})
        assert outbox.summary().unreceipted == 2
        publishers._db.execute("PRAGMA query_only = OFF")
        assert wait_empty(outbox)
        publisher.stop()


def announce(outbox: SqliteOutbox, store: EvidenceStore, data: bytes) -> PendingEvidence:
    ref, name = store.keep_jpeg(data, "snapshot_clean")
    item = PendingEvidence(ref=ref, name=name, event_id="e-1", camera_id="cam-1")
    put(outbox, "edge-1", evidence=[item])
    return item


def uploader(server: EvidenceServer, store: EvidenceStore, path: Path, token: str = "t") -> Uploader:
    client = httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {token}"}, timeout=10.0)
    return Uploader("edge-1", client, store.folder, lambda: SqliteOutbox(path))


def test_evidence_is_deleted_only_when_the_centre_has_it(tmp_path: Path) -> None:
    """Not announced yet: it stays and is tried again; stored: file and entry go, and it is counted."""
    path, store = tmp_path / "o.sqlite", EvidenceStore(tmp_path / "evidence")
    outbox = SqliteOutbox(path)
    item = announce(outbox, store, b"picture" * 1000)
    with EvidenceServer("t") as server:
        server.announced = set()
        up = uploader(server, store, path)
        assert up.upload(item) == "not_announced"
        assert (store.folder / item.name).exists()
        server.announced.add(item.ref.sha256)
        up.start()
        assert server.wait(lambda s: item.ref.sha256 in s.stored)
        up.stop()
    assert server.stored[item.ref.sha256] == b"picture" * 1000
    assert not (store.folder / item.name).exists()
    assert (outbox.summary().evidence_stored, outbox.summary().evidence_pending) == (1, 0)


def test_evidence_that_a_full_disk_could_not_note_as_stored_is_noted_later_and_never_told_as_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Uploaded while nothing can be written: the file stays, the uploader lives, and it is not sent a second time."""
    monkeypatch.setattr("edge.uploader.UNUSABLE_S", 0.05)
    path, store = tmp_path / "o.sqlite", EvidenceStore(tmp_path / "evidence")
    outbox, uploaders = SqliteOutbox(path), SqliteOutbox(path)
    item = announce(outbox, store, b"picture" * 1000)
    for db in (uploaders._db, uploaders._quick):
        db.execute("PRAGMA query_only = ON")  # SQLite refuses to write, as it does on a full disk
    with EvidenceServer("t") as server:
        up = uploader(server, store, path)
        up._open_outbox = lambda: uploaders
        up.start()
        assert server.wait(lambda s: item.ref.sha256 in s.stored)
        assert (store.folder / item.name).exists()
        for db in (uploaders._db, uploaders._quick):
            db.execute("PRAGMA query_only = OFF")
        deadline = time.monotonic() + 20
        while outbox.summary().evidence_pending and time.monotonic() < deadline:
            time.sleep(0.02)
        up.stop()
    summary = outbox.summary()
    assert (summary.evidence_stored, summary.evidence_pending, summary.numbered["loss"]) == (1, 0, 0)
    assert len(server.requests) == 1
    assert not (store.folder / item.name).exists()


def test_a_file_that_is_gone_is_not_told_as_lost_if_the_centre_has_it(tmp_path: Path) -> None:
    """A kill between the centre's answer and our note, or two events that named the same bytes: no loss record."""
    path, store = tmp_path / "o.sqlite", EvidenceStore(tmp_path / "evidence")
    outbox = SqliteOutbox(path)
    item = announce(outbox, store, b"x" * 100)
    with EvidenceServer("t") as server:
        up = uploader(server, store, path)
        assert up.upload(item) == "stored"
        (store.folder / item.name).unlink()
        assert up._one(outbox)
    assert (outbox.summary().evidence_stored, outbox.summary().numbered["loss"]) == (1, 0)


def test_a_broken_upload_goes_on_where_it_broke(tmp_path: Path) -> None:
    """The connection dies after 40,000 bytes: the second try sends the rest only."""
    path, store = tmp_path / "o.sqlite", EvidenceStore(tmp_path / "evidence")
    item = announce(SqliteOutbox(path), store, bytes(range(256)) * 1000)
    with EvidenceServer("t") as server:
        server.break_after = 40_000
        up = uploader(server, store, path)
        assert up.upload(item) == "unreachable"
        assert up.upload(item) == "stored"
    assert server.requests[-1][2] == "bytes 40000-255999/256000"
    assert sha256_hex(server.stored[item.ref.sha256]) == item.ref.sha256


def test_a_refused_token_keeps_the_evidence(tmp_path: Path) -> None:
    """Whatever the centre answers but 200 and 201, nothing is deleted."""
    path, store = tmp_path / "o.sqlite", EvidenceStore(tmp_path / "evidence")
    item = announce(SqliteOutbox(path), store, b"x" * 100)
    with EvidenceServer("another") as server:
        assert uploader(server, store, path).upload(item) == "refused"
    assert uploader(server, store, path).upload(item) == "unreachable"
    assert (store.folder / item.name).exists()


def test_damaged_evidence_is_given_up_in_a_numbered_record(tmp_path: Path) -> None:
    """A file whose bytes are no longer those that were hashed is not sent; a loss record names it."""
    path, store = tmp_path / "o.sqlite", EvidenceStore(tmp_path / "evidence")
    outbox = SqliteOutbox(path)
    item = announce(outbox, store, b"x" * 100)
    (store.folder / item.name).write_bytes(b"y" * 100)
    with EvidenceServer("t") as server:
        up = uploader(server, store, path)
        assert up._one(outbox)
    assert server.requests == []
    assert outbox.summary().numbered["loss"] == 1
    assert outbox.summary().evidence_pending == 0


def test_files_that_no_event_names_are_swept_and_named_ones_stay(tmp_path: Path) -> None:
    """A kill between file and event leaves a file that nobody will ask for; young files may still be named."""
    outbox, store = SqliteOutbox(tmp_path / "o.sqlite"), EvidenceStore(tmp_path / "evidence")
    item = announce(outbox, store, b"named")
    store.keep_jpeg(b"orphan", "snapshot_clean")
    (store.folder / "x.part").write_bytes(b"half")
    assert store.sweep(outbox.evidence.names()) == 0
    assert store.sweep(outbox.evidence.names(), now=time.time() + 1000) == 2
    assert [p.name for p in store.folder.iterdir()] == [item.name]


def test_evidence_ref_is_of_the_bytes_on_disk(tmp_path: Path) -> None:
    """Name, hash and size are those of what was written."""
    store = EvidenceStore(tmp_path)
    ref, name = store.keep_jpeg(b"abc", "snapshot_clean")
    assert ref == EvidenceRef(sha256=sha256_hex(b"abc"), kind="snapshot_clean", bytes=3)
    assert (tmp_path / name).read_bytes() == b"abc"
