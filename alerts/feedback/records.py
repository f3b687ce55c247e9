"""Writes a proposal's row and its audit entry 'feedback.<step>', in the caller's transaction."""

from datetime import datetime
from typing import Any, Literal

import msgspec
from psycopg.types.json import Jsonb

from alerts.feedback.facts import QUERIES, plain
from alerts.feedback.ports import FeedbackError, Written
from alerts.feedback.proposals import Facts, Proposal, ProposalState
from monitor.audit.entries import Entry
from monitor.audit.log import append
from monitor.store.pool import Conn

Decision = Literal["approve", "refuse", "withdraw"]
_STATES: dict[Decision, ProposalState] = {
    "approve": ProposalState.APPROVED,
    "refuse": ProposalState.REFUSED,
    "withdraw": ProposalState.WITHDRAWN,
}


class New(msgspec.Struct, frozen=True, kw_only=True):
    """A proposal that is to be made."""

    kind: Literal["raise", "back"]
    camera_id: str
    rule_id: str
    number: str
    point: str
    from_value: float
    to_value: float
    why: str
    facts: Facts
    of_proposal: int | None = None


def find(conn: Conn, proposal_id: int, *, for_update: bool = False) -> Proposal:
    """One; FeedbackError if there is none."""
    query = QUERIES["proposal_for_update" if for_update else "proposal"]
    row = conn.execute(query, {"proposal_id": proposal_id}).fetchone()
    if row is None:
        raise FeedbackError("proposal_unknown", number=proposal_id)
    return msgspec.convert(row, Proposal)


def make(conn: Conn, new: New, now: datetime) -> Proposal:
    """A new one, by the system."""
    given = {**msgspec.structs.asdict(new), "facts": Jsonb(plain(new.facts)), "now": now}
    row = conn.execute(QUERIES["insert_proposal"], given).fetchone()
    assert row is not None
    proposal = find(conn, row["proposal_id"])
    put_entry(conn, proposal, "propose", "system", now, why=proposal.why, facts=plain(proposal.facts))
    return proposal


def renew(conn: Conn, proposal_id: int, facts: Facts) -> None:
    """The same step, by what is known today."""
    conn.execute(QUERIES["renew_proposal"], {"proposal_id": proposal_id, "facts": Jsonb(plain(facts))})


def decide(
    conn: Conn, proposal: Proposal, decision: Decision, by: str, note: str, now: datetime,
    written: Written | None = None,
) -> Proposal:  # fmt: skip
    """Decided; with what was written, if something was."""
    given = {
        "proposal_id": proposal.proposal_id, "state": _STATES[decision], "now": now, "by": by, "note": note,
        "version": written.version if written else None, "before": _json(written and written.before),
        "after": _json(written and written.after),
    }  # fmt: skip
    conn.execute(QUERIES["decide"], given)
    # the log keeps what was approved: the replay as it stood
    more: dict[str, Any] = {"version": written.version, "facts": plain(proposal.facts)} if written else {}
    put_entry(conn, proposal, decision, by, now, note=note, **more)
    return find(conn, proposal.proposal_id)


def put_entry(conn: Conn, proposal: Proposal, step: str, by: str, now: datetime, **more: Any) -> None:
    """The audit entry of one step of a proposal."""
    body = {
        "proposal": proposal.proposal_id, "kind": proposal.kind, "camera_id": proposal.camera_id,
        "rule_id": proposal.rule_id, "number": proposal.number, "point": proposal.point, "from": proposal.from_value, "to": proposal.to_value,
        **more,
    }  # fmt: skip
    subject = f"proposal:{proposal.proposal_id}"
    append(conn, Entry(kind=f"feedback.{step}", subject=subject, actor=by, at=now, body=body))


def _json(value: Any) -> Jsonb | None:
    return None if value is None else Jsonb(value)
