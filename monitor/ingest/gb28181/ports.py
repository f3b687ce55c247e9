"""What the door needs of a store beside IngestStore; PostgresGbStore is the real one."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Protocol

import msgspec

from monitor.ingest.gb28181.registrar import Registration

What = Literal["silent", "heard", "refused", "let_in"]


class GbDeviceWork(msgspec.Struct, frozen=True, kw_only=True):
    """What the alert module is told of a device (docs/contracts.md)."""

    #: the device's id; of a stranger its address
    subject: str
    what: What
    at: datetime
    #: the one camera whose alarms it brings; None: several, or nobody knows
    camera_id: str | None = None
    detail: str = ""


class GbStore(Protocol):
    """Each call is one transaction, as of IngestStore."""

    def registrations(self, now: datetime) -> Sequence[Registration]:
        """Those that have not run out."""
        ...

    def register(self, registration: Registration) -> None:
        """Keeps a registration, in the place of an earlier one."""
        ...

    def unregister(self, gb_id: str) -> None:
        """Forgets a registration."""
        ...

    def tell(self, work: GbDeviceWork, now: datetime) -> None:
        """Leaves word of a device to the alert module."""
        ...
