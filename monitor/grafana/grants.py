"""Which tables Grafana's database role may read: those that the dashboards show, and no others.

Passwords' hashes, sessions and tokens stay out of its reach.
"""

from typing import Any, Final

import psycopg
from psycopg.sql import SQL, Identifier

TABLES: Final = (
    "alert", "alert_episode", "alert_transition", "camera_state", "camera_state_change", "config_version",
    "dead_letter", "dispatch", "edge_receipt", "edge_state", "evidence", "loss", "number_gap", "risk_event",
    "watch_minute",
)  # fmt: skip

_REVOKE: Final = SQL("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}")
_GRANT: Final = SQL("GRANT SELECT ON {tables} TO {role}")


def grant_reading(conn: psycopg.Connection[Any], role: str) -> None:
    """Give `role`, which must exist, exactly these rights; psycopg's error tells if it doesn't."""
    with conn.transaction():
        conn.execute(_REVOKE.format(role=Identifier(role)))
        tables = SQL(", ").join(Identifier(table) for table in TABLES)
        conn.execute(_GRANT.format(tables=tables, role=Identifier(role)))
