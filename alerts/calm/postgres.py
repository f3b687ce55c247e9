"""Shelves, coming and going, and bundles in PostgreSQL; a part of PostgresAlertTx. Decides nothing."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from alerts.calm.bundling import ToldLately
from alerts.calm.holding import Quiet
from alerts.calm.shelves import Shelf
from alerts.postgres_rows import PostgresRows, parameters, value
from alerts.values import Alert, LastWord, Outgoing


class CalmRows(PostgresRows):
    """A CalmTx (ports.py)."""

    def shelves_of(self, camera_id: str | None, alert_ids: Collection[str]) -> tuple[Shelf, ...]:
        return self._all("shelves_of", Shelf, camera_id=camera_id, alert_ids=list(alert_ids))

    def shelf(self, shelf_id: str, *, for_update: bool = False) -> Shelf | None:
        return self._one("shelf_for_update" if for_update else "shelf", Shelf, shelf_id=shelf_id)

    def next_shelf(self, now: datetime) -> Shelf | None:
        return self._one("next_shelf", Shelf, now=now)

    def put_shelf(self, shelf: Shelf) -> None:
        self._run("put_shelf", **parameters(shelf))

    def list_shelves(self, *, running: bool, limit: int) -> tuple[Shelf, ...]:
        return self._all("running_shelves" if running else "ended_shelves", Shelf, limit=limit)

    def standing_of(self, camera_id: str | None, alert_id: str | None) -> tuple[Alert, ...]:
        return self._all("standing_of", Alert, camera_id=camera_id, alert_id=alert_id)

    def alerts_of_shelf(self, shelf_id: str, *, for_update: bool = False) -> tuple[Alert, ...]:
        query = "alerts_of_shelf_for_update" if for_update else "alerts_of_shelf"
        return self._all(query, Alert, shelf_id=shelf_id)

    def alerts_of_shelves(self, shelf_ids: Collection[str]) -> tuple[Alert, ...]:
        return self._all("alerts_of_shelves", Alert, shelf_ids=list(shelf_ids))

    def quiet_of(self, alerts: Sequence[Alert]) -> Mapping[str, Quiet]:
        cameras = sorted({alert.camera_id for alert in alerts if alert.camera_id})
        shelves = self._all(
            "shelves_of_many", Shelf, camera_ids=cameras, alert_ids=[a.alert_id for a in alerts]
        )
        rows = self._run("last_words_of_cameras", camera_ids=cameras).fetchall()
        words = {row.pop("camera_id"): value(row, LastWord) for row in rows}
        return {a.alert_id: Quiet(shelves=shelves, camera=words.get(a.camera_id or "")) for a in alerts}

    def lost_before(self, health: str, subject: str, since: datetime) -> int:
        return self._count("lost_before", health=health, subject=subject, since=since)

    def told_lately(self, person: str, channel: str, since: datetime) -> ToldLately:
        found = self._one("told_lately", ToldLately, person=person, channel=channel, since=since)
        return found or ToldLately()

    def waiting_bundle(self, channel: str, address: str, person: str, now: datetime) -> Outgoing | None:
        return self._one("waiting_bundle", Outgoing, channel=channel, address=address, person=person, now=now)

    def put_bundle(self, bundle: Outgoing, goes_at: datetime | None) -> None:
        if goes_at is None:
            self._run("change_bundle", **parameters(bundle))
        else:
            self._run("add_bundle", **parameters(bundle), goes_at=goes_at)

    def _count(self, query: str, **given: str | datetime) -> int:
        row = self._run(query, **given).fetchone()
        return 0 if row is None else int(row["n"])
