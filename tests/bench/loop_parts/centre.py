"""The centre without its pages, as a process of its own: ingest, alert worker, couriers, sequencer.

Wired as hcawatch/centre.py wires them; only the channel is the bench's own receiver.
"""

from __future__ import annotations

import contextlib
import http.client
import multiprocessing
import os
import sys
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import structlog

from alerts.courier import Courier, Send
from alerts.engine import AlertEngine
from alerts.policy import Policy
from alerts.postgres_book import PostgresAlertBook
from alerts.worker import AlertWorker
from hcawatch.centre import LOG_ORIGIN, MESSAGES_AT_ONCE, Sequencing
from hcawatch.deciding import Deciding
from hcawatch.garbage import leave_out_what_is_there
from monitor.audit.note import Signer
from monitor.ingest.mqtt import MqttSettings
from monitor.ingest.postgres_store import PostgresIngestStore
from monitor.ingest.worker import IngestWorker
from monitor.store.pool import make_pool
from tests.bench.loop_parts.town import city


def post_to(url: str) -> Send:
    """POSTs each message on a connection that its thread keeps."""
    host, kept = urlsplit(url).netloc, threading.local()

    def send(_address: str, payload: bytes, _retain: bool) -> None:
        connection: http.client.HTTPConnection | None = getattr(kept, "connection", None)
        if connection is None:
            kept.connection = connection = http.client.HTTPConnection(host, timeout=10)
        try:
            connection.request("POST", "/ours", payload, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            raise
        if answer.status // 100 != 2:
            raise ConnectionError(f"the receiver answered {answer.status}")

    return send


def _serve(pipe: Connection, dsn: str, mqtt: MqttSettings, receiver_url: str, folder: Path) -> None:
    structlog.configure(
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(30),
    )
    town = city()
    with make_pool(dsn, "centre", min_size=2, max_size=16) as pool:
        book = PostgresAlertBook(pool)
        engine = AlertEngine(book, town)
        ingest = IngestWorker(PostgresIngestStore(pool), mqtt)
        courier = Courier(book, {"mqtt": post_to(receiver_url)}, engine, at_once=MESSAGES_AT_ONCE)
        deciding = Deciding(dsn, town, Policy())
        delivering = AlertWorker(None, courier, dsn)
        sequencing = Sequencing(
            pool, Signer.load_or_create(folder / "audit-key", LOG_ORIGIN), folder / "heads"
        )
        leave_out_what_is_there()
        with ingest, deciding, delivering, sequencing:
            assert ingest.wait_connected(20)
            assert deciding.wait_well()
            pipe.send("ready")
            pipe.recv()
            beside = psutil.Process(deciding.pid).cpu_times()
            pipe.send(
                {
                    "cpu_s": sum(os.times()[:2]),
                    "deciding_cpu_s": beside.user + beside.system,
                    "verdicts": dict(ingest.counts),
                }
            )


class Centre:
    """A running centre."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def stop(self) -> dict[str, Any]:
        """Ends it; what it says of itself."""
        self._pipe.send("end")
        return dict(self._pipe.recv())


@contextlib.contextmanager
def centre(dsn: str, mqtt: MqttSettings, receiver_url: str, folder: Path) -> Iterator[Centre]:
    """A centre that is connected to everything."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, dsn, mqtt, receiver_url, folder))
    process.start()
    try:
        assert ours.poll(60), "the centre did not get ready"
        assert ours.recv() == "ready"
        yield Centre(ours)
    finally:
        with contextlib.suppress(OSError):
            ours.send("end")
        process.join(20)
        if process.is_alive():
            process.kill()
