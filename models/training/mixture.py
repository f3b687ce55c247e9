"""`python -m models.training.mixture OUT_DIR --data data.yaml`: pictures of our own to mix into a training.

    OUT_DIR/images, labels     in YOLO's form, numbered as the data's classes
    OUT_DIR/data.yaml          its one split is `train`: a source of a recipe (`models.training.recipe`)
    OUT_DIR/exhaustive.yaml    which classes are labelled in full, by the beginning of a file's name
    OUT_DIR/sites.jsonl, photographs.jsonl, cutouts.jsonl    what each picture was made of
    OUT_DIR/sites.yaml, …      that this sort is finished: a run that was cut off goes on with the next

Decides how many of which sort; made from the training split only, never from what measures. A picture
made in a photograph knows what the photograph's source knows, and what was put in.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TextIO

import cv2
import yaml

from models.eval.dataset import LabelledPicture, LabelledSet, read_set
from models.eval.held_out import read_held_out, without
from models.training import cutouts, photographs, scenery
from models.training.cutting import KINDS
from models.training.photographs import Made

#: Other numbers make other pictures from the same seed: then all are made anew.
MAKING: Final = 2
#: Of the rendered pictures so many are photographs with rendered machines.
IN_PHOTOGRAPHS: Final = 0.5
#: Tries for each picture that is wanted, before too few are made.
TRIES: Final = 6
JPEG_QUALITY: Final = 92
EXAMPLES: Final = """examples:
  python -m models.training.mixture mixture --data ../shared/data/data.yaml --leave-out models/training/held-out.yaml
  python -m models.training.mixture site-7 --data ../shared/data/data.yaml --backgrounds empty-views --cutouts 0
"""

Progress = Callable[[str, int, int], None]


def make(
    folder: Path,
    data: LabelledSet,
    *,
    rendered: int,
    pasted: int,
    seed: int,
    extra_backgrounds: Sequence[Path] = (),
    progress: Progress = lambda what, done, of: None,
) -> dict[str, int]:
    """Write `rendered` pictures with rendered machines and `pasted` ones with cut-outs; how many of each sort came out.

    Args:
        folder: where to; sorts that an earlier run finished there stay, if they are the same.
        data: the training split, without what is held out.
        rendered: how many, the half of them in photographs if there are any to use.
        pasted: how many.
        seed: of all choices; the same data and seed give the same files.
        extra_backgrounds: folders of photographs without machines.
        progress: is told (what, done, of how many).
    """
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    extra = tuple(p for one in extra_backgrounds for p in photographs.unlabelled(one))
    backgrounds = photographs.usable(photographs.without_machines(data.pictures) + extra)
    of_photographs = round(IN_PHOTOGRAPHS * rendered) if backgrounds else 0
    known: dict[str, list[str]] = {}
    done: dict[str, int] = {}
    for what, wanted, pictures in (
        ("sites", rendered - of_photographs, _sites(rendered - of_photographs, seed)),
        ("photographs", of_photographs, _photographs(of_photographs, seed, backgrounds)),
        ("cutouts", pasted, _cutouts(pasted, seed, data, extra, progress)),
    ):
        stamp = {"making": MAKING, "seed": seed, "wanted": wanted, "of": _fingerprint(data, extra)}
        told = _finished(folder / f"{what}.yaml", stamp)
        if told is None:
            told = _sort(folder, what, wanted, pictures, data.classes, progress)
            (folder / f"{what}.yaml").write_text(yaml.safe_dump({**stamp, **told}), encoding="utf-8")
        known |= told["known"]
        done[what] = told["made"]
    (folder / "exhaustive.yaml").write_text(yaml.safe_dump(known), encoding="utf-8")
    table = {"train": "images", "names": dict(enumerate(data.classes)), "exhaustive": known}
    (folder / "data.yaml").write_text(yaml.safe_dump(table, sort_keys=False), encoding="utf-8")
    return done


def _finished(path: Path, stamp: Mapping[str, object]) -> dict[str, Any] | None:
    """What an earlier run told of this sort, if it finished it with the same seed, number and data."""
    if not path.is_file():
        return None
    told: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return told if all(told.get(key) == value for key, value in stamp.items()) else None


def _fingerprint(data: LabelledSet, extra: Sequence[LabelledPicture]) -> str:
    """Tells whether the pictures that it is made from are the same, by name."""
    names = "\n".join([*data.classes, *(p.path.name for p in (*data.pictures, *extra))])
    return hashlib.sha256(names.encode()).hexdigest()[:16]


def _sort(
    folder: Path,
    what: str,
    wanted: int,
    pictures: Iterator[Made],
    classes: tuple[str, ...],
    progress: Progress,
) -> dict[str, Any]:
    """Write the pictures of one sort: {known: {beginning of names: classes}, made: how many}."""
    for old in [*(folder / "images").glob(f"own-{what}*"), *(folder / "labels").glob(f"own-{what}*")]:
        old.unlink()
    known: dict[str, list[str]] = {}
    count = 0
    with (folder / f"{what}.jsonl").open("w", encoding="utf-8") as log:
        for made in itertools.islice(pictures, wanted):
            of_it = _known(made, classes)
            prefix = _prefix(what, made.background)
            if known.setdefault(prefix, of_it) != of_it:
                # Pictures without a known source may know different things: then each sort has its own names.
                prefix = f"{prefix}{'-'.join(of_it)}_"
                known[prefix] = of_it
            _write(folder, f"{prefix}{count:05d}", made, classes, log)
            count += 1
            progress(what, count, wanted)
    return {"known": known, "made": count}


def _sites(count: int, seed: int) -> Iterator[Made]:
    for picture, objects in scenery.rendered(count, seed):
        added = tuple(range(len(objects)))
        yield Made(bgr=picture, objects=objects, background=None, added=added)


def _photographs(count: int, seed: int, backgrounds: Sequence[LabelledPicture]) -> Iterator[Made]:
    return scenery.on_photographs(TRIES * count, seed, backgrounds) if count else iter(())


def _cutouts(
    count: int, seed: int, data: LabelledSet, extra: Sequence[LabelledPicture], progress: Progress
) -> Iterator[Made]:
    if not count:
        return
    found = cutouts.cut_all(
        data.pictures, frozenset(data.classes), seed, lambda done, of: progress("cutting", done, of)
    )
    grounds = (*photographs.sites_and_roads(data.pictures), *extra)
    able = [p for p in grounds if any(cutouts.may_hold(name, p) for name in KINDS)]
    yield from cutouts.pasted(TRIES * count, seed, found, photographs.usable(able))


def _prefix(what: str, background: LabelledPicture | None) -> str:
    """Beginning of the file's name: its sort and its source, so that what is known goes by it."""
    source = "" if background is None else background.source or "other"
    return f"own-{what}-{source}_" if source else f"own-{what}_"


def _known(made: Made, classes: tuple[str, ...]) -> list[str]:
    """Of a rendered site everything is known, of a photograph what its source labels in full."""
    return [c for c in classes if made.background is None or c in made.background.exhaustive]


def _write(folder: Path, name: str, made: Made, classes: tuple[str, ...], log: TextIO) -> None:
    height, width = made.bgr.shape[:2]
    cv2.imwrite(str(folder / "images" / f"{name}.jpg"), made.bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    rows = []
    for label, (x0, y0, x1, y1) in made.objects:
        if label in classes:
            centre = f"{(x0 + x1) / 2 / width:.6f} {(y0 + y1) / 2 / height:.6f}"
            rows.append(f"{classes.index(label)} {centre} {(x1 - x0) / width:.6f} {(y1 - y0) / height:.6f}\n")
    (folder / "labels" / f"{name}.txt").write_text("".join(rows), encoding="utf-8")
    told = {
        "picture": f"{name}.jpg", "background": made.background.path.name if made.background else None,
        "added": [made.objects[k][0] for k in made.added],
    }  # fmt: skip
    log.write(json.dumps(told) + "\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m models.training.mixture", description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="data.yaml whose `train` split is used")
    parser.add_argument("--rendered", type=int, default=400)
    parser.add_argument("--cutouts", type=int, default=600)
    parser.add_argument("--seed", type=int, default=20261125)
    parser.add_argument("--leave-out", type=Path, help="held-out.yaml: pictures that training must not see")
    parser.add_argument(
        "--exhaustive", type=Path, help="which classes each source labels in full, if not our table"
    )
    parser.add_argument("--backgrounds", type=Path, action="append", default=[], help="folder of photographs without machines; may be repeated")  # fmt: skip
    given = parser.parse_args(arguments)
    data = read_set(given.data, "train", given.exhaustive)
    if given.leave_out is not None:
        kept = without(data.pictures, read_held_out(given.leave_out))
        data = LabelledSet(classes=data.classes, pictures=kept)
    done = make(
        given.out_dir, data, rendered=given.rendered, pasted=given.cutouts, seed=given.seed,
        extra_backgrounds=given.backgrounds, progress=_show,
    )  # fmt: skip
    sys.stdout.write(json.dumps(done) + "\n")


def _show(what: str, done: int, of: int) -> None:
    """One line that rewrites itself on a terminal; every fiftieth as a line in a log."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{what}: {done}/{of}    ")
    elif done % 50 == 0 or done == of:
        sys.stderr.write(f"{what}: {done}/{of}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
