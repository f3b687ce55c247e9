"""The desk of thresholds by hand: what is in force and why, a change, and taking it back. One transaction each.

Decides nothing itself: what may be set is the rulebook's, checked by the configuration as a file is, and by the edge.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec
from psycopg.types.json import Jsonb

from alerts.thresholds.cells import Cell, Step, Value, changed, entry_with, in_force, put_back, says_the_same
from alerts.thresholds.ports import Entry, Found, Said, SettingBook, ThresholdsError, Wanted
from alerts.values import Actor
from monitor.audit.entries import Entry as AuditEntry
from monitor.audit.log import append
from monitor.domain.roles import Right, may
from monitor.domain.violations import RULES, Rule
from monitor.store.pool import Conn, Pool
from monitor.store.queries import Queries

QUERIES = Queries("alerts.thresholds")
ROWS = {rule.rule_id: rule for rule in RULES}
#: shorter reasons say nothing
LEAST_REASON = 3

Answer = Literal["taken", "refused", "waits", "offline", "unheard"]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One change by hand, as its row holds it."""

    change_id: int
    camera_id: str
    rule_id: str
    #: the camera's own before and after; None: it had none
    entry_before: dict[str, Any] | None = None
    entry_after: dict[str, Any] | None = None
    #: what the edge had set then for all its cameras
    edge_entry: dict[str, Any] | None = None
    changed_at: datetime
    changed_by: str
    reason: str
    version: int
    reverted_at: datetime | None = None
    reverted_by: str | None = None
    revert_reason: str = ""
    reverted_version: int | None = None

    @property
    def before(self) -> Entry | None:
        """What held at the camera before: its own, or the edge's."""
        return _or(self.entry_before, self.edge_entry)

    @property
    def after(self) -> Entry | None:
        """What held after it."""
        return _or(self.entry_after, self.edge_entry)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One rule at the camera."""

    rule: Rule
    #: switched on; whether it holds at this hour, `hcawatch rules` says
    on: bool
    reason: str
    cells: dict[Cell, Value]


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """All that the page of one camera shows."""

    number: int
    camera_id: str
    edge_id: str
    rows: tuple[Row, ...]
    changes: tuple[Change, ...]
    said: Said | None


def answer_of(said: Said | None, wanted: int) -> Answer:
    """What the edge makes of a version."""
    if said is None:
        return "unheard"
    if said.in_force is not None and said.in_force >= wanted:
        return "taken"
    if not said.taken and (said.about or 0) >= wanted:
        return "refused"
    return "waits" if said.online else "offline"


class ThresholdsDesk:
    """See the module."""

    def __init__(self, pool: Pool, book: SettingBook) -> None:
        self._pool, self._book = pool, book

    def of_camera(self, camera_id: str) -> Shown:
        """What holds at a camera, where it comes from, and what was changed by hand. ThresholdsError."""
        with self._pool.connection() as conn:
            found = self._found(conn, camera_id)
            steps: dict[str, list[Step]] = {}
            for row in conn.execute(QUERIES["steps"], {"camera_id": camera_id}):
                steps.setdefault(row.pop("rule_id"), []).append(msgspec.convert(row, Step))
            changes = conn.execute(QUERIES["changes"], {"camera_id": camera_id, "limit": 50}).fetchall()
            said = self._book.said(conn, found.edge_id)
        rows = tuple(_row(rule, found, steps.get(rule.rule_id, [])) for rule in RULES)
        return Shown(number=found.number, camera_id=camera_id, edge_id=found.edge_id, rows=rows,
                     changes=tuple(msgspec.convert(row, Change) for row in changes), said=said)  # fmt: skip

    def said(self, camera_id: str) -> tuple[int, Said | None]:
        """The newest version's number, and the edge's last word. ThresholdsError."""
        with self._pool.connection() as conn:
            found = self._found(conn, camera_id)
            return found.number, self._book.said(conn, found.edge_id)

    def set(
        self, camera_id: str, rule_id: str, cells: Mapping[Cell, float | None], *,
        actor: Actor, reason: str, now: datetime, seen: int | None = None,
    ) -> Change:  # fmt: skip
        """Writes the version that the edge then hears. ThresholdsError.

        Args:
            cells: what is to be in them; None: what the next wider cell has.
            seen: version that the person saw; None: whatever is the newest.
        """
        reason = _may(actor, reason)
        with self._pool.connection() as conn:
            found = self._found(conn, camera_id, rule_id, seen)
            before, of_edge = found.own.get(rule_id), found.of_edge.get(rule_id)
            after = entry_with(_or(before, of_edge), rule_id, cells, reason, of_edge)
            if says_the_same(_or(before, of_edge), _or(after, of_edge)):
                raise ThresholdsError("thresholds_nothing_new")
            version, after = self._book.write(conn, _wanted(found, rule_id, after, actor, reason, now))
            given = {"camera_id": camera_id, "rule_id": rule_id, "before": _json(before), "after": _json(after),
                     "of_edge": _json(of_edge), "now": now, "by": actor.user, "reason": reason, "version": version}  # fmt: skip
            row = conn.execute(QUERIES["insert_change"], given).fetchone()
            assert row is not None
            change = _change(conn, row["change_id"])
            _put_entry(
                conn, "set", change, _or(before, of_edge), _or(after, of_edge), actor, now, reason, version
            )
        return change

    def take_back(self, change_id: int, *, actor: Actor, reason: str, now: datetime) -> Change:
        """Writes a version with the numbers as they were before; what others changed since stays. ThresholdsError."""
        reason = _may(actor, reason)
        with self._pool.connection() as conn:
            change = _change(conn, change_id)
            if change.reverted_at is not None:
                raise ThresholdsError("thresholds_taken_back_already")
            rule_id = change.rule_id
            found = self._found(conn, change.camera_id, rule_id)
            now_is, of_edge = found.own.get(rule_id), found.of_edge.get(rule_id)
            after = _undone(change, now_is, of_edge, reason)
            version, after = self._book.write(conn, _wanted(found, rule_id, after, actor, reason, now))
            given = {
                "change_id": change_id,
                "now": now,
                "by": actor.user,
                "reason": reason,
                "version": version,
            }
            conn.execute(QUERIES["revert_change"], given)
            _put_entry(
                conn, "revert", change, _or(now_is, of_edge), _or(after, of_edge), actor, now, reason, version
            )
            return _change(conn, change_id)

    def _found(
        self, conn: Conn, camera_id: str, rule_id: str | None = None, seen: int | None = None
    ) -> Found:
        found = self._book.found(conn, camera_id)
        if found is None:
            raise ThresholdsError("thresholds_no_camera", camera=camera_id)
        if rule_id is not None and rule_id not in ROWS:
            raise ThresholdsError("thresholds_no_rule", rule=rule_id, known=", ".join(ROWS))
        if seen is not None and seen != found.number:
            raise ThresholdsError("thresholds_moved", seen=seen, number=found.number)
        return found


def _undone(
    change: Change, now_is: Entry | None, of_edge: Entry | None, reason: str
) -> dict[str, Any] | None:
    """The camera's entry without that change; ThresholdsError if its numbers were changed since."""
    to_edge = change.entry_after is None
    as_left = to_edge is (now_is is None) and says_the_same(now_is, change.entry_after)
    if as_left and (not to_edge or says_the_same(of_edge, change.edge_entry)):
        return change.entry_before
    held = of_edge if to_edge and now_is is None else now_is
    undone = put_back(held, change.before, change.after)
    return entry_with(_or(now_is, of_edge), change.rule_id, undone, reason, of_edge)


def _or(own: Entry | None, of_edge: Entry | None) -> Entry | None:
    """What holds at the camera: its own entry replaces all of the edge's."""
    return of_edge if own is None else own


def _row(rule: Rule, found: Found, steps: list[Step]) -> Row:
    own, of_edge = found.own.get(rule.rule_id), found.of_edge.get(rule.rule_id)
    entry = (own if own is not None else of_edge) or {}
    return Row(rule=rule, on=bool(entry.get("on", True)), reason=str(entry.get("reason", "")),
               cells=in_force(rule, own, of_edge, steps))  # fmt: skip


def _change(conn: Conn, change_id: int) -> Change:
    row = conn.execute(QUERIES["change_for_update"], {"change_id": change_id}).fetchone()
    if row is None:
        raise ThresholdsError("thresholds_no_change", number=change_id)
    return msgspec.convert(row, Change)


def _wanted(
    found: Found, rule_id: str, entry: dict[str, Any] | None, actor: Actor, reason: str, now: datetime
) -> Wanted:
    return Wanted(camera_id=found.camera_id, rule_id=rule_id, entry=entry, author=actor.user, reason=reason, now=now,
                  seen=found.number)  # fmt: skip


def _put_entry(
    conn: Conn, step: Literal["set", "revert"], change: Change, before: Entry | None,
    after: Entry | None, actor: Actor, now: datetime, reason: str, version: int,
) -> None:  # fmt: skip
    body = {
        "change": change.change_id, "camera_id": change.camera_id, "rule_id": change.rule_id, "reason": reason,
        "version": version, "role": str(actor.role),
        "numbers": {str(cell): {"from": old, "to": new} for cell, (old, new) in changed(before, after).items()},
    }  # fmt: skip
    subject = f"camera:{change.camera_id}"
    append(conn, AuditEntry(kind=f"thresholds.{step}", subject=subject, actor=actor.user, at=now, body=body))


def _may(actor: Actor, reason: str) -> str:
    if not may(actor.role, Right.SET_THRESHOLDS):
        raise ThresholdsError("thresholds_not_yours")
    reason = reason.strip()
    if len(reason) < LEAST_REASON:
        raise ThresholdsError("thresholds_need_reason")
    return reason


def _json(value: Any) -> Jsonb | None:
    return None if value is None else Jsonb(value)
