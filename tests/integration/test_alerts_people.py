"""The whole story through the public API: simulated phones and room people against the real web and database."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uvicorn

from alerts import replay
from alerts.courier import Courier
from alerts.engine import AlertEngine
from alerts.lifecycle import AlertKind, State
from alerts.worker import WORK_CHANNEL, AlertWorker
from hcawatch.demo.client import Api
from hcawatch.demo.phone import Phone
from hcawatch.demo.room import RoomPerson, operators_step, supervisors_step
from monitor.domain.roles import Role
from monitor.store.pool import make_pool
from monitor.web.app import WebDeps, create_app
from monitor.web.people import ensure_user
from tests.doubles.alert_seeds import SeededPostgresBook
from tests.doubles.alert_story import CITY, event, mild

PASSWORD = "only-in-this-test-1"
PEOPLE = {"ann": Role.OFFICER, "cai": Role.OFFICER, "operator": Role.OPERATOR, "supervisor": Role.SUPERVISOR}


def eventually(true: Callable[[], bool], timeout_s: float = 60.0) -> None:
    """Polls what other threads bring about."""
    end_s = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end_s, "did not become true in time"
        time.sleep(0.05)


@pytest.fixture
def book(postgres_dsn: str) -> Iterator[SeededPostgresBook]:
    with make_pool(postgres_dsn, "test", min_size=1, max_size=10) as pool:
        with pool.connection() as conn:
            for user, role in PEOPLE.items():
                team = {"ann": "near", "cai": "far"}.get(user)
                ensure_user(conn, user, role, user, team, PASSWORD, now=datetime.now(UTC))
        yield SeededPostgresBook(pool)


@pytest.fixture
def engine(book: SeededPostgresBook) -> AlertEngine:
    return AlertEngine(book, CITY)


@pytest.fixture
def url(book: SeededPostgresBook, engine: AlertEngine, tmp_path: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        app = create_app(WebDeps(pool=book.pool, engine=engine, city=CITY, data_dir=tmp_path))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield f"http://127.0.0.1:{port}"
        server.should_exit = True
        thread.join()


@pytest.fixture
def api(url: str, tmp_path: Path) -> Iterator[Callable[[str], Api]]:
    password_file = tmp_path / "password"
    password_file.write_text(PASSWORD + "\n")
    made: list[Api] = []

    def make(user: str) -> Api:
        made.append(Api(url, user, password_file))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_from_event_to_verified_through_the_public_api(
    book: SeededPostgresBook, engine: AlertEngine, postgres_dsn: str, api: Callable[[str], Api]
) -> None:
    """A red and a mild alert: the officer's phone answers one, the operator dismisses the other."""
    stopping = threading.Event()
    people = [
        Phone(api("ann"), pause_s=0.0),
        RoomPerson(api("operator"), operators_step, pause_s=0.0),
        RoomPerson(api("supervisor"), supervisors_step, pause_s=0.0),
    ]
    threads = [threading.Thread(target=person.run, args=(stopping,)) for person in people]
    courier = Courier(book, {"mqtt": lambda *_: None}, engine)
    with AlertWorker(engine, courier, postgres_dsn):
        for thread in threads:
            thread.start()
        try:
            for one in (event(), mild(episode="m")):
                book.add_event(one, datetime.now(UTC))
            book.run(f"NOTIFY {WORK_CHANNEL}")
            eventually(
                lambda: {row.alert.state for row in engine.list_alerts()} == {State.VERIFIED, State.DISMISSED}
            )
        finally:
            stopping.set()
            for thread in threads:
                thread.join()
    (verified,) = engine.list_alerts(state=State.VERIFIED)
    view = engine.view(verified.alert.alert_id)
    assert [t.step for t in view.transitions if t.step != "acknowledge"] == [
        "open", "dispatch", "accept", "depart", "arrive", "collect", "resolve", "verify",
    ]  # fmt: skip
    assert [item.kind for item in view.evidence] == ["photo"]
    assert {t.reason for t in view.transitions} >= {"arrived", "rectified"}
    with book.pool.connection() as conn:
        assert replay.check(conn) == []


def test_a_phone_that_dies_in_mid_story_goes_on_where_it_was(
    book: SeededPostgresBook, engine: AlertEngine, api: Callable[[str], Api]
) -> None:
    """A new program for every step, the upload of the photo repeated: still one photo and one case."""
    book.add_event(event(), datetime.now(UTC))
    engine.take_work(datetime.now(UTC))
    for _ in range(3):
        assert Phone(api("ann"), pause_s=0.0).turn() == 1
    died = Phone(api("ann"), pause_s=0.0)
    died._api.step = lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt)  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        died.turn()
    for _ in range(2):
        assert Phone(api("ann"), pause_s=0.0).turn() == 1
    assert Phone(api("ann"), pause_s=0.0).turn() == 0
    (row,) = engine.list_alerts(kind=AlertKind.VIOLATION)
    assert row.alert.state is State.RESOLVED
    assert len(engine.view(row.alert.alert_id).evidence) == 1
