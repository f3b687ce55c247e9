"""`hcawatch models eval --video`: events in film, printed."""

import json
import sys
from pathlib import Path
from typing import Any, Final

import typer

#: Where the project's own clips lie beside a checkout.
CLIPS: Final = Path("../shared/data/video")


def eval_events(
    clips: list[Path], events: Path | None, model: str | None, threshold: float, backend: str, long_side_px: int | None,
    threads: int, html: Path | None, *, as_json: bool,
) -> None:  # fmt: skip
    """`models eval --video`."""
    from hcawatch.commands.model_backend import loaded
    from models.eval.events.html import write_event_page
    from models.eval.events.summary import as_table, summarise
    from models.eval.events.truth import SHARED_CLIPS, read_truth
    from models.eval.video import choose, watch
    from models.registry import find, read_card
    from monitor.domain.violations import alarm_classes

    annotated = events or SHARED_CLIPS
    truth = read_truth(annotated)
    chosen, left = choose(clips or [CLIPS], truth, annotated)
    for path in left:
        typer.echo(f"{path}: not scored, nobody annotated it in {annotated}", err=True)
    folder = find(model)
    side = long_side_px or read_card(folder).long_side_px
    detector = loaded(folder, backend, threads=threads, long_side_px=side)
    watched = tuple(watch(chosen, detector, progress=counted if sys.stderr.isatty() else None))
    thresholds = dict.fromkeys(detector.info.classes, threshold)
    found = summarise(
        watched, thresholds, within_s=truth.within_s, alarms=alarm_classes(detector.info.shipped)
    )
    if html is not None:
        page = write_event_page(html, found, info=detector.info, long_side_px=side)
        typer.echo(str(page), err=as_json)
    table = as_table(found) | {
        "model": detector.info.name, "sha256": detector.info.sha256, "long_side_px": side,
        "backend": detector.info.backend,
        "not_annotated": [str(path) for path in left],
    }  # fmt: skip
    typer.echo(json.dumps(table, ensure_ascii=False) if as_json else _event_figures(table))


def _event_figures(table: dict[str, Any]) -> str:
    keys = ("events", "found", "recall", "precision", "false_alarms", "to_report_median_s", "to_report_p90_s")
    lines = [
        " ".join([f"{'class':>10}", *(f"{key:>{len(key)}}" for key in keys), "false a camera and day (95 %)"])
    ]
    for name, row in [*table["classes"].items(), ("all", table["all"]), ("alarms", table["shipped"])]:
        cells = (f"{'-' if row[key] is None else row[key]:>{len(key)}}" for key in keys)
        low, high = row["false_per_camera_day_interval"]
        day = row["false_per_camera_day"]
        rate = "-" if day is None else f"{day:.0f} ({low:.0f} to {high:.0f})"
        lines.append(" ".join([f"{name:>10}", *cells, rate]))
    minutes = table["film_s"] / 60
    said = (
        f"{table['looks_per_s']} looks a second: one false alarm counts as {24 * 60 / minutes:.0f} a camera and day, so look at the intervals"
        if minutes
        else "no class that the detector knows is annotated in them, or they hold no frame"
    )
    lines.append(
        f"{table['model']} at {table['long_side_px']} px, {len(table['clips'])} clips, {minutes:.1f} minutes, {said}"
    )
    return "\n".join(lines)


def counted(done: int, total: int) -> None:
    """Progress on one line of the terminal."""
    typer.echo(f"\r{done}/{total}" + ("\n" if done == total else ""), nl=False, err=True)
