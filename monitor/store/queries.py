"""Reads a package's queries.sql: one named block per query, so that Python never builds SQL text.

A block is `-- name --`, one comment that says what it does, then the SQL with named parameters.
"""

import re
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import LiteralString, cast

from psycopg.sql import SQL

from monitor.store.errors import QueryFileError

_NAME = re.compile(r"^-- ([a-z][a-z0-9_]*) --$", re.MULTILINE)


def parse(text: str, where: str) -> dict[str, SQL]:
    """Blocks of one file by name; QueryFileError names the block that is doubled or empty."""
    parts = _NAME.split(text)
    found: dict[str, SQL] = {}
    for name, block in zip(parts[1::2], parts[2::2], strict=True):
        if name in found:
            raise QueryFileError(f"{where}: the query {name!r} is there twice; rename one")
        if not any(line.strip() and not line.startswith("--") for line in block.splitlines()):
            raise QueryFileError(f"{where}: the query {name!r} has no SQL")
        # the file is ours, not a user's: that is what LiteralString promises
        found[name] = SQL(cast(LiteralString, block.strip()))
    return found


class Queries(Mapping[str, SQL]):
    """The queries of one package, loaded once: `QUERIES = Queries("monitor.ingest")` reads its queries.sql."""

    def __init__(self, package: str, file: str = "queries.sql") -> None:
        self._where = f"{package}/{file}"
        self._found = parse(resources.files(package).joinpath(file).read_text(encoding="utf-8"), self._where)

    def __getitem__(self, name: str) -> SQL:
        try:
            return self._found[name]
        except KeyError:
            raise QueryFileError(
                f"{self._where} has no query {name!r}; it has {sorted(self._found)}"
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)
