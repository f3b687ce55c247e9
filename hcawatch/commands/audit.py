"""`hcawatch audit`: verify a bundle offline, export one, show the newest signed head."""

import json
from pathlib import Path
from typing import Annotated

import typer

from hcawatch.commands.common import (
    AsJson,
    CommandError,
    DatabaseUrl,
    DataDir,
    database_url,
    group,
    with_examples,
)

app = group("The audit log: verify it on one's own machine, export it, show its head.")


@app.command()
@with_examples("hcawatch audit verify bundle.zip")
def verify(
    bundle: Annotated[Path, typer.Argument(help="The zip that was exported.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Verify an exported bundle offline: nothing of the installation is needed or trusted."""
    from monitor.audit.verify import verify_bundle

    from hcawatch.commands.shown import plain

    if not bundle.is_file():
        raise CommandError(f"there is no file {bundle}; name the zip that `hcawatch audit export` wrote")
    found = plain(verify_bundle(bundle))
    _show(found, as_json)
    if isinstance(found, dict) and found.get("ok", found.get("verified", True)) is False:
        raise CommandError(f"{bundle} does not verify; see what was printed")


@app.command()
@with_examples("hcawatch audit export bundle.zip --data-dir data")
def export(
    out: Annotated[Path, typer.Argument(help="Zip to write.", show_default=False)],
    database: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Write everything that a regulator needs to verify the history offline. The export is an entry itself."""
    import psycopg
    from monitor.audit.export import bundle

    from hcawatch.commands.shown import plain

    if out.exists():
        raise CommandError(f"{out} exists; name another file")
    with psycopg.connect(database_url(database, data_dir), prepare_threshold=None) as conn:
        found = bundle(conn, out)
    _show({"file": str(out), "bundle": plain(found)}, as_json)


@app.command()
@with_examples("hcawatch audit head --data-dir data")
def head(database: DatabaseUrl = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Print the newest signed head: the checkpoint to keep outside, and to compare later."""
    import psycopg
    from psycopg.rows import tuple_row

    from hcawatch.commands.db_status import COUNTS

    with psycopg.connect(
        database_url(database, data_dir), prepare_threshold=None, row_factory=tuple_row
    ) as conn:
        row = conn.execute(COUNTS["newest_head"]).fetchone()
    if row is None:
        raise CommandError("there is no signed head yet; is the centre running?")
    size, root, checkpoint, signed_at = row
    if as_json:
        found = {
            "size": size,
            "root": root.hex(),
            "checkpoint": checkpoint,
            "signed_at": signed_at.isoformat(),
        }
        typer.echo(json.dumps(found))
    else:
        typer.echo(checkpoint.rstrip("\n"))


def _show(found: object, as_json: bool) -> None:
    if isinstance(found, dict) and not as_json:
        for name, value in found.items():
            typer.echo(f"{name:14} {value}")
    else:
        typer.echo(json.dumps(found, ensure_ascii=False))
