"""Ingest as a process of its own, to be killed: python -m tests.doubles.ingest_process (settings in the environment)."""

import os
import signal

from monitor.ingest.mqtt import MqttSettings
from monitor.ingest.postgres_store import PostgresIngestStore
from monitor.ingest.worker import IngestWorker
from monitor.store.pool import make_pool


def main() -> None:
    settings = MqttSettings(
        host="127.0.0.1",
        port=int(os.environ["INGEST_PORT"]),
        user="centre",
        password=os.environ["INGEST_PASSWORD"],
        client_id=os.environ["INGEST_CLIENT"],
    )
    with (
        make_pool(os.environ["INGEST_DSN"], "ingest") as pool,
        IngestWorker(PostgresIngestStore(pool), settings),
    ):
        signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main()
