"""Who is sent: a member of a team that covers the site, free if possible, from the nearest base.

Pure. The engine asks under one lock for all dispatching, so that two alerts never take the same
free officer for free at once.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from alerts.commands import Clear, Commands, Raise, SeekOfficer, SetTimer, StartDispatch, changed
from alerts.commands import Problem as HealthProblem
from alerts.joining import distance_m
from alerts.lifecycle import Incomplete, State
from alerts.policy import Policy
from alerts.reasons import Choice, EndOfDispatch, Health
from alerts.values import SYSTEM, Alert, Dispatch, Timer, TimerKind
from monitor.domain.assets import City, LonLat, Team
from monitor.domain.risk import Reason


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """The officer to send, and why this one."""

    team_id: str
    officer: str
    choice: Choice


class Nobody(msgspec.Struct, frozen=True, kw_only=True):
    """Nobody can be sent, and why."""

    choice: Choice


class Crew(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the people when choosing."""

    #: running dispatches by user name; who has none is missing
    running: Mapping[str, int] = {}
    #: earlier dispatches of the same alert
    earlier: tuple[Dispatch, ...] = ()

    def ended(self, why: EndOfDispatch) -> frozenset[str]:
        """Officers whose earlier dispatch of this alert ended so."""
        return frozenset(d.officer for d in self.earlier if d.end_reason == why)


def who_covers(site_id: str | None, city: City) -> tuple[str, ...]:
    """User names of all who may be sent to the site."""
    teams = (team for team in city.teams if not team.sites or site_id in team.sites)
    return tuple(member.user for team in teams for member in team.members)


def choose_officer(
    site_id: str | None, place: LonLat | None, city: City, crew: Crew, policy: Policy
) -> Chosen | Nobody:
    """The best officer. Free before busy, near before far, user name last so that it can be repeated."""
    covering = [
        (team, member.user)
        for team in city.teams
        if not team.sites or site_id in team.sites
        for member in team.members
    ]
    if not covering:
        return Nobody(choice=Choice.NOBODY_COVERS)
    declined = crew.ended(EndOfDispatch.DECLINED)
    willing = [(team, user) for team, user in covering if user not in declined]
    if not willing:
        return Nobody(choice=Choice.ALL_DECLINED)
    within = [(team, user) for team, user in willing if crew.running.get(user, 0) < policy.most_per_officer]
    if not within:
        return Nobody(choice=Choice.ALL_AT_LIMIT)
    dark = crew.ended(EndOfDispatch.WENT_DARK)
    answering = [(team, user) for team, user in within if user not in dark]
    team, user = min(
        answering or within, key=lambda tu: (crew.running.get(tu[1], 0), _metres(tu[0], place), tu[1])
    )
    if not answering:
        return Chosen(team_id=team.team_id, officer=user, choice=Choice.ASKED_AGAIN)
    busy = crew.running.get(user, 0) > 0
    return Chosen(
        team_id=team.team_id, officer=user, choice=Choice.LEAST_LOADED if busy else Choice.NEAREST_FREE
    )


def _metres(team: Team, place: LonLat | None) -> float:
    """From the team's base to the alert; a team without a base, or an alert without a place, counts as far."""
    if team.base is None or place is None:
        return float("inf")
    return distance_m(team.base, place)


def send(
    seek: SeekOfficer, alert: Alert, chosen: Chosen | Nobody, policy: Policy, now: datetime, new_id: str
) -> Commands:
    """The dispatch itself, or what happens when nobody can be sent.

    A person's request is then refused (Incomplete); the system's own stays open, says so, and tries again.
    """
    if isinstance(chosen, Nobody):
        if seek.request is not None:
            missing = f"nobody can be sent ({chosen.choice}); a team must cover the site {alert.site_id}"
            raise Incomplete(alert.kind, alert.state, seek.step, missing)
        return _nobody(alert, chosen, policy, now)
    actor = seek.request.actor if seek.request else SYSTEM
    dispatch = Dispatch(dispatch_id=new_id, alert_id=alert.alert_id, team_id=chosen.team_id, officer=chosen.officer,
                        dispatched_at=now)  # fmt: skip
    facts = {
        "dispatch_id": new_id,
        "team_id": chosen.team_id,
        "officer": chosen.officer,
        "choice": str(chosen.choice),
    }
    fields: dict[str, Any] = (
        {"resolved_at": None, "resolved_by": None} if alert.state is State.RESOLVED else {}
    )
    change = changed(alert, seek.step, seek.why, now, to=State.DISPATCHED, actor=actor, request=seek.request,
                     facts=facts, **fields)  # fmt: skip
    overdue = Timer(alert_id=alert.alert_id, what=TimerKind.ACCEPT_OVERDUE, due_at=now + policy.accept_within,
                    dispatch_id=new_id)  # fmt: skip
    return (
        change,
        StartDispatch(dispatch=dispatch, choice=chosen.choice),
        SetTimer(timer=overdue),
        Clear(health=Health.NOBODY_TO_DISPATCH, subject=where(alert)),
    )


def _nobody(alert: Alert, nobody: Nobody, policy: Policy, now: datetime) -> Commands:
    problem = HealthProblem(
        health=Health.NOBODY_TO_DISPATCH, subject=where(alert), at=now, site_id=alert.site_id,
        camera_id=alert.camera_id, footage=alert.footage,
        reasons=(Reason(key=str(nobody.choice), points=0, detail=alert.alert_id),),
    )  # fmt: skip
    retry = Timer(
        alert_id=alert.alert_id, what=TimerKind.RETRY_DISPATCH, due_at=now + policy.retry_dispatch_after
    )
    return (Raise(problem=problem), SetTimer(timer=retry, once=True))


def where(alert: Alert) -> str:
    """Subject of the health alert that nobody can be sent: the site."""
    return alert.site_id or alert.subject
