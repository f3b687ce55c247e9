"""What a check of meaning may look at: the document, where things stand in it, and what is around it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path as FilePath
from typing import Any

from hcawatch.config.faults import Fault, Path
from hcawatch.config.schema import Document
from hcawatch.config.structure import Shaped
from hcawatch.config.yamldoc import Parsed


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the file refers to outside itself. The clock and the environment are passed in."""

    #: folder of the YAML file, to which its paths are relative
    folder: FilePath
    env: Mapping[str, str]
    now: datetime
    #: which process reads it: 'all' (everything on this machine), 'centre', 'edge:<id>', or 'nobody'
    part: str = "all"

    @property
    def has_secrets(self) -> bool:
        """Whether the centre's secrets must be here: not on an edge, nor where a file is only compared."""
        return self.part in ("all", "centre")

    def has_sources_of(self, edge_id: str) -> bool:
        """Whether that edge's files must be here."""
        return self.part in ("all", f"edge:{edge_id}")

    def resolve(self, path: str) -> FilePath:
        """A path of the file, made absolute."""
        return FilePath(os.path.abspath(self.folder / FilePath(path).expanduser()))  # noqa: PTH100 - keeps links


@dataclass(frozen=True)
class Look:
    """One document under check."""

    parsed: Parsed
    shaped: Shaped
    around: Surroundings

    @property
    def document(self) -> Document:
        """The document, with stand-ins where `shaped.faulty` says so."""
        return self.shaped.document

    def fault(self, code: str, *path: str | int, **facts: object) -> Fault:
        """A fault at `path`."""
        return self.parsed.fault(code, path, **facts)

    def line(self, *path: str | int) -> int:
        """The line on which `path` stands."""
        return self.parsed.fault("invalid", path).line

    def ok(self, *path: str | int) -> bool:
        """Whether the document says there what the file says."""
        return not self.shaped.is_faulty(path)

    @cached_property
    def _ids(self) -> dict[str, dict[str, int]]:
        ids: dict[str, dict[str, int]] = {}
        for section in (
            "pipelines",
            "hcas",
            "edges",
            "cameras",
            "teams",
            "schedules",
            "channels",
            "contacts",
        ):
            entries: Any = self.parsed.data.get(section)
            found = ids.setdefault(section, {})
            for index, entry in enumerate(entries if isinstance(entries, list) else []):
                if isinstance(entry, dict) and isinstance(entry.get("id"), str):
                    found.setdefault(entry["id"], index)
        return ids

    def ids(self, section: str) -> dict[str, int]:
        """Ids of a section as the file says, each with its first index; also those that are not valid."""
        return self._ids[section]


def at(path: Path, *more: str | int) -> Path:
    """A path below `path`."""
    return (*path, *more)
