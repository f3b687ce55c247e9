"""`hcawatch centre CONFIG`: the centre alone, as a service: ingest, alert module, audit, web."""

from pathlib import Path
from typing import Annotated

import typer

from hcawatch.commands.common import ConfigOption, ServiceConfig, one_config, with_examples

RuntimeFile = Annotated[
    Path | None,
    typer.Option(
        "--runtime", help="File that `hcawatch up` writes for its parts; else HCAWATCH_* of the environment.",
        show_default=False,
    ),
]  # fmt: skip


@with_examples("HCAWATCH_DATABASE_URL=postgresql://… hcawatch centre hcawatch.yaml")
def centre(
    config: ServiceConfig = None, config_option: ConfigOption = None, runtime: RuntimeFile = None
) -> None:
    """Run the centre alone, as a service: ingest, alerts, audit log, console and API.

    Where database and broker are comes from HCAWATCH_DATABASE_URL, HCAWATCH_MQTT_HOST, HCAWATCH_MQTT_USER,
    HCAWATCH_MQTT_PASSWORD and others (each also as *_FILE); docs/deploy.md lists them.
    """
    import os

    from hcawatch import centre as parts
    from hcawatch.config import load
    from hcawatch.runtime import Runtime, from_environment

    config = one_config(config, config_option)
    loaded = load(config, part="centre")
    access = Runtime.load(runtime) if runtime is not None else from_environment(os.environ)
    raise typer.Exit(parts.run(loaded, access))
