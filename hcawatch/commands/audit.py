"""`hcawatch audit`: verify a bundle offline, export one, show the newest signed head."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    from monitor.audit.verdict import Verdict

app = group("The audit log: verify it on one's own machine, export it, show its head.")


@app.command()
@with_examples(
    "hcawatch audit verify bundle.zip --key published.key",
    "hcawatch audit verify bundle.zip --known last-month.checkpoint",
    "hcawatch audit verify --database postgresql://… --heads data/centre/heads",
)
def verify(
    bundle: Annotated[Path | None, typer.Argument(help="The zip that was exported.", show_default=False)] = None,
    key: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="The signer's public key, or a file with it, got from outside.", show_default=False),
    ] = None,
    known: Annotated[
        list[Path] | None,
        typer.Option(help="A checkpoint got earlier, which the bundle must contain; may repeat.", show_default=False),
    ] = None,
    database: Annotated[
        str | None, typer.Option(metavar="URL", help="Verify what a database holds instead of a bundle.", show_default=False)
    ] = None,
    heads: Annotated[
        Path | None, typer.Option(help="With --database: folder of the published heads.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Verify an exported bundle offline. Nothing of the installation is needed or trusted.

    Exit status 0 only if every step passed. Without --key the signature proves only that one signer
    signed it all, not who.
    """
    from hcawatch.commands.shown import plain

    if (bundle is None) == (database is None):
        raise CommandError("name a bundle (BUNDLE.zip) or a database (--database URL), one of the two")
    verdict = _verdict(bundle, database, _key(key), tuple(known or ()), heads)
    if as_json:
        typer.echo(json.dumps({"ok": verdict.ok, **plain(verdict)}, ensure_ascii=False))
    else:
        typer.echo(verdict.diagnostics())
        typer.echo(f"{'verified' if verdict.ok else 'NOT VERIFIED'}: {verdict.size} entries")
    raise typer.Exit(0 if verdict.ok else 1)


def _verdict(
    bundle: Path | None, database: str | None, key: str | None, known: tuple[Path, ...], heads: Path | None
) -> "Verdict":
    from monitor.audit.verify import verify_bundle, verify_database

    if bundle is not None:
        if not bundle.is_file():
            raise CommandError(f"there is no file {bundle}; name the zip that `hcawatch audit export` wrote")
        checkpoints = [path.read_text(encoding="utf-8") for path in known]
        return verify_bundle(bundle, key, known_checkpoints=checkpoints)
    import psycopg

    assert database is not None
    with psycopg.connect(database, prepare_threshold=None) as conn:
        return verify_database(conn, key, heads_dir=heads)


def _key(text: str | None) -> str | None:
    """The key itself: keys have a '+' in them, other words name a file."""
    if text is None or ("+" in text and not Path(text).is_file()):
        return text
    return Path(text).read_text(encoding="utf-8").strip()


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
