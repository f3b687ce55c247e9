"""The shelves' desk: a shelf, its audit entry, and what it keeps from ringing or lets ring are one transaction.

Decides nothing itself: shelves.py says what may be shelved, holding.py what that does. Locks are taken in the order
of alerts/ports.py: a shelf's row, its site's lock, alerts' rows by id.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from alerts.apply import CHANGE_CHANNEL, Performer
from alerts.calm.holding import Left, on_shelf, on_shelf_end
from alerts.calm.messages import shelf_messages
from alerts.calm.shelves import EndOfShelf, Scope, Shelf, ShelfAsk, ShelfNotFound, begin, end
from alerts.commands import Send
from alerts.engine import new_uuid7
from alerts.policy import Policy
from alerts.ports import AlertBook, AlertTx
from alerts.transactions import in_transaction
from alerts.values import SYSTEM, Actor, Alert
from monitor.audit.entries import Entry
from monitor.domain.assets import City

#: of those that ended, on a page
MOST_ENDED: Final = 50


class ShelfView(msgspec.Struct, frozen=True, kw_only=True):
    """A shelf with the alerts that it holds, or held last."""

    shelf: Shelf
    alerts: tuple[Alert, ...] = ()


class ShelfDesk:
    """See the module."""

    def __init__(
        self, book: AlertBook, city: City, policy: Policy | None = None, new_id: Callable[[], str] = new_uuid7
    ) -> None:
        self._book, self._city, self._policy, self._new_id = book, city, policy or Policy(), new_id

    # ------------------------------------------------------------ what people do
    def shelve(self, ask: ShelfAsk, now: datetime) -> Shelf:
        """Shelves from now on, also what rings already and nobody is on the way to. ShelfRefused."""

        def do(tx: AlertTx) -> Shelf:
            known = (
                tx.alert(ask.alert_id or "") if ask.scope is Scope.ALERT and _is_id(ask.alert_id) else None
            )
            tx.lock_all([f"site:{site}" for site in self._sites(ask, known)])
            alert = tx.alert(known.alert_id, for_update=True) if known is not None else None
            camera_id = alert.camera_id if alert is not None else ask.camera_id
            running = tx.shelves_of(camera_id, [alert.alert_id] if alert is not None else [])
            shelf = begin(ask, alert, running, self._city, self._policy.calm, now, self._new_id())
            tx.put_shelf(shelf)
            tx.audit(_entry("begin", shelf, ask.actor, now, {}))
            # of scope alert the camera's others have nothing to do with it
            standing = tx.standing_of(None if shelf.scope is Scope.ALERT else shelf.camera_id, shelf.alert_id)
            performer = Performer(tx, self._city, self._policy, now, self._new_id)
            performer.perform(on_shelf(shelf, standing, now, ask.actor))
            tx.notify(CHANGE_CHANNEL, f"camera:{shelf.camera_id}")
            return shelf

        return in_transaction(self._book, do)

    def end(self, shelf_id: str, actor: Actor, note: str, now: datetime) -> Shelf:
        """Ends it by hand: what is still there rings. ShelfRefused."""

        def do(tx: AlertTx) -> Shelf:
            shelf = tx.shelf(shelf_id, for_update=True) if _is_id(shelf_id) else None
            if shelf is None:
                raise ShelfNotFound
            return self._end(tx, shelf, actor, EndOfShelf.BY_HAND, note, now)

        return in_transaction(self._book, do)

    # ------------------------------------------------------------ what time brings
    def run_due(self, now: datetime, limit: int = 100) -> int:
        """Ends up to `limit` shelves that are due, one transaction each; returns how many there were."""

        def do(tx: AlertTx) -> bool:
            shelf = tx.next_shelf(now)
            if shelf is not None:
                self._end(tx, shelf, SYSTEM, EndOfShelf.DUE, "", now)
            return shelf is not None

        done = 0
        while done < limit and in_transaction(self._book, do):
            done += 1
        return done

    # ------------------------------------------------------------ what pages show
    def running(self, limit: int = 500) -> tuple[ShelfView, ...]:
        """Shelves that stand, the next to end first, with what they hold."""
        return self._views(running=True, limit=limit)

    def ended(self, limit: int = MOST_ENDED) -> tuple[ShelfView, ...]:
        """Shelves that ended, the last first, with what came while they stood."""
        return self._views(running=False, limit=limit)

    def view(self, shelf_id: str) -> ShelfView:
        """One shelf; ShelfNotFound."""
        with self._book.begin() as tx:
            shelf = tx.shelf(shelf_id) if _is_id(shelf_id) else None
            if shelf is None:
                raise ShelfNotFound
            return _views([shelf], tx.alerts_of_shelf(shelf_id))[0]

    def _views(self, *, running: bool, limit: int) -> tuple[ShelfView, ...]:
        with self._book.begin() as tx:
            shelves = tx.list_shelves(running=running, limit=limit)
            return _views(shelves, tx.alerts_of_shelves([one.shelf_id for one in shelves]))

    # ------------------------------------------------------------ pieces
    def _end(
        self, tx: AlertTx, shelf: Shelf, actor: Actor, why: EndOfShelf, note: str, now: datetime
    ) -> Shelf:
        tx.lock_all([f"site:{site}" for site in self._sites(None, None, shelf)])
        ended = end(shelf, actor, why, note, now)
        tx.put_shelf(ended)
        alerts = tx.alerts_of_shelf(shelf.shelf_id, for_update=True)
        quiet = tx.quiet_of(alerts)
        came = [(alert, quiet[alert.alert_id]) for alert in alerts]
        left = on_shelf_end(ended, came, self._policy, now)
        tx.audit(_entry("end", ended, actor, now, _counts(left)))
        messages = [Send(message=one) for one in shelf_messages(ended, left, self._city, now)]
        performer = Performer(tx, self._city, self._policy, now, self._new_id)
        performer.perform((*left.commands, *messages))
        tx.notify(CHANGE_CHANNEL, f"camera:{shelf.camera_id}")
        return ended

    def _sites(self, ask: ShelfAsk | None, alert: Alert | None, shelf: Shelf | None = None) -> Sequence[str]:
        """Whose events must not be decided meanwhile: the camera's site, and the alert's."""
        camera_id = shelf.camera_id if shelf else ask.camera_id if ask else None
        found = {camera.site_id for camera in self._city.cameras if camera.camera_id == camera_id}
        found |= {alert.site_id} if alert is not None and alert.site_id else set()
        found |= {shelf.site_id} if shelf is not None and shelf.site_id else set()
        return sorted(found)


def _views(shelves: Sequence[Shelf], alerts: Sequence[Alert]) -> tuple[ShelfView, ...]:
    held: dict[str | None, list[Alert]] = {}
    for alert in alerts:
        held.setdefault(alert.shelf_id, []).append(alert)
    return tuple(ShelfView(shelf=one, alerts=tuple(held.get(one.shelf_id, ()))) for one in shelves)


def _is_id(text: str | None) -> bool:
    try:
        UUID(text or "")
    except ValueError:
        return False
    return True


def _counts(left: Left) -> dict[str, Any]:
    return {name: list(getattr(left, name)) for name in ("rings", "gone", "held", "closed")}


def _entry(step: str, shelf: Shelf, actor: Actor, now: datetime, more: dict[str, Any]) -> Entry:
    body = {**msgspec.to_builtins(shelf), **more}
    return Entry(kind=f"shelf.{step}", subject=shelf.shelf_id, actor=actor.user, at=now, body=body)
