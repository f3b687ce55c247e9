"""Numbered versions of the configuration in the database: read, compare, apply.

Applying is one transaction: the version, its permits and its audit entry. Nobody applies over a version
that they have not seen.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import msgspec
import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import Jsonb

from alerts.permitting.desk import plan_due
from alerts.values import Permit
from hcawatch.config.differences import Change, differences
from hcawatch.config.faults import ConfigError
from hcawatch.config.load import LoadedConfig
from hcawatch.config.settings import Permit as FilePermit
from monitor.audit.entries import Entry
from monitor.audit.log import append
from monitor.domain.events import ConfigAnswer
from monitor.store.queries import Queries

QUERIES = Queries("hcawatch.config")

Conn = psycopg.Connection[DictRow]


#: who applies the file that a centre starts with
STARTER = "hcawatch centre"


class NoSuchVersion(ConfigError):
    """The database has no configuration of that number, or none at all."""


class ConfigMovedOn(ConfigError):
    """Somebody applied another version since the difference was shown. Final: look again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One row of config_version."""

    number: int
    sha256: str
    body: dict[str, Any]
    author: str
    reason: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeAnswer:
    """What an edge says of its configuration."""

    edge_id: str
    online: bool
    #: in force; without a number it is the edge's own file
    config_version: str
    config_number: int | None
    answer: ConfigAnswer | None


@contextmanager
def connect(dsn: str) -> Iterator[Conn]:
    """A connection as the functions below take it."""
    with psycopg.connect(dsn, row_factory=dict_row, prepare_threshold=None, autocommit=True) as conn:
        yield conn


def newest(conn: Conn) -> Version | None:
    """The version that runs."""
    row = conn.execute(QUERIES["newest_version"]).fetchone()
    return _version(row) if row is not None else None


def history(conn: Conn) -> tuple[Version, ...]:
    """Every version, newest first."""
    return tuple(_version(row) for row in conn.execute(QUERIES["all_versions"]))


def read(conn: Conn, number: int | None = None) -> Version:
    """The version of that number, or the newest; NoSuchVersion."""
    if number is None:
        found = newest(conn)
        if found is None:
            raise NoSuchVersion("no configuration was applied yet: `hcawatch config apply FILE --reason …`")
        return found
    row = conn.execute(QUERIES["one_version"], {"version": number}).fetchone()
    if row is None:
        raise NoSuchVersion(f"there is no version {number}; `hcawatch config show` lists them")
    return _version(row)


def changes(before: Version | None, config: LoadedConfig) -> tuple[Change, ...]:
    """What applying `config` over `before` would change."""
    return tuple(differences(before.body if before is not None else {}, config.document))


def apply(
    conn: Conn, config: LoadedConfig, *, author: str, reason: str, now: datetime, seen: int | None = None
) -> int:
    """Make `config` the newest version and return its number; the newest one again if nothing differs.

    `seen` is the number of the version that the difference was shown against (0: there was none);
    ConfigMovedOn if another one is newest by now.
    """
    with conn.transaction():
        conn.execute(QUERIES["lock_versions"])
        before = newest(conn)
        number = before.number if before is not None else 0
        if seen is not None and seen != number:
            raise ConfigMovedOn(f"version {number} was applied meanwhile; look at the difference again")
        changed = changes(before, config)
        if before is not None and not changed:
            return before.number
        given = {
            "sha256": config.sha256, "body": Jsonb(config.document), "author": author, "reason": reason, "now": now,
        }  # fmt: skip
        row = conn.execute(QUERIES["insert_version"], given).fetchone()
        assert row is not None
        _write_permits(conn, before, config, now)
        append(conn, _entry(int(row["version"]), config, author, reason, now, changed))
        return int(row["version"])


def begin(conn: Conn, config: LoadedConfig, *, now: datetime) -> Version:
    """The version that a starting centre runs: its file's, unless others were applied since the file was last
    taken in. Whoever edits the file means it; an unchanged file undoes nothing that was applied meanwhile."""
    with conn.transaction():
        conn.execute(QUERIES["lock_versions"])
        row = conn.execute(QUERIES["started_since"], {"sha256": config.sha256, "starter": STARTER}).fetchone()
        if row is None or not row["known"]:
            apply(conn, config, author=STARTER, reason="the centre started with this file", now=now)
        return read(conn)


def edge_answers(conn: Conn) -> tuple[EdgeAnswer, ...]:
    """What each edge has in force, and its answer to the configuration that it heard last."""
    return tuple(
        EdgeAnswer(
            edge_id=row["edge_id"], online=row["online"], config_version=row["config_version"] or "",
            config_number=row["config_number"],
            answer=None if row["answer"] is None else msgspec.convert(row["answer"], ConfigAnswer),
        )
        for row in conn.execute(QUERIES["edge_answers"])
    )  # fmt: skip


def _write_permits(conn: Conn, before: Version | None, config: LoadedConfig, now: datetime) -> None:
    """Permits whose entry is new or another: what was prolonged or withdrawn at the desk since stays so."""
    had = {entry["number"]: entry for entry in (before.body.get("permits", []) if before is not None else [])}
    has = {entry["number"]: entry for entry in config.document.get("permits", [])}
    for permit in config.settings.permits:
        if permit.number not in had or had[permit.number] != has.get(permit.number):
            conn.execute(QUERIES["put_permit"], {**asdict(permit), "now": now})
            plan_due(conn, _as_permit(permit), now)
    gone = sorted(had.keys() - {permit.number for permit in config.settings.permits})
    if gone:
        conn.execute(QUERIES["delete_permits"], {"numbers": gone})


def _as_permit(permit: FilePermit) -> Permit:
    return Permit(
        permit_number=permit.number, violation=permit.violation, pipeline_id=permit.pipeline_id, from_m=permit.from_m,
        to_m=permit.to_m, valid_from=permit.valid_from, valid_to=permit.valid_to, company=permit.company,
    )  # fmt: skip


def _entry(
    number: int, config: LoadedConfig, author: str, reason: str, now: datetime, changed: tuple[Change, ...]
) -> Entry:
    body = {
        "version": number,
        "sha256": config.sha256,
        "reason": reason,
        "changes": [str(c) for c in changed],
    }
    return Entry(kind="config.applied", subject=f"config:{number}", actor=author, at=now, body=body)


def _version(row: DictRow) -> Version:
    return Version(
        number=row["version"], sha256=row["sha256"], body=row["body"], author=row["author"],
        reason=row["reason"], created_at=row["created_at"],
    )  # fmt: skip
