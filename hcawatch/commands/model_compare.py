"""`hcawatch models compare`: a candidate beside the detector in use."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from hcawatch.commands.common import Lang, Language, language, with_examples
from hcawatch.commands.model_backend import DEFAULT, BackendOption, loaded


class Require(StrEnum):
    """What the exit status may be made to depend on."""

    BETTER = "better"


@with_examples(
    "hcawatch models compare hca9-yolov8n-640 train-site/model --frozen pictures/data.yaml --site false-alarms/",
    "hcawatch models compare in-use/ candidate/ --frozen data.yaml --site site.yaml --require better --json",
)
def compare(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The detector in use: a shipped name, or a folder with weights and card.", show_default=False)],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The candidate, likewise.", show_default=False)],
    frozen: Annotated[Path, typer.Option(metavar="DATA_YAML", help="Labelled pictures that neither has learnt from and that stay the same.", show_default=False)],
    site: Annotated[Path, typer.Option(metavar="FOLDER_OR_YAML", help="A site's own false alarms: a folder (what no YOLO label beside a picture explains is false), or a data.yaml.", show_default=False)],
    split: Annotated[str, typer.Option(help="Which split of a data.yaml.")] = "val",
    exhaustive: Annotated[Path | None, typer.Option(metavar="YAML", help="As of `models eval`, for the frozen set.", show_default=False)] = None,
    threshold: Annotated[float, typer.Option(min=0.0, max=1.0, help="Score from which a box counts as reported; the rules ship with 0.5.")] = 0.5,
    may_lose: Annotated[float, typer.Option(min=0.0, max=1.0, help="AP50 or recall that a class may lose, as a share.")] = 0.05,
    may_rise: Annotated[float, typer.Option(min=0.0, help="False alarms more a picture of the site that need not be ruled out.")] = 0.05,
    backend: BackendOption = DEFAULT,
    threads: Annotated[int, typer.Option(min=1, max=64, help="CPU threads for one picture.")] = 1,
    require: Annotated[Require | None, typer.Option(help="Exit with 1 unless the verdict is this.", show_default=False)] = None,
    html: Annotated[Path | None, typer.Option(metavar="DIR", help="Write a page with verdict, reasons and the site's worst pictures, in English and Chinese.", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The last line is one JSON object.")] = False,
    lang: Language = None,
) -> None:  # fmt: skip
    """Say whether a candidate is better: `better`, `worse` or `undecided`, and why.

    Better: no class on which rules raise alarms loses, false alarms on the site don't rise, and something improves, each
    at 95 % over the same pictures. The exit status is 0 whatever the verdict, unless --require is given.
    """
    from models.compare import verdict as rules
    from models.compare.figures import compare as compared
    from models.compare.html import Look, write_page
    from models.compare.site import read_site
    from models.compare.texts import say
    from models.compare.values import as_table
    from models.eval.dataset import read_set
    from models.eval.run import look
    from models.registry import find, read_card
    from monitor.domain.violations import alarm_classes

    sets = [find(old), find(new)]
    sides = [read_card(folder).long_side_px for folder in sets]
    detectors = [
        loaded(folder, backend, threads=threads, long_side_px=side)
        for folder, side in zip(sets, sides, strict=True)
    ]
    infos = [detector.info for detector in detectors]
    labelled = read_set(frozen, split, exhaustive)
    known = tuple(dict.fromkeys((*infos[0].classes, *infos[1].classes)))
    own = read_site(site, split, known)
    total, progress = 2 * (len(labelled.pictures) + len(own.pictures)), _Progress()
    seen = [
        [tuple(look(pictures, detector, progress.of(total))) for detector in detectors]
        for pictures in (labelled, own)
    ]
    alarms = [alarm_classes(info.shipped) for info in infos]
    found = compared(
        (seen[0][0], seen[0][1]), (seen[1][0], seen[1][1]), labelled=labelled.classes,
        old_classes=infos[0].classes, new_classes=infos[1].classes,
        old_alarms=alarms[0], new_alarms=alarms[1], threshold=threshold,
        same=infos[0].sha256 == infos[1].sha256 and sides[0] == sides[1],
    )  # fmt: skip
    limits = rules.Limits(may_lose=may_lose, may_rise=may_rise)
    decided = rules.decide(found, limits)
    if html is not None:
        looks = [
            Look(info=info, long_side_px=side, site=each)
            for info, side, each in zip(infos, sides, seen[1], strict=True)
        ]
        page = write_page(
            html, found, decided, looks[0], looks[1], pictures=len(labelled.pictures), limits=limits
        )
        typer.echo(str(page), err=as_json)
    if as_json:
        table = {
            "verdict": str(decided[0]),
            "reasons": [rules.as_row(r) | {"text": {code: say(r, code) for code in Lang}} for r in decided[1]],
            "limits": {"may_lose": may_lose, "may_rise": may_rise, "min_boxes": rules.MIN_BOXES, "min_pictures": rules.MIN_PICTURES},
            **{key: {"name": i.name, "version": i.version, "sha256": i.sha256, "long_side_px": side}
               for key, i, side in zip(("old", "new"), infos, sides, strict=True)},
            "pictures": len(labelled.pictures),
        } | as_table(found)  # fmt: skip
        typer.echo(json.dumps(table, ensure_ascii=False))
    else:
        typer.echo(_shown(found, decided, language(lang)))
    if require is not None and decided[0] != require.value:
        raise typer.Exit(1)


class _Progress:
    """Pictures looked at, over several sets and both detectors, on one line of a terminal."""

    def __init__(self) -> None:
        self._before = 0

    def of(self, total: int) -> Any:
        """What `look` may call for one set; None where nobody looks."""
        if not sys.stderr.isatty():
            return None
        before = self._before

        def told(done: int, _: int) -> None:
            self._before = before + done
            typer.echo(
                f"\r{self._before}/{total}" + ("\n" if self._before == total else ""), nl=False, err=True
            )

        return told


def _shown(found: Any, decided: Any, lang: Lang) -> str:
    from models.compare.texts import say, signed, text
    from models.compare.values import FIGURES
    from models.eval.pages import number

    def row(label: str, paired: Any) -> str:
        return f"{label}: {number(paired.old)} → {number(paired.new)} ({signed(paired.low)} … {signed(paired.high)})"

    verdict, reasons = decided
    lines = [
        f"{text(c.name, lang)} ({c.boxes}): "
        + "; ".join(row(text(key, lang), c.figures[key]) for key in FIGURES)
        for c in found.classes
    ]
    lines.append(
        row(f"{text('site', lang)}, {text('a_picture', lang)} ({found.site.pictures})", found.site.a_picture)
    )
    lines.append(f"{text(str(verdict), lang)}:")
    lines += [f"  [{text(str(r.effect), lang)}] {say(r, lang)}" for r in reasons]
    return "\n".join(lines)
