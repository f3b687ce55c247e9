"""When the reason for an approved step is gone, it is proposed to take it back. Pure.

A lower number misses nothing that the higher one found, so nothing has to be replayed; a person still decides.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from alerts.feedback.points import Point
from alerts.feedback.proposing import Named, Number, Why


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A step that was approved and not taken back."""

    proposal_id: int
    camera_id: str
    rule_id: str
    number: Number
    point: Point = Point.ALWAYS
    from_value: float
    to_value: float
    decided_at: datetime
    #: SHA-256 of the models whose events it was decided on
    models: tuple[str, ...] = ()


class Since(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a camera since then."""

    #: the number in force where the step is for; None: the camera or its row is no more
    in_force: float | None
    #: confirmed reports of the row's violation at the camera's site that the camera was silent about, and for which nobody
    #: refused to take the step back
    missed: tuple[Named, ...] = ()
    #: of the newest event of the camera; None if there was none
    model: str | None = None
    #: models for which somebody refused to take it back
    refused_models: tuple[str, ...] = ()


class Back(msgspec.Struct, frozen=True, kw_only=True):
    """The step to take back, and why."""

    of: Standing
    why: Why
    alerts: tuple[Named, ...] = ()
    #: of ANOTHER_MODEL: which
    model: str | None = None


def on_standing(step: Standing, since: Since) -> Back | None:
    """Whether its reason is gone; nothing if somebody set another number meanwhile, or refused it for the same reasons."""
    if since.in_force is None or abs(since.in_force - step.to_value) > 1e-9:
        return None
    if since.missed:
        return Back(of=step, why=Why.MISSED_BY_REPORT, alerts=since.missed)
    if since.model is not None and step.models and since.model not in (*step.models, *since.refused_models):
        return Back(of=step, why=Why.ANOTHER_MODEL, model=since.model)
    return None


def newest_first(steps: Sequence[Standing]) -> tuple[Standing, ...]:
    """Of several steps of one row's number, by day or at night, only the newest can be taken back."""
    newest: dict[tuple[str, str, str, str], Standing] = {}
    for step in sorted(steps, key=lambda one: (one.decided_at, one.proposal_id)):
        newest[step.camera_id, step.rule_id, step.number, step.point] = step
    return tuple(newest.values())
