"""`hcawatch db`: bring the database to this release, look at it, and prove its states from the history."""

import json

import typer

from hcawatch.commands.common import AsJson, DatabaseUrl, DataDir, database_url, group, with_examples

app = group("The database: bring it up to date, look at it, prove its states.")


@app.command()
@with_examples("HCAWATCH_DATABASE_URL=postgresql://… hcawatch db migrate")
def migrate(database: DatabaseUrl = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Bring the database to this release's schema. Safe to run again, and beside a running older release."""
    from monitor.store import migrate as store

    applied = store.migrate(database_url(database, data_dir))
    if as_json:
        typer.echo(json.dumps({"applied": applied}))
    else:
        typer.echo("\n".join(f"applied {name}" for name in applied) or "the database was up to date")


@app.command()
@with_examples("hcawatch db status --data-dir data")
def status(database: DatabaseUrl = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Say which server it is, which migrations are missing, and how many rows the main tables hold."""
    from hcawatch.commands.db_status import read_status

    found = read_status(database_url(database, data_dir))
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    for name, value in found.items():
        typer.echo(f"{name:22} {', '.join(map(str, value)) or '-' if isinstance(value, list) else value}")


@app.command()
@with_examples("hcawatch db replay --check --data-dir data")
def replay(
    check: bool = typer.Option(False, "--check", help="Exit status 1 if one differs."),
    database: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Rebuild every alert, shelf, visit and notice from the audit log and say where the stored one differs."""
    import psycopg

    from alerts import replay as history
    from hcawatch.commands.shown import plain

    with psycopg.connect(database_url(database, data_dir), prepare_threshold=None) as conn:
        differences = history.check(conn)
    if as_json:
        typer.echo(json.dumps({"differences": [plain(found) for found in differences]}, ensure_ascii=False))
    else:
        for found in differences:
            typer.echo(history.sentence(found))
        typer.echo(f"{len(differences)} differences between the audit log and the tables")
    raise typer.Exit(1 if check and differences else 0)
