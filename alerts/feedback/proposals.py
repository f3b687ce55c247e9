"""A proposal as its row holds it, and what it rests on as facts that pages show. Pure."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from alerts.feedback.points import Point
from alerts.feedback.proposing import Named, Number, Step
from alerts.feedback.taking_back import Back


class ProposalState(StrEnum):
    """States of a proposal."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    REVERTED = "reverted"


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """An alert of the replay, with its picture."""

    alert_id: str
    number: int
    snapshot: str | None = None
    #: of one that would have come all the same
    later_s: float = 0.0


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a proposal rests on."""

    ceiling: float = 0.0
    shipped: float = 0.0
    since: datetime | None = None
    until: datetime | None = None
    causes: tuple[tuple[str, int], ...] = ()
    avoided: tuple[Shown, ...] = ()
    left: tuple[Shown, ...] = ()
    kept: tuple[Shown, ...] = ()
    #: of a step by day or at night alone: right or lawful alerts of the other, which it has nothing to do with
    untouched: int = 0
    #: of a step back: reports that the camera was silent about
    missed: tuple[Shown, ...] = ()
    #: SHA-256 of the detector whose false alarms were counted; of a step back, of the other one that looks now
    models: tuple[str, ...] = ()


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """One row."""

    proposal_id: int
    kind: str
    camera_id: str
    rule_id: str
    number: Number
    point: Point = Point.ALWAYS
    from_value: float
    to_value: float
    why: str
    facts: Facts
    state: ProposalState
    of_proposal: int | None = None
    made_at: datetime
    decided_at: datetime | None = None
    decided_by: str | None = None
    note: str = ""
    entry_before: dict[str, Any] | None = None
    entry_after: dict[str, Any] | None = None
    written_version: int | None = None
    reverted_at: datetime | None = None
    reverted_by: str | None = None
    revert_note: str = ""
    reverted_version: int | None = None


def facts_of_step(step: Step, snapshots: dict[str, str | None], models: tuple[str, ...]) -> Facts:
    """What a step rests on, with the pictures of its alerts by their ids."""

    def shown(one: Named) -> Shown:
        return Shown(alert_id=one.alert_id, number=one.number, snapshot=snapshots.get(one.alert_id))

    kept = tuple(
        Shown(alert_id=k.alert_id, number=k.number, snapshot=snapshots.get(k.alert_id), later_s=k.later_s)
        for k in step.kept
    )
    return Facts(ceiling=step.ceiling, shipped=step.shipped, since=step.since, until=step.until, causes=step.causes,
                 avoided=tuple(map(shown, step.avoided)), left=tuple(map(shown, step.left)), kept=kept, untouched=step.untouched, models=models)  # fmt: skip


def facts_of_back(back: Back) -> Facts:
    """Why a step is to be taken back."""
    return Facts(missed=tuple(Shown(alert_id=one.alert_id, number=one.number) for one in back.alerts),
                 models=() if back.model is None else (back.model,))  # fmt: skip
