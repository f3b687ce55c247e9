"""When the watching itself is wrong: what ingest reports becomes one running health alert per subject.

Pure. A camera or an edge that is well again clears its alert by itself; what was lost or forged stays
until a person in the control room clears it.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Literal

import msgspec

from alerts.calm.flapping import flaps, on_back
from alerts.calm.holding import Quiet, hold_of
from alerts.commands import Clear, Commands, Problem, Raise, Touch, changed, opened
from alerts.lifecycle import AlertKind, State, Step
from alerts.policy import HEALTH_LEVEL, Policy
from alerts.reasons import Health, Why
from alerts.values import Alert, LastWord
from monitor.domain.assets import City
from monitor.domain.events import CameraState
from monitor.domain.risk import Reason

#: in these states a camera watches, or is about to
WATCHING = frozenset({CameraState.STREAMING, CameraState.STARTING})

#: many of these are one alert with a newer time, not a longer history
ACCUMULATING = frozenset({Health.DEAD_LETTER, Health.LOSS, Health.SAME_NUMBER_OTHER_HASH})


# ---------------------------------------------------------------- bodies of the work (docs/contracts.md)
class CameraStateWork(msgspec.Struct, frozen=True, kw_only=True):
    """A camera's state changed."""

    camera_id: str
    state: str
    since: datetime
    edge_id: str = ""
    reason: str = ""


class EdgeOnlineWork(msgspec.Struct, frozen=True, kw_only=True):
    """An edge came or went."""

    edge_id: str
    online: bool
    at: datetime | None = None


class NumberGapWork(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers of an edge are missing; nothing missing means that the gap is filled."""

    edge_id: str
    epoch: str
    missing: tuple[tuple[int, int], ...] = ()


class DeadLetterWork(msgspec.Struct, frozen=True, kw_only=True):
    """A message could not be used."""

    edge_id: str | None = None
    topic: str = ""
    reason: str = ""


class LossWork(msgspec.Struct, frozen=True, kw_only=True):
    """An edge had to throw something away."""

    edge_id: str
    what: str = ""
    reason: str = ""
    count: int = 1


class SameNumberWork(msgspec.Struct, frozen=True, kw_only=True):
    """The same number came with another hash."""

    edge_id: str
    epoch: str = ""
    seq: int = 0


class GbDeviceWork(msgspec.Struct, frozen=True, kw_only=True):
    """A device that speaks GB/T 28181 fell silent or is heard, is refused or let in."""

    #: the device's id; of a stranger its address
    subject: str
    what: Literal["silent", "heard", "refused", "let_in"]
    at: datetime
    camera_id: str | None = None
    detail: str = ""


Body = (
    CameraStateWork
    | EdgeOnlineWork
    | NumberGapWork
    | DeadLetterWork
    | LossWork
    | SameNumberWork
    | GbDeviceWork
)


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What a report is judged with. `last` is the database's newest word on the same camera or edge."""

    city: City
    at: datetime
    last: LastWord | None = None


def _camera_state(work: CameraStateWork, context: Context) -> Commands:
    # two workers may take two changes in the other order: the database's word counts, which is never older than
    # the work. Not the later `since`, which is by the edge's clock, and clocks are set back.
    state, since = work.state, work.since
    if context.last is not None:
        state, since = context.last.state, context.last.since
    if state == CameraState.STARTING:
        return ()
    if state in WATCHING:
        return (Clear(health=Health.CAMERA_NOT_WATCHING, subject=work.camera_id),)
    camera = next((c for c in context.city.cameras if c.camera_id == work.camera_id), None)
    site_id, footage = (camera.site_id, camera.footage) if camera else (None, "real")
    detail = work.reason if state == work.state else ""
    return (Raise(problem=not_watching(work.camera_id, site_id, footage, state, since, detail)),)


def not_watching(
    camera_id: str, site_id: str | None, footage: str, state: str, at: datetime, detail: str = ""
) -> Problem:
    """A camera in a state that does not watch."""
    return Problem(
        health=Health.CAMERA_NOT_WATCHING, subject=camera_id, at=at, camera_id=camera_id, site_id=site_id,
        footage=footage, reasons=(Reason(key=f"camera_{state}", points=0, detail=detail),),
    )  # fmt: skip


def _edge_online(work: EdgeOnlineWork, context: Context) -> Commands:
    online, at = work.online, work.at or context.at
    if context.last is not None:
        online, at = context.last.state == "online", context.last.since
    if online:
        return (Clear(health=Health.EDGE_OFFLINE, subject=work.edge_id),)
    return (_problem(Health.EDGE_OFFLINE, work.edge_id, "edge_offline", work.edge_id, at),)


def _number_gap(work: NumberGapWork, context: Context) -> Commands:
    subject = f"{work.edge_id}/{work.epoch}"
    if not work.missing:
        return (Clear(health=Health.NUMBER_GAP, subject=subject),)
    detail = ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in work.missing[:20])
    return (_problem(Health.NUMBER_GAP, subject, "numbers_missing", detail, context.at),)


def _dead_letter(work: DeadLetterWork, context: Context) -> Commands:
    subject = work.edge_id or work.topic or "unknown"
    return (_problem(Health.DEAD_LETTER, subject, "dead_letter", work.reason, context.at),)


def _loss(work: LossWork, context: Context) -> Commands:
    detail = f"{work.what}: {work.count} ({work.reason})"
    return (_problem(Health.LOSS, work.edge_id, "loss", detail, context.at),)


def _same_number(work: SameNumberWork, context: Context) -> Commands:
    detail = f"{work.epoch}/{work.seq}"
    return (
        _problem(Health.SAME_NUMBER_OTHER_HASH, work.edge_id, "same_number_other_hash", detail, context.at),
    )


def _gb_device(work: GbDeviceWork, context: Context) -> Commands:
    health = Health.DEVICE_SILENT if work.what in ("silent", "heard") else Health.DEVICE_REFUSED
    if work.what in ("heard", "let_in"):
        return (Clear(health=health, subject=work.subject),)
    camera = next((c for c in context.city.cameras if c.camera_id == work.camera_id), None)
    reason = Reason(key=health.value, points=0, detail=work.detail)
    return (Raise(problem=Problem(
        health=health, subject=work.subject, at=work.at, camera_id=camera.camera_id if camera else None,
        site_id=camera.site_id if camera else None, footage=camera.footage if camera else "real", reasons=(reason,),
    )),)  # fmt: skip


def _problem(health: Health, subject: str, key: str, detail: str, at: datetime) -> Raise:
    return Raise(problem=Problem(health=health, subject=subject, at=at,
                                 reasons=(Reason(key=key, points=0, detail=detail),)))  # fmt: skip


_KINDS: dict[str, tuple[type[Body], Callable[..., Commands]]] = {
    "camera_state": (CameraStateWork, _camera_state),
    "edge_online": (EdgeOnlineWork, _edge_online),
    "number_gap": (NumberGapWork, _number_gap),
    "dead_letter": (DeadLetterWork, _dead_letter),
    "loss": (LossWork, _loss),
    "same_number_other_hash": (SameNumberWork, _same_number),
    "gb_device": (GbDeviceWork, _gb_device),
}


def read_body(kind: str, body: object) -> Body:
    """A work row's body; ValueError (msgspec.ValidationError) says what is wrong and where."""
    if kind not in _KINDS:
        raise ValueError(f"unknown kind of work {kind!r}, know {sorted(_KINDS)} and 'event'")
    return msgspec.convert(body, _KINDS[kind][0], strict=False)


def on_report(kind: str, body: Body, context: Context) -> Commands:
    """What a report of ingest means for the health alerts."""
    return _KINDS[kind][1](body, context)


# ---------------------------------------------------------------- the health alert itself
class HealthFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the database knows beside the running alert."""

    #: shelves of the problem's camera
    quiet: Quiet = Quiet()
    #: alerts of the same subject that were opened within the window of flapping
    lost_before: int = 0


_NO_FACTS = HealthFacts()


def on_problem(
    running: Alert | None, problem: Problem, policy: Policy, now: datetime, new_id: str,
    facts: HealthFacts = _NO_FACTS,
) -> Commands:  # fmt: skip
    """Opens the health alert, or keeps the running one up to date."""
    if running is None:
        level = HEALTH_LEVEL[problem.health]
        flapping = flaps(problem.health, facts.lost_before, policy.calm)
        hold = None
        if problem.health is Health.CAMERA_NOT_WATCHING:
            hold = hold_of(level=level, camera_id=problem.camera_id, violation=None, alert_id=None, quiet=facts.quiet,
                           seen_at=problem.at, now=now)  # fmt: skip
        alert = Alert(
            alert_id=new_id, kind=AlertKind.HEALTH, state=State.OPEN, health=problem.health, subject=problem.subject,
            site_id=problem.site_id, camera_id=problem.camera_id, level=level,
            reasons=problem.reasons, weights_version=policy.weights.version, footage=problem.footage,
            opened_at=now, onset_at=problem.at, last_seen_at=problem.at, flapping_since=now if flapping else None,
            **(hold.fields if hold else {}),
        )  # fmt: skip
        return (opened(alert, Why.FLAPPING if flapping else Why.PROBLEM_BEGAN, now),)
    newer = msgspec.structs.replace(running, last_seen_at=max(running.last_seen_at, problem.at))
    if running.reasons == problem.reasons or problem.health in ACCUMULATING:
        return (Touch(alert=newer),)
    change = changed(newer, "note", Why.PROBLEM_CHANGED, now, reasons=problem.reasons)
    return (change, Touch(alert=change.after))


def on_over(running: Alert | None, now: datetime, policy: Policy | None = None) -> Commands:
    """Clears the running health alert, if there is one; one that flaps stays until it stayed well."""
    if running is None:
        return ()
    if running.flapping_since is not None:
        return on_back(running, (policy or Policy()).calm, now)
    return (changed(running, Step.CLEAR, Why.PROBLEM_OVER, now, to=State.CLEARED, closed_at=now,
                    condition_ended_at=now, closing_reason=Why.PROBLEM_OVER.value),)  # fmt: skip
