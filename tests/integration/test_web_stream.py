"""What changed reaches open pages: a real server, a real LISTEN, real server-sent events."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import uvicorn

from monitor.domain.events import CameraState, DetectorLoad
from monitor.web import stream
from tests.doubles.web_town import PASSWORD, Town, town


@pytest.fixture
def here(postgres_dsn: str, tmp_path: Path) -> Iterator[Town]:
    with town(postgres_dsn, tmp_path) as one:
        yield one


@pytest.fixture
def base(here: Town) -> Iterator[str]:
    server = uvicorn.Server(
        uvicorn.Config(here.app(), host="127.0.0.1", port=0, log_level="error", timeout_graceful_shutdown=1)
    )
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        waiting = threading.Event()
        while not server.started:
            waiting.wait(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@contextmanager
def listening(base: str, user: str) -> Iterator[Iterator[tuple[str, dict[str, str]]]]:
    token = httpx.post(f"{base}/api/v1/login", json={"user": user, "password": PASSWORD}).json()["token"]
    headers = {"authorization": f"Bearer {token}"}
    with httpx.stream("GET", f"{base}/api/v1/stream", headers=headers, timeout=30) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield _events(answer)


def _events(answer: httpx.Response) -> Iterator[tuple[str, dict[str, str]]]:
    name = ""
    for line in answer.iter_lines():
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            yield name, json.loads(line[6:])


def next_but(events: Iterator[tuple[str, dict[str, str]]], *passed_over: str) -> tuple[str, dict[str, str]]:
    return next(event for event in events if event[0] not in ("hello", "resync", "tick", *passed_over))


def test_room_and_officer_hear_of_an_alert_as_it_happens(here: Town, base: str) -> None:
    """The room by `alert`, the officer who is sent by `dispatch`, the other team not at all."""
    with (
        listening(base, "operator") as room,
        listening(base, "li.wei") as mine,
        listening(base, "chen.jie") as other,
    ):
        for events in (room, mine, other):
            assert next(events)[0] == "hello"
        here.sees()
        alert_id = here.newest().alert.alert_id
        assert next_but(room, "camera") == ("alert", {"alert_id": alert_id})
        assert next_but(mine) == ("dispatch", {"alert_id": alert_id})
        here.sees("school")
        theirs = here.newest().alert.alert_id
        assert next_but(other) == ("dispatch", {"alert_id": theirs}), "its own is the first that it hears of"


def test_the_room_hears_of_cameras(here: Town, base: str) -> None:
    """A camera that stops watching is told by its id."""
    with listening(base, "auditor") as events:
        assert next(events)[0] == "hello"
        here.cameras_are("e1", village=CameraState.FROZEN)
        assert next_but(events, "alert") == ("camera", {"camera_id": "village"})


def test_the_room_hears_that_an_edge_is_overloaded(here: Town, base: str) -> None:
    """No camera changed its state, yet the pages of that edge's cameras show something new; the same again is no news."""
    fine, busy = DetectorLoad(shared=True), DetectorLoad(shared=True, overloaded_since=here.now)
    here.cameras_are("e1", load=fine, village=CameraState.STREAMING)
    with listening(base, "operator") as events:
        assert next(events)[0] == "hello"
        here.cameras_are("e1", load=fine, village=CameraState.STREAMING)
        here.cameras_are("e2", school=CameraState.STREAMING)
        assert next_but(events, "alert") == ("camera", {"camera_id": "school"})
        here.cameras_are("e1", load=busy, village=CameraState.STREAMING)
        assert next_but(events, "alert") == ("camera", {"camera_id": "village"})


def test_silence_means_a_broken_line(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing to tell, a tick comes, with the server's time and whether it hears the database."""
    monkeypatch.setattr(stream, "TICK_S", 0.05)
    with listening(base, "operator") as events:
        name, tick = next(event for event in events if event[0] == "tick")
        assert (name, tick["listening"]) == ("tick", True)


def test_the_stream_ends_with_the_session(here: Town, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who logged out, or whose shift is over, does not go on listening."""
    monkeypatch.setattr(stream, "TICK_S", 0.05)
    monkeypatch.setattr(stream, "SESSION_CHECK_S", 0.1)
    with listening(base, "operator") as events:
        assert next(events)[0] == "hello"
        here.now += timedelta(hours=12)
        assert all(event[0] in ("tick", "resync") for event in events), "and the loop ends"


def test_a_lost_database_connection_is_taken_up_again(here: Town, base: str) -> None:
    """After the listener's connection was cut, pages are told to ask for everything, and hear again."""
    with listening(base, "operator") as events:
        assert next(events)[0] == "hello"
        with here.pool.connection() as conn:
            conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hcawatch stream'"
            )
        assert next(event for event in events if event[0] == "resync")
        here.sees()
        assert next_but(events, "camera")[0] == "alert"
        assert httpx.get(f"{base}/readyz").json() == {"status": "ready", "database": True, "stream": True}
