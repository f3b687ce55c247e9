"""Rows as values and values as parameters, on one connection. All SQL is in queries.sql, here and in alerts/calm."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec
import psycopg
from psycopg.sql import SQL
from psycopg.types.json import Jsonb

from monitor.store.pool import Conn
from monitor.store.queries import Queries

QUERIES: Final[Mapping[str, SQL]] = {**Queries("alerts"), **Queries("alerts.calm")}

#: for many at once, whose best plan changes with how much there is: a kept one of an empty table would walk through a
#: full one, and a list is hashed only where its values are known
_PLANNED_EACH_TIME: Final = frozenset({"surroundings", "running_by_officer"})

T = TypeVar("T")
Row = dict[str, Any]


def run(conn: Conn, query: str, given: Mapping[str, Any]) -> psycopg.Cursor[Row]:
    """Runs a named query."""
    return conn.execute(QUERIES[query], given, prepare=False if query in _PLANNED_EACH_TIME else None)


class PostgresRows:
    """Runs named queries on one connection."""

    def __init__(self, conn: Conn) -> None:
        self._conn = self.conn = conn

    def _run(self, query: str, **given: Any) -> psycopg.Cursor[Row]:
        return run(self._conn, query, given)

    def _one(self, query: str, type_: type[T], **given: Any) -> T | None:
        row = self._run(query, **given).fetchone()
        return None if row is None else value(row, type_)

    def _all(self, query: str, type_: type[T], **given: Any) -> tuple[T, ...]:
        return tuple(value(row, type_) for row in self._run(query, **given))


def rowset(values: Sequence[Any]) -> Jsonb:
    """Many values for a statement that takes them as rows (jsonb_populate_recordset)."""
    return Jsonb(values, dumps=_encode)


def _encode(values: Any) -> bytes:
    # a function of our own: psycopg keeps a dumper for each that it is given
    return msgspec.json.encode(values)


def value(row: Row, type_: type[T]) -> T:
    """A row as a value; UUIDs as text."""
    plain = {name: str(field) if isinstance(field, UUID) else field for name, field in row.items()}
    return msgspec.convert(plain, type_)


def parameters(struct: msgspec.Struct) -> Row:
    """A value's fields as query parameters; lists and mappings as JSON."""
    return {name: _parameter(getattr(struct, name)) for name in struct.__struct_fields__}


def _parameter(field: Any) -> Any:
    if isinstance(field, tuple | list | dict):
        return Jsonb(msgspec.to_builtins(field))
    # enums are StrEnum: the database's enums take their text
    return str(field) if isinstance(field, str) else field
