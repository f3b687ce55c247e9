"""The worker's threads are made to die: each is noticed, started again and told, or the worker ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge import supervisor
from edge.configuration import of_file, own_of
from edge.configuring import Configuring
from edge.errors import PartHopeless
from edge.keeper import Keeper
from edge.outbox import SqliteOutbox
from edge.parts import MOST_DEATHS, Part
from edge.publisher import Publisher
from edge.uploader import Uploader
from edge.worker import EdgeSettings, Worker, run
from monitor.domain.assets import Edge
from monitor.domain.events import EdgeStatus
from monitor.ingest.embedded_broker import EmbeddedBroker
from tests.doubles.edge_centre import EdgeCentre
from tests.doubles.edge_things import NAME, city, event


class Mortal(threading.Thread):
    """Lives until it is told to fail, or to end."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.told = threading.Event()
        self.fault: Exception | None = None

    def run(self) -> None:
        self.told.wait()
        if self.fault is not None:
            raise self.fault

    def die(self, fault: Exception | None) -> None:
        self.fault = fault
        self.told.set()
        self.join(10.0)


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_thread_that_dies_is_told_and_made_anew_later_and_later() -> None:
    """At first after half a second, then twice as late; after a good minute all is forgotten."""
    clock = Clock()
    part = Part("uploader", Mortal, monotonic=clock)
    part.start()
    assert not part.care()
    assert part.trouble == ""
    for waits_s in (0.5, 1.0, 2.0):
        dead = part.current
        dead.die(OSError("no such thing"))
        assert part.care()
        clock.now_s += waits_s - 0.01
        assert not part.care()
        clock.now_s += 0.02
        assert part.care()
        assert part.current is not dead
        assert part.current.is_alive()
    assert part.trouble == "uploader died 3 times in a row: OSError: no such thing"
    assert part.restarts == 3
    clock.now_s += supervisor.GOOD_AFTER_S + 0.1
    assert part.care()
    assert part.trouble == ""
    assert not part.care()


def test_a_thread_that_ends_without_a_fault_is_as_dead() -> None:
    """Nobody told it to."""
    part = Part("keeper", Mortal, monotonic=Clock())
    part.start()
    part.current.die(None)
    assert part.care()
    assert part.trouble == "keeper died once: it ended by itself"


def test_only_what_nobody_would_hear_of_ends_the_worker() -> None:
    """A publisher that dies five times in a row; an uploader may, its trouble is told."""
    for vital in (True, False):
        clock = Clock()
        part = Part("part", Mortal, vital=vital, monotonic=clock)
        part.start()
        for _ in range(MOST_DEATHS - 1):
            part.current.die(ValueError("bad"))
            part.care()
            clock.now_s += supervisor.LONGEST_WAIT_S + 1
            part.care()
        part.current.die(ValueError("bad"))
        if vital:
            with pytest.raises(PartHopeless, match="ValueError: bad"):
                part.care()
        else:
            assert part.care()


def failing(monkeypatch: pytest.MonkeyPatch, kind: type, method: str, times: int) -> list[int]:
    """Let a method of a real part fail so many times; which times it was called."""
    real, calls = getattr(kind, method), list[int]()

    def fail(self: Any, *args: Any, **more: Any) -> Any:
        calls.append(1)
        if len(calls) <= times:
            raise MemoryError(f"failure {len(calls)} of {method}")
        return real(self, *args, **more)

    monkeypatch.setattr(kind, method, fail)
    return calls


@pytest.fixture
def worker(
    tmp_path: Path, broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], SqliteOutbox]]:
    """Starts a worker without cameras in a thread; gives its outbox."""
    monkeypatch.setattr(supervisor, "FIRST_WAIT_S", 0.02)
    stop, threads = threading.Event(), list[threading.Thread]()

    def start(edge_id: str) -> SqliteOutbox:
        settings = settings_of(tmp_path, broker, edge_id)
        where = city()
        nobody = msgspec.structs.replace(
            where, edges=(msgspec.structs.replace(where.edges[0], edge_id=edge_id),)
        )
        configuring = Configuring(
            own_of(nobody, edge_id, (), tmp_path),
            of_file(nobody, edge_id, "v"),
            data_dir=tmp_path,
            file_sha256="",
        )
        running = Worker(edge_id, configuring, settings, ())
        threads.append(threading.Thread(target=running.run, args=(stop,)))
        threads[-1].start()
        return SqliteOutbox(tmp_path / "outbox.sqlite")

    yield start
    stop.set()
    for thread in threads:
        thread.join(30.0)
        assert not thread.is_alive()


def settings_of(folder: Path, broker: EmbeddedBroker, edge_id: str) -> EdgeSettings:
    return EdgeSettings(data_dir=folder, mqtt_host=broker.host, mqtt_port=broker.port, mqtt_user=edge_id,
                        mqtt_password=broker.passwords[edge_id], centre_url="http://127.0.0.1:1", edge_token="t",
                        backend="onnxruntime")  # fmt: skip


def told(centre: EdgeCentre) -> tuple[str, ...]:
    status: EdgeStatus | None = centre.statuses[-1] if centre.statuses else None
    return () if status is None else status.troubles


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    ("kind", "method", "says"),
    [
        (Uploader, "_one", "uploader died 2 times in a row: MemoryError: failure 2 of _one"),
        (Keeper, "round", "keeper died 2 times in a row: MemoryError: failure 2 of round"),
        (Publisher, "_round", "publisher died 2 times in a row: MemoryError: failure 2 of _round"),
        # the MQTT client's own thread dies of it
        (Publisher, "_on_message", "publisher died 2 times in a row: NetworkThreadGone"),
    ],
)
def test_whatever_thread_of_a_worker_dies_events_still_arrive_and_the_status_says_so(
    kind: type,
    method: str,
    says: str,
    worker: Callable[[str], SqliteOutbox],
    broker: EmbeddedBroker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Twice; before and after it the worker does its work."""
    edge_id = "edge-17"
    calls = failing(monkeypatch, kind, method, 2)
    with EdgeCentre(broker, edge_id) as centre:
        outbox = worker(edge_id)
        deadline_s = time.monotonic() + 60
        while outbox.summary().unreceipted or len(calls) < 3:
            assert time.monotonic() < deadline_s, (calls, told(centre))
            outbox.append(lambda e, s: event(s, e, "onset", edge_id=edge_id))
            time.sleep(0.1)
        assert centre.wait(lambda c: any(trouble.startswith(says) for trouble in told(c)))
        assert set(centre.messages) == set(range(1, outbox.summary().last_seq + 1))


def test_a_worker_whose_publisher_cannot_live_ends_with_an_error(
    tmp_path: Path, broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its service manager starts it anew; what was numbered waits on disk."""
    monkeypatch.setattr(supervisor, "FIRST_WAIT_S", 0.02)
    monkeypatch.setattr("edge.worker.DRAIN_S", 0.1)
    monkeypatch.setattr("edge.worker.configure", lambda: None)  # the test run's own logs
    failing(monkeypatch, Publisher, "_round", 1000)
    outbox = SqliteOutbox(tmp_path / "outbox.sqlite")
    outbox.append(lambda e, s: event(s, e, "onset", edge_id="edge-18"))
    town = msgspec.structs.replace(city(), edges=(Edge(edge_id="edge-18", name=NAME),))
    assert run(town, "edge-18", settings_of(tmp_path, broker, "edge-18")) == 1
    assert outbox.summary().unreceipted == 1
