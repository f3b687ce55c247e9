"""The loop's threads against a real database: at once, at least once, never twice, and through restarts."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from alerts import replay
from alerts.courier import Courier
from alerts.engine import AlertEngine
from alerts.lifecycle import AlertKind, State, Step
from alerts.postgres_book import PostgresAlertBook
from alerts.reasons import Health
from alerts.values import Confirmation, Dispatch
from alerts.worker import WORK_CHANNEL, AlertWorker
from monitor.domain.events import sha256_hex
from monitor.domain.levels import Level
from monitor.store.pool import make_pool
from tests.doubles.alert_seeds import SeededPostgresBook
from tests.doubles.alert_story import CITY, NOON, OPERATOR, at_metres, event, uid


class Inbox:
    """A broker that remembers; `refuse` makes it fail."""

    def __init__(self) -> None:
        self.got: list[tuple[str, bytes]] = []
        self.refuse = False
        self._arrived = threading.Condition()

    def publish(self, topic: str, payload: bytes, retain: bool) -> None:
        if self.refuse:
            raise ConnectionError("no broker")
        with self._arrived:
            self.got.append((topic, payload))
            self._arrived.notify_all()

    def wait_for(self, count: int, timeout_s: float = 20.0) -> None:
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(set(self.got)) >= count, timeout_s), self.got


def eventually(true: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Polls a condition of another thread or process."""
    end_s = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end_s, "did not become true in time"
        time.sleep(0.02)


@pytest.fixture
def book(postgres_dsn: str) -> Iterator[SeededPostgresBook]:
    with make_pool(postgres_dsn, "test", min_size=1, max_size=24) as pool:
        yield SeededPostgresBook(pool)


@pytest.fixture
def engine(book: SeededPostgresBook) -> AlertEngine:
    return AlertEngine(book, CITY)


def put(book: SeededPostgresBook, **changes: object) -> None:
    """As ingest does: the event, and NOTIFY."""
    book.add_event(event(**changes), datetime.now(UTC))
    book.run(f"NOTIFY {WORK_CHANNEL}")


def test_python_and_database_know_the_same_words(book: SeededPostgresBook) -> None:
    """States, kinds, levels and confirmations are the same enums on both sides."""
    for type_, values in (
        ("alert_state", State),
        ("alert_kind", AlertKind),
        ("risk_level", Level),
        ("confirmation", Confirmation),
    ):
        rows = book.run("SELECT unnest(enum_range(NULL::" + type_ + "))::text AS value")
        assert {row["value"] for row in rows} == {str(value) for value in values}


def test_an_event_becomes_a_message_at_once(
    book: SeededPostgresBook, engine: AlertEngine, postgres_dsn: str
) -> None:
    """NOTIFY wakes the worker: the dispatch is with the broker well before the next tick would come."""
    inbox = Inbox()
    with AlertWorker(engine, Courier(book, {"mqtt": inbox.publish}, engine), postgres_dsn) as worker:
        eventually(
            lambda: bool(book.run("SELECT 1 FROM pg_stat_activity WHERE application_name LIKE '%%listener'"))
        )
        put(book)
        inbox.wait_for(1)
        assert worker.healthy()
        topic, payload = inbox.got[0]
    assert topic == "hcawatch/v1/dispatch/near"
    assert b'"what":"dispatch"' in payload
    (row,) = book.run(
        "SELECT extract(epoch FROM d.dispatched_at - w.created_at) AS s FROM dispatch d, alert_work w"
    )
    assert row["s"] < 0.5


def test_the_worker_survives_a_database_that_drops_everybody(
    book: SeededPostgresBook, engine: AlertEngine, postgres_dsn: str
) -> None:
    """All connections are killed, twice; what comes afterwards is done, and once."""
    inbox = Inbox()
    with AlertWorker(engine, Courier(book, {"mqtt": inbox.publish}, engine), postgres_dsn) as worker:
        for n in range(3):
            put(book, episode=f"e{n}", position=at_metres(200.0 * n, 3), event_id=uid(f"event{n}"))
            inbox.wait_for(n + 1)
            with psycopg.connect(postgres_dsn, autocommit=True) as conn:
                conn.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
        eventually(worker.healthy)
    # delivery is at least once: who was cut off between sending and commit sends again, with the same key
    assert len(set(inbox.got)) == 3


def test_twenty_writers_at_one_place_open_one_alert(book: SeededPostgresBook, engine: AlertEngine) -> None:
    """Twenty workers take twenty episodes of one place at the same moment: one alert, one dispatch."""
    for n in range(20):
        book.add_event(event(episode=f"e{n}", position=at_metres(n % 5, 3), after_s=n), NOON)
    start = threading.Barrier(20)

    def work(_: int) -> int:
        start.wait()
        return engine.take_work(NOON)

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(work, range(20))) == 20
    (row,) = engine.list_alerts()
    view = engine.view(row.alert.alert_id)
    assert len(view.events) == 20
    assert len(view.dispatches) == 1
    assert [t.n for t in view.transitions] == list(range(1, len(view.transitions) + 1))
    with book.pool.connection() as conn:
        assert replay.check(conn) == []


# A process that takes one piece of work and is killed just before (or after) it says that it is done.
KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from alerts import postgres_book
from alerts.engine import AlertEngine
from monitor.store.pool import make_pool
from tests.doubles.alert_story import CITY, NOON

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

setattr(postgres_book.PostgresAlertTx, sys.argv[2], die)
with make_pool(sys.argv[1], "killed", max_size=1) as pool:
    AlertEngine(postgres_book.PostgresAlertBook(pool), CITY).take_work(NOON)
"""


@pytest.mark.parametrize("where", ["insert_alert", "audit", "add_dispatch", "add_outgoing", "finish_work"])
def test_killed_in_mid_work_it_is_done_again_and_once(
    book: SeededPostgresBook, engine: AlertEngine, postgres_dsn: str, repository: Path, where: str
) -> None:
    """kill -9 at any write: the next worker opens one alert, with one dispatch and one message."""
    book.add_event(event(), NOON)
    killed = subprocess.run([sys.executable, "-c", KILLED, postgres_dsn, where], cwd=repository, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    eventually(lambda: engine.take_work(NOON) == 1)
    (row,) = engine.list_alerts()
    assert row.alert.state is State.DISPATCHED
    assert (
        len(book.run("SELECT 1 AS one FROM dispatch")) == len(book.run("SELECT 1 AS one FROM outgoing")) == 1
    )
    with book.pool.connection() as conn:
        assert replay.check(conn) == []


def test_alerts_at_once_do_not_take_the_same_free_officer(
    book: SeededPostgresBook, engine: AlertEngine
) -> None:
    """Three places at the same moment, three officers: each is sent to one of them."""
    for n in range(3):
        book.add_event(event(episode=f"e{n}", position=at_metres(500.0 * n, 3), site_id="s1"), NOON)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: engine.take_work(NOON), range(3)))
    assert sorted(view.dispatch.officer for view in engine.dispatches_for(None)) == ["ann", "bo", "cai"]


def test_a_message_that_was_not_marked_is_sent_again_under_its_key(
    book: SeededPostgresBook, engine: AlertEngine
) -> None:
    """A death after the broker took it and before the commit: twice on the wire, one key."""

    class Died(BaseException):
        pass

    inbox = Inbox()

    def publish_and_die(topic: str, payload: bytes, retain: bool) -> None:
        inbox.publish(topic, payload, retain)
        raise Died

    book.add_event(event(), NOON)
    engine.take_work(NOON)
    with pytest.raises(Died):
        Courier(book, {"mqtt": publish_and_die}, engine).deliver(NOON)
    courier = Courier(book, {"mqtt": inbox.publish}, engine)
    assert courier.deliver(NOON) == 1
    assert courier.deliver(NOON) == 0
    assert len(inbox.got) == 2
    assert len(set(inbox.got)) == 1


def test_a_message_nobody_takes_becomes_a_health_alert_and_clears(
    book: SeededPostgresBook, engine: AlertEngine
) -> None:
    """Ten failures in a row are said to the room; the next delivery takes it back."""
    inbox = Inbox()
    inbox.refuse = True
    courier = Courier(book, {"mqtt": inbox.publish}, engine, jitter=lambda: 0.0)
    book.add_event(event(), NOON)
    engine.take_work(NOON)
    at = NOON
    for n in range(1, 11):
        assert courier.deliver(at) == 1, f"attempt {n}"
        assert courier.deliver(at) == 0, "backs off"
        assert bool(engine.list_alerts(kind=AlertKind.HEALTH)) == (n == 10)
        at += timedelta(minutes=5)
    (row,) = engine.list_alerts(kind=AlertKind.HEALTH)
    assert row.alert.health == Health.UNDELIVERABLE
    inbox.refuse = False
    courier.deliver(at)
    (row,) = engine.list_alerts(kind=AlertKind.HEALTH)
    assert row.alert.state is State.CLEARED
    assert len(inbox.got) == 1


def test_couriers_side_by_side_send_each_message_once(book: SeededPostgresBook, engine: AlertEngine) -> None:
    """Two couriers pass over what the other one holds."""
    inbox = Inbox()
    for n in range(10):
        book.add_event(event(episode=f"e{n}", position=at_metres(200.0 * n, 3)), NOON)
    engine.take_work(NOON)
    couriers = [Courier(book, {"mqtt": inbox.publish}, engine) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(lambda courier: courier.deliver(NOON), couriers)) == 10
    assert len(set(inbox.got)) == len(inbox.got) == 10


def test_the_database_allows_one_running_dispatch(book: SeededPostgresBook, engine: AlertEngine) -> None:
    """Even a fault of ours could not send two officers to one alert."""
    from alerts.errors import Conflict

    book.add_event(event(), NOON)
    engine.take_work(NOON)
    second = Dispatch(dispatch_id=uid("d2"), alert_id=engine.list_alerts()[0].alert.alert_id, team_id="near",
                      officer="bo", dispatched_at=NOON)  # fmt: skip
    with pytest.raises(Conflict), PostgresAlertBook(book.pool).begin() as tx:
        tx.add_dispatch(second)


def test_a_recall_does_not_overtake_the_dispatch_that_it_calls_back(
    book: SeededPostgresBook, engine: AlertEngine
) -> None:
    """The broker was away: the phone hears of the dispatch first, then that it is over."""
    inbox = Inbox()
    inbox.refuse = True
    courier = Courier(book, {"mqtt": inbox.publish}, engine, jitter=lambda: 1.0)
    book.add_event(event(), NOON)
    engine.take_work(NOON)
    assert courier.deliver(NOON) == 1
    inbox.refuse = False
    (row,) = engine.list_alerts(kind=AlertKind.VIOLATION)
    engine.step(row.alert.alert_id, Step.RECALL, OPERATOR, NOON)
    assert courier.deliver(NOON) == 0, "the dispatch itself backs off"
    courier.deliver(NOON + timedelta(minutes=1))
    assert [b'"what":"recall"' in payload for _, payload in inbox.got] == [False, True]


def test_a_courier_that_died_before_taking_back_its_complaint_leaves_it_to_the_next(
    book: SeededPostgresBook, engine: AlertEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The health alert of an address that gets its messages again does not stand for ever."""

    class Died(BaseException):
        pass

    def die(*_: object) -> None:
        raise Died

    inbox = Inbox()
    inbox.refuse = True
    courier = Courier(book, {"mqtt": inbox.publish}, engine, jitter=lambda: 0.0)
    book.add_event(event(), NOON)
    engine.take_work(NOON)
    for n in range(10):
        courier.deliver(NOON + n * timedelta(minutes=5))
    inbox.refuse = False
    at = NOON + timedelta(hours=1)
    with monkeypatch.context() as patch:
        patch.setattr(engine, "clear_problem", die)
        with pytest.raises(Died):
            courier.deliver(at)
    (row,) = engine.list_alerts(kind=AlertKind.VIOLATION)
    engine.step(row.alert.alert_id, Step.RECALL, OPERATOR, at)
    courier.deliver(at)
    assert len(inbox.got) == 2
    assert engine.list_alerts(kind=AlertKind.HEALTH, running=True) == ()


def test_what_is_due_does_not_wait_for_a_backlog(
    book: SeededPostgresBook, engine: AlertEngine, postgres_dsn: str
) -> None:
    """An edge sends what it kept for days; the two minutes of another alert are over meanwhile, and it is sent."""
    book.add_event(event(activity="stopped"), NOON)
    engine.take_work(NOON)
    for n in range(200):
        book.add_event(event(phase="update", activity="stopped", after_s=n), NOON)
    courier, began_s = Courier(book, {"mqtt": Inbox().publish}, engine), time.monotonic()

    def clock() -> datetime:
        return NOON + timedelta(hours=1, seconds=time.monotonic() - began_s)

    with AlertWorker(engine, courier, postgres_dsn, clock):
        eventually(lambda: not book.run("SELECT 1 FROM alert_work WHERE done_at IS NULL"))
    (row,) = book.run(
        "SELECT count(*) AS before FROM alert_work WHERE done_at > %s AND done_at <"
        " (SELECT done_at FROM timer WHERE what = 'dispatch_level_ii')",
        NOON + timedelta(minutes=2),
    )
    assert row["before"] < 100


def test_work_that_only_the_database_refuses_does_not_block_the_queue(
    book: SeededPostgresBook, engine: AlertEngine
) -> None:
    """A name too long for an index: a health alert says so, and the event behind it is alerted."""
    topic = "".join(sha256_hex(str(n).encode()) for n in range(300))
    book.add_work("dead_letter", {"topic": topic, "reason": "unknown_topic"}, NOON)
    book.add_event(event(), NOON)
    assert engine.take_work(NOON) == 2
    assert {row.alert.health for row in engine.list_alerts()} == {None, Health.WORK_FAILED}


def test_what_comes_while_its_predecessor_is_sent_is_not_left_for_the_clock(
    book: SeededPostgresBook, engine: AlertEngine, postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recall that is written while its dispatch goes out: it is due later than the courier looked at the time."""
    monkeypatch.setattr("alerts.worker.TICK_S", 8.0)
    sent: list[str] = []

    def publish(topic: str, payload: bytes, retain: bool) -> None:
        what = json.loads(payload)["what"]
        sent.append(what)
        if what == "dispatch":
            book.run(
                "INSERT INTO outgoing (channel, address, idempotency_key, body, created_at, next_try_at)"
                " SELECT channel, address, 'r', jsonb_set(body, '{what}', '\"recall\"'), now(), now() FROM outgoing"
            )
            time.sleep(0.1)

    with AlertWorker(engine, Courier(book, {"mqtt": publish}, engine, at_once=8), postgres_dsn):
        put(book)
        eventually(lambda: sent == ["dispatch", "recall"], 7.0)


def test_a_receiver_that_hangs_delays_no_other(book: SeededPostgresBook, engine: AlertEngine) -> None:
    """Messages of one turn are sent at the same time: the second is there while the first still waits."""
    second_is_there = threading.Event()

    def publish(topic: str, payload: bytes, retain: bool) -> None:
        if topic.endswith("near"):
            if not second_is_there.wait(20):
                raise TimeoutError
        else:
            second_is_there.set()

    book.add_event(event(), NOON)
    # bo and ann are the near team's; then cai, of the far one
    for n in (1, 2):
        book.add_event(event(episode=f"e{n}", position=at_metres(200.0 * n, 3)), NOON)
    engine.take_work(NOON)
    assert Courier(book, {"mqtt": publish}, engine, at_once=8).deliver(NOON) == 3
    assert book.run("SELECT count(*) AS n FROM outgoing WHERE sent_at IS NULL") == [{"n": 0}]
