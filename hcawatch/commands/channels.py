"""`hcawatch channels`: how messages reach people, how each channel stands, and whether one works."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hcawatch.commands.common import (
    AsJson,
    CommandError,
    ConfigFile,
    DatabaseUrl,
    DataDir,
    Language,
    database_url,
    group,
    language,
    with_examples,
)

if TYPE_CHECKING:
    from alerts.channels.overview import ChannelRow

app = group("How messages reach people: what each channel does, and whether it works.")


@app.command()
@with_examples("hcawatch channels status --data-dir data")
def status(
    database: DatabaseUrl = None, data_dir: DataDir = None, lang: Language = None, as_json: AsJson = False
) -> None:
    """Say how each channel stands: in order, waiting, out of order; what waits for it, and its last error.

    Exit status 1 if one is out of order.
    """
    from datetime import UTC, datetime
    from pathlib import Path as File

    from alerts.channels.limits import Mode
    from alerts.channels.overview import overview
    from hcawatch.config import versions
    from hcawatch.edge_configs import of_version
    from monitor.store.pool import make_pool

    url = database_url(database, data_dir)
    with versions.connect(url) as conn:
        loaded = of_version(versions.read(conn), File())
    if loaded is None:
        raise CommandError(
            "the running configuration has errors in this release; `hcawatch check` names them"
        )
    with make_pool(url, "channels", max_size=1) as pool, pool.connection() as conn:
        rows = overview(conn, loaded.city, datetime.now(UTC))
    if as_json:
        from hcawatch.commands.shown import plain

        typer.echo(json.dumps([plain(row) for row in rows], ensure_ascii=False, indent=1))
    else:
        for row in rows:
            typer.echo(_line(row, language(lang).value))
    raise typer.Exit(1 if any(row.mode is Mode.OUT_OF_ORDER for row in rows) else 0)


def _line(row: "ChannelRow", tongue: str) -> str:
    from alerts.channels.overview import MODES

    parts = [f"{row.channel:12} {row.kind:9} {MODES[row.mode][tongue]}"]
    if row.waiting:
        parts.append({"en": f"{row.waiting} waiting", "zh": f"{row.waiting} 条待发"}[tongue])
    if row.delivered or row.failed:
        said = {
            "en": f"{row.delivered} delivered, {row.failed} failed",
            "zh": f"已送达 {row.delivered}，失败 {row.failed}",
        }
        parts.append(said[tongue])
    if row.last_error and row.last_error_at:
        parts.append(f"{row.last_error_at:%Y-%m-%d %H:%M:%S}Z {row.last_error}")
    return "; ".join(parts)


@app.command("test")
@with_examples(
    "hcawatch channels test webhook my.yaml",
    "hcawatch channels test email my.yaml --to zhang@example.org",
)
def try_one(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The channel's id.", show_default=False)],
    config: ConfigFile,
    to: Annotated[
        str, typer.Option("--to", metavar="ADDRESS", help="Where to, if the channel has addresses.", show_default=False)
    ] = "",
    public_url: Annotated[
        str | None, typer.Option(envvar="HCAWATCH_PUBLIC_URL", help="The console's address, for links.", show_default=False)
    ] = None,
) -> None:  # fmt: skip
    """Send one message that says that it is a test, from this process, and say what came of it.

    It needs the channel's secrets in this environment, passes by the channel's limits, and leaves no trace in the loop.
    """
    import os
    from datetime import UTC, datetime

    from alerts.channels.building import deliveries
    from alerts.channels.routes import PERSONAL
    from alerts.channels.trial import trial
    from hcawatch.config import load
    from hcawatch.config.channel_secrets import channel_secrets

    loaded = load(config, part="nobody")
    channels = {channel.channel_id: channel for channel in loaded.city.channels}
    if name == "mqtt" or name not in channels:
        there = ", ".join(sorted(set(channels) - {"mqtt"})) or "none"
        raise CommandError(f"no channel '{name}' can be tested; {config} has: {there}")
    if channels[name].kind in PERSONAL and not to:
        raise CommandError(f"channel '{name}' sends to persons: name one with --to")
    secrets = channel_secrets(loaded.document, Path(config).absolute().parent, os.environ)
    try:
        trial(deliveries(loaded.city, secrets, public_url, None)[name], channels[name], to, datetime.now(UTC))
    except Exception as exc:  # whatever a channel ends in, said in one line
        raise CommandError(f"{name} did not take it: {exc or type(exc).__name__}") from exc
    typer.echo(f"{name} took it")
