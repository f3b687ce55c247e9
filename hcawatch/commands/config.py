"""`hcawatch config`: schema and example of the file; show, diff, apply and export of what runs."""

import getpass
import sys
from typing import Annotated

import typer

from hcawatch.commands.common import (
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

app = group("The configuration: its schema, an example, and the numbered versions in the database.")


@app.command()
@with_examples("hcawatch config schema > hcawatch-config.schema.json")
def schema() -> None:
    """Print the JSON Schema, for editors."""
    from hcawatch.config.example import json_schema

    typer.echo(json_schema(), nl=False)


@app.command()
@with_examples("hcawatch config example > my.yaml")
def example() -> None:
    """Print a commented configuration with one of everything."""
    from hcawatch.config.example import example_text

    typer.echo(example_text(), nl=False)


@app.command()
@with_examples("hcawatch config show --data-dir data", "hcawatch config show --data-dir data --lang zh")
def show(database: DatabaseUrl = None, data_dir: DataDir = None, lang: Language = None) -> None:
    """List the versions in the database, newest first, and what each edge made of the newest.

    A version's line is number, hash, author, time, reason; an edge that refused it says where, why, what to do.
    """
    from hcawatch.config import versions
    from hcawatch.config.answers import lines_of

    with versions.connect(database_url(database, data_dir)) as conn:
        rows, answers = versions.history(conn), versions.edge_answers(conn)
    for row in rows:
        typer.echo(
            f"{row.number:6} {row.sha256[:12]} {row.created_at:%Y-%m-%d %H:%M:%S%z} {row.author}: {row.reason}"
        )
    if not rows:
        typer.echo("no configuration was applied yet")
    for line in lines_of(answers, rows[0].number if rows else None, language(lang).value):
        typer.echo(line)


@app.command()
@with_examples("hcawatch config diff my.yaml --data-dir data")
def diff(config: ConfigFile, database: DatabaseUrl = None, data_dir: DataDir = None) -> None:
    """Show what applying CONFIG would change. Exit status 1 if it would change something."""
    from hcawatch.config import load, versions

    loaded = load(config, part="nobody")
    with versions.connect(database_url(database, data_dir)) as conn:
        changes = versions.changes(versions.newest(conn), loaded)
    _print_changes(changes)
    raise typer.Exit(1 if changes else 0)


@app.command()
@with_examples(
    'hcawatch config apply my.yaml --reason "camera moved to the new mast" --data-dir data',
    'hcawatch config apply my.yaml --reason "from git" --yes',
)
def apply(
    config: ConfigFile,
    reason: Annotated[str, typer.Option(help="Why; kept with the version.", show_default=False)],
    author: Annotated[
        str | None, typer.Option(help="Who; else this machine's user.", show_default=False)
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    database: DatabaseUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Make CONFIG the running configuration: show the difference, ask, write a numbered version.

    The version and its audit entry are one transaction. Without a difference nothing is written.
    """
    from datetime import UTC, datetime

    from hcawatch.config import load, versions

    loaded = load(config, part="nobody")
    with versions.connect(database_url(database, data_dir)) as conn:
        newest = versions.newest(conn)
        changes = versions.changes(newest, loaded)
        if not changes:
            typer.echo("nothing to change")
            return
        _print_changes(changes)
        if not yes:
            if not sys.stdin.isatty():
                raise CommandError("nobody is there to be asked; look at the difference and give --yes")
            typer.confirm("Apply this?", abort=True)
        number = versions.apply(
            conn, loaded, author=author or getpass.getuser(), reason=reason, now=datetime.now(UTC),
            seen=newest.number if newest is not None else 0,
        )  # fmt: skip
    typer.echo(f"version {number} ({loaded.version}) applied")


@app.command()
@with_examples("hcawatch config export > running.yaml")
def export(
    number: Annotated[int | None, typer.Option("--number", help="Which version; else the newest.", show_default=False)] = None,
    database: DatabaseUrl = None,
    data_dir: DataDir = None,
) -> None:  # fmt: skip
    """Write a version back as YAML. Relative paths in it mean what they meant beside the first file."""
    from hcawatch.config import versions
    from hcawatch.config.write import to_yaml

    with versions.connect(database_url(database, data_dir)) as conn:
        row = versions.read(conn, number)
    typer.echo(to_yaml(row.body, head=f"version {row.number}, {row.author}: {row.reason}"), nl=False)


def _print_changes(changes: tuple[object, ...]) -> None:
    for change in changes:
        typer.echo(str(change))
