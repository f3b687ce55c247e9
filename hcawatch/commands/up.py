"""`hcawatch up CONFIG`: one's own cameras, with all parts on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from hcawatch.commands.common import ConfigOption, ServiceConfig, one_config, with_examples

Port = Annotated[
    int | None,
    typer.Option(
        "--port", min=1, max=65535, help="Port of the console; else the configuration's.", show_default=False
    ),
]


@with_examples(
    "hcawatch up examples/city.yaml", "hcawatch up my.yaml --credentials cameras.secret --port 8500"
)
def up(
    config: ServiceConfig = None,
    config_option: ConfigOption = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where everything is kept; else the configuration's.", show_default=False)
    ] = None,
    port: Port = None,
    database: Annotated[
        str | None,
        typer.Option(metavar="URL", envvar="HCAWATCH_DATABASE_URL", help="PostgreSQL or TimescaleDB instead of the embedded server.",
                     show_default=False),
    ] = None,
    credentials: Annotated[
        Path | None,
        typer.Option(help="File with the cameras' credentials, one `name: user:password` a line, mode 600.", show_default=False),
    ] = None,
) -> None:  # fmt: skip
    """Run everything for one's own cameras on this machine: database, broker, centre and all edges.

    Addresses and passwords are printed at the start; Ctrl-C ends all parts in order.
    """
    from hcawatch import up as parts
    from hcawatch.config import load
    from hcawatch.config.credentials import read_credentials
    from hcawatch.runtime import MqttAccess

    config = one_config(config, config_option)
    loaded = load(config)
    settings = loaded.settings
    found = read_credentials(credentials) if credentials is not None else {}
    missing = sorted({c.credential for c in loaded.city.cameras if c.credential} - set(found))
    if missing:  # the other cameras watch all the same; these say on every page that they don't
        typer.echo(
            f"{config}: cameras name credentials that are nowhere given and cannot watch: {', '.join(missing)}; "
            "write them into a file (`name: user:password`, chmod 600) and give it with --credentials",
            err=True,
        )
    for warning in loaded.warnings:
        typer.echo(f"{config}:{warning.line}: {warning.key}: {warning.what()}", err=True)
    broker = None
    if settings.mqtt is not None:
        broker = MqttAccess(
            host=settings.mqtt.host, port=settings.mqtt.port, user=settings.mqtt.user or "",
            password=settings.mqtt.password or "",
            tls_ca=str(settings.mqtt.ca_file) if settings.mqtt.ca_file is not None else None,
        )  # fmt: skip
    status = parts.run(
        config=config.absolute(), city=loaded.city, data_dir=data_dir or settings.data_dir, say=typer.echo,
        http_port=port or settings.http_port, database_url=database or settings.database_url,
        broker=broker, credentials=found,
    )  # fmt: skip
    raise typer.Exit(status)
