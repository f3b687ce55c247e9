"""How many numbered messages a second get from the wire into the database and back as a receipt.

    python -m tests.bench.ingest_rate [messages] [mosquitto|iotcore]

Real broker, real database, everything on this machine, the publishing edge included. Prints one JSON object.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import structlog

from monitor.ingest.embedded_broker import CENTRE, EmbeddedBroker, available_kind
from monitor.ingest.mqtt import MqttSettings
from monitor.ingest.postgres_store import PostgresIngestStore
from monitor.ingest.worker import IngestWorker
from monitor.store.embedded import EmbeddedPostgres
from monitor.store.migrate import kind_of_store, migrate
from monitor.store.pool import make_pool
from tests.doubles.ingest_edge import EdgeSide
from tests.doubles.ingest_messages import arrived, event, watch

EDGE = "edge-1"
SINGLES = 40


def main() -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
    kind = sys.argv[2] if len(sys.argv) > 2 else available_kind()
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedPostgres(Path(folder) / "pg") as server,
        EmbeddedBroker(Path(folder) / "mqtt", [EDGE], kind=kind) as broker,
    ):
        migrate(server.dsn)
        settings = MqttSettings(
            host=broker.host, port=broker.port, user=CENTRE, password=broker.passwords[CENTRE]
        )
        made = [arrived(watch(n) if n % 20 == 0 else event(n)) for n in range(1, messages + SINGLES + 1)]
        with (
            make_pool(server.dsn, "bench") as pool,
            IngestWorker(PostgresIngestStore(pool), settings) as worker,
            EdgeSide(broker, EDGE) as edge,
        ):
            assert worker.wait_connected(10)
            with pool.connection() as conn:
                store = kind_of_store(conn)
            began_s = time.monotonic()
            edge.send(made[:messages])
            assert edge.wait_through("epoch-a", messages, 120)
            took_s = time.monotonic() - began_s
            stored_ms, receipt_ms = [], []
            for n, one in enumerate(made[messages:], start=messages + 1):
                began_s, before = time.monotonic(), worker.counts.total()
                edge.send([one])
                while worker.counts.total() == before:
                    time.sleep(0.0002)
                stored_ms.append((time.monotonic() - began_s) * 1000)
                assert edge.wait_through("epoch-a", n, 10)
                receipt_ms.append((time.monotonic() - began_s) * 1000)
        print(
            json.dumps(
                {
                    "broker": kind,
                    "store": store,
                    "messages": messages,
                    "per_s": round(messages / took_s),
                    "one_stored_ms_p50": round(sorted(stored_ms)[SINGLES // 2], 1),
                    "one_receipt_ms_p50": round(sorted(receipt_ms)[SINGLES // 2], 1),
                    "load_1min": round(os.getloadavg()[0], 1),
                }
            )
        )


if __name__ == "__main__":
    main()
