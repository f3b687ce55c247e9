"""From a file on disk to a `Report` of its faults, and to a `LoadedConfig` if it has no errors."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import rfc8785

from hcawatch.config.build import city_of, settings_of
from hcawatch.config.checks import run_checks
from hcawatch.config.checks.look import Look, Surroundings
from hcawatch.config.faults import ConfigFaulty, Fault, in_order
from hcawatch.config.schema import Document
from hcawatch.config.settings import Settings
from hcawatch.config.structure import shape
from hcawatch.config.yamldoc import MAX_BYTES, Parsed, parse
from monitor.domain.assets import City


@dataclass(frozen=True, kw_only=True)
class LoadedConfig:
    """A configuration without errors."""

    path: Path
    city: City
    settings: Settings
    #: of the document's canonical JSON: comments and the order of keys don't count
    sha256: str
    #: names this content wherever a config_version is recorded
    version: str
    #: every value of the file, defaults included, as `config_version.body` keeps it
    document: dict[str, Any] = field(repr=False)
    warnings: tuple[Fault, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Report:
    """What checking a file found: all faults by line, and the configuration if none is an error."""

    path: Path
    faults: tuple[Fault, ...]
    config: LoadedConfig | None

    @property
    def errors(self) -> tuple[Fault, ...]:
        """The faults that stop."""
        return tuple(fault for fault in self.faults if fault.severity == "error")

    @property
    def warnings(self) -> tuple[Fault, ...]:
        """The faults that are only said."""
        return tuple(fault for fault in self.faults if fault.severity == "warning")


def load(
    path: Path | str, *, env: Mapping[str, str] | None = None, now: datetime | None = None, part: str = "all"
) -> LoadedConfig:
    """The configuration in `path`; ConfigFaulty carries all its faults.

    `part` says which process reads it, as each has only its own secrets and files: 'all', 'centre',
    'edge:<id>', or 'nobody' where it is only compared or stored.
    """
    report = check(path, env=env, now=now, part=part)
    if report.config is None:
        raise ConfigFaulty(str(path), report.faults)
    return report.config


def check(
    path: Path | str, *, env: Mapping[str, str] | None = None, now: datetime | None = None, part: str = "all"
) -> Report:
    """Every fault of the file in `path`. Never raises for what the file holds.

    `env` and `now` are the process's own unless given.
    """
    path = Path(path)
    around = Surroundings(
        folder=path.absolute().parent,
        env=os.environ if env is None else env,
        now=now or datetime.now(UTC),
        part=part,
    )
    text = _read(path)
    if isinstance(text, Fault):
        return Report(path=path, faults=(text,), config=None)
    return check_text(text, path=path, around=around)


def check_text(text: str, *, path: Path, around: Surroundings) -> Report:
    """Every fault of a text that stands for the file `path`."""
    parsed = parse(text)
    faulty_syntax = parsed.data is None and bool(parsed.faults)
    shaped = None if faulty_syntax else shape(parsed)
    faults = list(parsed.faults)
    if shaped is not None:
        faults += shaped.faults + run_checks(Look(parsed, shaped, around))
    ordered = in_order(faults)
    config = None
    if shaped is not None and all(fault.severity == "warning" for fault in ordered):
        config = _loaded(path, shaped.document, around, ordered)
    return Report(path=path, faults=ordered, config=config)


def from_document(document: dict[str, Any], *, path: Path, around: Surroundings) -> Report:
    """The same for a document kept as data, such as `config_version.body`."""
    parsed = Parsed(data=document)
    shaped = shape(parsed)
    faults = list(parsed.faults)
    if shaped is not None:
        faults += shaped.faults + run_checks(Look(parsed, shaped, around))
    ordered = in_order(faults)
    whole = shaped is not None and all(fault.severity == "warning" for fault in ordered)
    config = _loaded(path, shaped.document, around, ordered) if shaped is not None and whole else None
    return Report(path=path, faults=ordered, config=config)


def document_sha256(document: dict[str, Any]) -> str:
    """Names a document by its canonical JSON (RFC 8785)."""
    return hashlib.sha256(rfc8785.dumps(document)).hexdigest()


def _loaded(
    path: Path, document: Document, around: Surroundings, warnings: tuple[Fault, ...]
) -> LoadedConfig:
    body = document.model_dump(mode="json", exclude_none=True)
    sha256 = document_sha256(body)
    return LoadedConfig(
        path=path, city=city_of(document, around), settings=settings_of(document, around),
        sha256=sha256, version=sha256[:12], document=body, warnings=warnings,
    )  # fmt: skip


def _read(path: Path) -> str | Fault:
    """The file's text, or why there is none."""
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            return Fault(code="file_too_large", facts={"bytes": str(size), "most": str(MAX_BYTES)})
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return Fault(code="file_missing", facts={"file": str(path)})
    except UnicodeDecodeError as exc:
        before = exc.object[: exc.start]
        return Fault(code="not_utf8", line=before.count(b"\n") + 1, column=exc.start - before.rfind(b"\n"),
                     facts={"offset": str(exc.start)})  # fmt: skip
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or str(exc)
        return Fault(code="file_unreadable", facts={"reason": reason})
