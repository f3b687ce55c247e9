"""The centre without its pages, as a process of its own: ingest, alert worker, couriers, sequencer.

Wired as hcawatch/centre.py wires them: a dispatch goes out over the broker, and as a signed webhook to the bench's
receiver, which is the one that is timed. The webhook has no limit per minute, and loopback as its listed network.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec
import psutil
import structlog

from alerts.channels.building import deliveries
from alerts.channels.desk import Desk
from alerts.channels.states import PostgresChannelStates
from alerts.courier import Courier
from alerts.engine import AlertEngine
from alerts.policy import Policy
from alerts.postgres_book import PostgresAlertBook
from alerts.sending import Send
from alerts.worker import COURIERS, AlertWorker, utc_now
from hcawatch.centre import LOG_ORIGIN, MESSAGES_AT_ONCE, Sequencing
from hcawatch.deciding import Deciding
from hcawatch.garbage import leave_out_what_is_there
from monitor.audit.note import Signer
from monitor.ingest.mqtt import MqttSettings
from monitor.ingest.postgres_store import PostgresIngestStore
from monitor.ingest.worker import IngestWorker
from monitor.store.pool import FIRST_IN_ORDER, make_pool
from tests.bench.loop_parts.town import WEBHOOK, WEBHOOK_SECRET, city


class BenchSecret(msgspec.Struct, frozen=True, kw_only=True):
    """What the bench's webhook signs with; no secret to anybody."""

    secret: str = WEBHOOK_SECRET
    url: None = None
    missing: tuple[str, ...] = ()


def _serve(pipe: Connection, dsn: str, mqtt: MqttSettings, receiver_url: str, folder: Path) -> None:
    structlog.configure(
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(30),
    )
    town = city(f"{receiver_url}/ours")
    with (
        make_pool(dsn, "centre", min_size=2, max_size=16) as pool,
        make_pool(dsn, "couriers", min_size=2, max_size=COURIERS, planner=FIRST_IN_ORDER) as couriers,
    ):
        book = PostgresAlertBook(pool)
        engine = AlertEngine(book, town)
        ingest = IngestWorker(PostgresIngestStore(pool), mqtt)
        kinds = deliveries(town, {WEBHOOK: BenchSecret()}, None, None)
        desk = Desk(town, kinds, PostgresChannelStates(pool), utc_now)
        sends: dict[str, Send] = {"mqtt": ingest.begin_publish, **desk.sends}
        courier = Courier(PostgresAlertBook(couriers), sends, engine, desk=desk, at_once=MESSAGES_AT_ONCE)
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
