"""What both ingest stores keep to: the one in PostgreSQL and the one in memory that stands for it in simulations."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, Protocol

import msgspec
import psycopg
import pytest
from psycopg.rows import dict_row

from alerts.engine import AlertEngine
from alerts.postgres_book import PostgresAlertBook
from monitor.audit.entries import read
from monitor.domain.events import CameraState, CameraStatus, EdgeStatus, Receipt, encode, sha256_hex
from monitor.domain.numbers import Stored
from monitor.ingest.judge import DeadReason
from monitor.ingest.mqtt import MqttSettings
from monitor.ingest.ports import Arrived, IngestStore, Verdict
from monitor.ingest.postgres_store import PostgresIngestStore
from monitor.ingest.worker import IngestWorker
from monitor.store.pool import make_pool
from tests.doubles.alert_story import CITY
from tests.doubles.ingest_messages import MINUTE, NOW, arrived, event, evidence, loss, status, watch
from tests.doubles.ingest_store import MemoryIngestStore
from tests.unit.ingest.test_ingest_devices import DEVICES
from tests.unit.ingest.test_ingest_devices import arrived as said_by_device

SOURCE = ("edge-1", "epoch-a")
STORED, DUPLICATE = Verdict.STORED, Verdict.DUPLICATE
DEAD, OTHER_HASH = Verdict.DEAD_LETTER, Verdict.SAME_NUMBER_OTHER_HASH


class Look(Protocol):
    """An outside observer of what a store holds."""

    def event_seqs(self) -> list[int]: ...
    def watch(self, camera_id: str, minute: datetime) -> dict[str, Any] | None: ...
    def work(self, kind: str) -> list[dict[str, Any]]: ...
    def dead_letters(self) -> list[dict[str, Any]]: ...
    def evidence(self, sha256: str) -> dict[str, Any] | None: ...
    def entry_kinds(self) -> list[str]: ...


class LookIntoMemory:
    def __init__(self, store: MemoryIngestStore) -> None:
        self.store = store

    def event_seqs(self) -> list[int]:
        return sorted(one.seq for one in self.store.events)

    def watch(self, camera_id: str, minute: datetime) -> dict[str, Any] | None:
        return self.store.watch.get((camera_id, minute))

    def work(self, kind: str) -> list[dict[str, Any]]:
        return [body for what, body in self.store.work if what == kind]

    def dead_letters(self) -> list[dict[str, Any]]:
        return self.store.dead_letters

    def evidence(self, sha256: str) -> dict[str, Any] | None:
        return self.store.evidence.get(sha256)

    def entry_kinds(self) -> list[str]:
        return [entry.kind for entry in self.store.entries]


class LookIntoPostgres:
    """Reads over a connection of its own: sees only what was committed."""

    def __init__(self, dsn: str) -> None:
        self.conn = psycopg.connect(dsn, autocommit=True, row_factory=dict_row)
        self.conn.execute("SET TIME ZONE 'UTC'")

    def rows(self, sql: str, *given: Any) -> list[dict[str, Any]]:
        return self.conn.execute(sql.encode(), given).fetchall()

    def event_seqs(self) -> list[int]:
        return [row["seq"] for row in self.rows("SELECT seq FROM risk_event ORDER BY seq")]

    def watch(self, camera_id: str, minute: datetime) -> dict[str, Any] | None:
        found = self.rows(
            "SELECT * FROM watch_minute WHERE camera_id = %s AND minute = %s", camera_id, minute
        )
        return found[0] if found else None

    def work(self, kind: str) -> list[dict[str, Any]]:
        return [
            row["body"]
            for row in self.rows("SELECT body FROM alert_work WHERE kind = %s ORDER BY work_id", kind)
        ]

    def dead_letters(self) -> list[dict[str, Any]]:
        return self.rows("SELECT * FROM dead_letter ORDER BY dead_letter_id")

    def evidence(self, sha256: str) -> dict[str, Any] | None:
        found = self.rows("SELECT * FROM evidence WHERE sha256 = %s", sha256)
        return found[0] if found else None

    def entry_kinds(self) -> list[str]:
        rows = self.rows("SELECT body FROM audit_entry ORDER BY entry_id")
        return [read(bytes(row["body"])).kind for row in rows]


Both = tuple[IngestStore, Look]


@pytest.fixture(params=["memory", "postgres"])
def both(request: pytest.FixtureRequest) -> Iterator[Both]:
    if request.param == "memory":
        store = MemoryIngestStore()
        yield store, LookIntoMemory(store)
        return
    dsn = request.getfixturevalue("postgres_dsn")
    look = LookIntoPostgres(dsn)
    with make_pool(dsn, "test") as pool, look.conn:
        yield PostgresIngestStore(pool), look


def verdicts(store: IngestStore, *batch: Arrived, now: datetime = NOW) -> list[Verdict]:
    return [outcome.verdict for outcome in store.store(batch, now).outcomes]


def test_a_message_is_stored_once_however_often_it_comes(both: Both) -> None:
    """The same bytes in one batch, in the next, and out of order make one row, one entry, one piece of work."""
    store, look = both
    one, two, three = (arrived(event(seq)) for seq in (1, 2, 3))
    assert verdicts(store, three, one, one) == [STORED, STORED, DUPLICATE]
    assert verdicts(store, one, two, three) == [DUPLICATE, STORED, DUPLICATE]
    assert look.event_seqs() == [1, 2, 3]
    assert look.entry_kinds() == ["event.accepted"] * 3
    assert [body["seq"] for body in look.work("event")] == [3, 1, 2]


def test_the_receipt_tells_what_is_stored_after_each_batch(both: Both) -> None:
    """Also for a batch of duplicates, since the edge that resends has missed the receipt."""
    store, _ = both
    assert store.store([arrived(event(1)), arrived(watch(4))], NOW).receipts == {SOURCE: Stored(1, ((4, 4),))}
    two = arrived(loss(2))
    assert store.store([two], NOW).receipts == {SOURCE: Stored(2, ((4, 4),))}
    assert store.store([two], NOW).receipts == {SOURCE: Stored(2, ((4, 4),))}
    assert store.receipts() == [
        Receipt(edge_id="edge-1", epoch="epoch-a", stored_through=2, ranges=((4, 4),))
    ]


def test_edges_and_epochs_are_counted_apart(both: Both) -> None:
    """Number 1 of another edge, or of a new outbox, is another message; what changed last comes last."""
    store, look = both
    other = arrived(event(1, edge_id="edge-2"))
    reborn = arrived(event(1, epoch="epoch-b"))
    assert verdicts(store, arrived(event(1)), other) == [STORED, STORED]
    assert verdicts(store, reborn, now=NOW + timedelta(seconds=1)) == [STORED]
    assert look.event_seqs() == [1, 1, 1]
    assert [receipt.epoch for receipt in store.receipts()][-1] == "epoch-b"


def test_the_same_number_with_other_bytes_is_alarmed_and_not_merged(both: Both) -> None:
    """The first stays, the second is kept apart with its bytes, once, whether it comes in one batch or later."""
    store, look = both
    first, second, third = (arrived(event(1, dwell_s=dwell)) for dwell in (1.0, 2.0, 3.0))
    assert verdicts(store, first, second) == [STORED, OTHER_HASH]
    assert verdicts(store, third, second) == [OTHER_HASH, OTHER_HASH]
    assert look.event_seqs() == [1]
    assert [body["seq"] for body in look.work("same_number_other_hash")] == [1, 1]
    assert [bytes(row["payload"]) for row in look.dead_letters()] == [second.payload, third.payload]
    assert look.work("dead_letter") == []


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"not json", DeadReason.UNREADABLE),
        (b"\xff\xfe", DeadReason.UNREADABLE),
        (b"[" * 100_000, DeadReason.UNREADABLE),
        (encode(event(1)).replace(b'"cam-1"', b'"cam\\u0000"'), DeadReason.UNREADABLE),
        (encode(event(1)).replace(b"edge-1", b"edge-9"), DeadReason.DISAGREES),
        (encode(event(1, confidence=1.5)), DeadReason.OUT_OF_RANGE),
    ],
)
def test_an_unreadable_message_is_kept_and_its_number_counts(
    both: Both, payload: bytes, reason: DeadReason
) -> None:
    """It does not come again for ever, its neighbours are stored, and somebody is told once."""
    store, look = both
    bad = arrived(event(1), payload)
    result = store.store([arrived(event(2)), bad, arrived(event(3))], NOW)
    assert [outcome.verdict for outcome in result.outcomes] == [STORED, DEAD, STORED]
    assert result.outcomes[1].reason is reason
    assert result.receipts == {SOURCE: Stored(3)}
    assert verdicts(store, bad) == [DUPLICATE]
    assert [(row["reason"], bytes(row["payload"])) for row in look.dead_letters()] == [(reason, payload)]
    (body,) = look.work("dead_letter")
    assert (body["edge_id"], body["seq"], body["reason"]) == ("edge-1", 1, reason)
    assert look.event_seqs() == [2, 3]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: arrived(event(1), sha256="0" * 64), DeadReason.HASH_MISMATCH),
        (lambda: arrived(event(1), edge_id="edge-2"), DeadReason.FOREIGN_EDGE),
        (
            lambda: Arrived(topic="hcawatch/v1/event/edge-1/cam-1", payload=b"x", received_at=NOW),
            DeadReason.NO_NUMBER,
        ),
        (lambda: Arrived(topic="hcawatch/v1/else", payload=b"\0", received_at=NOW), DeadReason.UNKNOWN_TOPIC),
    ],
)
def test_a_message_whose_number_is_in_doubt_is_kept_but_not_counted(
    both: Both, make: Callable[[], Arrived], reason: DeadReason
) -> None:
    """No receipt covers it, so the right message can still come; it is kept and told once."""
    store, look = both
    result = store.store([make()], NOW)
    assert [(o.verdict, o.reason) for o in result.outcomes] == [(DEAD, reason)]
    assert result.receipts == {}
    assert store.receipts() == []
    assert verdicts(store, arrived(event(1)), arrived(event(1, edge_id="edge-2"))) == [STORED, STORED]
    assert len(look.work("dead_letter")) == 1


def test_an_odd_clock_is_flagged_and_the_event_kept(both: Both) -> None:
    """More than five minutes in the future: kept, and whoever reads the work sees it."""
    store, look = both
    ahead = arrived(event(1, captured_at=NOW + timedelta(minutes=5, seconds=1)))
    assert verdicts(store, ahead, arrived(event(2, captured_at=NOW + timedelta(minutes=5)))) == [
        STORED,
        STORED,
    ]
    assert [body.get("flags") for body in look.work("event")] == [["captured_in_future"], None]


def test_of_two_records_of_one_minute_the_longer_stays(both: Both) -> None:
    """An edge that was restarted within a minute sends the minute again, with what it knows of all of it."""
    store, look = both
    verdicts(store, arrived(watch(1, span_s=20.0, watched_s=20.0)))
    verdicts(
        store, arrived(watch(2, span_s=60.0, watched_s=41.0)), arrived(watch(3, span_s=30.0, watched_s=30.0))
    )
    row = look.watch("cam-1", MINUTE)
    assert row is not None
    assert (row["seq"], row["span_s"], row["watched_s"]) == (2, 60.0, 41.0)


def test_evidence_is_announced_and_a_loss_marks_it_in_either_order(both: Both) -> None:
    """A loss record that overtakes its event counts as well."""
    store, look = both
    verdicts(
        store, arrived(event(1, evidence=(evidence("b"), evidence("c")))), arrived(loss(2, sha256="c" * 64))
    )
    verdicts(store, arrived(loss(3, sha256="d" * 64)))
    verdicts(store, arrived(event(4, evidence=(evidence("d"),))))
    found = {digit: look.evidence(digit * 64) for digit in "bcd"}
    assert {digit: row and row["lost_reason"] for digit, row in found.items()} == {
        "b": None, "c": "disk_full", "d": "disk_full",
    }  # fmt: skip
    assert len(look.work("loss")) == 2


def test_a_camera_state_is_told_on_change_only(both: Both) -> None:
    """Also the way back to streaming; the same status again says nothing."""
    store, look = both
    for state in (CameraState.STREAMING, CameraState.STREAMING, CameraState.OBSCURED, CameraState.STREAMING):
        store.note_status(status(cameras={"cam-1": CameraStatus(state=state, since=NOW, reason="r")}), NOW)
    told = [(body["camera_id"], body["edge_id"], body["state"]) for body in look.work("camera_state")]
    assert told == [("cam-1", "edge-1", state) for state in ("streaming", "obscured", "streaming")]


def test_an_edge_that_comes_or_goes_is_told_once(both: Both) -> None:
    """Retained messages come with every connection of ours."""
    store, look = both
    for online in (True, True, False, False, True):
        store.note_online("edge-1", online, NOW)
    assert [body["online"] for body in look.work("edge_online")] == [True, False, True]


def test_an_edge_that_was_gone_before_we_came_is_told(both: Both) -> None:
    """Its retained status may come before its retained last will: it is offline all the same."""
    store, look = both
    store.note_status(status(), NOW)
    store.note_online("edge-1", False, NOW)
    assert [body["online"] for body in look.work("edge_online")] == [False]


def test_an_edge_that_hangs_is_told_though_the_broker_says_it_is_there(both: Both) -> None:
    """No status for longer than the limit is silence, told once; a new status ends it, the retained one does not."""
    store, look = both
    store.note_online("edge-1", True, NOW)
    store.note_status(status(), NOW)
    later = [NOW + timedelta(seconds=s) for s in (60, 61, 62)]
    assert [store.note_silent(at, 60) for at in later] == [[], ["edge-1"], []]
    store.note_status(status(), later[-1])
    store.note_online("edge-1", True, later[-1])
    assert [body["online"] for body in look.work("edge_online")] == [True, False]
    store.note_status(status(at=NOW + timedelta(seconds=63)), later[-1])
    assert [body["online"] for body in look.work("edge_online")] == [True, False, True]
    assert store.note_silent(NOW + timedelta(seconds=70), 60) == []


def test_an_edge_that_is_gone_is_not_called_silent_as_well(both: Both) -> None:
    """Its last will said it already."""
    store, look = both
    store.note_status(status(), NOW)
    store.note_online("edge-1", False, NOW)
    assert store.note_silent(NOW + timedelta(seconds=600), 60) == []
    store.note_status(status(at=NOW + timedelta(seconds=601)), NOW + timedelta(seconds=601))
    assert [body["online"] for body in look.work("edge_online")] == [False]


def test_a_missing_number_is_reported_once_and_again_when_it_came(both: Both) -> None:
    """Not before the limit; a missing tail is known from the edge's status."""
    store, look = both
    verdicts(store, arrived(event(1)), arrived(event(3)))
    store.note_status(status(last_seq=5), NOW)
    later = [NOW + timedelta(seconds=s) for s in (0, 59.9, 60, 61, 62)]
    reports = [store.note_missing(at, 60) for at in later]
    assert [len(one) for one in reports] == [0, 0, 1, 0, 0]
    assert reports[2][0].missing == ((2, 2), (4, 5))
    verdicts(store, *(arrived(event(seq)) for seq in (2, 5)))
    assert store.note_missing(NOW + timedelta(seconds=70), 60) == []
    verdicts(store, arrived(event(4)))
    assert [one.missing for one in store.note_missing(NOW + timedelta(seconds=80), 60)] == [()]
    assert [body["missing"] for body in look.work("number_gap")] == [[[2, 2], [4, 5]], []]


def test_a_minute_without_a_record_is_unwatched_until_the_record_comes(both: Both) -> None:
    """After the grace, from when the camera is known; a record that is there already stays."""
    store, look = both
    store.note_status(
        status(
            cameras={"cam-1": CameraStatus(state=CameraState.STREAMING, since=MINUTE - timedelta(minutes=2))}
        ),
        NOW,
    )
    verdicts(store, arrived(watch(1, minute=MINUTE - timedelta(minutes=1))))
    assert store.note_unwatched(MINUTE + timedelta(seconds=239), 180) == 1
    filled = look.watch("cam-1", MINUTE - timedelta(minutes=2))
    assert filled is not None
    assert (filled["edge_id"], filled["watched_s"], filled["state_s"]) == (None, 0.0, {"no_record": 60})
    assert look.watch("cam-1", MINUTE - timedelta(minutes=3)) is None
    assert look.watch("cam-1", MINUTE) is None
    assert store.note_unwatched(MINUTE + timedelta(seconds=240), 180) == 1
    verdicts(store, arrived(watch(2, span_s=40.0, watched_s=40.0)))
    row = look.watch("cam-1", MINUTE)
    assert row is not None
    assert (row["edge_id"], row["span_s"]) == ("edge-1", 40.0)


def test_what_an_edge_says_and_is_not_understood_is_kept_once(both: Both) -> None:
    """A broken retained status comes with every connection."""
    store, look = both
    broken = Arrived(topic="hcawatch/v1/status/edge-1", payload=b"{", received_at=NOW)
    for _ in range(2):
        store.keep_dead_letter(broken, DeadReason.UNREADABLE, "why", NOW)
    assert [body["reason"] for body in look.work("dead_letter")] == ["unreadable"]


def test_a_message_that_only_the_database_refuses_keeps_nobody_back(postgres_dsn: str) -> None:
    """The batch is tried one by one, the refused one becomes a dead letter and counts; deep JSON is no obstacle."""
    look = LookIntoPostgres(postgres_dsn)
    look.conn.execute("ALTER TABLE risk_event ADD CHECK (camera_id <> 'refused')")
    look.conn.execute("CREATE INDEX ON risk_event ((body->>'reason'))")
    long = "".join(hex(hash((n, "x")))[2:] for n in range(3000))  # no compression makes it fit into an index
    deep = encode(event(5)).replace(b"{", b'{"new":' + b"[" * 700 + b"]" * 700 + b",", 1)
    first = arrived(event(1))
    batch = [
        first, arrived(event(2, camera_id="refused")), arrived(event(3)), arrived(event(4, reason=long)),
        arrived(event(5), deep), first, arrived(watch(6)),
    ]  # fmt: skip
    with make_pool(postgres_dsn, "test") as pool, look.conn:
        result = PostgresIngestStore(pool).store(batch, NOW)
        assert [outcome.verdict for outcome in result.outcomes] == [
            STORED, DEAD, STORED, DEAD, STORED, DUPLICATE, STORED,
        ]  # fmt: skip
        assert result.receipts == {SOURCE: Stored(6)}
        assert look.event_seqs() == [1, 3, 5]
        assert [row["reason"] for row in look.dead_letters()] == ["refused_by_store"] * 2
        assert look.entry_kinds().count("event.accepted") == 3


#: no compression makes it fit into an index
INCOMPRESSIBLE = "".join(sha256_hex(str(n).encode()) for n in range(300))


@pytest.mark.parametrize(
    "topic",
    [
        f"hcawatch/v1/event/edge-1/{INCOMPRESSIBLE}",
        "hcawatch/v1/event/edge-1/a\0b",
        f"hcawatch/v1/event/{INCOMPRESSIBLE}/cam-1",
        "hcawatch/v1/event/a\0b/cam-1",
    ],
)
def test_a_strange_topic_keeps_nobody_back(postgres_dsn: str, topic: str) -> None:
    """Any edge may choose the last part of its topics; one that no index takes must not stop the whole intake."""
    strange, good = msgspec.structs.replace(arrived(event(1)), topic=topic), arrived(event(2))
    look = LookIntoPostgres(postgres_dsn)
    with make_pool(postgres_dsn, "test") as pool, look.conn:
        store = PostgresIngestStore(pool)
        assert verdicts(store, strange, good) == [DEAD, STORED]
        assert verdicts(store, strange, good)[1] is DUPLICATE
        assert len(look.dead_letters()) == 1
        book = PostgresAlertBook(pool)
        assert AlertEngine(book, CITY).take_work(NOW) == 2


@pytest.mark.parametrize(
    "strange",
    [
        status(cameras={INCOMPRESSIBLE: CameraStatus(state=CameraState.DARK, since=NOW)}),
        status(epoch=INCOMPRESSIBLE),
    ],
)
def test_a_status_that_only_the_database_refuses_becomes_a_dead_letter(
    postgres_dsn: str, strange: EdgeStatus
) -> None:
    """It would otherwise be tried for ever, and every event of every edge wait behind it."""
    look = LookIntoPostgres(postgres_dsn)
    message = Arrived(topic="hcawatch/v1/status/edge-1", payload=encode(strange), received_at=NOW)
    with make_pool(postgres_dsn, "test") as pool, look.conn:
        worker = IngestWorker(PostgresIngestStore(pool), MqttSettings(host="nowhere.invalid", port=1))
        assert worker._note(message)
        assert [row["reason"] for row in look.dead_letters()] == ["unreadable"]


def test_a_device_that_only_the_database_refuses_keeps_nobody_back(postgres_dsn: str) -> None:
    """One camera's odd message would otherwise stop every edge's events, and again after each restart."""
    look = LookIntoPostgres(postgres_dsn)
    look.conn.execute("ALTER TABLE alert_work ADD CHECK (body->>'said' NOT LIKE '%Fence%')")
    with make_pool(postgres_dsn, "test") as pool, look.conn:
        store = PostgresIngestStore(pool)
        worker = IngestWorker(store, MqttSettings(host="nowhere.invalid", port=1), devices=DEVICES)
        assert worker._note(said_by_device())
        assert [row["reason"] for row in look.dead_letters()] == ["unreadable"]
        assert [body["reason"] for body in look.work("dead_letter")] == ["unreadable"]


def test_a_week_of_minutes_is_filled_piece_by_piece(postgres_dsn: str) -> None:
    """With some hundred cameras one statement for all would run into its limit, at every try."""
    look = LookIntoPostgres(postgres_dsn)
    with make_pool(postgres_dsn, "test") as pool, look.conn:
        store = PostgresIngestStore(pool)
        since = CameraStatus(state=CameraState.STREAMING, since=NOW - timedelta(days=30))
        store.note_status(status(cameras={"cam-1": since}), NOW)
        assert store.note_unwatched(NOW, 180) == 7 * 24 * 60 + 1
        assert store.note_unwatched(NOW, 180) == 0
        (row,) = look.rows("SELECT count(DISTINCT xmin::text) AS transactions FROM watch_minute")
        assert row["transactions"] == 29


def test_nothing_is_kept_of_a_batch_that_failed_half_way(postgres_dsn: str) -> None:
    """The server goes away in the middle: the caller gets the error, and the whole batch can be tried again."""
    look = LookIntoPostgres(postgres_dsn)
    look.conn.execute(
        "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$;"
        " CREATE TRIGGER die BEFORE INSERT ON alert_work FOR EACH ROW EXECUTE FUNCTION die()"
    )
    batch = [arrived(event(1)), arrived(watch(2))]
    with make_pool(postgres_dsn, "test") as pool, look.conn:
        store = PostgresIngestStore(pool)
        with pytest.raises(psycopg.OperationalError):
            store.store(batch, NOW)
        assert look.rows("SELECT 1 FROM edge_number") == []
        assert look.event_seqs() == []
        look.conn.execute("DROP TRIGGER die ON alert_work")
        assert verdicts(store, *batch) == [STORED, STORED]
