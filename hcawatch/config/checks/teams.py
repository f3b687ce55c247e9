"""Teams: somebody can be sent to every HCA, and everybody belongs to one team."""

from collections.abc import Iterator
from typing import Final

from hcawatch.config.checks.look import Look
from hcawatch.config.faults import Fault

#: logins that every installation has (hcawatch.people); a member of that name would get their rights
RESERVED_USERS: Final = frozenset({"operator", "supervisor", "auditor", "admin", "system", "edge", "centre"})


def check(look: Look) -> Iterator[Fault]:
    """Faults of teams."""
    first: dict[str, int] = {}
    for index, team in enumerate(look.document.teams):
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


def _uncovered(look: Look) -> Iterator[Fault]:
    teams = look.document.teams
    sites_known = all(look.ok("teams", index, "sites") for index in range(len(teams)))
    if not sites_known or any(not team.sites for team in teams):
        return
    covered = {site for team in teams for site in team.sites}
    for index, hca in enumerate(look.document.hcas):
        if hca.id not in covered and look.ok("hcas", index, "id"):
            yield look.fault("site_uncovered", "hcas", index, site=hca.id)
