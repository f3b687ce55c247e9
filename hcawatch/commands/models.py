"""`hcawatch models`: which detectors there are, and what one sees in pictures."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from hcawatch.commands.common import AsJson, CommandError, group, with_examples

app = group("Detectors: which there are, and what one sees.")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the sets of weights, each checked against its card."""
    from models.registry import DEFAULT_NAME, available

    rows: list[dict[str, Any]] = []
    for listed in available():
        card = listed.card
        rows.append(
            {
                "name": card.name if card else listed.folder.name, "version": card.version if card else None,
                "sha256": card.sha256 if card else None, "classes": list(card.classes) if card else [],
                "trained_on": card.trained_on if card else None, "default": listed.folder.name == DEFAULT_NAME,
                "refused": str(listed.refused) if listed.refused else None,
            }
        )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    for row in rows:
        mark = "*" if row["default"] else " "
        if row["refused"]:
            typer.echo(f"{mark} {row['name']}: {row['refused']}")
            continue
        typer.echo(f"{mark} {row['name']} {row['version']}  sha256 {str(row['sha256'])[:12]}…")
        typer.echo(f"    sees {', '.join(row['classes'])}; {row['trained_on']}")


@app.command()
@with_examples("hcawatch models predict site.jpg", "hcawatch models predict pictures/ --json > boxes.jsonl")
def predict(
    paths: Annotated[list[Path], typer.Argument(metavar="IMAGE_OR_FOLDER…", help="Pictures, or folders of them.", show_default=False)],
    weights: Annotated[Path | None, typer.Option(help="Folder of a set of weights; else the shipped one.", show_default=False)] = None,
    threads: Annotated[int, typer.Option(min=1, max=64, help="CPU threads for one picture.")] = 1,
    long_side_px: Annotated[int, typer.Option(min=32, max=4096, help="Longer side of the network's input.")] = 416,
    score_min: Annotated[float, typer.Option(min=0.0, max=1.0, help="Boxes that score less are left out.")] = 0.01,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line a picture: {image, boxes: [{class, score, xyxy}]}.")] = False,
) -> None:  # fmt: skip
    """Print what the detector sees in pictures, one line each, in pixels of the given picture.

    A picture that can't be read is a line with `error`, and the exit status is 1.
    """
    from models.predict import predict_paths
    from models.registry import load

    detector = load(weights, threads=threads, long_side_px=long_side_px, score_min=score_min)
    broken = 0
    for row in predict_paths(paths, detector):
        broken += "error" in row
        typer.echo(json.dumps(row, ensure_ascii=False) if as_json else _line(row))
    if broken:
        raise CommandError(f"{broken} of the pictures could not be read; see the lines with 'error'")


def _line(row: dict[str, object]) -> str:
    if "error" in row:
        return f"{row['image']}: error: {row['error']}"
    boxes = row["boxes"]
    assert isinstance(boxes, list)
    found = ", ".join(f"{box['class']} {box['score']:.2f}" for box in boxes if box["score"] >= 0.25)
    return f"{row['image']}: {found or 'nothing'}"
