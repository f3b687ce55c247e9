"""Who can log in: people with argon2id passwords, their sessions, and the tokens of edges.

Only hashes are stored: of passwords by argon2id, of tokens by SHA-256 (they are long and random, so a
slow hash would add nothing). There is no default password anywhere; whoever creates a user gives one.
Which role may do what stands in `monitor.domain.roles`.
"""

import hashlib
import secrets
import threading
from datetime import datetime, timedelta

import argon2
import msgspec
from psycopg.rows import class_row

from monitor.domain.roles import Role
from monitor.store.pool import Conn
from monitor.web.sql import QUERIES

HASHER = argon2.PasswordHasher()
#: each hash takes 64 MiB and some 0.1 s of a core: more at once would starve the console
_HASHING = threading.BoundedSemaphore(2)
MIN_PASSWORD_CHARS = 10
#: longer ones are refused before hashing
MAX_PASSWORD_CHARS = 1024
MIN_TOKEN_CHARS = 24

_MACHINES = frozenset({Role.EDGE, Role.SYSTEM})


class PeopleError(ValueError):
    """A user or token can't be made like this; the message says what to do."""


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks: a person, or an edge (its `user` is then the edge's id)."""

    user: str
    role: Role
    display_name: str
    team_id: str | None = None


class _UserRow(msgspec.Struct, frozen=True):
    user_name: str
    role: str
    display_name: str
    team_id: str | None
    password_hash: str

    def principal(self) -> Principal:
        return Principal(
            user=self.user_name, role=Role(self.role), display_name=self.display_name, team_id=self.team_id
        )


def token_hash(token: str) -> str:
    """How a token is stored and looked up."""
    return hashlib.sha256(token.encode()).hexdigest()


def check_password_rules(password: str) -> None:
    """PeopleError if a password is too short or too long."""
    if not MIN_PASSWORD_CHARS <= len(password) <= MAX_PASSWORD_CHARS:
        raise PeopleError(
            f"a password has {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters, this one has {len(password)}"
        )


def _hash(password: str, hasher: argon2.PasswordHasher) -> str:
    check_password_rules(password)
    with _HASHING:
        return hasher.hash(password)


def _matches(password_hash: str, password: str, hasher: argon2.PasswordHasher) -> bool:
    try:
        with _HASHING:
            return hasher.verify(password_hash, password)
    except (argon2.exceptions.VerificationError, UnicodeEncodeError):
        return False


_nobody: dict[int, str] = {}


def _hash_of_nobody(hasher: argon2.PasswordHasher) -> str:
    """A hash to compare with when there is no such user, so that the answer takes as long."""
    if id(hasher) not in _nobody:
        _nobody[id(hasher)] = _hash(secrets.token_urlsafe(24), hasher)
    return _nobody[id(hasher)]


def ensure_user(
    conn: Conn,
    user: str,
    role: Role,
    display_name: str,
    team_id: str | None,
    password: str,
    *,
    now: datetime,
    hasher: argon2.PasswordHasher = HASHER,
) -> bool:
    """Make the user, or bring role, name, team and password to what is given. True if it is new.

    A password that already fits is left alone, with the user's sessions.
    """
    if role in _MACHINES:
        raise PeopleError(f"nobody logs in as {role}; edges get a token (ensure_edge)")
    if not user or len(user) > 64 or not user.isprintable():
        raise PeopleError(f"a user name has 1 to 64 printable characters, got {user!r}")
    found = _find(conn, user)
    if found is not None:
        conn.execute(
            QUERIES["update_user"], {"user": user, "role": role.value, "name": display_name, "team": team_id}
        )
        if not _matches(found.password_hash, password, hasher):
            set_password(conn, user, password, hasher=hasher)
        return False
    conn.execute(
        QUERIES["insert_user"],
        {"user": user, "role": role.value, "name": display_name, "team": team_id,
         "hash": _hash(password, hasher), "now": now},
    )  # fmt: skip
    return True


def role_of(conn: Conn, user: str) -> Role | None:
    """The role of that user, if there is one."""
    found = _find(conn, user)
    return None if found is None else Role(found.role)


def set_password(conn: Conn, user: str, password: str, *, hasher: argon2.PasswordHasher = HASHER) -> None:
    """A new password; whoever is logged in as this user is logged out. PeopleError if there is no such user."""
    if conn.execute(QUERIES["set_password"], {"user": user, "hash": _hash(password, hasher)}).rowcount != 1:
        raise PeopleError(f"there is no user {user!r}")
    conn.execute(QUERIES["end_sessions"], {"user": user})


def verify(
    conn: Conn, user: str, password: str, *, hasher: argon2.PasswordHasher = HASHER
) -> Principal | None:
    """Who this is if the password fits, else None; it takes as long for users who don't exist."""
    if len(password) > MAX_PASSWORD_CHARS or not user.isprintable():
        return None
    found = _find(conn, user)
    fits = _matches(found.password_hash if found else _hash_of_nobody(hasher), password, hasher)
    return found.principal() if found is not None and fits else None


def open_session(conn: Conn, user: str, *, now: datetime, lives_s: float) -> str:
    """A new session's token; only its hash is stored. Sessions that have ended are swept."""
    token = secrets.token_urlsafe(32)
    conn.execute(QUERIES["sweep_sessions"], {"now": now})
    conn.execute(
        QUERIES["insert_session"],
        {"hash": token_hash(token), "user": user, "now": now, "expires": now + timedelta(seconds=lives_s)},
    )
    return token


def close_session(conn: Conn, token: str) -> None:
    """Log out."""
    conn.execute(QUERIES["end_session"], {"hash": token_hash(token)})


def of_session(conn: Conn, token: str, *, now: datetime) -> Principal | None:
    """Whose session this is, if it is one and still runs."""
    with conn.cursor(row_factory=class_row(_UserRow)) as cursor:
        row = cursor.execute(QUERIES["user_of_session"], {"hash": token_hash(token), "now": now}).fetchone()
    return row.principal() if row else None


def ensure_edge(conn: Conn, edge_id: str, token: str) -> None:
    """The edge's token is this one from now on."""
    if len(token) < MIN_TOKEN_CHARS:
        raise PeopleError(f"an edge's token has at least {MIN_TOKEN_CHARS} characters; make it at random")
    conn.execute(QUERIES["upsert_edge"], {"edge": edge_id, "hash": token_hash(token)})


def of_edge(conn: Conn, token: str) -> Principal | None:
    """Which edge this token belongs to."""
    row = conn.execute(QUERIES["edge_of_token"], {"hash": token_hash(token)}).fetchone()
    if row is None:
        return None
    edge_id = str(row["edge_id"])
    return Principal(user=edge_id, role=Role.EDGE, display_name=edge_id)


def _find(conn: Conn, user: str) -> _UserRow | None:
    with conn.cursor(row_factory=class_row(_UserRow)) as cursor:
        return cursor.execute(QUERIES["find_user"], {"user": user}).fetchone()
