"""Who can log in to an installation that `hcawatch up` made: the room's people and the teams' members.

Each gets a password of their own at the first start, kept in the vault; there is no default one.
"""

import re
from datetime import datetime

import msgspec

from hcawatch.vault import Vault
from monitor.domain.assets import City
from monitor.domain.roles import Role
from monitor.store.pool import Conn
from monitor.web.people import ensure_edge, ensure_user, role_of

#: it becomes the name of a file
_LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A login."""

    user: str
    role: Role
    name: str
    team_id: str | None = None


ROOM = (
    Person(user="operator", role=Role.OPERATOR, name="Operator 值班员"),
    Person(user="supervisor", role=Role.SUPERVISOR, name="Supervisor 值班长"),
    Person(user="auditor", role=Role.AUDITOR, name="Auditor 审计员"),
    Person(user="admin", role=Role.ADMIN, name="Administrator 管理员"),
)


def people_of(city: City) -> tuple[Person, ...]:
    """The room and all members of the teams."""
    field = tuple(
        Person(
            user=member.user,
            role=Role(member.role),
            name=" ".join(dict.fromkeys(member.name.values())),
            team_id=team.team_id,
        )
        for team in city.teams
        for member in team.members
    )
    return ROOM + field


def ensure_people(conn: Conn, city: City, vault: Vault, now: datetime) -> dict[str, str]:
    """Make whoever is missing; returns the password of each user by name, from the vault."""
    passwords = {person.user: vault.password(person.user) for person in people_of(city)}
    for person in people_of(city):
        ensure_user(
            conn, person.user, person.role, person.name, person.team_id, passwords[person.user], now=now
        )
    return passwords


def ensure_edges(conn: Conn, city: City, vault: Vault) -> dict[str, str]:
    """Make the token of each edge; returns them by edge id."""
    tokens = {edge.edge_id: vault.get(f"edge-token-{edge.edge_id}") for edge in city.edges}
    for edge_id, token in tokens.items():
        ensure_edge(conn, edge_id, token)
    return tokens


def ensure_holder(conn: Conn, user: str, name: str, vault: Vault, now: datetime) -> None:
    """Make a permit holder's login; ValueError if somebody of another role has that name already."""
    if not _LOGIN.fullmatch(user):
        raise ValueError(f"a holder's login has 1 to 40 letters, digits, '.', '_' or '-', got {user!r}")
    role = role_of(conn, user)
    if role not in (None, Role.HOLDER):
        raise ValueError(f"{user!r} is the login of a {role}: choose another")
    ensure_user(conn, user, Role.HOLDER, name, None, vault.password(user), now=now)
