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
@with_examples(
    "hcawatch audit verify bundle.zip",
    "hcawatch audit verify bundle.zip --key published.key --known last-month.checkpoint",
)
def verify(
    bundle: Annotated[Path, typer.Argument(help="The zip that was exported.", show_default=False)],
    key: Annotated[
        Path | None, typer.Option(help="File with the verifier key, got from outside the bundle.", show_default=False)
    ] = None,
    known: Annotated[
        list[Path] | None, typer.Option(help="A checkpoint got earlier, which the bundle must contain; may repeat.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Verify an exported bundle offline. Nothing of the installation is needed or trusted.

    Exit status 0 only if every step passed. Without --key the signature proves only that one signer
    signed it all, not who.
    """
    from hcawatch.commands.shown import plain
    from monitor.audit.verify import verify_bundle

    if not bundle.is_file():
        raise CommandError(f"there is no file {bundle}; name the zip that `hcawatch audit export` wrote")
    trusted = key.read_text(encoding="utf-8").strip() if key is not None else None
    checkpoints = [path.read_text(encoding="utf-8") for path in known or ()]
    verdict = verify_bundle(bundle, trusted, known_checkpoints=checkpoints)
    if as_json:
        typer.echo(json.dumps({"ok": verdict.ok, **plain(verdict)}, ensure_ascii=False))
    else:
        typer.echo(verdict.diagnostics())
        typer.echo(f"{'verified' if verdict.ok else 'NOT VERIFIED'}: {verdict.size} entries")
    raise typer.Exit(0 if verdict.ok else 1)


@app.command()
@with_examples('hcawatch audit export bundle.zip --reason "inspection 2026-12" --data-dir data')
def export(
    out: Annotated[Path, typer.Argument(help="Zip to write.", show_default=False)],
    reason: Annotated[str, typer.Option(help="For whom or what; kept with the export's entry.")] = "",
    database: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Write what a regulator needs to verify the history offline. The export becomes an entry itself."""
    import getpass
    from datetime import UTC, datetime

    import psycopg

    from monitor.audit.entries import Entry
    from monitor.audit.export import bundle
    from monitor.audit.log import append

    if out.exists():
        raise CommandError(f"{out} exists; name another file")
    with psycopg.connect(database_url(database, data_dir), prepare_threshold=None) as conn:
        written = bundle(conn, out)
        body = {"size": written.size, "reason": reason, "by": "hcawatch audit export"}
        append(
            conn,
            Entry(kind="export", subject="audit", actor=getpass.getuser(), at=datetime.now(UTC), body=body),
        )
    if as_json:
        typer.echo(json.dumps({"file": str(out), "size": written.size, "checkpoint": written.checkpoint}))
    else:
        typer.echo(f"{out}: {written.size} entries; check it with `hcawatch audit verify {out}`")


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
