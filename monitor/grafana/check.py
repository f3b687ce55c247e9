"""Runs every panel's query on a database, as Grafana would, and holds the columns against the panel's row."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import tuple_row
from psycopg.sql import SQL

from monitor.grafana.dashboards import BOARDS, OIDS, sql_of
from monitor.grafana.errors import PanelBroken
from monitor.grafana.macros import expand
from monitor.grafana.panels import Panel


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """How many rows a panel gives."""

    dashboard: str
    panel: str
    query: str
    rows: int


def check_panels(
    conn: psycopg.Connection[Any], *, since: datetime | None = None, until: datetime | None = None
) -> Iterator[Checked]:
    """Each panel of each board over the given time (the last day unless given); PanelBroken at the first wrong one."""
    until = until or datetime.now(UTC)
    since = since or until - timedelta(days=1)
    for board in BOARDS:
        for panel in board.panels:
            rows = run_panel(conn, panel, since=since, until=until)
            yield Checked(dashboard=board.uid, panel=panel.title.en, query=panel.query, rows=len(rows))


def run_panel(
    conn: psycopg.Connection[Any], panel: Panel, *, since: datetime, until: datetime
) -> list[tuple[Any, ...]]:
    """The rows of one panel. PanelBroken if the query fails or its columns are not the panel's."""
    # the text is ours; only two times that we wrote ourselves were put in
    sql = SQL(expand(sql_of(panel.query), since=since, until=until))
    try:
        with conn.transaction(), conn.cursor(row_factory=tuple_row) as cursor:
            cursor.execute(sql)
            found = [(column.name, _type_name(conn, column.type_code)) for column in cursor.description or ()]
            rows = cursor.fetchall()
    except psycopg.Error as exc:
        raise PanelBroken(f"the query {panel.query} fails: {exc}") from exc
    wanted = [(column.name, column.type) for column in panel.columns]
    same = len(found) == len(wanted) and all(
        name == wanted_name and kind in OIDS[wanted_type]
        for (name, kind), (wanted_name, wanted_type) in zip(found, wanted, strict=True)
    )
    if not same:
        raise PanelBroken(f"the query {panel.query} gives {found}, the panel expects {wanted}")
    return rows


def _type_name(conn: psycopg.Connection[Any], oid: int) -> str:
    info = conn.adapters.types.get(oid)
    return info.name if info is not None else str(oid)
