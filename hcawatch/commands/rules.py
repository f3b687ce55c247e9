"""`hcawatch rules`: the table of rules, and what holds for a camera now, and why."""

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hcawatch.commands.common import (
    AsJson,
    CommandError,
    DatabaseUrl,
    DataDir,
    Language,
    database_url,
    language,
    with_examples,
)

if TYPE_CHECKING:
    from hcawatch.config import LoadedConfig


@with_examples(
    "hcawatch rules",
    "hcawatch rules my.yaml --camera gate",
    "hcawatch rules --data-dir data --camera gate --at 2026-12-01T03:00 --lang zh",
)
def rules(
    config: Annotated[
        Path | None, typer.Argument(metavar="[CONFIG]", help="The YAML configuration; else the version that the database runs.", show_default=False)
    ] = None,
    camera: Annotated[str | None, typer.Option("--camera", metavar="ID", help="What holds for this camera now, and why.", show_default=False)] = None,
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="At this time instead of now (the city's, if it names no zone).", show_default=False)] = None,
    infrared: Annotated[bool, typer.Option("--infrared", help="As while the camera sees by infrared.")] = False,
    database: DatabaseUrl = None,
    data_dir: DataDir = None,
    lang: Language = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Print the rules by which a camera may suspect a violation: who, where, how long, doing what, when.

    Without --camera the shipped table with each row's legal article, guard and the limits of its numbers.
    """
    from hcawatch import rule_view

    tongue = language(lang).value
    if camera is None:
        rows = rule_view.shipped(tongue)
        typer.echo(
            json.dumps(rows, ensure_ascii=False, indent=1) if as_json else rule_view.table(rows, tongue)
        )
        return
    loaded = loaded_of(config, database, data_dir)
    known = [c.camera_id for c in loaded.city.cameras]
    if camera not in known:
        raise CommandError(f"there is no camera '{camera}'; use one of: {', '.join(known)}")
    view = rule_view.of_camera(
        loaded.city, camera, moment_of(at, loaded.city.timezone), infrared=infrared,
        shipped_classes=_shipped_classes(), tongue=tongue,
    )  # fmt: skip
    typer.echo(json.dumps(view, ensure_ascii=False, indent=1) if as_json else rule_view.told(view, tongue))


def loaded_of(config: Path | None, database: str | None, data_dir: Path | None) -> "LoadedConfig":
    """The configuration of a file, or the one that a database runs; CommandError."""
    from hcawatch.config import load, versions
    from hcawatch.edge_configs import of_version

    if config is not None:
        return load(config, part="nobody")
    with versions.connect(database_url(database, data_dir)) as conn:
        version = versions.read(conn)
    found = of_version(version, Path())
    if found is None:
        raise CommandError(
            f"version {version.number} has errors in this release; `hcawatch config export` and `hcawatch check` name them"
        )
    return found


def _shipped_classes() -> frozenset[str] | None:
    """The classes that raise alarms with the model of this machine."""
    from models.errors import ModelRefused
    from models.registry import find, read_card

    try:
        shipped = read_card(find(None)).shipping.shipped
    except ModelRefused:  # `hcawatch models list` says what is wrong with it
        return None
    return None if shipped is None else frozenset(shipped)


def moment_of(text: str | None, timezone: str, option: str = "--at") -> datetime:
    """A time as --at takes it, or now; CommandError."""
    from datetime import UTC
    from zoneinfo import ZoneInfo

    if text is None:
        return datetime.now(UTC)
    try:
        at = datetime.fromisoformat(text)
    except ValueError as exc:
        raise CommandError(f"{option} {text!r} is no time; write it as 2026-12-01T03:00") from exc
    return at if at.tzinfo is not None else at.replace(tzinfo=ZoneInfo(timezone))
