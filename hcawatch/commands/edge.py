"""`hcawatch edge CONFIG --edge ID`: one edge worker beside its cameras, as a service."""

from typing import Annotated

import typer

from hcawatch.commands.centre import RuntimeFile
from hcawatch.commands.common import CommandError, ConfigOption, ServiceConfig, one_config, with_examples


@with_examples("hcawatch edge hcawatch.yaml --edge north-1")
def edge(
    edge_id: Annotated[
        str,
        typer.Option("--edge", metavar="ID", envvar="HCAWATCH_EDGE_ID", help="Which edge of the configuration this is.",
                     show_default=False),
    ],
    config: ServiceConfig = None,
    config_option: ConfigOption = None,
    runtime: RuntimeFile = None,
) -> None:  # fmt: skip
    """Run one edge worker beside its cameras, as a service.

    Events wait in its outbox until the centre's database has them, so it can be stopped at any time.
    """
    from hcawatch import edge_worker
    from hcawatch.config import load

    config = one_config(config, config_option)
    loaded = load(config, part=f"edge:{edge_id}")
    known = [known.edge_id for known in loaded.city.edges]
    if edge_id not in known:
        raise CommandError(f"{config} has no edge '{edge_id}'; use one of: {', '.join(known)}")
    raise typer.Exit(edge_worker.run(loaded, edge_id, runtime))
