"""The clocks of an alert: what has to follow, until when, and whether it did. Pure.

Two parties have clocks of their own, the operator's patrol and the authority's officers; the room's two
(acknowledge, verify) are the operator's. A clock that was answered, or whose question no longer stands (refuted,
recalled, closed, the other party is under way), runs out for nobody.
"""

from datetime import datetime, timedelta

import msgspec

from alerts.commands import Change
from alerts.lifecycle import AlertKind, State, Step
from alerts.reasons import EndOfDispatch
from alerts.supervising import is_kept
from alerts.values import Alert, Confirmation, Dispatch
from alerts.visiting.bundling import SAME_VISIT
from monitor.domain.assets import City
from monitor.domain.levels import Level
from monitor.domain.response import PARTIES, Milestone, Party, Response

_OPERATOR: Party = "operator_patrol"
#: an officer whose dispatch ended otherwise did not do it
_DID = (None, EndOfDispatch.RESOLVED)
#: who handed over had done it, and the successor's clock goes on from there
_DID_BEFORE = (*_DID, EndOfDispatch.HANDED_OVER)
#: what follows such an end is a fresh start: put right, or called back by the room
_ENDS_THE_RUN = (EndOfDispatch.RESOLVED, EndOfDispatch.RECALLED)


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """One clock of one party."""

    party: Party
    milestone: Milestone
    since: datetime
    due_at: datetime
    #: when what was waited for happened
    met_at: datetime | None = None
    #: nobody waits for it any more, or somebody answered in another way
    quiet: bool = False

    @property
    def name(self) -> str:
        """As rows and keys call it."""
        return f"{self.party}:{self.milestone.value}"

    @property
    def runs(self) -> bool:
        """Whether it can still run out."""
        return self.met_at is None and not self.quiet

    def ran_out(self, now: datetime) -> bool:
        """Whether something should have followed by now, and did not."""
        return self.runs and self.due_at <= now

    def was_late(self) -> bool:
        """Whether it was met, but too late."""
        return self.met_at is not None and self.met_at > self.due_at


def clocks(
    alert: Alert, dispatches: tuple[Dispatch, ...], city: City, response: Response
) -> tuple[Clock, ...]:
    """All clocks of a violation that were started, the operator's first. `dispatches` are the alert's, oldest first."""
    if alert.kind is not AlertKind.VIOLATION or alert.state is State.SUPERVISED:
        return ()
    # who is there because of another alert has no deadline for this one until they begin with it
    dispatches = tuple(d for d in dispatches if d.choice != SAME_VISIT or d.accepted_at is not None)
    run = this_run(dispatches)
    over = alert.closed_at is not None
    idle = over or alert.confirmation is Confirmation.REFUTED or alert.held_by is not None
    # called back by the room, and nobody is meant to go now
    recalled = bool(run) and run[-1].end_reason == EndOfDispatch.RECALLED
    found: list[Clock] = []

    def add(
        party: Party, milestone: Milestone, since: datetime | None, met_at: datetime | None, quiet: bool
    ) -> None:
        limit_s = response.limit(party, alert.level).of(milestone)
        if since is not None and limit_s is not None:
            due_at = since + timedelta(seconds=limit_s)
            found.append(
                Clock(
                    party=party, milestone=milestone, since=since, due_at=due_at, met_at=met_at, quiet=quiet
                )
            )

    for party in PARTIES:
        mine = [d for d in run if party_of(d, city) == party]
        did = [d for d in mine if d.end_reason in _DID]
        before = [d for d in mine if d.end_reason in _DID_BEFORE]
        accepted_at = min((d.accepted_at for d in before if d.accepted_at), default=None)
        arrived_at = min((d.arrived_at for d in before if d.arrived_at), default=None)
        passed_on = bool(mine) and not did and run[-1] is not mine[-1]
        if party == _OPERATOR:
            # whoever accepted, somebody saw it; that it is opened again later does not take that back
            someone = any(d.accepted_at for d in dispatches)
            add(party, Milestone.ACKNOWLEDGE, alert.rings_from, alert.acknowledged_at, idle or someone)
        sent_at = mine[0].dispatched_at if mine else None
        if party == _OPERATOR and not run:
            sent_at = _to_be_sent_since(alert)
        quiet = idle or recalled or passed_on
        add(party, Milestone.ACCEPT, sent_at, accepted_at, quiet)
        add(party, Milestone.ARRIVE, sent_at if mine else None, arrived_at, quiet)
        add(party, Milestone.CURE, arrived_at, alert.resolved_at, quiet)
        if party == _OPERATOR:
            add(party, Milestone.VERIFY, alert.resolved_at, alert.closed_at, over)
    return tuple(found)


def this_run(dispatches: tuple[Dispatch, ...]) -> tuple[Dispatch, ...]:
    """The dispatches since the case was opened, or begun anew: those up to an earlier end of it are history."""
    last = max((n for n, d in enumerate(dispatches[:-1], 1) if d.end_reason in _ENDS_THE_RUN), default=0)
    return dispatches[last:]


def own_due(clock: Clock, dispatch: Dispatch) -> datetime | None:
    """When one dispatch of the clock's party passes the limit by itself; None if it did the step, ended before, or
    has none."""
    limit = clock.due_at - clock.since
    match clock.milestone:
        case Milestone.ACCEPT if dispatch.accepted_at is None:
            due_at = dispatch.dispatched_at + limit
        case Milestone.ARRIVE if dispatch.arrived_at is None:
            due_at = dispatch.dispatched_at + limit
        case Milestone.CURE if dispatch.arrived_at is not None:
            due_at = dispatch.arrived_at + limit
        case _:
            return None
    return due_at if dispatch.ended_at is None or due_at <= dispatch.ended_at else None


def party_of(dispatch: Dispatch, city: City) -> Party:
    """Whose clock a dispatch runs; a team that the city no longer has counts as the authority's."""
    team = city.team(dispatch.team_id)
    return team.kind if team is not None else "authority"


def _to_be_sent_since(alert: Alert) -> datetime | None:
    """Since when somebody should be on the way, although nobody could be sent."""
    if alert.state is not State.OPEN or is_kept(alert):
        return None
    if alert.confirmation is Confirmation.CONFIRMED:
        return max(alert.rings_from, alert.acknowledged_at or alert.opened_at)
    return alert.rings_from if alert.level in (Level.I, Level.II) else None


def first_look(
    change: Change, dispatch: Dispatch | None, city: City, response: Response, now: datetime
) -> datetime | None:
    """When to look at the clocks next because of this transition; None if it starts or shortens none."""
    alert = change.after
    if alert.kind is not AlertKind.VIOLATION or alert.closed_at is not None:
        return None
    limits = response.limit(_OPERATOR if dispatch is None else party_of(dispatch, city), alert.level)
    limit_s: float | None = None
    match change.move.step:
        case Step.ACCEPT if dispatch is not None:
            limit_s = limits.arrive_s - (now - dispatch.dispatched_at).total_seconds()
        case Step.ARRIVE:
            limit_s = limits.cure_s
        case Step.RESOLVE:
            limit_s = response.limit(_OPERATOR, alert.level).verify_s
        case "rise":
            limit_s = 0.0
        case "ring":
            limit_s = min(limits.acknowledge_s or limits.accept_s, limits.accept_s)
    if change.before.confirmation is Confirmation.REFUTED and alert.confirmation is not Confirmation.REFUTED:
        limit_s = 0.0
    return None if limit_s is None else now + timedelta(seconds=max(0.0, limit_s))
