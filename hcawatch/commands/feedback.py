"""`hcawatch feedback`: how often cameras are right, and the thresholds that are proposed from it."""

import getpass
import json
from datetime import UTC, datetime, timedelta
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

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alerts.feedback.desk import FeedbackDesk
    from alerts.feedback.judged import Counts
    from alerts.feedback.proposals import Proposal
    from alerts.values import Actor
    from monitor.domain.assets import City

app = group("What was found, and what it teaches the cameras: precision, thresholds.")

By = Annotated[str | None, typer.Option("--by", help="Who does it, for the audit log; else your login here.", show_default=False)]  # fmt: skip
Number = Annotated[int, typer.Argument(metavar="NUMBER", help="The proposal's number.", show_default=False)]
Note = Annotated[str, typer.Option("--note", help="Why; it is kept with the proposal.", show_default=False)]


@app.command()
@with_examples(
    "hcawatch feedback precision --data-dir data",
    "hcawatch feedback precision --weeks 26 --json --data-dir data",
)
def precision(
    weeks: Annotated[int, typer.Option(min=1, max=520, help="So many weeks back.")] = 8,
    database: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
    lang: Language = None,
) -> None:
    """Print how often each camera and rule was right, with its interval, week by week; the least trusted first.

    By what people said when they closed the alerts: confirmed / (confirmed + false alarms), Wilson's 95 % interval.
    """
    from alerts.feedback.judged import as_json as plain

    now = datetime.now(UTC)
    with _desk(database, data_dir) as (desk, city):
        found = desk.precision(now - timedelta(weeks=weeks), now)
    if as_json:
        typer.echo(json.dumps([plain(one) for one in found], ensure_ascii=False))
        return
    words = _WORDS[language(lang)]
    for one in found:
        typer.echo(
            f"{_camera(city, one.camera_id, language(lang))} ({one.camera_id}), {one.rule_id}: {_counts(one.counts, words)}"
        )
        for week in one.weeks:
            if week.counts != type(week.counts)():
                typer.echo(f"  {week.begins}  {_counts(week.counts, words)}")
    if not found:
        typer.echo(words["none"])


@app.command()
@with_examples(
    "hcawatch feedback proposals --data-dir data", "hcawatch feedback proposals --look --data-dir data"
)
def proposals(
    look: Annotated[bool, typer.Option("--look", help="Look for new ones now, not only once a day, and say why there is none.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Also those that were decided.")] = False,
    database: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
    lang: Language = None,
) -> None:  # fmt: skip
    """List the thresholds that wait for a decision, with what each would have done."""
    from alerts.feedback.proposals import ProposalState
    from alerts.feedback.texts import WHY

    tongue = language(lang)
    with _desk(database, data_dir) as (desk, _):
        silences = desk.look(datetime.now(UTC))[1] if look else ()
        found = desk.proposals(None if every else ProposalState.PROPOSED)
    if as_json:
        typer.echo(json.dumps({"proposals": [_plain(one) for one in found], "silences": [_plain(one) for one in silences]},
                              ensure_ascii=False))  # fmt: skip
        return
    for one in found:
        typer.echo(_line(one, tongue))
    for silence in silences:
        for_sake = ", ".join(str(alert.number) for alert in silence.alerts)
        typer.echo(
            f"- {silence.camera_id} {silence.rule_id}: {WHY[silence.why][tongue]}{f' ({for_sake})' if for_sake else ''}"
        )
    if not found:
        typer.echo(_WORDS[tongue]["nothing"])


@app.command()
@with_examples("hcawatch feedback approve 12 --data-dir data")
def approve(number: Number, note: Note = "", database: DatabaseUrl = None, data_dir: DataDir = None, by: By = None) -> None:  # fmt: skip
    """Approve a proposal: writes a configuration version, which the edge hears at once."""
    with _desk(database, data_dir) as (desk, _):
        done = desk.approve(number, actor_of(by), note, datetime.now(UTC))
    typer.echo(f"{done.proposal_id}: {done.state}, configuration version {done.written_version}")


@app.command()
@with_examples("hcawatch feedback refuse 12 --note 'the sun stands low in winter only' --data-dir data")
def refuse(number: Number, note: Note, database: DatabaseUrl = None, data_dir: DataDir = None, by: By = None) -> None:  # fmt: skip
    """Refuse a proposal: nothing changes, and it comes again only after new false alarms."""
    with _desk(database, data_dir) as (desk, _):
        done = desk.refuse(number, actor_of(by), note, datetime.now(UTC))
    typer.echo(f"{done.proposal_id}: {done.state}")


@app.command()
@with_examples("hcawatch feedback revert 12 --note 'missed a loader' --data-dir data")
def revert(number: Number, note: Note, database: DatabaseUrl = None, data_dir: DataDir = None, by: By = None) -> None:  # fmt: skip
    """Take an approved step back: writes a version with the number as it was before."""
    with _desk(database, data_dir) as (desk, _):
        done = desk.revert(number, actor_of(by), note, datetime.now(UTC))
    typer.echo(f"{done.proposal_id}: {done.state}, configuration version {done.reverted_version}")


@app.command()
@with_examples(
    "hcawatch feedback export pictures/ --data-dir data",
    "hcawatch feedback export pictures/ --since 2026-11-01 --site hca-01 --originals --reason 'train the next model' --data-dir data",
)
def export(
    folder: Annotated[Path, typer.Argument(help="A new folder.", show_default=False)],
    since: Annotated[str | None, typer.Option(metavar="DAY", help="Alerts from this day on (UTC); else all.", show_default=False)] = None,
    site: Annotated[list[str] | None, typer.Option(metavar="ID", help="Only this HCA; may be given again.", show_default=False)] = None,
    originals: Annotated[bool, typer.Option("--originals", help="With faces and plates, instead of blurred copies; needs --reason.")] = False,
    reason: Annotated[str, typer.Option(help="Why; it stands in the audit log.", show_default=False)] = "",
    simulated: Annotated[bool, typer.Option("--simulated", help="Also pictures of simulated footage.")] = False,
    basis: Annotated[str | None, typer.Option(metavar="TEXT", help="The lawful basis that stands with each picture; else the Personal Information Protection Law's Art 26.", show_default=False)] = None,
    database: DatabaseUrl = None,
    data_dir: DataDir = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Export judged snapshots as a dataset: pictures, boxes, data.yaml, and where each comes from.

    Confirmed alerts with their box, false alarms as hard negatives. `hcawatch models eval --data FOLDER/data.yaml` and
    `models train` read it. The export is an entry of the audit log; of originals, each picture is one.
    """
    from hcawatch.dataset import BASIS, ExportError, Wanted, plain
    from hcawatch.dataset import export as write
    from models.registry import find, read_card
    from monitor.store.pool import make_pool

    if data_dir is None:
        raise CommandError("the pictures lie in the data folder: give --data-dir")
    wanted = Wanted(
        folder=folder, actor=actor_of(by), since=_day(since), sites=tuple(site or ()), originals=originals, reason=reason,
        simulated=simulated, basis=basis or BASIS,
    )  # fmt: skip
    with make_pool(database_url(database, data_dir), "feedback", max_size=1) as pool:
        try:
            done = write(pool, data_dir / "centre", wanted, read_card(find(None)).classes, datetime.now(UTC))
        except ExportError as exc:
            raise CommandError(str(exc)) from exc
    if as_json:
        typer.echo(json.dumps(plain(done), ensure_ascii=False))
        return
    typer.echo(
        f"{done.pictures} pictures ({done.copy}): {done.right} right, {done.false} false; {done.train} to train, {done.val} to measure"
    )
    if done.left_out:
        typer.echo("left out: " + ", ".join(f"{count} {why}" for why, count in done.left_out.items()))
    if done.missing:
        typer.echo(f"{len(done.missing)} could not be read", err=True)
    typer.echo(f"{done.folder}/data.yaml")


# ---------------------------------------------------------------- pieces
def _day(text: str | None) -> datetime:
    if text is None:
        return datetime(2000, 1, 1, tzinfo=UTC)
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as exc:
        raise CommandError(f"'{text}' is no day: write 2026-11-01") from exc


_WORDS: dict[Lang, dict[str, str]] = {
    Lang.EN: {"right": "confirmed", "false": "false", "lawful": "lawful", "unjudged": "not judged", "unknown": "nothing judged",
              "none": "no alert of a camera in this time", "nothing": "nothing waits for a decision", "of": "{p} right ({low} to {high})"},
    Lang.ZH: {"right": "属实", "false": "误报", "lawful": "合法作业", "unjudged": "未判定", "unknown": "尚无判定",
              "none": "该时段内没有摄像机告警", "nothing": "没有待审批的建议", "of": "{p} 属实（{low} 至 {high}）"},
}  # fmt: skip


def _counts(counts: "Counts", words: dict[str, str]) -> str:
    known = counts.precision
    head = words["unknown"]
    if known.share is not None:
        head = words["of"].format(p=f"{known.share:.0%}", low=f"{known.low:.0%}", high=f"{known.high:.0%}")
    rest = ", ".join(
        f"{getattr(counts, name)} {words[name]}" for name in ("right", "false", "lawful", "unjudged")
    )
    return f"{head}; {rest}"


def _camera(city: "City", camera_id: str, lang: Lang) -> str:
    camera = next((one for one in city.cameras if one.camera_id == camera_id), None)
    return camera_id if camera is None else camera.name.get(lang.value) or next(iter(camera.name.values()))


def _line(one: "Proposal", lang: Lang) -> str:
    from alerts.feedback.texts import NUMBERS, POINTS, STATES, WHY

    facts = one.facts
    more = (
        f"; -{len(facts.avoided)} / {len(facts.avoided) + len(facts.left)}, +{len(facts.kept)}"
        if one.kind == "raise"
        else ""
    )
    return (
        f"{one.proposal_id} [{STATES[one.state][lang]}] {one.camera_id} {one.rule_id}: {' '.join(filter(None, (NUMBERS[one.number][lang], POINTS[one.point][lang])))} "
        f"{one.from_value:g} -> {one.to_value:g} ({WHY[one.why][lang]}{more})"
    )


def _desk(database: str | None, data_dir: Path | None) -> Any:
    from contextlib import contextmanager

    @contextmanager
    def opened() -> "Iterator[tuple[FeedbackDesk, City]]":
        from alerts.feedback.desk import FeedbackDesk
        from alerts.feedback.ports import FeedbackError
        from alerts.feedback.texts import problem
        from hcawatch.commands.common import running_config
        from hcawatch.config.thresholds import ConfigThresholds
        from monitor.store.pool import make_pool

        url = database_url(database, data_dir)
        city = running_config(None, url).city
        with make_pool(url, "feedback", max_size=1) as pool:
            try:
                yield FeedbackDesk(pool, city.timezone, ConfigThresholds(Path("hcawatch.yaml"))), city
            except FeedbackError as exc:
                raise CommandError(problem(exc.key, language(None).value, **exc.facts)) from exc

    return opened()


def actor_of(by: str | None) -> "Actor":
    """Whoever may run commands on the database decides as a supervisor does; the audit log names the login."""
    from alerts.values import Actor
    from monitor.domain.roles import Role

    return Actor(user=f"cli:{by or getpass.getuser()}", role=Role.SUPERVISOR)


def _plain(value: Any) -> Any:
    import msgspec

    return msgspec.to_builtins(value)
