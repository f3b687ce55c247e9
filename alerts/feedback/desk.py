"""The feedback desk: precision, and thresholds that are proposed, decided and taken back. One transaction each.

Decides nothing itself. A decision, the configuration's version and the audit entries are one transaction; locks
are taken in this order: what is due, a proposal's row, the configuration's versions.
"""

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
import structlog

from alerts.errors import AlertsError
from alerts.feedback import facts
from alerts.feedback.facts import QUERIES
from alerts.feedback.judged import Precision, precision
from alerts.feedback.looking import look
from alerts.feedback.points import Point
from alerts.feedback.ports import Ask, Current, FeedbackError, RuleBook, Written
from alerts.feedback.proposals import Proposal, ProposalState
from alerts.feedback.proposing import Row, Silence, Why, own_numbers, still_safe
from alerts.feedback.records import decide, find, put_entry
from alerts.values import Actor
from monitor.domain.roles import Right, may
from monitor.store.pool import Conn, Pool

log = structlog.get_logger(__name__)

LOOK_EVERY: Final = timedelta(days=1)
#: after one that failed
LOOK_AGAIN: Final = timedelta(hours=1)
_DUE: Final = "proposals"
#: what no retry can mend
_HOPELESS = (
    ValueError,
    LookupError,
    TypeError,
    ArithmeticError,
    AssertionError,
    AlertsError,
    msgspec.MsgspecError,
)


class FeedbackDesk:
    """See the module. Without a `book` it only shows: nothing can be proposed or decided."""

    def __init__(self, pool: Pool, timezone: str, book: RuleBook | None = None) -> None:
        self._pool, self._zone, self._book = pool, ZoneInfo(timezone), book
        self._begun = False

    # ------------------------------------------------------------ what pages show
    def precision(self, since: datetime, until: datetime) -> tuple[Precision, ...]:
        """Each camera and rule with an alert since then; weeks are the city's."""
        with self._pool.connection() as conn:
            return precision(facts.judged(conn, since, until), since, until, self._zone)

    def proposals(self, state: ProposalState | None = None, limit: int = 200) -> tuple[Proposal, ...]:
        """Those that wait first, then the newest."""
        with self._pool.connection() as conn:
            rows = conn.execute(QUERIES["list_proposals"], {"state": state, "limit": limit})
            return tuple(msgspec.convert(row, Proposal) for row in rows)

    def proposal(self, proposal_id: int) -> Proposal:
        """One; FeedbackError if there is none."""
        with self._pool.connection() as conn:
            return find(conn, proposal_id)

    # ------------------------------------------------------------ what time brings
    def run_due(self, now: datetime) -> int:
        """Looks for proposals if that is due and nobody else does it; returns how many looks there were."""
        if self._book is None:
            return 0
        try:
            return self._look_if_due(now)
        except _HOPELESS:
            log.exception("feedback.look_failed", again_after_s=LOOK_AGAIN.total_seconds())
            with self._pool.connection() as conn:
                conn.execute(QUERIES["put_due"], {"what": _DUE, "due_at": now + LOOK_AGAIN})
            return 0

    def _look_if_due(self, now: datetime) -> int:
        assert self._book is not None
        with self._pool.connection() as conn:
            if not self._begun:
                conn.execute(QUERIES["begin_due"], {"what": _DUE, "now": now})
                self._begun = True
            if conn.execute(QUERIES["take_due"], {"what": _DUE, "now": now}).fetchone() is None:
                return 0
            made = look(conn, self._book.current(conn), now)
            conn.execute(QUERIES["put_due"], {"what": _DUE, "due_at": now + LOOK_EVERY})
        if made.made or made.withdrawn:
            log.info("feedback.looked", made=made.made, withdrawn=made.withdrawn)
        return 1

    def look(self, now: datetime) -> tuple[tuple[int, ...], tuple[Silence, ...]]:
        """Looks at once: numbers of the new proposals, and why nothing is proposed for the other rows."""
        with self._pool.connection() as conn:
            made = look(conn, self._current(conn), now)
        return made.made, made.silences

    # ------------------------------------------------------------ what people do
    def approve(self, proposal_id: int, actor: Actor, note: str, now: datetime) -> Proposal:
        """Writes the configuration version that edges then hear. FeedbackError."""
        _may_decide(actor)
        with self._pool.connection() as conn:
            proposal = find(conn, proposal_id, for_update=True)
            current = self._current(conn)
            row = _open_row(proposal, current)
            if proposal.kind == "back":
                return self._approve_back(conn, proposal, current, actor, note, now)
            known, _ = facts.cases(conn, facts.of_row(conn, proposal.camera_id, proposal.rule_id, now))
            own = own_numbers(row, proposal.number, proposal.point)
            safe = still_safe(row, proposal.number, proposal.to_value, known, proposal.point)
            if own is None and safe:
                written = self._write(conn, proposal, current, actor, note, now)
                return decide(conn, proposal, "approve", actor.user, note, now, written)
            decide(conn, proposal, "withdraw", actor.user, str(own or Why.WOULD_MISS), now)
        raise FeedbackError("proposal_not_safe" if own is None else "proposal_own_numbers")

    def refuse(self, proposal_id: int, actor: Actor, note: str, now: datetime) -> Proposal:
        """Leaves everything as it is, and says why. FeedbackError."""
        _may_decide(actor)
        _needs(note)
        with self._pool.connection() as conn:
            proposal = find(conn, proposal_id, for_update=True)
            if proposal.state is not ProposalState.PROPOSED:
                raise FeedbackError("proposal_wrong_state")
            return decide(conn, proposal, "refuse", actor.user, note, now)

    def revert(self, proposal_id: int, actor: Actor, note: str, now: datetime) -> Proposal:
        """Takes an approved step back by a version of its own. FeedbackError."""
        _may_decide(actor)
        _needs(note)
        with self._pool.connection() as conn:
            proposal = find(conn, proposal_id, for_update=True)
            if proposal.state is not ProposalState.APPROVED or proposal.kind != "raise":
                raise FeedbackError("proposal_wrong_state")
            return self._take_back(conn, proposal, self._current(conn), actor, note, now)

    # ------------------------------------------------------------ pieces of a transaction
    def _current(self, conn: Conn) -> Current:
        current = None if self._book is None else self._book.current(conn)
        if current is None:
            raise FeedbackError("proposal_no_config")
        return current

    def _write(self, conn: Conn, proposal: Proposal, current: Current, actor: Actor, note: str, now: datetime) -> Written:  # fmt: skip
        assert self._book is not None
        return self._book.set_number(conn, _ask(proposal, proposal.to_value, actor, note, now, current))

    def _approve_back(
        self, conn: Conn, proposal: Proposal, current: Current, actor: Actor, note: str, now: datetime
    ) -> Proposal:
        assert proposal.of_proposal is not None
        step = find(conn, proposal.of_proposal, for_update=True)
        if step.state is not ProposalState.APPROVED:
            raise FeedbackError("proposal_wrong_state")
        reverted = self._take_back(conn, step, current, actor, note or str(proposal.why), now)
        written = Written(version=reverted.reverted_version or current.number)
        return decide(conn, proposal, "approve", actor.user, note, now, written)

    def _take_back(
        self, conn: Conn, step: Proposal, current: Current, actor: Actor, note: str, now: datetime
    ) -> Proposal:
        assert self._book is not None
        _still_in_force(step, current, step.to_value)
        ask = _ask(step, step.from_value, actor, note, now, current)
        written = self._book.put_back(conn, ask, step.entry_before, step.entry_after)
        given = {
            "proposal_id": step.proposal_id,
            "now": now,
            "by": actor.user,
            "note": note,
            "version": written.version,
        }
        conn.execute(QUERIES["revert"], given)
        put_entry(conn, step, "revert", actor.user, now, note=note, version=written.version)
        return find(conn, step.proposal_id)


def _ask(proposal: Proposal, to: float, actor: Actor, note: str, now: datetime, current: Current) -> Ask:
    back = to == proposal.from_value
    was = proposal.to_value if back else proposal.from_value
    said = (
        f"feedback {proposal.proposal_id}{' taken back' if back else ''}: {proposal.number}{_when(proposal.point)}"
        f" {was:g} -> {to:g}"
    )
    return Ask(camera_id=proposal.camera_id, rule_id=proposal.rule_id, number=proposal.number, value=to,
               was=was, point=proposal.point,
               author=actor.user, reason=f"{said}. {note}".strip()[:200], now=now, seen=current.number)  # fmt: skip


def _when(point: Point) -> str:
    return {Point.DAY: " by day", Point.NIGHT: " at night"}.get(point, "")


def _open_row(proposal: Proposal, current: Current) -> Row:
    if proposal.state is not ProposalState.PROPOSED:
        raise FeedbackError("proposal_wrong_state")
    return _still_in_force(proposal, current, proposal.from_value)


def _still_in_force(proposal: Proposal, current: Current, expected: float) -> Row:
    row = facts.row_of(current, proposal.camera_id, proposal.rule_id)
    now_is = None if row is None else row.in_force(proposal.number, proposal.point)
    if row is None or now_is is None or abs(now_is - expected) > 1e-9:
        raise FeedbackError(
            "proposal_moved", now="–" if now_is is None else f"{now_is:g}", was=f"{expected:g}"
        )
    return row


def _may_decide(actor: Actor) -> None:
    if not may(actor.role, Right.DECIDE_FEEDBACK):
        raise FeedbackError("proposal_not_yours")


def _needs(note: str) -> None:
    if not note.strip():
        raise FeedbackError("proposal_needs_note")
