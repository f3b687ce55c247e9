"""Publishes to each edge, retained, its part of the newest configuration version.

Whenever one was applied, by whoever and wherever, and whenever the broker let us in anew: it may have
forgotten. What an edge makes of it stands in its status.
"""

import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import msgspec
import psycopg
import structlog
from psycopg_pool import PoolTimeout

from hcawatch.config import LoadedConfig, versions
from hcawatch.config.checks.look import Surroundings
from hcawatch.config.load import from_document
from hcawatch.config.versions import QUERIES, Version
from monitor.domain.assets import City
from monitor.domain.edge_config import MAX_CONFIG_BYTES, configuration_of
from monitor.domain.events import encode, topic
from monitor.ingest.errors import PublishError
from monitor.store.pool import Pool

log = structlog.get_logger(__name__)

#: an applied version is on its way after this
LOOK_EVERY_S = 1.0


class Publish(Protocol):
    """Returns when the broker has it; PublishError otherwise."""

    def __call__(self, topic: str, payload: bytes, *, retain: bool) -> None: ...


def of_version(version: Version, file: Path) -> LoadedConfig | None:
    """A version of the database as `file` would be loaded; None if this release finds errors in it."""
    around = Surroundings(folder=file.absolute().parent, env=os.environ, now=datetime.now(UTC), part="nobody")
    report = from_document(version.body, path=file, around=around)
    if report.config is None:
        errors = [f"{fault.key}: {fault.what()}" for fault in report.errors]
        log.error("configs.version_faulty", number=version.number, errors=errors[:5])
    return report.config


def messages(version: Version, city: City, since: datetime) -> dict[str, bytes]:
    """What each edge is told. Files are named as in the document: relative to the edge's own folder."""
    named = {camera["id"]: camera["source"] for camera in version.body["cameras"]}
    cameras = tuple(msgspec.structs.replace(c, source=named[c.camera_id]) for c in city.cameras)
    city = msgspec.structs.replace(city, cameras=cameras)
    return {
        edge.edge_id: encode(
            configuration_of(
                city, edge.edge_id, number=version.number, since=since, config_version=version.sha256[:12]
            )
        )
        for edge in city.edges
    }


class EdgeConfigs:
    """`with EdgeConfigs(…)`: a thread of its own looks once a second whether something is to be said."""

    def __init__(
        self, pool: Pool, file: Path, publish: Callable[..., None], connections: Callable[[], int]
    ) -> None:
        self._pool, self._file, self._connections = pool, file, connections
        self._publish: Publish = publish
        self._said: tuple[int, int] | None = None
        self._well = True
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="edge-configs", daemon=True)

    def healthy(self) -> bool:
        """Whether the last turn went well."""
        return self._well and self._thread.is_alive()

    def __enter__(self) -> "EdgeConfigs":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(15.0)

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_EVERY_S):
            try:
                self.turn()
                self._well = True
            except (psycopg.Error, PoolTimeout, PublishError) as exc:
                if self._well:  # say it once, until it is well again
                    log.warning("configs.waits", error=str(exc).strip())
                self._well = False
            except Exception:
                self._well = False
                log.exception("configs.failed")

    def turn(self) -> None:
        """Say what is new to the edges, or to the broker."""
        with self._pool.connection() as conn:
            row: Any = conn.execute(QUERIES["newest_number"]).fetchone()
            if row is None or row["number"] is None:
                return
            wanted = (int(row["number"]), self._connections())
            if wanted == self._said or wanted[1] == 0:
                return
            version = versions.read(conn, wanted[0])
            known = [answer.edge_id for answer in versions.edge_answers(conn)]
        config = of_version(version, self._file)
        told = {} if config is None else messages(version, config.city, row["since"])
        for edge_id, payload in told.items():
            if len(payload) > MAX_CONFIG_BYTES:
                log.error("configs.too_large", edge=edge_id, bytes=len(payload), most=MAX_CONFIG_BYTES,
                          what="share its cameras among more edges")  # fmt: skip
                continue
            self._publish(topic("config", edge_id), payload, retain=True)
        for edge_id in (
            sorted(set(known) - set(told)) if config is not None else ()
        ):  # nothing is left for an edge that is no more
            self._publish(topic("config", edge_id), b"", retain=True)
        self._said = wanted
        log.info("configs.published", number=version.number, edges=sorted(told))
