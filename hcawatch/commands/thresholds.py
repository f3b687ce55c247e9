"""`hcawatch thresholds`: what each rule needs at a camera before it tells, where that comes from, and setting it by hand."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hcawatch.commands.common import (
    AsJson,
    CommandError,
    DatabaseUrl,
    DataDir,
    Lang,
    Language,
    database_url,
    group,
    language,
    with_examples,
)
from hcawatch.commands.feedback import By, actor_of

if TYPE_CHECKING:
    from alerts.thresholds.cells import Value
    from alerts.thresholds.desk import Row, Shown, ThresholdsDesk

app = group("A camera's thresholds: where each number comes from, set by hand, taken back.")

CameraId = Annotated[str, typer.Argument(metavar="CAMERA", help="The camera's id.", show_default=False)]
Reason = Annotated[
    str, typer.Option("--reason", help="Why; it is kept with the version.", show_default=False)
]
Wait = Annotated[
    float, typer.Option("--wait", min=0, max=600, help="Wait so many seconds for the edge's answer.")
]


@app.command()
@with_examples(
    "hcawatch thresholds show gate --data-dir data", "hcawatch thresholds show gate --json --data-dir data"
)
def show(
    camera: CameraId,
    database: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
    lang: Language = None,
) -> None:
    """Print every number of every rule at a camera, where it comes from, the changes by hand, and the edge's answer."""
    tongue = language(lang)
    with _desk(database, data_dir, tongue) as desk:
        shown = desk.of_camera(camera)
    if as_json:
        typer.echo(json.dumps(_plain(shown), ensure_ascii=False))
        return
    for row in shown.rows:
        typer.echo(f"{row.rule.rule_id}{'' if row.on else _WORDS[tongue]['off']}")
        for line in _lines(row, tongue):
            typer.echo(f"  {line}")
    for change in shown.changes:
        back = _WORDS[tongue]["back"] if change.reverted_at else ""
        typer.echo(
            f"{change.change_id}: {change.rule_id}, {change.changed_by}, {change.changed_at:%Y-%m-%d %H:%M}Z: {change.reason}{back}"
        )
    for line in _answer(shown.said, shown.number, tongue):
        typer.echo(line)


@app.command("set")
@with_examples(
    "hcawatch thresholds set gate dig-5m enter_score=0.6 night.dwell_s=8 --reason 'headlights' --data-dir data",
    "hcawatch thresholds set gate works-50m crane.enter_score=0.65 crane.leave_score=0.4 --reason 'harbour crane' --data-dir data",
    "hcawatch thresholds set gate dig-5m night.dwell_s= --reason 'as by day again' --data-dir data",
)
def set_numbers(
    camera: CameraId,
    rule: Annotated[str, typer.Argument(metavar="RULE", help="The row of the table; `hcawatch rules` lists them.", show_default=False)],
    numbers: Annotated[list[str], typer.Argument(metavar="NUMBER=VALUE…", help="enter_score, leave_score or dwell_s, with `night.` or a class before it; nothing after = empties it.", show_default=False)],
    reason: Reason,
    wait: Wait = 10.0,
    database: DatabaseUrl = None,
    data_dir: DataDir = None,
    by: By = None,
    lang: Language = None,
) -> None:  # fmt: skip
    """Set numbers of one rule at one camera: checked as the edge checks them, written as a version, heard within seconds.

    Exit status 1 if the edge refuses it. `hcawatch thresholds back` takes it back.
    """
    from alerts.thresholds.cells import cell_of
    from alerts.thresholds.desk import ROWS
    from alerts.thresholds.ports import ThresholdsError

    tongue = language(lang)
    with _desk(database, data_dir, tongue) as desk:
        if rule not in ROWS:
            raise ThresholdsError("thresholds_no_rule", rule=rule, known=", ".join(ROWS))
        cells = {cell_of(name, ROWS[rule]): value for name, value in map(_pair, numbers)}
        change = desk.set(camera, rule, cells, actor=actor_of(by), reason=reason, now=datetime.now(UTC))
        typer.echo(_WORDS[tongue]["done"].format(change=change.change_id, version=change.version))
        _heard(desk, camera, change.version, wait, tongue)


@app.command()
@with_examples("hcawatch thresholds back 3 --reason 'missed a loader' --data-dir data")
def back(
    change: Annotated[int, typer.Argument(metavar="CHANGE", help="The change's number, as `show` prints it.", show_default=False)],
    reason: Reason,
    wait: Wait = 10.0,
    database: DatabaseUrl = None,
    data_dir: DataDir = None,
    by: By = None,
    lang: Language = None,
) -> None:  # fmt: skip
    """Take a change by hand back; what others changed since stays."""
    tongue = language(lang)
    with _desk(database, data_dir, tongue) as desk:
        done = desk.take_back(change, actor=actor_of(by), reason=reason, now=datetime.now(UTC))
        version = done.reverted_version or 0
        typer.echo(_WORDS[tongue]["done"].format(change=done.change_id, version=version))
        _heard(desk, done.camera_id, version, wait, tongue)


# ---------------------------------------------------------------- pieces
_WORDS: dict[Lang, dict[str, str]] = {
    Lang.EN: {"off": " (switched off)", "back": " (taken back)", "done": "change {change}: version {version}", "day": "day", "night": "night", "all": "all"},
    Lang.ZH: {"off": "（停用）", "back": "（已恢复）", "done": "更改 {change}：版本 {version}", "day": "白天", "night": "夜间", "all": "全部"},
}  # fmt: skip


def _pair(text: str) -> tuple[str, float | None]:
    from alerts.thresholds.ports import ThresholdsError

    name, sign, value = text.partition("=")
    if not sign:
        raise CommandError(f"'{text}' is no NUMBER=VALUE: write enter_score=0.6")
    try:
        return name, float(value) if value else None
    except ValueError:
        raise ThresholdsError("thresholds_no_number", value=value[:20]) from None


def _lines(row: "Row", tongue: Lang) -> Iterator[str]:
    """The row's numbers by day, and what differs from them: by night, and of single classes."""
    from alerts.thresholds.cells import ALL

    for cell, value in row.cells.items():
        if value.own or (cell.who == ALL and cell.when == "day"):
            who = _WORDS[tongue]["all"] if cell.who == ALL else cell.who
            yield f"{who}, {_WORDS[tongue][cell.when]}, {cell.number}: {value.value:g} ({_origin(value, tongue)})"


def _origin(value: "Value", tongue: Lang) -> str:
    from alerts.thresholds.texts import ORIGINS

    step = value.origin.step
    return ORIGINS[value.origin.kind][tongue].format(
        number=step.number if step else "", by=step.by if step else ""
    )


def _answer(said: Any, wanted: int, tongue: Lang) -> Iterator[str]:
    from alerts.thresholds.desk import answer_of
    from alerts.thresholds.texts import ANSWERS
    from monitor.domain.answers import sentence

    answer = answer_of(said, wanted)
    yield ANSWERS[answer][tongue].format(wanted=wanted)
    if answer == "refused":
        for reason in said.reasons:
            yield f"  {sentence(reason, tongue)}"


def _heard(desk: "ThresholdsDesk", camera: str, version: int, wait_s: float, tongue: Lang) -> None:
    from alerts.thresholds.desk import answer_of

    until_s = time.monotonic() + wait_s
    while (answer := answer_of(said := desk.said(camera)[1], version)) not in ("taken", "refused"):
        if time.monotonic() >= until_s:
            break
        time.sleep(0.5)
    for line in _answer(said, version, tongue):
        typer.echo(line)
    if answer == "refused":
        raise typer.Exit(1)


def _plain(shown: "Shown") -> dict[str, Any]:
    import msgspec

    rows = [
        {"rule": row.rule.rule_id, "on": row.on, "reason": row.reason,
         "numbers": {str(cell): msgspec.to_builtins(value) for cell, value in row.cells.items()}}
        for row in shown.rows
    ]  # fmt: skip
    return {"version": shown.number, "camera": shown.camera_id, "edge": shown.edge_id, "rules": rows,
            "changes": msgspec.to_builtins(shown.changes), "edge_says": msgspec.to_builtins(shown.said)}  # fmt: skip


@contextmanager
def _desk(database: str | None, data_dir: Path | None, tongue: Lang) -> "Iterator[ThresholdsDesk]":
    from alerts.thresholds.desk import ThresholdsDesk
    from alerts.thresholds.ports import ConfigurationRefused, ThresholdsError
    from alerts.thresholds.texts import problem
    from hcawatch.config.thresholds import ConfigThresholds
    from monitor.store.pool import make_pool

    with make_pool(database_url(database, data_dir), "thresholds", max_size=1) as pool:
        try:
            yield ThresholdsDesk(pool, ConfigThresholds(Path("hcawatch.yaml")))
        except ConfigurationRefused as exc:
            raise CommandError(exc.said[tongue]) from exc
        except ThresholdsError as exc:
            raise CommandError(problem(exc.key, tongue, **exc.facts)) from exc
