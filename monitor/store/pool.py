"""Connections to the store: one pool per process, UTC, named, with a limit on every statement.

A pool outlives a restart of the database: a connection is checked when it is taken, and lost ones are
replaced in the background. What to do while the database is away is for the caller to decide.
"""

import select
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool

Conn = psycopg.Connection[DictRow]
Pool = ConnectionPool[Conn]

#: a statement that runs longer is a fault of ours, not the load
STATEMENT_TIMEOUT_S = 30.0
#: nobody waits for a connection longer than this: PoolTimeout says that the database is away or busy
ACQUIRE_TIMEOUT_S = 10.0

#: `planner` of connections that ask for a few rows at a time, and never for a whole table: a plan that a connection
#: keeps from the time when a table was small (as those behind foreign keys) does not walk through it later. Compiling
#: pays for whole tables only: before PostgreSQL 18 a walk that can't be avoided then counts as so dear that each call
#: of it is compiled, for a second.
FEW_ROWS_EACH: Final[Mapping[str, str]] = MappingProxyType({"enable_seqscan": "off", "jit": "off"})
#: `planner` of connections that take the first few of many in an index's order: where statistics know nothing of the
#: many, gathering and sorting all of them looks cheaper than reading the first
FIRST_IN_ORDER: Final[Mapping[str, str]] = MappingProxyType(
    {**FEW_ROWS_EACH, "enable_bitmapscan": "off", "enable_sort": "off"}
)
_AS_THE_SERVER: Final[Mapping[str, str]] = MappingProxyType({})


def make_pool(
    dsn: str,
    application_name: str,
    *,
    min_size: int = 1,
    max_size: int = 4,
    statement_timeout_s: float = STATEMENT_TIMEOUT_S,
    acquire_timeout_s: float = ACQUIRE_TIMEOUT_S,
    planner: Mapping[str, str] = _AS_THE_SERVER,
) -> Pool:
    """A pool that is not open yet: use it in a `with` block, or call open() and close().

    Rows come as dicts. Connections are not in autocommit; leaving `with pool.connection()` commits.
    `planner`: its settings for these connections (FEW_ROWS_EACH, FIRST_IN_ORDER); others keep what the server says.
    """
    settings = (
        f"SET TIME ZONE 'UTC'; SET statement_timeout = {int(statement_timeout_s * 1000)};"
        f" SET idle_in_transaction_session_timeout = {int(statement_timeout_s * 2000)};"
    )
    settings += "".join(f" SET {name} = {value};" for name, value in planner.items())

    def configure(conn: Conn) -> None:
        conn.execute(settings.encode())
        conn.commit()

    options: dict[str, Any] = {"application_name": f"hcawatch {application_name}", "row_factory": dict_row}
    # a restarting server must not hold a new connection for minutes
    options["connect_timeout"] = conninfo_to_dict(dsn).get("connect_timeout", 5)
    return ConnectionPool(
        dsn,
        connection_class=psycopg.Connection[DictRow],
        kwargs=options,
        min_size=min_size,
        max_size=max_size,
        timeout=acquire_timeout_s,
        reconnect_timeout=5.0,
        configure=configure,
        check=_check,
        name=application_name,
        open=False,
    )


def _check(conn: Conn) -> None:
    """Raises if the server has ended the connection: it says so, and then has something to read.

    To ask the server each time would be one journey more for every transaction.
    """
    poll = select.poll()
    poll.register(conn.fileno(), select.POLLIN)
    if poll.poll(0):
        ConnectionPool.check_connection(conn)
