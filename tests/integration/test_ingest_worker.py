"""From the broker into the database with the real parts, with kills and restarts in between."""

import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import paho.mqtt.client as paho
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from monitor.domain.events import CameraState, CameraStatus, encode
from monitor.domain.numbers import Stored
from monitor.ingest.embedded_broker import CENTRE, EmbeddedBroker
from monitor.ingest.errors import BrokerAddressError, PublishError
from monitor.ingest.mqtt import MqttSettings
from monitor.ingest.ports import Verdict
from monitor.ingest.postgres_store import PostgresIngestStore
from monitor.ingest.worker import IngestWorker, Timing
from monitor.store.embedded import EmbeddedPostgres
from monitor.store.migrate import migrate
from monitor.store.pool import make_pool
from tests.doubles.ingest_edge import EdgeSide
from tests.doubles.ingest_messages import arrived, event, loss, status, watch

EDGE = "edge-11"
QUICK = Timing(gap_every_s=0.2, unwatched_every_s=0.2)


def settings(broker: EmbeddedBroker, client_id: str) -> MqttSettings:
    return MqttSettings(
        host=broker.host,
        port=broker.port,
        user=CENTRE,
        password=broker.passwords[CENTRE],
        client_id=client_id,
    )


@pytest.fixture
def client_id(broker: EmbeddedBroker) -> Iterator[str]:
    """A session of our own at the shared broker, and nothing retained of this edge before or after."""
    name = f"test-centre-{uuid.uuid4().hex[:8]}"
    forget(broker, name)
    yield name
    forget(broker, name)


def forget(broker: EmbeddedBroker, client_id: str) -> None:
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id, protocol=paho.MQTTv5)
    client.username_pw_set(CENTRE, broker.passwords[CENTRE])
    client.connect(broker.host, broker.port, clean_start=True)
    client.loop_start()
    for name in ("receipt", "status", "online"):
        client.publish(f"hcawatch/v1/{name}/{EDGE}", b"", 1, retain=True).wait_for_publish(10)
    client.disconnect()
    client.loop_stop()


@contextmanager
def running(
    broker: EmbeddedBroker, dsn: str, client_id: str, timing: Timing = QUICK
) -> Iterator[IngestWorker]:
    with (
        make_pool(dsn, "ingest", acquire_timeout_s=2) as pool,
        IngestWorker(PostgresIngestStore(pool), settings(broker, client_id), timing=timing) as worker,
    ):
        assert worker.wait_connected(10)
        yield worker


@contextmanager
def own_process(
    broker: EmbeddedBroker, dsn: str, client_id: str, root: Path
) -> Iterator[subprocess.Popen[bytes]]:
    environment = {
        **os.environ, "INGEST_DSN": dsn, "INGEST_PORT": str(broker.port), "INGEST_CLIENT": client_id,
        "INGEST_PASSWORD": broker.passwords[CENTRE],
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.doubles.ingest_process"], cwd=root, env=environment
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def numbered(count: int, epoch: str, first: int = 1) -> list:
    """Events, watch records and losses of one edge, numbered without a gap."""
    made = []
    for seq in range(first, first + count):
        names = {"edge_id": EDGE, "epoch": epoch}
        if seq % 10 == 0:
            made.append(arrived(watch(seq, camera_id=f"cam-{seq}", **names)))
        elif seq % 97 == 0:
            made.append(arrived(loss(seq, sha256=None, **names)))
        else:
            made.append(arrived(event(seq, **names)))
    return made


def until(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Polls what has no event to wait for."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "it did not happen in time"
        time.sleep(0.02)


def count(dsn: str, sql: str) -> int:
    with psycopg.connect(dsn) as conn:
        row = conn.execute(sql.encode()).fetchone()
        assert row is not None
        return int(row[0])


def assert_stored_once(dsn: str, epoch: str, messages: int) -> None:
    """Every number has exactly one row of its kind, each event one entry and one piece of work."""
    assert count(dsn, f"SELECT count(*) FROM edge_number WHERE epoch = '{epoch}'") == messages
    events = count(dsn, f"SELECT count(*) FROM risk_event WHERE epoch = '{epoch}'")
    minutes = count(dsn, f"SELECT count(*) FROM watch_minute WHERE epoch = '{epoch}'")
    losses = count(dsn, f"SELECT count(*) FROM loss WHERE epoch = '{epoch}'")
    assert events + minutes + losses == messages
    assert events == count(dsn, f"SELECT count(DISTINCT seq) FROM risk_event WHERE epoch = '{epoch}'")
    assert count(dsn, "SELECT count(*) FROM alert_work WHERE kind = 'event'") == events
    assert count(dsn, "SELECT count(*) FROM audit_entry WHERE kind = 'event.accepted'") == events
    assert count(dsn, "SELECT count(*) FROM alert_work WHERE kind NOT IN ('event', 'loss')") == 0


@pytest.mark.parametrize("seed", [1])
def test_kill_9_of_ingest_loses_and_doubles_nothing(
    broker: EmbeddedBroker, postgres_dsn: str, client_id: str, repository: Path, seed: int
) -> None:
    """2,000 messages out of order, a fifth of them twice, ingest killed in the middle: all stored exactly once."""
    chance = random.Random(seed)
    messages = numbered(2000, "kill")
    sent = messages + chance.sample(messages, 400)
    chance.shuffle(sent)
    with EdgeSide(broker, EDGE) as edge:
        with own_process(broker, postgres_dsn, client_id, repository) as process:
            # the subscription must stand before anything is sent: nothing is resent in this test
            until(lambda: "hcawatch ingest" in names_of_clients(postgres_dsn))
            edge.send(sent[:1])
            first = int(dict(sent[0].pairs)["seq"])
            while not edge.wait_stored("kill", first, 0.5):
                edge.send(sent[:1])
            edge.send(sent[1:1400])
            until(lambda: count(postgres_dsn, "SELECT count(*) FROM edge_number") > 200)
            process.send_signal(signal.SIGKILL)
            process.wait()
        killed_at = count(postgres_dsn, "SELECT count(*) FROM edge_number")
        edge.send(sent[1400:])
        with own_process(broker, postgres_dsn, client_id, repository):
            assert edge.wait_through("kill", 2000), edge.stored("kill").missing(2000)
    assert 200 < killed_at < 2000
    assert_stored_once(postgres_dsn, "kill", 2000)
    with make_pool(postgres_dsn, "test") as pool:
        assert PostgresIngestStore(pool).note_missing(datetime.now(UTC), 0.0) == []
    assert count(postgres_dsn, "SELECT count(*) FROM number_gap") == 0


def names_of_clients(dsn: str) -> set[str]:
    with psycopg.connect(dsn) as conn:
        return {row[0] for row in conn.execute("SELECT application_name FROM pg_stat_activity")}


def test_a_restart_of_the_database_is_waited_for(
    broker: EmbeddedBroker, tmp_path: Path, client_id: str
) -> None:
    """Killed in the middle and started again: nothing is acknowledged meanwhile, and all is stored once."""
    with EmbeddedPostgres(tmp_path / "pg") as server, EdgeSide(broker, EDGE) as edge:
        migrate(server.dsn)
        with running(broker, server.dsn, client_id) as worker:
            messages = numbered(900, "restart")
            edge.send(messages[:400])
            assert edge.wait_through("restart", 1)
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
            edge.send(messages[400:])
            until(lambda: not worker.health().database)
            assert not worker.healthy()
            server.stop()
            server.start()
            assert edge.wait_through("restart", 900)
            until(worker.healthy)
        assert_stored_once(server.dsn, "restart", 900)


def test_a_broker_that_lost_its_memory_gets_all_receipts_again(postgres_dsn: str, tmp_path: Path) -> None:
    """An edge that comes later finds its receipt, retained, without sending anything."""
    with (
        EmbeddedBroker(tmp_path / "broker", [EDGE], kind="iotcore") as broker,
        running(broker, postgres_dsn, "c"),
    ):
        with EdgeSide(broker, EDGE) as edge:
            edge.send(numbered(3, "memory"))
            assert edge.wait_through("memory", 3)
        broker.stop()
        broker.start()
        with EdgeSide(broker, EDGE) as later:
            assert later.wait_through("memory", 3)
            later.send(numbered(1, "memory", first=4))
            assert later.wait_through("memory", 4)
    assert_stored_once(postgres_dsn, "memory", 4)


def test_bad_messages_over_the_wire(broker: EmbeddedBroker, postgres_dsn: str, client_id: str) -> None:
    """Unreadable, forged, doubled under one number: each kept and told, the good ones stored, receipts complete."""
    names = {"edge_id": EDGE, "epoch": "bad"}
    forged = encode(event(2, **names)).replace(EDGE.encode(), b"edge-12")
    batch = [
        arrived(event(1, **names), b"\x00\x01 no json"),
        arrived(event(2, **names), forged),
        arrived(event(3, **names)),
        arrived(event(3, dwell_s=99.0, **names)),
        arrived(event(4, **names)),
    ]
    with running(broker, postgres_dsn, client_id) as worker, EdgeSide(broker, EDGE) as edge:
        edge.send(batch)
        assert edge.wait_through("bad", 4)
        edge.say("status", b"{broken")
        until(lambda: count(postgres_dsn, "SELECT count(*) FROM dead_letter") == 4)
    assert worker.counts == {Verdict.DEAD_LETTER: 2, Verdict.STORED: 2, Verdict.SAME_NUMBER_OTHER_HASH: 1}
    with psycopg.connect(postgres_dsn) as conn:
        told = conn.execute(
            "SELECT kind, body->>'reason' FROM alert_work WHERE kind <> 'event' ORDER BY 1, 2"
        ).fetchall()
    assert told == [
        ("dead_letter", "disagrees"), ("dead_letter", "unreadable"), ("dead_letter", "unreadable"),
        ("same_number_other_hash", None),
    ]  # fmt: skip


def test_what_an_edge_says_reaches_the_tables(
    broker: EmbeddedBroker, postgres_dsn: str, client_id: str
) -> None:
    """Status, online, a missing tail, and a camera's minute without a record."""
    since = datetime(2026, 1, 1, tzinfo=UTC)
    cameras = {"cam-1": CameraStatus(state=CameraState.DARK, since=since)}
    timing = msgspec.structs.replace(QUICK, gap_limit_s=0.3, unwatched_grace_s=0.0)
    with running(broker, postgres_dsn, client_id, timing), EdgeSide(broker, EDGE) as edge:
        edge.say("online", b'{"online": true}')
        edge.say("status", encode(status(edge_id=EDGE, epoch="says", last_seq=3, cameras=cameras)))
        gap = "SELECT count(*) FROM alert_work WHERE kind = 'number_gap' AND body->>'missing' = '[[1, 3]]'"
        until(lambda: count(postgres_dsn, gap) == 1)
        until(lambda: count(postgres_dsn, "SELECT count(*) FROM watch_minute WHERE edge_id IS NULL") > 0)
        edge.say("online", b'{"online": false}')
        until(lambda: count(postgres_dsn, "SELECT count(*) FROM alert_work WHERE kind = 'edge_online'") == 2)
    assert count(postgres_dsn, "SELECT count(*) FROM camera_state WHERE state = 'dark'") == 1
    assert count(postgres_dsn, "SELECT count(*) FROM edge_state WHERE NOT online") == 1


def test_an_edge_that_says_nothing_any_more_is_told(
    broker: EmbeddedBroker, postgres_dsn: str, client_id: str
) -> None:
    """It hangs with its connection open: no last will comes, only silence."""
    timing = msgspec.structs.replace(QUICK, silent_limit_s=1.0, silent_every_s=0.1)
    told = "SELECT count(*) FROM alert_work WHERE kind = 'edge_online' AND body->>'online' = '{}'"
    with running(broker, postgres_dsn, client_id, timing), EdgeSide(broker, EDGE) as edge:
        edge.say("online", b'{"online": true}')
        edge.say("status", encode(status(edge_id=EDGE, epoch="hangs")))
        until(lambda: count(postgres_dsn, told.format("false")) == 1)
        edge.say("status", encode(status(edge_id=EDGE, epoch="hangs", at=datetime.now(UTC))))
        until(lambda: count(postgres_dsn, "SELECT count(*) FROM edge_state WHERE online AND NOT silent") == 1)


def test_publishing_for_others_waits_for_the_broker(
    broker: EmbeddedBroker, postgres_dsn: str, client_id: str
) -> None:
    """It returns once the broker has it, and raises when the broker is away."""
    with running(broker, postgres_dsn, client_id) as worker, EdgeSide(broker, EDGE) as edge:
        receipt = (
            b'{"schema":"hcawatch.receipt/1","edge_id":"%s","epoch":"p","stored_through":7}' % EDGE.encode()
        )
        worker.publish(f"hcawatch/v1/receipt/{EDGE}", receipt, [("k", "v")], retain=True)
        assert edge.wait_through("p", 7, 5)
    with pytest.raises(PublishError, match="not connected"):
        worker.publish("hcawatch/v1/dispatch/t", b"{}")


def test_wrong_login_is_unhealthy_and_wrong_tls_files_are_named(
    broker: EmbeddedBroker, postgres_dsn: str, tmp_path: Path
) -> None:
    """Neither ends the process: the first goes on trying, the second is said at once."""
    wrong = msgspec.structs.replace(settings(broker, "nobody"), password="wrong")
    with make_pool(postgres_dsn, "t") as pool:
        store = PostgresIngestStore(pool)
        with IngestWorker(store, wrong) as worker:
            assert not worker.wait_connected(1.5)
            assert not worker.healthy()
            assert worker.health().running
        with pytest.raises(BrokerAddressError, match="TLS"):
            IngestWorker(store, msgspec.structs.replace(wrong, tls_ca_file=tmp_path / "none.pem"))
    assert "wrong" not in repr(wrong)


def test_a_pool_connection_is_utc_and_named(postgres_dsn: str) -> None:
    """So that nothing depends on the server's time zone, and an operator sees who is who."""
    with make_pool(make_conninfo(postgres_dsn), "t") as pool, pool.connection() as conn:
        row = conn.execute(
            "SELECT current_setting('TimeZone') AS tz, current_setting('application_name') AS name"
        ).fetchone()
    assert row == {"tz": "UTC", "name": "hcawatch t"}


def test_numbers_that_were_pruned_are_still_known(postgres_dsn: str) -> None:
    """The receipt alone says that they are stored; what it does not cover without a hole is kept."""
    now = datetime.now(UTC)
    with make_pool(postgres_dsn, "t") as pool:
        store = PostgresIngestStore(pool)
        first = arrived(event(1), at=now)
        store.store([first, arrived(event(3), at=now)], now)
        assert store.prune_numbers(now + timedelta(days=7), timedelta(days=7)) == 0
        assert store.prune_numbers(now + timedelta(days=7, seconds=1), timedelta(days=7)) == 1
        result = store.store([first], now)
    assert [outcome.verdict for outcome in result.outcomes] == [Verdict.DUPLICATE]
    assert result.receipts == {("edge-1", "epoch-a"): Stored(1, ((3, 3),))}
