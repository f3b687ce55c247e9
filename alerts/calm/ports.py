"""What the loop needs of a database to keep calm; a part of AlertTx (alerts/ports.py)."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from alerts.calm.bundling import ToldLately
from alerts.calm.holding import Quiet
from alerts.calm.shelves import Shelf
from alerts.values import Alert, Outgoing


class CalmTx(Protocol):
    """See AlertTx."""

    # shelves
    def shelves_of(self, camera_id: str | None, alert_ids: Collection[str]) -> tuple[Shelf, ...]:
        """Those that did not end, of the camera or of one of these alerts."""
        ...

    def shelf(self, shelf_id: str, *, for_update: bool = False) -> Shelf | None:
        """The shelf; with `for_update` its row is locked."""
        ...

    def next_shelf(self, now: datetime) -> Shelf | None:
        """The shelf that is due longest and that nobody ends, held until the transaction ends."""
        ...

    def put_shelf(self, shelf: Shelf) -> None:
        """A new one, or how it stands after its end."""
        ...

    def list_shelves(self, *, running: bool, limit: int) -> tuple[Shelf, ...]:
        """Those that run, the next to end first; or those that ended, the last first."""
        ...

    def standing_of(self, camera_id: str | None, alert_id: str | None) -> tuple[Alert, ...]:
        """Running alerts of the camera (violations, and that it does not watch) or that one, rows locked, by id."""
        ...

    def alerts_of_shelf(self, shelf_id: str, *, for_update: bool = False) -> tuple[Alert, ...]:
        """What that shelf holds or held last, by id."""
        ...

    def alerts_of_shelves(self, shelf_ids: Collection[str]) -> tuple[Alert, ...]:
        """What these shelves hold or held last, by id: asked at once, however many there are."""
        ...

    def quiet_of(self, alerts: Sequence[Alert]) -> Mapping[str, Quiet]:
        """By alert: what may keep it from ringing; asked at once, however many there are."""
        ...

    # coming and going
    def lost_before(self, health: str, subject: str, since: datetime) -> int:
        """How many health alerts of this kind and subject were opened since."""
        ...

    # floods
    def told_lately(self, person: str, channel: str, since: datetime) -> ToldLately:
        """How often that person was told through that channel since, and of what level at worst."""
        ...

    def waiting_bundle(self, channel: str, address: str, person: str, now: datetime) -> Outgoing | None:
        """The person's bundle that is not due yet, its row locked."""
        ...

    def put_bundle(self, bundle: Outgoing, goes_at: datetime | None) -> None:
        """A new bundle that goes then; or (None) how the waiting one reads now."""
        ...
