"""The door's store in PostgreSQL; each call is one transaction."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from monitor.ingest.gb28181.ports import GbDeviceWork
from monitor.ingest.gb28181.registrar import Registration
from monitor.ingest.postgres_batch import leave_work
from monitor.store.pool import Pool
from monitor.store.queries import Queries

QUERIES = Queries("monitor.ingest.gb28181")


class PostgresGbStore:
    """A GbStore on a pool that the caller opens and closes."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def registrations(self, now: datetime) -> Sequence[Registration]:
        """See GbStore."""
        with self._pool.connection() as conn:
            rows = conn.execute(QUERIES["registrations"], {"now": now}).fetchall()
        return [Registration(**row) for row in rows]

    def register(self, registration: Registration) -> None:
        """See GbStore."""
        with self._pool.connection() as conn:
            conn.execute(QUERIES["register"], msgspec.structs.asdict(registration))

    def unregister(self, gb_id: str) -> None:
        """See GbStore."""
        with self._pool.connection() as conn:
            conn.execute(QUERIES["unregister"], {"gb_id": gb_id})

    def tell(self, work: GbDeviceWork, now: datetime) -> None:
        """See GbStore."""
        with self._pool.connection() as conn:
            leave_work(conn, "gb_device", work, now)
            conn.execute(QUERIES["notify_work"])
