"""The whole edge worker with a journal: `python -m tests.faults.edge_whole_worker CITY SETTINGS EDGE`.

Each camera's process is spawned from here and imports this module again: there, too, `append` writes a
synced line to the journal after it has returned. Nothing else is changed.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any, Final

import msgspec

from edge.outbox import Make, Row, SqliteOutbox
from monitor.domain.events import decode_numbered
from tests.faults.edge_book import name_of
from tests.faults.edge_shared import Journal, Line

#: Names the folder of the journals.
JOURNALS: Final = "HCAWATCH_FAULT_JOURNALS"

_journals: list[Journal] = []
_append = SqliteOutbox.append


def _journal() -> Journal:
    if not _journals:
        name = f"whole-{time.monotonic_ns():020}-{os.getpid()}.journal"
        _journals.append(Journal(Path(os.environ[JOURNALS]) / name))
    return _journals[0]


def _append_and_journal(self: SqliteOutbox, make: Make, **more: Any) -> Row:
    row = _append(self, make, **more)
    evidence = tuple(item.ref.sha256 for item in more.get("evidence", ()))
    _journal().write(Line(what="durable", name=name_of(decode_numbered(row.payload)), epoch=self.epoch, seq=row.seq,
                          sha256=row.sha256, kind=row.kind, evidence=evidence))  # fmt: skip
    return row


SqliteOutbox.append = _append_and_journal  # type: ignore[method-assign]


def main() -> int:
    """Run the worker until SIGTERM."""
    from edge.worker import EdgeSettings, run
    from monitor.domain.assets import City

    city = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=City)
    settings = msgspec.json.decode(Path(sys.argv[2]).read_bytes(), type=EdgeSettings,
                                   dec_hook=lambda kind, value: kind(value))  # fmt: skip
    return run(city, sys.argv[3], settings)


if __name__ == "__main__":
    sys.exit(main())
