"""Teams: somebody can be sent to every HCA, at every hour, and everybody belongs to one team."""

from collections.abc import Iterator
from typing import Final

from hcawatch.config.checks.look import Look
from hcawatch.config.faults import Fault, Path, some_of
from hcawatch.config.response import shifts_of
from hcawatch.config.schema import TeamSection
from monitor.domain.hours import Schedule, clock_min, is_whole_week

#: logins that every installation has (hcawatch.people); a member of that name would get their rights
RESERVED_USERS: Final = frozenset({"operator", "supervisor", "auditor", "admin", "system", "edge", "centre"})


#: gateways know the control room by this name (alerts.recipients)
ROOM: Final = "room"
MQTT: Final = "mqtt"


def check(look: Look) -> Iterator[Fault]:
    """Faults of teams, of their shifts, and of who is told when nobody answers."""
    first: dict[str, int] = {}
    for index, team in enumerate(look.document.teams):
        if team.id == ROOM:
            yield look.fault("team_reserved", "teams", index, "id", id=team.id)
        yield from _shifts(look, index, team)
        if not team.members:
            yield look.fault("team_empty", "teams", index, "members", team=team.id)
        for n, member in enumerate(team.members):
            path = ("teams", index, "members", n, "user")
            if member.user in RESERVED_USERS:
                yield look.fault("user_reserved", *path, user=member.user)
            if member.user in first:
                yield look.fault("user_twice", *path, user=member.user, first=first[member.user])
            first.setdefault(member.user, look.line(*path))
    yield from _uncovered(look)
    for index, holiday in enumerate(look.document.holidays):
        if holiday.last is not None and holiday.last < holiday.first:
            yield look.fault(
                "holiday_backwards", "holidays", index, "last", first=holiday.first, last=holiday.last
            )
    yield from _chains(look)


def _shifts(look: Look, index: int, team: TeamSection) -> Iterator[Fault]:
    users = {member.user for member in team.members}
    named: list[tuple[Path, str]] = [(("on_call", n), user) for n, user in enumerate(team.on_call)]
    if team.lead is not None:
        named.append((("lead",), team.lead))
    for n, shift in enumerate(team.shifts):
        named += [(("shifts", n, "members", m), user) for m, user in enumerate(shift.members)]
        if clock_min(shift.begin) == clock_min(shift.end) or shift.begin == "24:00":
            yield look.fault("hours_empty", "teams", index, "shifts", n, "end", at=shift.end)
        first = [other.id for other in team.shifts].index(shift.id)
        if first < n:
            line = look.line("teams", index, "shifts", first, "id")
            yield look.fault("duplicate_id", "teams", index, "shifts", n, "id", id=shift.id, first=line)
    for path, user in named:
        if user not in users and look.ok("teams", index, "members"):
            yield look.fault(
                "no_member", "teams", index, *path, user=user, team=team.id, known=some_of(users)
            )
    hours = tuple(shift.hours for shift in shifts_of(team) if shift.holidays != "only")
    if team.shifts and not team.on_call and not is_whole_week(Schedule(schedule_id="shifts", hours=hours)):
        yield look.fault("shifts_leave_hours", "teams", index, "shifts", team=team.id)


def _chains(look: Look) -> Iterator[Fault]:
    people = {member.user for team in look.document.teams for member in team.members} | set(
        look.ids("contacts")
    )
    channels = {*look.ids("channels"), MQTT}
    for index, chain in enumerate(look.document.response.chains):
        for n, step in enumerate(chain.steps):
            path = ("response", "chains", index, "steps", n)
            if (step.who == "person") != (step.person is not None):
                yield look.fault("chain_person", *path, "who")
            elif step.person is not None and step.person not in people:
                yield look.fault(
                    "chain_unknown_person", *path, "person", name=step.person, known=some_of(people)
                )
            for m, channel in enumerate(step.through):
                if channel not in channels:
                    yield look.fault(
                        "channel_unknown", *path, "through", m, name=channel, known=some_of(channels)
                    )


def _uncovered(look: Look) -> Iterator[Fault]:
    teams = look.document.teams
    sites_known = all(look.ok("teams", index, "sites") for index in range(len(teams)))
    if not sites_known or any(not team.sites for team in teams):
        return
    covered = {site for team in teams for site in team.sites}
    for index, hca in enumerate(look.document.hcas):
        if hca.id not in covered and look.ok("hcas", index, "id"):
            yield look.fault("site_uncovered", "hcas", index, site=hca.id)
