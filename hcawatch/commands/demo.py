"""`hcawatch demo`: the whole chain on real footage, with one command."""

from pathlib import Path
from typing import Annotated

import typer

from hcawatch.commands.common import AsJson, with_examples


@with_examples("hcawatch demo", "hcawatch demo --once", "hcawatch demo --footage street.mp4 --port 8500")
def demo(
    once: Annotated[bool, typer.Option("--once", help="Do it without a person, end by itself, print one JSON line.")] = False,
    data_dir: Annotated[Path | None, typer.Option(help="Where everything is kept; else the user's data folder.", show_default=False)] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port of the console.", show_default=False)] = None,
    footage: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Your own video instead of the street scene.", show_default=False)
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(metavar="URL", help="PostgreSQL or TimescaleDB instead of the embedded server.", show_default=False),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the data folder of an earlier run.")] = False,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Show the whole chain: real detector, broker and database; a simulated excavator, a simulated phone.

    Addresses and passwords are printed; Ctrl-C ends it.
    """
    from hcawatch.demo import run as story

    status = story.main(
        once=once,
        data_dir=data_dir,
        port=port,
        footage=footage,
        database=database,
        keep=keep,
        as_json=as_json,
    )
    raise typer.Exit(status or 0)
