"""The permits' desk: every step is one transaction of the row, its history, its audit entry and what becomes due.

Decides nothing itself: steps.py says what may be done, due.py what becomes due. Locks are taken in this order:
a due row, then a permit's row.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from psycopg.types.json import Jsonb

from alerts.permits import Limit
from alerts.permitting.csv_file import CsvFault, CsvPermits
from alerts.permitting.due import Due, DueRow, due_rows, on_due, reminder
from alerts.permitting.steps import (
    TABLE,
    Ask,
    PermitError,
    PermitForbidden,
    PermitMove,
    PermitNotFound,
    PermitStep,
    may_see,
    on_ask,
    unchanged,
)
from alerts.postgres_rows import value
from alerts.reading import FieldFault
from alerts.values import Actor, Permit, PermitState
from monitor.audit.entries import Entry
from monitor.audit.log import append
from monitor.domain.assets import City
from monitor.domain.risk import Reason
from monitor.domain.roles import Role
from monitor.store.pool import Conn, Pool
from monitor.store.queries import Queries

QUERIES = Queries("alerts.permitting")

#: 'ending soon' on the page, and breaches that it shows
SOON: Final = timedelta(days=7)
BREACHED_SINCE: Final = timedelta(days=30)
_OUTGOING: Final = "hcawatch_outgoing"

#: reasons that name a permit because an alert lay outside of it, or because the law knows no permit for the work …
_NOT_COVERED: Final = frozenset({*(str(limit) for limit in Limit), "permit_not_known_to_law"})
#: … and all that name one
NAMES_PERMIT: Final = sorted(_NOT_COVERED | {"permit", "permit_added"})


class PermitAlert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert that names the permit."""

    alert_id: str
    number: int
    state: str
    level: str
    violation: str
    opened_at: datetime
    closed_at: datetime | None = None
    closing_reason: str | None = None
    chainage_m: float | None = None
    reasons: tuple[Reason, ...] = ()

    def breaks(self, permit_number: str) -> tuple[str, ...]:
        """Why the permit did not cover it: limits, or that the law knows no permit for it; empty: it covered it."""
        return tuple(r.key for r in self.reasons if r.detail == permit_number and r.key in _NOT_COVERED)


class PermitView(msgspec.Struct, frozen=True, kw_only=True):
    """One permit with its history and its alerts."""

    permit: Permit
    moves: tuple[PermitMove, ...]
    alerts: tuple[PermitAlert, ...]


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What an import did, or would do; with faults it does nothing."""

    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    same: tuple[str, ...] = ()
    faults: tuple[CsvFault, ...] = ()


class PermitDesk:
    """See the module. Reminders go by the city's first channels of kind e-mail and SMS."""

    def __init__(self, pool: Pool, city: City) -> None:
        self._pool, self._city = pool, city
        self._channels: dict[str, str] = {
            channel.kind: channel.channel_id for channel in reversed(city.channels)
        }

    # ------------------------------------------------------------ what people do
    def ask(self, number: str, ask: Ask, now: datetime) -> Permit:
        """Takes a step and returns the permit after it; the same key again only returns the permit. PermitError."""
        with self._pool.connection() as conn:
            permit = _read(conn, "permit_for_update", number)
            if permit is None or not may_see(permit, ask.actor):
                raise PermitNotFound(number)
            if ask.idempotency_key and _is_known(conn, number, ask.idempotency_key):
                return permit
            if ask.version is not None and ask.version != permit.version:
                raise PermitError("permit_moved")
            return _take(conn, permit, ask, now)

    def create(self, ask: Ask, now: datetime) -> tuple[Permit, bool]:
        """A new permit, and whether it is new: the same content again is the same permit. PermitError."""
        content = ask.content
        assert content is not None, "a new permit has a content"
        if ask.actor.role is Role.HOLDER:
            content = msgspec.structs.replace(content, holder=ask.actor.user)
        with self._pool.connection() as conn:
            _check_holder(conn, content)
            permit = _read(conn, "permit_for_update", content.permit_number)
            if permit is None:
                return _take(conn, None, msgspec.structs.replace(ask, content=content), now), True
        if ask.actor.role not in TABLE[None, ask.step][1]:
            raise PermitForbidden("permit_not_yours")
        waits = ask.step is PermitStep.REGISTER and permit.state is PermitState.REQUESTED
        if waits or not may_see(permit, ask.actor) or not unchanged(permit, content):
            raise PermitError("permit_number_taken", number=content.permit_number)
        return permit, False

    def import_(self, read: CsvPermits, actor: Actor, now: datetime, *, dry_run: bool = False) -> Imported:
        """All rows of a file in one transaction, or none. `dry_run` undoes what it did."""
        done: dict[str, list[str]] = {"new": [], "changed": [], "same": []}
        faults = list(read.faults)
        if faults:
            return Imported(faults=tuple(faults))
        with self._pool.connection() as conn:
            for line, content in read.rows:
                try:
                    done[_import_one(conn, content, actor, now)].append(content.permit_number)
                except PermitError as exc:
                    facts = {name: str(fact) for name, fact in exc.facts.items()}
                    field = "holder" if exc.key == "field_holder" else "number"
                    faults.append(
                        CsvFault(line=line, column=1, fault=FieldFault(field=field, key=exc.key, facts=facts))
                    )
            if dry_run or faults:
                conn.rollback()
        if faults:
            return Imported(faults=tuple(faults))
        return Imported(new=tuple(done["new"]), changed=tuple(done["changed"]), same=tuple(done["same"]))

    # ------------------------------------------------------------ what time brings
    def run_due(self, now: datetime, limit: int = 100) -> int:
        """Handles up to `limit` rows that are due, one transaction each; returns how many there were."""
        done = 0
        while done < limit and self._one_due(now):
            done += 1
        return done

    def _one_due(self, now: datetime) -> bool:
        with self._pool.connection() as conn:
            found = conn.execute(QUERIES["next_due"], {"now": now}).fetchone()
            if found is None:
                return False
            row = msgspec.convert(found, DueRow)
            conn.execute(QUERIES["finish_due"], {**found, "now": now})
            permit = _read(conn, "permit_for_update", row.permit_number)
            ask = on_due(row, permit, now)
            if ask is not None and permit is not None:
                _take(conn, permit, ask, now)
                if ask.step is PermitStep.REMIND:
                    self._remind(conn, row, permit, now)
            return True

    def _remind(self, conn: Conn, row: DueRow, permit: Permit, now: datetime) -> None:
        ends = f"{permit.valid_to.astimezone(ZoneInfo(self._city.timezone)):%Y-%m-%d %H:%M}"
        message = reminder(row, permit, self._channels, now, ends)
        if message is not None:
            fields = {**msgspec.structs.asdict(message), "body": Jsonb(message.body)}
            conn.execute(QUERIES["add_outgoing"], fields)
            conn.execute(QUERIES["notify"], {"channel": _OUTGOING, "payload": "permit"})

    # ------------------------------------------------------------ what pages show
    def list_permits(
        self, actor: Actor, now: datetime, view: str = "", text: str = "", limit: int = 200
    ) -> tuple[Permit, ...]:
        """Permits of a view ('running', 'coming', 'ending', 'asked', 'breached', 'over'; else all) that fit a text."""
        like = "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        with self._pool.connection() as conn:
            rows = conn.execute(
                QUERIES["list_permits"],
                {"holder": actor.user if actor.role is Role.HOLDER else None, "view": view, "text": text, "like": like,
                 "numbers": sorted(_breached(conn, now)) if view == "breached" else None, "now": now, "soon": now + SOON,
                 "limit": limit},
            )  # fmt: skip
            return tuple(_permit(row) for row in rows)

    def breached(self, now: datetime) -> frozenset[str]:
        """Numbers of the permits that alerts of the last 30 days lay outside of."""
        with self._pool.connection() as conn:
            return _breached(conn, now)

    def view(self, number: str, actor: Actor, most_alerts: int = 50) -> PermitView:
        """One permit with all that belongs to it; PermitNotFound also if it is not the reader's to see."""
        with self._pool.connection() as conn:
            permit = _read(conn, "permit", number)
            if permit is None or not may_see(permit, actor):
                raise PermitNotFound(number)
            moves = tuple(
                value(row, PermitMove) for row in conn.execute(QUERIES["moves"], {"number": number})
            )
            given = {"number": number, "keys": NAMES_PERMIT, "limit": most_alerts}
            alerts = conn.execute(QUERIES["alerts_of_permit"], given)
            return PermitView(
                permit=permit, moves=moves, alerts=tuple(value(row, PermitAlert) for row in alerts)
            )


def plan_due(conn: Conn, permit: Permit, now: datetime) -> None:
    """Writes down what becomes due for a permit, in the caller's transaction."""
    for row in due_rows(permit, now):
        conn.execute(QUERIES["add_due"], msgspec.structs.asdict(row))
        if row.what == Due.END:
            conn.execute(QUERIES["open_end_again"], msgspec.structs.asdict(row))


# ---------------------------------------------------------------- pieces of a transaction
def _take(conn: Conn, permit: Permit | None, ask: Ask, now: datetime) -> Permit:
    number = permit.permit_number if permit else (ask.content.permit_number if ask.content else "")
    row = conn.execute(QUERIES["count_moves"], {"number": number}).fetchone()
    assert row is not None
    after, move = on_ask(permit, ask, int(row["n"]), now)
    if permit is not None:
        conn.execute(QUERIES["update_permit"], _parameters(after))
    elif conn.execute(QUERIES["insert_permit"], {**_parameters(after), "now": now}).rowcount != 1:
        raise PermitError("permit_number_taken", number=number)
    conn.execute(QUERIES["add_move"], _parameters(move))
    body = {**msgspec.to_builtins(move), "version": after.version}
    append(conn, Entry(kind=f"permit.{move.step}", subject=number, actor=move.actor, at=now, body=body))
    plan_due(conn, after, now)
    return after


def _import_one(conn: Conn, content: Permit, actor: Actor, now: datetime) -> str:
    """'new', 'changed' or 'same'."""
    _check_holder(conn, content)
    permit = _read(conn, "permit_for_update", content.permit_number)
    if permit is None:
        _take(conn, None, Ask(step=PermitStep.REGISTER, actor=actor, content=content), now)
        return "new"
    # who made the list may not know the company's login and telephone
    kept = {
        name: getattr(permit, name) for name in ("holder", "phone", "email") if not getattr(content, name)
    }
    number = {"number": permit.permit_number}
    if permit.valid_to > content.valid_to and conn.execute(QUERIES["was_prolonged"], number).rowcount:
        # … and was written before the prolongation
        kept["valid_to"] = permit.valid_to
    content = msgspec.structs.replace(content, **kept)
    same = unchanged(permit, content)
    if same and permit.state in (PermitState.APPROVED, PermitState.ENDED):
        return "same"
    if not same:
        permit = _take(conn, permit, Ask(step=PermitStep.CHANGE, actor=actor, content=content), now)
    if permit.state is not PermitState.APPROVED:
        _take(conn, permit, Ask(step=PermitStep.APPROVE, actor=actor), now)
    return "changed"


def _check_holder(conn: Conn, content: Permit) -> None:
    if content.holder and conn.execute(QUERIES["is_holder"], {"user": content.holder}).fetchone() is None:
        raise PermitError("field_holder")


def _is_known(conn: Conn, number: str, key: str) -> bool:
    return conn.execute(QUERIES["has_move"], {"number": number, "key": key}).fetchone() is not None


def _breached(conn: Conn, now: datetime) -> frozenset[str]:
    given = {"since": now - BREACHED_SINCE, "keys": [str(limit) for limit in Limit]}
    return frozenset(row["number"] for row in conn.execute(QUERIES["breached_permits"], given))


def _read(conn: Conn, query: str, number: str) -> Permit | None:
    row = conn.execute(QUERIES[query], {"number": number}).fetchone()
    return None if row is None else _permit(row)


def _permit(row: Mapping[str, Any]) -> Permit:
    return value({name: row[name] for name in Permit.__struct_fields__}, Permit)


def _parameters(struct: msgspec.Struct) -> dict[str, Any]:
    return {name: _parameter(getattr(struct, name)) for name in struct.__struct_fields__}


def _parameter(field: Any) -> Any:
    if isinstance(field, tuple | dict):
        return Jsonb(msgspec.to_builtins(field))
    # enums are StrEnum: the database's enums take their text
    return str(field) if isinstance(field, str) else field
