"""The memory book's shelves and bundles; a part of MemoryAlertTx."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from alerts.calm.bundling import ToldLately
from alerts.calm.holding import Quiet
from alerts.calm.shelves import Shelf
from alerts.lifecycle import AlertKind
from alerts.reasons import Health
from alerts.values import Alert, Outgoing
from monitor.domain.levels import Level


class MemoryCalmTx:
    """See CalmTx in alerts/calm/ports.py."""

    _t: Any
    _ids: Iterator[int]

    def shelves_of(self, camera_id: str | None, alert_ids: Collection[str]) -> tuple[Shelf, ...]:
        found = [
            s
            for s in self._t.shelves.values()
            if s.ended_at is None
            and ((camera_id is not None and s.camera_id == camera_id) or s.alert_id in alert_ids)
        ]
        return tuple(sorted(found, key=lambda s: s.shelf_id))

    def shelf(self, shelf_id: str, *, for_update: bool = False) -> Shelf | None:
        found: Shelf | None = self._t.shelves.get(shelf_id)
        return found

    def next_shelf(self, now: datetime) -> Shelf | None:
        due = [s for s in self._t.shelves.values() if s.ended_at is None and s.until_at <= now]
        return min(due, key=lambda s: (s.until_at, s.shelf_id), default=None)

    def put_shelf(self, shelf: Shelf) -> None:
        self._t.shelves[shelf.shelf_id] = shelf

    def list_shelves(self, *, running: bool, limit: int) -> tuple[Shelf, ...]:
        mine = [s for s in self._t.shelves.values() if (s.ended_at is None) == running]
        if running:
            mine.sort(key=lambda s: (s.until_at, s.shelf_id))
        else:
            mine.sort(key=lambda s: (-s.ended_at.timestamp(), s.shelf_id))
        return tuple(mine[:limit])

    def standing_of(self, camera_id: str | None, alert_id: str | None) -> tuple[Alert, ...]:
        found = [
            a
            for a in self._t.alerts.values()
            if a.closed_at is None
            and (
                a.alert_id == alert_id
                or (
                    camera_id is not None
                    and a.camera_id == camera_id
                    and (a.kind is AlertKind.VIOLATION or a.health == Health.CAMERA_NOT_WATCHING)
                )
            )
        ]
        return tuple(sorted(found, key=lambda a: a.alert_id))

    def alerts_of_shelf(self, shelf_id: str, *, for_update: bool = False) -> tuple[Alert, ...]:
        found = [a for a in self._t.alerts.values() if a.shelf_id == shelf_id]
        return tuple(sorted(found, key=lambda a: a.alert_id))

    def alerts_of_shelves(self, shelf_ids: Collection[str]) -> tuple[Alert, ...]:
        found = [a for a in self._t.alerts.values() if a.shelf_id in set(shelf_ids)]
        return tuple(sorted(found, key=lambda a: a.alert_id))

    def quiet_of(self, alerts: Sequence[Alert]) -> Mapping[str, Quiet]:
        return {
            a.alert_id: Quiet(shelves=self.shelves_of(a.camera_id, [a.alert_id]),
                              camera=self.last_word_of_camera(a.camera_id) if a.camera_id else None)
            for a in alerts
        }  # fmt: skip

    def lost_before(self, health: str, subject: str, since: datetime) -> int:
        return sum(
            a.health == health and a.subject == subject and a.opened_at > since
            for a in self._t.alerts.values()
        )

    def told_lately(self, person: str, channel: str, since: datetime) -> ToldLately:
        mine = [
            t for t in self._t.told.values() if (t.person, t.channel) == (person, channel) and t.at > since
        ]
        keys = {t.sent_as or t.idempotency_key for t in mine}
        levels = [
            Level(one.body["level"]) for one in self._t.outgoing.values() if one.idempotency_key in keys
        ]
        return ToldLately(n=len(mine), worst=min(levels, key=lambda level: level.rank, default=None))

    def waiting_bundle(self, channel: str, address: str, person: str, now: datetime) -> Outgoing | None:
        for outgoing_id, one in self._t.outgoing.items():
            waits = outgoing_id not in self._t.sent_at and outgoing_id not in self._t.handed_to
            mine = (one.channel, one.address, one.body.get("officer")) == (channel, address, person)
            later = self._t.next_try_at[outgoing_id] > now and one.attempts == 0
            if waits and mine and later and one.body.get("what") == "escalations":
                found: Outgoing = one
                return found
        return None

    def put_bundle(self, bundle: Outgoing, goes_at: datetime | None) -> None:
        if goes_at is None:
            self._t.outgoing[bundle.outgoing_id] = bundle
        else:
            import msgspec

            outgoing_id = next(self._ids)
            self._t.outgoing[outgoing_id] = msgspec.structs.replace(bundle, outgoing_id=outgoing_id)
            self._t.next_try_at[outgoing_id] = goes_at
