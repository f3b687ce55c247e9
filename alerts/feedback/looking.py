"""The daily look: which steps to propose, which waiting ones not any more, which approved ones to take back.

Reads, asks the pure decisions row by row, writes; in the caller's transaction.
"""

from datetime import datetime

import msgspec

from alerts.feedback import facts
from alerts.feedback.causes import Verdict
from alerts.feedback.facts import QUERIES
from alerts.feedback.judged import Judged
from alerts.feedback.ports import Current
from alerts.feedback.proposals import Proposal, facts_of_back, facts_of_step
from alerts.feedback.proposing import WINDOW, Silence, Step, Why, propose
from alerts.feedback.records import New, decide, make, renew
from alerts.feedback.taking_back import Back, newest_first, on_standing
from monitor.store.pool import Conn

Place = tuple[str, str]


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What a look did."""

    made: tuple[int, ...] = ()
    withdrawn: tuple[int, ...] = ()
    silences: tuple[Silence, ...] = ()


def look(conn: Conn, current: Current | None, now: datetime) -> Looked:
    """One look at all cameras; nothing without a configuration."""
    if current is None:
        return Looked()
    waiting = {
        (row["camera_id"], row["rule_id"]): msgspec.convert(row, Proposal)
        for row in conn.execute(QUERIES["open_proposals"]).fetchall()
    }
    made: list[int] = []
    withdrawn: list[int] = []
    silences: list[Silence] = []
    backs = _backs(conn, current)
    by_row = _by_row(facts.judged(conn, now - WINDOW, now))
    decided = facts.decisions(conn)
    for place in sorted({*by_row, *waiting, *backs}):
        new: New | Silence | None
        if place in backs:
            new = _new_back(backs[place])
        else:
            new = _new_step(conn, current, place, by_row.get(place, ()), decided.get(place), now)
        before = waiting.get(place)
        if isinstance(new, New) and before is not None and _same(new, before):
            renew(conn, before.proposal_id, new.facts)
            continue
        if before is not None:
            why = new.why if isinstance(new, Silence) else (new.why if new is not None else Why.TOO_FEW)
            decide(conn, before, "withdraw", "system", str(why), now)
            withdrawn.append(before.proposal_id)
        if isinstance(new, New):
            made.append(make(conn, new, now).proposal_id)
        elif isinstance(new, Silence):
            silences.append(new)
    return Looked(made=tuple(made), withdrawn=tuple(withdrawn), silences=tuple(silences))


def _by_row(judged: tuple[Judged, ...]) -> dict[Place, tuple[Judged, ...]]:
    """Only rows with a false alarm: where there is none nothing is to be done."""
    found: dict[Place, list[Judged]] = {}
    for one in judged:
        found.setdefault((one.camera_id, one.rule_id), []).append(one)
    return {
        place: tuple(mine)
        for place, mine in found.items()
        if any(one.verdict is Verdict.FALSE for one in mine)
    }


def _new_step(
    conn: Conn,
    current: Current,
    place: Place,
    alerts: tuple[Judged, ...],
    decided_at: datetime | None,
    now: datetime,
) -> New | Silence | None:
    row = facts.row_of(current, *place)
    if row is None:
        return None
    known, models = facts.cases(conn, alerts)
    model = facts.newest_model(conn, place[0], now - WINDOW)
    step = propose(row, known, decided_at=decided_at, now=now, model=model)
    if not isinstance(step, Step):
        return step
    return New(kind="raise", camera_id=step.camera_id, rule_id=step.rule_id, number=step.number, point=step.point,
               from_value=step.from_value, to_value=step.to_value, why=Why.KEEPS_AWAY,
               facts=facts_of_step(step, facts.snapshots(alerts), models if model is None else (model,)))  # fmt: skip


def _backs(conn: Conn, current: Current) -> dict[Place, Back]:
    found: dict[Place, Back] = {}
    for step in newest_first(facts.standing(conn)):
        back = on_standing(step, facts.since_of(conn, step, current))
        if back is not None:
            found[step.camera_id, step.rule_id] = back
    return found


def _new_back(back: Back) -> New:
    step = back.of
    return New(kind="back", camera_id=step.camera_id, rule_id=step.rule_id, number=step.number, point=step.point,
               from_value=step.to_value, to_value=step.from_value, why=back.why, facts=facts_of_back(back),
               of_proposal=step.proposal_id)  # fmt: skip


def _same(new: New, old: Proposal) -> bool:
    return (new.kind, new.number, new.point, new.from_value, new.to_value, new.of_proposal, new.why) == (
        old.kind, old.number, old.point, old.from_value, old.to_value, old.of_proposal, old.why,
    )  # fmt: skip
