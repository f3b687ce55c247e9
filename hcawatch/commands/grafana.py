"""`hcawatch grafana`: dashboards as code, written to files or applied through Grafana's HTTP API."""

from pathlib import Path
from typing import Annotated

import typer

from hcawatch.commands.common import DatabaseUrl, DataDir, Lang, database_url, group, with_examples

app = group("Grafana dashboards as code: control room, cameras, response.")

DashboardLanguage = Annotated[Lang, typer.Option("--lang", help="Language of titles.")]


@app.command()
@with_examples("hcawatch grafana write deploy/grafana/dashboards", "hcawatch grafana write out --lang zh")
def write(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where the JSON files go.", show_default=False)
    ],
    lang: DashboardLanguage = Lang.EN,
) -> None:
    """Write the dashboards as JSON files, for Grafana's provisioning or import."""
    from monitor.grafana.dashboards import write_dashboards

    for path in write_dashboards(folder, lang.value):
        typer.echo(str(path))


@app.command()
@with_examples(
    "HCAWATCH_GRAFANA_TOKEN=… hcawatch grafana apply https://grafana.example --datasource-url postgresql://grafana@db/hcawatch",
    "hcawatch grafana apply http://127.0.0.1:3000 --token-file grafana.token --lang zh",
)
def apply(
    url: Annotated[str, typer.Argument(metavar="URL", help="Grafana's address.", show_default=False)],
    token_file: Annotated[
        Path | None, typer.Option(help="File with the token; else HCAWATCH_GRAFANA_TOKEN.", show_default=False)
    ] = None,
    datasource_url: Annotated[
        str | None,
        typer.Option(
            envvar="HCAWATCH_GRAFANA_DATABASE_URL", show_default=False, metavar="URL",
            help="How Grafana reaches the database, as a user who may only read; without it an existing data source is used.",
        ),
    ] = None,
    lang: DashboardLanguage = Lang.EN,
) -> None:  # fmt: skip
    """Create or update data source, folder and dashboards through Grafana's HTTP API. Safe to run again."""
    import os

    from monitor.grafana.provision import apply as provision
    from monitor.grafana.provision import read_token

    token = read_token(os.environ, token_file)
    for line in provision(url, token=token, language=lang.value, datasource_url=datasource_url):
        typer.echo(line)


@app.command()
@with_examples("HCAWATCH_DATABASE_URL=postgresql://… hcawatch grafana grant grafana")
def grant(
    role: Annotated[str, typer.Argument(metavar="ROLE", help="The database role of Grafana's data source.", show_default=False)],
    database: DatabaseUrl = None,
    data_dir: DataDir = None,
) -> None:  # fmt: skip
    """Let a database role read the tables that the dashboards show, and no others. Safe to run again."""
    import psycopg

    from monitor.grafana.grants import TABLES, grant_reading

    with psycopg.connect(database_url(database, data_dir), prepare_threshold=None) as conn:
        grant_reading(conn, role)
    typer.echo(f"{role} may read: {', '.join(TABLES)}")


@app.command()
@with_examples("hcawatch grafana check --data-dir data")
def check(database: DatabaseUrl = None, data_dir: DataDir = None) -> None:
    """Run every panel's query on the database, and say how many rows each gives."""
    import psycopg

    from monitor.grafana.check import check_panels

    with psycopg.connect(database_url(database, data_dir), prepare_threshold=None) as conn:
        for row in check_panels(conn):
            typer.echo(f"{row.rows:6} rows  {row.dashboard} / {row.panel}")
