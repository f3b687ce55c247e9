"""`hcawatch models promote|rollback|promoted`: which detector edges use."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from hcawatch.commands.common import AsJson, CommandError, DatabaseUrl, DataDir, database_url, with_examples

Edges = Annotated[list[str] | None, typer.Option("--edge", metavar="ID", help="For this edge; may be given again.", show_default=False)]  # fmt: skip
Sites = Annotated[list[str] | None, typer.Option("--site", metavar="ID", help="For the edges that watch this HCA.", show_default=False)]  # fmt: skip
Every = Annotated[bool, typer.Option("--all", help="For all edges.")]
Reason = Annotated[str, typer.Option(help="Why; it stands in the audit log.", show_default=False)]
By = Annotated[str | None, typer.Option("--by", help="Who does it, for the audit log; else your login here.", show_default=False)]  # fmt: skip


def add_to(app: typer.Typer) -> None:
    """Make these commands of `hcawatch models`."""
    app.command("promote")(promote)
    app.command("rollback")(rollback)
    app.command("promoted")(promoted)


@with_examples(
    "hcawatch models promote train-site/model --edge north-1 --comparison verdict.json --reason 'fewer cows' --data-dir data"
)
def promote(
    folder: Annotated[Path, typer.Argument(help="A set of weights with its card.", show_default=False)],
    reason: Reason,
    edge: Edges = None,
    site: Sites = None,
    every: Every = False,
    comparison: Annotated[Path | None, typer.Option(metavar="FILE", help="What `models compare --json` said of this candidate.", show_default=False)] = None,
    may_silence: Annotated[bool, typer.Option("--may-silence", help="Even if rules lose a class on which they raise alarms.")] = False,
    database: DatabaseUrl = None,
    data_dir: DataDir = None,
    by: By = None,
) -> None:  # fmt: skip
    """Let edges use a set of weights: they fetch it by its SHA-256, try it, and change over while the old one looks.

    Refused if the files are not those of its card, or if rules would lose a class. An edge that can't have it goes on with
    the one before and says why (`models promoted`).
    """
    from hcawatch import promotion
    from hcawatch.commands.feedback import actor_of
    from hcawatch.config import versions
    from models.registry import find, read_card

    if data_dir is None:
        raise CommandError("edges fetch it from the centre's data folder: give --data-dir")
    try:
        card = read_card(folder)
        store = data_dir / "centre" / "models"
        with versions.connect(database_url(database, data_dir)) as conn:
            body = versions.read(conn).body
            edges = promotion.edges_of(body, edge or (), site or (), every=every)
            lost = promotion.lost_by_edge(body, edges, store, card, read_card(find(None)))
            if lost and not may_silence:
                raise CommandError(_lost(lost))
            name, manifest = promotion.add(folder, store, comparison)
            more = {"model": name, "name": manifest.name, "model_version": manifest.version, "weights_sha256": card.sha256,
                    "verdict": _verdict(comparison), "silenced": lost}  # fmt: skip
            number = promotion.write(conn, Path("hcawatch.yaml"), dict.fromkeys(edges, name), step="promoted",
                                     author=actor_of(by).user, reason=reason, now=datetime.now(UTC), more=more)  # fmt: skip
    except promotion.PromotionError as exc:
        raise CommandError(str(exc)) from exc
    typer.echo(
        f"{manifest.name} {manifest.version} ({name[:12]}) for {', '.join(edges)}: configuration version {number}"
    )


@with_examples("hcawatch models rollback --edge north-1 --reason 'misses loaders' --data-dir data")
def rollback(
    reason: Reason, edge: Edges = None, site: Sites = None, every: Every = False, database: DatabaseUrl = None,
    data_dir: DataDir = None, by: By = None,
) -> None:  # fmt: skip
    """Let edges use again what they used before; they still have it on disk.

    Once more goes one further back. An edge with nothing to go back to is left as it is, and named.
    """
    from hcawatch import promotion
    from hcawatch.commands.feedback import actor_of
    from hcawatch.config import versions

    try:
        with versions.connect(database_url(database, data_dir)) as conn:
            edges = promotion.edges_of(versions.read(conn).body, edge or (), site or (), every=every)
            models = promotion.before(conn, edges)
            number = promotion.write(conn, Path("hcawatch.yaml"), models, step="rolled_back", author=actor_of(by).user,
                                     reason=reason, now=datetime.now(UTC), more={})  # fmt: skip
    except promotion.PromotionError as exc:
        raise CommandError(str(exc)) from exc
    said = ", ".join(f"{one}: {(model or 'the shipped one')[:16]}" for one, model in models.items())
    typer.echo(f"{said}: configuration version {number}")
    if left := [one for one in edges if one not in models]:
        typer.echo(f"{', '.join(left)}: nothing to roll back to, left as it is")


@with_examples("hcawatch models promoted --data-dir data")
def promoted(database: DatabaseUrl = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Print which set each edge is to use, which it uses, and why if that differs."""
    from hcawatch.config import versions

    rows: list[dict[str, Any]] = []
    with versions.connect(database_url(database, data_dir)) as conn:
        wanted = {edge["id"]: edge.get("model") for edge in versions.read(conn).body["edges"]}
        said = {row["edge_id"]: row for row in conn.execute(versions.QUERIES["edge_models"])}
    for edge_id, model in wanted.items():
        status = (said.get(edge_id) or {}).get("model") or {}
        rows.append({"edge": edge_id, "wanted": model, "in_use": status.get("in_use"), "trouble": status.get("trouble", ""),
                     "detector": (said.get(edge_id) or {}).get("detector") or {}})  # fmt: skip
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    for row in rows:
        names = [(row[key] or "shipped")[:12] for key in ("wanted", "in_use")]
        typer.echo(
            f"{row['edge']}: wanted {names[0]}, in use {names[1]} {row['detector'].get('name', '')} {row['trouble']}".rstrip()
        )


def _lost(lost: dict[str, list[str] | None]) -> str:
    said = "; ".join(
        f"{edge}: nobody knows, the card of what it uses can't be read"
        if classes is None
        else f"{edge}: {', '.join(classes)}"
        for edge, classes in lost.items()
    )
    return f"rules would raise no alarm any more on what they do now (--may-silence if that is meant): {said}"


def _verdict(comparison: Path | None) -> str | None:
    return (
        None
        if comparison is None
        else str(json.loads(comparison.read_text().strip().splitlines()[-1])["verdict"])
    )
