"""`hcawatch models duplicates`, `hold-out` and `calibrate`: honest sets of pictures, and honest scores by them."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from hcawatch.commands.common import CommandError, with_examples


def add_to(app: typer.Typer) -> None:
    """Make these commands of `hcawatch models`."""
    app.command("duplicates")(duplicates)
    app.command("hold-out")(hold_out)
    app.command("calibrate")(calibrate)


@with_examples("hcawatch models hold-out --data pictures/data.yaml --out held-out.yaml")
def hold_out(
    data: Annotated[Path, typer.Option(help="Labelled pictures: a data.yaml in YOLO's form.")] = Path("../shared/data/data.yaml"),
    split: Annotated[str, typer.Option(help="Which of the data's splits.")] = "train",
    share: Annotated[float, typer.Option(min=0.01, max=0.9, help="Of each source about this share is held out.")] = 0.12,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same list.")] = 20261125,
    out: Annotated[Path, typer.Option(metavar="YAML", help="The list of names to write.")] = Path("held-out.yaml"),
) -> None:  # fmt: skip
    """Hold whole scenes of a training split out, to measure and to calibrate on; writes their names.

    Neighbouring frames stay on one side. Name the list as `held_out` in a recipe, and training leaves it out.
    """
    from models.eval.dataset import read_set
    from models.eval.held_out import boxes_in, held_out_text
    from models.eval.held_out import hold_out as chosen

    labelled = read_set(data, split)
    stems, count = chosen(labelled, share=share, seed=seed, progress=counted if sys.stderr.isatty() else None)
    made = f"hcawatch models hold-out --split {split} --share {share:g} --seed {seed}"
    out.write_text(
        held_out_text(
            stems,
            {
                "made_by": made,
                "of_pictures": len(labelled.pictures),
                "in_scenes": count,
                "boxes": boxes_in(labelled, stems),
            },
        ),
        encoding="utf-8",
    )
    typer.echo(f"{len(stems)} of {len(labelled.pictures)} pictures, in {count} scenes, are held out: {out}")


@with_examples(
    "hcawatch models duplicates pictures/data.yaml --html sheet/",
    "hcawatch models duplicates a/data.yaml b/data.yaml --held-out models/training/held-out.yaml --json",
)
def duplicates(
    data: Annotated[list[Path], typer.Argument(metavar="DATA_YAML…", help="Labelled pictures: data.yaml files in YOLO's form.", show_default=False)],
    held_out: Annotated[Path | None, typer.Option(metavar="YAML", help="A list of held-out names: these count as a split of their own.", show_default=False)] = None,
    within: Annotated[bool, typer.Option("--within", help="Print the pairs within one split too; else only their number.")] = False,
    html: Annotated[Path | None, typer.Option(metavar="DIR", help="Write a sheet with the pairs side by side, in English and Chinese.", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object with every pair.")] = False,
) -> None:  # fmt: skip
    """Find pictures that are the same or neighbouring frames, mirrored too.

    The exit status is 1 if a pair crosses splits: then figures on it are memory.
    """
    from models import duplicates as near
    from models.duplicates_sheet import write_sheet
    from models.eval.dataset import read_set, splits_of
    from models.eval.held_out import read_held_out

    stems = frozenset(read_held_out(held_out)) if held_out else frozenset()
    pictures = [
        (picture, "held-out" if picture.path.stem in stems else split)
        for path in data
        for split in splits_of(path)
        for picture in read_set(path, split).pictures
    ]
    told = counted if sys.stderr.isatty() else None
    entries: list[near.Entry] = []
    for picture, split in pictures:
        entries += near.described([picture], split)
        if told is not None:
            told(len(entries), len(pictures))
    found = near.pairs(entries, told)
    crossing = [pair for pair in found if pair.crosses]
    if html is not None:
        typer.echo(str(write_sheet(html, found)), err=as_json)
    if as_json:
        rows = [near.as_row(pair) for pair in found]
        typer.echo(
            json.dumps(
                {"pictures": len(entries), "crossing": len(crossing), "pairs": rows}, ensure_ascii=False
            )
        )
    else:
        for pair in found if within else crossing:
            typer.echo(_twin(near.as_row(pair)))
        typer.echo(
            f"{len(entries)} pictures: {len(crossing)} pairs cross splits, {len(found) - len(crossing)} lie within one"
        )
    if crossing:
        raise typer.Exit(1)


def _twin(row: dict[str, Any]) -> str:
    a, b = (
        f"{Path(row[k]).name} ({split}, {source})"
        for k, split, source in zip("ab", row["splits"], row["sources"], strict=True)
    )
    return f"{a} = {b}: {row['reason']}, distance {row['distance']}, likeness {row['likeness']}, corners {row['corners']}"


@with_examples(
    "hcawatch models calibrate train-mine/model --only models/training/held-out.yaml",
    "hcawatch models calibrate train-mine/model --data site/data.yaml --split val --dry-run --json",
)
def calibrate(
    model: Annotated[str, typer.Argument(metavar="NAME_OR_FOLDER", help="The set of weights whose card gets the calibration.", show_default=False)],
    data: Annotated[Path, typer.Option(help="Labelled pictures that training has not seen: a data.yaml in YOLO's form.")] = Path("../shared/data/data.yaml"),
    split: Annotated[str, typer.Option(help="Which of the data's splits.")] = "train",
    only: Annotated[Path | None, typer.Option(metavar="YAML", help="A list of names from `hcawatch models hold-out`: only these pictures of the split.", show_default=False)] = None,
    threads: Annotated[int, typer.Option(min=1, max=64, help="CPU threads for one picture.")] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would come of it; leave the card as it is.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The last line is one JSON object with every figure.")] = False,
) -> None:  # fmt: skip
    """Make 0.8 mean that eight of ten such boxes are right, and write the curve into the card.

    Each source of pictures is scored by a fit on all others; if that is no better than the raw scores,
    nothing is written and the exit status is 1. Average precision stays as it is. Thresholds of rules then
    mean calibrated scores.
    """
    from models.backends import FALLBACK, Options
    from models.card_file import with_calibration
    from models.eval.calibrate import as_section, collect, verdict
    from models.eval.dataset import read_set
    from models.eval.held_out import narrowed
    from models.eval.run import look
    from models.eval.summary import STAY_SCORE
    from models.registry import build, find, read_card

    labelled = narrowed(read_set(data, split), only)
    card = read_card(find(model))
    # The raw scores are what is fitted, whatever the card has now.
    detector = build(
        replace(card, calibration=None), FALLBACK, Options(threads=threads, long_side_px=card.long_side_px)
    )
    pictures = tuple(look(labelled, detector, counted if sys.stderr.isatty() else None))
    found = verdict(collect(pictures, labelled.classes), score_from=STAY_SCORE)
    made = f"hcawatch models calibrate --split {split}" + (f" --only {only.name}" if only else "")
    section = as_section(found, made_by=made, pictures=len(pictures))
    if as_json:
        typer.echo(json.dumps({"model": card.name, "refused": found.refused, **section}, ensure_ascii=False))
    else:
        typer.echo(_told(section))
    if found.refused is not None:
        raise CommandError(f"not calibrated, the card stays as it is: {_REFUSED[found.refused.value]}")
    if not dry_run:
        path = card.folder / "card.yaml"
        partial = path.with_suffix(".partial")
        partial.write_text(with_calibration(path.read_text(encoding="utf-8"), section), encoding="utf-8")
        partial.replace(path)
        typer.echo(f"written into {path}", err=as_json)


_REFUSED = {
    "one_source": "all pictures are of one source, so nobody can tell whether it carries over to another",
    "few_hits": "too few of the found boxes are right to learn from",
    "no_better": "sources are not better off with a fit on the others than with the raw scores",
}


def _told(section: dict[str, Any]) -> str:
    lines = [
        f"{'source':>14} {'boxes':>7} {'loss':>8} {'then':>8} {'error':>8} {'then':>8} {'from 0.3':>9} {'then':>8}"
    ]
    for name, row in {**section["sources"], "all": section["all"]}.items():
        cells = [
            f"{v:>8.4f}" if v is not None else f"{'-':>8}"
            for key in ("loss", "ece", "ece_from_0.3")
            for v in row[key]
        ]
        lines.append(f"{name:>14} {row['boxes']:>7} " + " ".join(cells))
    lines.append(f"best of the ways: {section['way']}; {section['others']}")
    became = ", ".join(f"{raw} becomes {score}" for raw, score in section["raw_becomes"].items())
    lines.append(f"raw scores: {became}")
    return "\n".join(lines)


def counted(done: int, total: int) -> None:
    """Tell on the terminal how far it is."""
    typer.echo(f"\r{done}/{total}" + ("\n" if done == total else ""), nl=False, err=True)
