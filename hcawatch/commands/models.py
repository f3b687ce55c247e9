"""`hcawatch models`: which detectors there are, what one sees in pictures, how well, and training another."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from hcawatch.commands import model_promote, model_sets
from hcawatch.commands.common import AsJson, CommandError, group, with_examples
from hcawatch.commands.model_backend import DEFAULT, BackendOption, loaded, speed
from hcawatch.commands.model_compare import compare

app = group("Detectors: which there are, what one sees, how well, and training another.")
model_sets.add_to(app)
model_promote.add_to(app)

LongSide = Annotated[
    int | None,
    typer.Option(
        min=32,
        max=4096,
        show_default=False,
        help="Longer side of the network's input; else as its card has it.",
    ),
]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the sets of weights, each checked against its card."""
    from models.registry import DEFAULT_NAME, available
    from models.shipped import sentence
    from monitor.domain.violations import alarm_classes

    rows: list[dict[str, Any]] = []
    silent: dict[str, list[str]] = {}
    for listed in available():
        card = listed.card
        rows.append(
            {
                "name": card.name if card else listed.folder.name, "version": card.version if card else None,
                "sha256": card.sha256 if card else None, "classes": list(card.classes) if card else [],
                "trained_on": card.trained_on if card else None,
                "shipped": list(card.shipping.shipped or card.classes) if card else [],
                "alarms": [c for c in card.classes if c in alarm_classes(card.shipping.shipped)] if card else [],
                "no_alarm": {s.class_name: s.why.value for s in card.shipping.silent} if card else {},
                "default": listed.folder.name == DEFAULT_NAME,
                "refused": str(listed.refused) if listed.refused else None,
            }
        )  # fmt: skip
        if card:
            silent[card.name] = [sentence(one, "en") for one in card.shipping.silent]
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
        typer.echo(f"    rules raise alarms on: {', '.join(row['alarms']) or 'none of them'}")
        for line in silent[row["name"]]:
            typer.echo(f"    {line}")


@app.command()
@with_examples("hcawatch models predict site.jpg", "hcawatch models predict pictures/ --json > boxes.jsonl")
def predict(
    paths: Annotated[list[Path], typer.Argument(metavar="IMAGE_OR_FOLDER…", help="Pictures, or folders of them.", show_default=False)],
    weights: Annotated[Path | None, typer.Option(help="Folder of a set of weights; else the shipped one.", show_default=False)] = None,
    threads: Annotated[int, typer.Option(min=1, max=64, help="CPU threads for one picture.")] = 1,
    long_side_px: LongSide = None,
    backend: BackendOption = DEFAULT,
    score_min: Annotated[float, typer.Option(min=0.0, max=1.0, help="Boxes that score less are left out.")] = 0.01,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line a picture: {image, boxes: [{class, score, xyxy}]}.")] = False,
) -> None:  # fmt: skip
    """Print what the detector sees in pictures, one line each, in pixels of the given picture.

    A picture that can't be read is a line with `error`, and the exit status is 1.
    """
    from models.predict import predict_paths

    detector = loaded(weights, backend, threads=threads, long_side_px=long_side_px, score_min=score_min)
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


@app.command("eval")
@with_examples(
    "hcawatch models eval --data pictures/data.yaml --html report/",
    "hcawatch models eval --json",
    "hcawatch models eval --video clips/ --events clips/events.yaml --html report/",
)
def eval_(
    ctx: typer.Context,
    clips: Annotated[list[Path] | None, typer.Argument(metavar="CLIP_OR_FOLDER…", help="With --video: clips, or folders of them; else ../shared/data/video.", show_default=False)] = None,
    video: Annotated[bool, typer.Option("--video", help="Score events in film instead of boxes in pictures.")] = False,
    events: Annotated[Path | None, typer.Option(metavar="YAML", help="With --video: what happens in the clips; else models/eval/events/shared-clips.yaml.", show_default=False)] = None,
    data: Annotated[Path, typer.Option(help="Labelled pictures: a data.yaml in YOLO's form.")] = Path("../shared/data/data.yaml"),
    model: Annotated[str | None, typer.Option(metavar="NAME_OR_FOLDER", help="A set of weights; else the shipped one.", show_default=False)] = None,
    split: Annotated[str, typer.Option(help="Which of the data's splits.")] = "val",
    only: Annotated[Path | None, typer.Option(metavar="YAML", help="A list of names from `hcawatch models hold-out`: only these pictures of the split.", show_default=False)] = None,
    threshold: Annotated[float, typer.Option(min=0.0, max=1.0, help="Score for precision, recall and confusions; the rules ship with 0.5.")] = 0.5,
    exhaustive: Annotated[Path | None, typer.Option(metavar="YAML", help="{beginning of file names: [classes labelled in full]}; else `exhaustive` in the data.yaml, else our own table.", show_default=False)] = None,
    long_side_px: LongSide = None,
    threads: Annotated[int, typer.Option(min=1, max=64, help="CPU threads for one picture.")] = 1,
    backend: BackendOption = DEFAULT,
    html: Annotated[Path | None, typer.Option(metavar="DIR", help="Write a report with curves, confusions and the worst pictures, in English and Chinese.", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The last line is one JSON object with every figure.")] = False,
) -> None:  # fmt: skip
    """Measure how well a detector finds what is labelled: average precision, recall, calibration.

    A class is scored only in pictures in which it is exhaustively labelled. With --video: events found, time
    to report and false alarms a camera and day, as i-LIDS scores them.
    """
    if video:
        from hcawatch.commands.model_events import eval_events

        _refuse(ctx, "data", "split", "only", "exhaustive")
        eval_events(
            clips or [], events, model, threshold, backend, long_side_px, threads, html, as_json=as_json
        )
        return
    if clips or events:
        raise CommandError("clips and --events are for scoring events in film: add --video")
    from models.eval.dataset import read_set
    from models.eval.held_out import narrowed
    from models.eval.html import write_report
    from models.eval.run import look
    from models.eval.summary import as_table, figures
    from models.registry import find, read_card

    labelled = narrowed(read_set(data, split, exhaustive), only)
    folder = find(model)
    side = long_side_px or read_card(folder).long_side_px
    detector = loaded(folder, backend, threads=threads, long_side_px=side)
    pictures = tuple(look(labelled, detector, _counted if sys.stderr.isatty() else None))
    found = figures(pictures, labelled.classes, threshold=threshold)
    if html is not None:
        page = write_report(html, found, pictures, info=detector.info, long_side_px=side)
        typer.echo(str(page), err=as_json)
    table = as_table(found) | {
        "model": detector.info.name,
        "sha256": detector.info.sha256,
        "long_side_px": side,
        "backend": detector.info.backend,
    }
    typer.echo(json.dumps(table, ensure_ascii=False) if as_json else _figures(table))


def _refuse(ctx: typer.Context, *names: str) -> None:
    """Raise if one of these options was given: a figure would be taken for that of other pictures."""
    given = [
        f"--{name}" for name in names if getattr(ctx.get_parameter_source(name), "name", "") == "COMMANDLINE"
    ]
    if given:
        raise CommandError(
            f"{', '.join(given)}: for pictures, not for film; leave it out or leave --video out"
        )


@app.command()
@with_examples(
    "hcawatch models train my-recipe.yaml --python ~/training/bin/python",
    "hcawatch models eval --model train-my-model/model",
)
def train(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="The YAML that says what to train from what; models/training/recipe.yaml is one.", show_default=False)],
    folder: Annotated[Path | None, typer.Option(help="Where pictures, checkpoints, curves and the result go; else train-NAME here.", show_default=False)] = None,
    python: Annotated[str | None, typer.Option(metavar="PATH", help="A Python with ultralytics, onnx and onnxruntime; else this one.", show_default=False)] = None,
) -> None:  # fmt: skip
    """Train a detector; the same command again goes on where it was cut off.

    Classes that a source doesn't label are not learnt as absent there. The result is a set of weights
    in FOLDER/model, not yet measured and not yet in use.
    """
    from models.training.prepare import prepare
    from models.training.recipe import read_recipe
    from models.training.start import start

    read = read_recipe(recipe)
    target = folder or Path(f"train-{read.name}")
    plan = prepare(read, target, _counted if sys.stderr.isatty() else None)
    typer.echo(
        f"{plan['pictures']} pictures, {read.rendered} of them rendered; {plan['left_out']} left out because "
        f"they measure or show a scene that does; training in {target}"
    )
    if plan["never_shown"]:
        typer.echo(
            f"no picture has a label of: {', '.join(plan['never_shown'])} (misspelt in the recipe?)", err=True
        )
    start(target, python)
    typer.echo(f"done: {target / 'model'} (measure it: hcawatch models eval --model {target / 'model'})")


app.command()(compare)
app.command()(speed)


def _counted(done: int, total: int) -> None:
    typer.echo(f"\r{done}/{total}" + ("\n" if done == total else ""), nl=False, err=True)


def _figures(table: dict[str, Any]) -> str:
    keys = ("images", "boxes", "map50", "map", "recall_at_p90", "precision", "recall", "ece")
    lines = [" ".join(f"{key:>13}" for key in ("class", *keys))]
    for name, row in table["classes"].items():
        lines.append(" ".join(f"{'-' if v is None else v:>13}" for v in (name, *(row[key] for key in keys))))
    lines.append(
        f"{table['model']} at {table['long_side_px']} px, {table['images']} pictures: mAP50 {table['map50']}, "
        f"mAP50-95 {table['map']}, of the six {table['map50_six']}, calibration error {table['ece']}, from score 0.3 on {table['ece_from_0.3']}"
    )
    return "\n".join(lines)
