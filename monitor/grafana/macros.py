"""Grafana's macros for PostgreSQL, expanded as Grafana does, so that a panel's query runs without Grafana.

Only those that our queries use; another one is an error, not a silent pass. Pure.
"""

import re
from datetime import UTC, datetime

from monitor.grafana.errors import UnknownMacro

_FILTER = re.compile(r"\$__timeFilter\(\s*([A-Za-z_][A-Za-z0-9_.]*)\s*\)")


def expand(sql: str, *, since: datetime, until: datetime) -> str:
    """`sql` with its time macros replaced. Times are written as Grafana writes them: UTC, milliseconds, Z.

    >>> expand("WHERE $__timeFilter(at)", since=datetime(2026, 1, 1, tzinfo=UTC), until=datetime(2026, 1, 2, tzinfo=UTC))
    "WHERE at BETWEEN '2026-01-01T00:00:00.000Z' AND '2026-01-02T00:00:00.000Z'"
    """
    first, last = _literal(since), _literal(until)
    expanded = _FILTER.sub(lambda found: f"{found.group(1)} BETWEEN {first} AND {last}", sql)
    expanded = expanded.replace("$__timeFrom()", first).replace("$__timeTo()", last)
    if "$__" in expanded:
        rest = expanded[expanded.index("$__") :].split("(", maxsplit=1)[0].split()[0]
        raise UnknownMacro(
            f"the macro {rest} is not expanded here; use $__timeFilter, $__timeFrom or $__timeTo"
        )
    return expanded


def _literal(at: datetime) -> str:
    if at.tzinfo is None:
        raise ValueError(f"a time with a zone is needed, got {at!r}")
    milliseconds = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"'{milliseconds}'"
