"""JSON Schemas of what travels between edge and centre, one file a kind: python -m monitor.ingest.schemas docs/schemas"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from monitor.domain.edge_config import EdgeConfiguration
from monitor.domain.events import EdgeStatus, LossRecord, Receipt, RiskEvent, WatchRecord

MESSAGES: tuple[type[msgspec.Struct], ...] = (
    RiskEvent,
    WatchRecord,
    LossRecord,
    EdgeStatus,
    Receipt,
    EdgeConfiguration,
)


def schemas() -> dict[str, bytes]:
    """File name to its text."""
    made: dict[str, bytes] = {}
    for message in MESSAGES:
        tag = str(message.__struct_config__.tag)  # as hcawatch.event/1
        schema: dict[str, Any] = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": f"urn:{tag}",
        }
        schema |= msgspec.json.schema(message)
        text = msgspec.json.format(msgspec.json.encode(schema), indent=2)
        made[tag.replace("/", "-v") + ".json"] = text + b"\n"
    return made


def main(arguments: Sequence[str]) -> int:
    """Writes all schemas into a folder."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m monitor.ingest.schemas FOLDER\n")
        return 2
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in schemas().items():
        (folder / name).write_bytes(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
