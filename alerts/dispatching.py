"""Who is sent: somebody who covers the site, on shift before on call, with the skill that is asked for, free if
possible, with the shortest way.

Pure. The engine asks under one lock for all dispatching, so that two alerts never take the same
free officer for free at once.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from alerts.calm.holding import ring
from alerts.commands import (
    Change,
    Clear,
    Command,
    Commands,
    EndDispatch,
    HandOver,
    Raise,
    SeekOfficer,
    SetTimer,
    StartDispatch,
    changed,
)
from alerts.commands import Problem as HealthProblem
from alerts.joining import distance_m
from alerts.lifecycle import Incomplete, State, Step
from alerts.newest import Newest
from alerts.policy import Policy
from alerts.reasons import Choice, EndOfDispatch, Health, Why
from alerts.values import SYSTEM, Alert, Dispatch, Timer, TimerKind
from monitor.domain.assets import City, LonLat, Member, Team
from monitor.domain.risk import Reason

#: tiers of standing: who works, who is about to go home, who is called at home
_ON_SHIFT, _LEAVING, _ON_CALL = 0, 1, 2


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """The officer to send, and why this one."""

    team_id: str
    officer: str
    choice: Choice
    #: end of the officer's shift; None: none in sight
    shift_until: datetime | None = None
    #: what spoke for them, for people to read
    facts: Mapping[str, str] = {}


class Nobody(msgspec.Struct, frozen=True, kw_only=True):
    """Nobody can be sent, and why."""

    choice: Choice


class Crew(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the people when choosing."""

    #: running dispatches by user name; who has none is missing
    running: Mapping[str, int] = {}
    #: earlier dispatches of the same alert
    earlier: tuple[Dispatch, ...] = ()
    #: who hands over is not their own successor
    relieved: str | None = None

    def ended(self, why: EndOfDispatch) -> frozenset[str]:
        """Officers whose earlier dispatch of this alert ended so."""
        return frozenset(d.officer for d in self.earlier if d.end_reason == why)


def who_covers(site_id: str | None, city: City) -> tuple[str, ...]:
    """User names of all who may be sent to the site."""
    return tuple(member.user for team in teams_of(site_id, city) for member in team.members)


def teams_of(site_id: str | None, city: City) -> tuple[Team, ...]:
    """Teams that cover the site, those without sites of their own included, in the city's order."""
    return _coverage(city).get(site_id, _coverage(city)[None])


def _covering(city: City) -> dict[str | None, tuple[Team, ...]]:
    """Teams by site; None: those that cover any."""
    sites = {site for team in city.teams for site in team.sites}
    return {
        site: tuple(team for team in city.teams if not team.sites or site in team.sites)
        for site in (*sites, None)
    }


_coverage = Newest(_covering).of


class _Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One member who could go, with everything that is weighed."""

    team: Team
    user: str
    tier: int
    lacks: int
    has: tuple[str, ...]
    load: int
    way_m: float
    shift_until: datetime | None

    @property
    def rank(self) -> tuple[int, int, int, float, str]:
        """Smallest first; the user name last, so that it can be repeated."""
        return self.tier, self.lacks, self.load, self.way_m, self.user


def choose_officer(
    site_id: str | None,
    place: LonLat | None,
    city: City,
    crew: Crew,
    policy: Policy,
    now: datetime,
    violation: str | None = None,
) -> Chosen | Nobody:
    """The best officer: on shift, then skill, then load, then the way, then the user name."""
    teams = teams_of(site_id, city)
    if not any(team.members for team in teams):
        return Nobody(choice=Choice.NOBODY_COVERS)
    wanted = policy.response.skills.get(violation or "", ())
    standing = [
        candidate
        for team in teams
        for candidate in _standing(team, place, city, crew, wanted, now)
        if candidate.user != crew.relieved
    ]
    if not standing:
        return Nobody(choice=Choice.NOBODY_ON_SHIFT)
    declined = crew.ended(EndOfDispatch.DECLINED)
    willing = [candidate for candidate in standing if candidate.user not in declined]
    if not willing:
        return Nobody(choice=Choice.ALL_DECLINED)
    within = [candidate for candidate in willing if candidate.load < policy.most_per_officer]
    if not within:
        return Nobody(choice=Choice.ALL_AT_LIMIT)
    dark = crew.ended(EndOfDispatch.WENT_DARK)
    answering = [candidate for candidate in within if candidate.user not in dark]
    best = min(answering or within, key=lambda candidate: candidate.rank)
    choice = _choice(best, bool(answering), answering or within)
    return Chosen(team_id=best.team.team_id, officer=best.user, choice=choice, shift_until=best.shift_until,
                  facts=_facts(best, wanted, policy))  # fmt: skip


def _standing(
    team: Team, place: LonLat | None, city: City, crew: Crew, wanted: tuple[str, ...], now: datetime
) -> list[_Candidate]:
    """Who of a team can be sent now: on shift, in the hand-over of their shift, or on call."""
    on_shift = city.on_shift(team, now)
    way_m = _metres(team, place)

    def candidate(member: Member, tier: int, until: datetime | None) -> _Candidate:
        has = tuple(skill for skill in wanted if skill in member.skills)
        return _Candidate(team=team, user=member.user, tier=tier, lacks=len(wanted) - len(has), has=has,
                          load=crew.running.get(member.user, 0), way_m=way_m, shift_until=until)  # fmt: skip

    found = []
    for member in team.members:
        duty = on_shift.of(member.user)
        if duty is not None and not duty.leaving:
            found.append(candidate(member, _ON_SHIFT, duty.until))
        elif duty is not None and duty.until is not None:
            found.append(candidate(member, _LEAVING, duty.until + team.hand_over))
        elif member.user in team.on_call:
            found.append(candidate(member, _ON_CALL, None))
    return found


def _choice(best: _Candidate, answers: bool, others: list[_Candidate]) -> Choice:
    if not answers:
        return Choice.ASKED_AGAIN
    if best.tier == _ON_CALL:
        return Choice.ON_CALL
    if best.has and any(other.lacks > best.lacks for other in others):
        return Choice.SKILLED
    return Choice.LEAST_LOADED if best.load else Choice.NEAREST_FREE


def _facts(best: _Candidate, wanted: tuple[str, ...], policy: Policy) -> dict[str, str]:
    facts = {
        "standing": ("on_shift", "leaving", "on_call")[best.tier],
        "running": str(best.load),
    }
    if wanted:
        facts["skills_asked"] = ", ".join(wanted)
        facts["skills"] = ", ".join(best.has)
    if best.way_m != float("inf"):
        facts["way_m"] = f"{best.way_m:.0f}"
        facts["way_s"] = f"{travel_s(best.way_m, policy):.0f}"
    return facts


def travel_s(way_m: float, policy: Policy) -> float:
    """An estimate in seconds: the straight line at one speed. Roads, traffic and where the officer is are unknown."""
    return way_m / (policy.response.travel_kmh / 3.6)


def _metres(team: Team, place: LonLat | None) -> float:
    """From the team's base to the alert; a team without a base, or an alert without a place, counts as far."""
    if team.base is None or place is None:
        return float("inf")
    return distance_m(team.base, place)


def send(
    seek: SeekOfficer,
    alert: Alert,
    chosen: Chosen | Nobody,
    city: City,
    policy: Policy,
    now: datetime,
    new_id: str,
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
    rung: tuple[Change, ...] = ()
    if alert.held_by is not None:  # somebody goes: held, its clocks would stand still
        rung = (ring(alert, Why.BY_HAND if seek.request else seek.why, now, actor),)
        alert = rung[0].after
    dispatch = Dispatch(
        dispatch_id=new_id, alert_id=alert.alert_id, team_id=chosen.team_id, officer=chosen.officer,
        dispatched_at=now, shift_until=chosen.shift_until, choice=str(chosen.choice), chosen=dict(chosen.facts),
    )  # fmt: skip
    facts = {
        "dispatch_id": new_id,
        "team_id": chosen.team_id,
        "officer": chosen.officer,
        "choice": str(chosen.choice),
        **chosen.facts,
    }
    fields: dict[str, Any] = (
        {"resolved_at": None, "resolved_by": None, "outcome": None, "cause": None}
        if alert.state is State.RESOLVED
        else {}
    )
    change = changed(alert, seek.step, seek.why, now, to=State.DISPATCHED, actor=actor, request=seek.request,
                     facts=facts, **fields)  # fmt: skip
    return (
        *rung,
        change,
        StartDispatch(dispatch=dispatch, choice=chosen.choice),
        *_timers(dispatch, alert, city, policy),
        Clear(health=Health.NOBODY_TO_DISPATCH, subject=where(alert)),
    )


def _timers(dispatch: Dispatch, alert: Alert, city: City, policy: Policy) -> Commands:
    """What becomes due for the officer: the answer, the party's clocks, the end of the shift."""
    team = city.team(dispatch.team_id)
    limits = policy.response.limit(team.kind if team else "authority", alert.level)
    at = dispatch.dispatched_at

    def timer(what: TimerKind, due_at: datetime, *, once: bool = False) -> SetTimer:
        mine = None if once else dispatch.dispatch_id
        return SetTimer(
            timer=Timer(alert_id=alert.alert_id, what=what, due_at=due_at, dispatch_id=mine), once=once
        )

    timers: list[Command] = [
        timer(TimerKind.ACCEPT_OVERDUE, at + timedelta(seconds=limits.accept_s)),
        timer(TimerKind.CLOCKS, at + timedelta(seconds=min(limits.accept_s, limits.arrive_s)), once=True),
    ]
    if dispatch.shift_until is not None:
        timers.append(timer(TimerKind.SHIFT_ENDS, dispatch.shift_until))
    return tuple(timers)


def accept_within(dispatch: Dispatch, alert: Alert, city: City, policy: Policy) -> timedelta:
    """How long the dispatch's officer has to accept it."""
    team = city.team(dispatch.team_id)
    return timedelta(seconds=policy.response.limit(team.kind if team else "authority", alert.level).accept_s)


def accepted_timers(
    dispatch: Dispatch, alert: Alert, city: City, policy: Policy, now: datetime
) -> tuple[Timer, ...]:
    """What an officer who accepted has to do next, and when they count as dark if they do not."""
    team = city.team(dispatch.team_id)
    limits = policy.response.limit(team.kind if team else "authority", alert.level)
    dark_s = limits.arrive_s * (1.0 + policy.response.dark_after_share)
    due = {
        TimerKind.DEPART_OVERDUE: now + timedelta(seconds=limits.depart_s),
        TimerKind.ARRIVE_OVERDUE: max(now, dispatch.dispatched_at + timedelta(seconds=dark_s)),
    }
    return tuple(
        Timer(alert_id=alert.alert_id, what=what, due_at=due_at, dispatch_id=dispatch.dispatch_id)
        for what, due_at in due.items()
    )


def hand_over(
    asked: HandOver,
    alert: Alert,
    chosen: Chosen | Nobody,
    city: City,
    policy: Policy,
    now: datetime,
    new_id: str,
) -> Commands:
    """Somebody else takes the dispatch over, in one transaction; without a successor the officer keeps it."""
    if isinstance(chosen, Nobody):
        if asked.request is not None:
            missing = f"nobody else can be sent ({chosen.choice}); recall the officer if nobody is to go"
            raise Incomplete(alert.kind, alert.state, Step.HAND_OVER, missing)
        return (changed(alert, "note", Why.NOBODY_FOLLOWS, now, facts={"officer": asked.dispatch.officer}),)
    actor = asked.request.actor if asked.request else SYSTEM
    over = changed(alert, Step.HAND_OVER, asked.why, now, to=State.OPEN, actor=actor, request=asked.request,
                   facts={"dispatch_id": asked.dispatch.dispatch_id, "officer": asked.dispatch.officer})  # fmt: skip
    end = EndDispatch(dispatch=asked.dispatch, at=now, why=EndOfDispatch.HANDED_OVER, recall=True)
    seek = SeekOfficer(alert=over.after, why=Why.AFTER_HAND_OVER)
    return (over, end, *send(seek, over.after, chosen, city, policy, now, new_id))


def _nobody(alert: Alert, nobody: Nobody, policy: Policy, now: datetime) -> Commands:
    problem = HealthProblem(
        health=Health.NOBODY_TO_DISPATCH, subject=where(alert), at=now, site_id=alert.site_id,
        camera_id=alert.camera_id, footage=alert.footage,
        reasons=(Reason(key=str(nobody.choice), points=0, detail=alert.alert_id),),
    )  # fmt: skip
    retry = Timer(
        alert_id=alert.alert_id, what=TimerKind.RETRY_DISPATCH, due_at=now + policy.retry_dispatch_after
    )
    # whoever waits for somebody to go hears of it too, though nobody was sent yet
    accept_s = policy.response.limit("operator_patrol", alert.level).accept_s
    clocks = Timer(alert_id=alert.alert_id, what=TimerKind.CLOCKS, due_at=now + timedelta(seconds=accept_s))
    return (Raise(problem=problem), SetTimer(timer=retry, once=True), SetTimer(timer=clocks, once=True))


def where(alert: Alert) -> str:
    """Subject of the health alert that nobody can be sent: the site."""
    return alert.site_id or alert.subject
