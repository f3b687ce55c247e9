"""Who a step of a chain tells, and under which address. Pure."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from alerts.clocks import this_run
from alerts.dispatching import teams_of
from alerts.messages import MQTT
from alerts.values import Alert, Dispatch
from monitor.domain.assets import City, Contact, Team
from monitor.domain.events import TOPICS
from monitor.domain.response import ChainStep, Who

#: the team that gateways know the control room by; no team of the city may have this id
ROOM = "room"


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody to be told."""

    #: user name, or the role where the room has no names
    person: str
    #: team whose topic reaches them over MQTT
    team_id: str
    contacts: Mapping[str, str] = {}
    in_room: bool = False

    def reached_by(self, through: tuple[str, ...]) -> tuple[str, str]:
        """Channel and address: the first of `through` that this person has, else MQTT, which everybody has."""
        for channel in through:
            if channel == MQTT:
                break
            if address := self.contacts.get(channel):
                return channel, address
        return MQTT, f"{TOPICS}/dispatch/{self.team_id}"


def recipients(
    step: ChainStep,
    alert: Alert,
    dispatches: tuple[Dispatch, ...],
    city: City,
    due_at: datetime,
    now: datetime,
) -> tuple[Recipient, ...]:
    """Everybody whom the step names, each once; empty if there is nobody of that kind.

    Who was sent after the clock ran out (`due_at`) has a time of their own to answer, and is not rung for it.
    """
    match step.who:
        case Who.OPERATOR | Who.SUPERVISOR:
            named = tuple(_contact(c) for c in city.contacts if c.role == step.who.value)
            return named or (Recipient(person=step.who.value, team_id=ROOM, in_room=True),)
        case Who.PERSON:
            return _by_name(step.person or "", city)
        case Who.OFFICER:
            running = next((d for d in dispatches if d.ended_at is None), None)
            if running is None or running.dispatched_at >= due_at:
                return ()
            return _by_name(running.officer, city)
    teams = _teams(alert, dispatches, city)
    found: dict[str, Recipient] = {}
    for team in teams:
        for user in _of_team(step.who, team, city, now):
            found.setdefault(user, _member(team, user))
    return tuple(found.values())


def _of_team(who: Who, team: Team, city: City, now: datetime) -> tuple[str, ...]:
    match who:
        case Who.TEAM_LEAD:
            return () if team.lead is None else (team.lead,)
        case Who.ON_CALL:
            return team.on_call
    return tuple(member.user for member in city.on_shift(team, now).members)


def _teams(alert: Alert, dispatches: tuple[Dispatch, ...], city: City) -> tuple[Team, ...]:
    """The team that was sent last; as long as none was, all that cover the site."""
    run = this_run(dispatches)
    sent = city.team(run[-1].team_id) if run else None
    if sent is not None:
        return (sent,)
    return teams_of(alert.site_id, city)


def _by_name(user: str, city: City) -> tuple[Recipient, ...]:
    for team in city.teams:
        if any(member.user == user for member in team.members):
            return (_member(team, user),)
    return tuple(_contact(c) for c in city.contacts if c.contact_id == user)


def _contact(contact: Contact) -> Recipient:
    return Recipient(person=contact.contact_id, team_id=ROOM, contacts=contact.addresses, in_room=True)


def _member(team: Team, user: str) -> Recipient:
    contacts = next((m.contacts for m in team.members if m.user == user), {})
    return Recipient(person=user, team_id=team.team_id, contacts=contacts)
