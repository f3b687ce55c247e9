"""`hcawatch alerts shelve | unshelve | shelves`: what the page "Shelves" does, from the command line."""

import getpass
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hcawatch.commands.common import (
    AsJson,
    CommandError,
    ConfigOption,
    DatabaseUrl,
    DataDir,
    Lang,
    Language,
    database_url,
    language,
    with_examples,
)
from hcawatch.commands.rules import loaded_of, moment_of
from hcawatch.commands.shown import plain

if TYPE_CHECKING:
    from alerts.calm.desk import ShelfDesk, ShelfView
    from alerts.values import Actor
    from monitor.domain.assets import City

By = Annotated[str | None, typer.Option("--by", help="Who does it, for the audit log; else your login here.", show_default=False)]  # fmt: skip


@with_examples(
    "hcawatch alerts shelve --camera cam-7 --for 2h --reason maintenance --note 'the mast is painted' --data-dir data",
    "hcawatch alerts shelve --camera cam-7 --violation works_50m --worst II --for 8h --reason nuisance --note 'a flag in the wind' --data-dir data",
    "hcawatch alerts shelve --alert 1042 --until 2026-12-01T06:00 --reason dealt_with --note 'the owner was called' --data-dir data",
)
def shelve(
    note: Annotated[str, typer.Option(help="What it is about, in 3 to 500 characters; others read it.", show_default=False)],
    reason: Annotated[str, typer.Option(help="maintenance, nuisance, dealt_with, exercise or other.")] = "other",
    camera: Annotated[str, typer.Option("--camera", metavar="ID", help="All that this camera suspects, and that it does not watch.", show_default=False)] = "",
    violation: Annotated[str, typer.Option("--violation", metavar="CODE", help="Only this violation of the camera.", show_default=False)] = "",
    alert: Annotated[int | None, typer.Option("--alert", metavar="NUMBER", help="This one alert, instead of a camera.", show_default=False)] = None,
    worst: Annotated[str, typer.Option("--worst", metavar="LEVEL", help="The worst level that it keeps from ringing; I always rings.")] = "III",
    until: Annotated[str, typer.Option("--until", metavar="TIME", help="When it ends (the city's time, if it names no zone).", show_default=False)] = "",
    lasts: Annotated[str, typer.Option("--for", metavar="TIME", help="The same as how long: 30m, 2h, 1d.", show_default=False)] = "",
    config: ConfigOption = None,
    database: DatabaseUrl = None,
    data_dir: DataDir = None,
    by: By = None,
    as_json: AsJson = False,
    lang: Language = None,
) -> None:  # fmt: skip
    """Keep a source from ringing for a while. All is stored and graded as ever; level I rings through every shelf."""
    from alerts.calm.shelves import Scope, ShelfAsk, ShelfReason
    from monitor.domain.levels import Level

    now = datetime.now(UTC)
    if (alert is None) == (not camera) or (alert is not None and violation):
        raise CommandError(
            "name what is shelved: --camera ID, with --violation CODE if you like, or --alert NUMBER"
        )
    scope = Scope.ALERT if alert is not None else Scope.RULE if violation else Scope.CAMERA
    why, level = _one_of(ShelfReason, reason, "--reason"), _one_of(Level, worst, "--worst")
    with _desk(config, database, data_dir, lang) as (desk, city, numbered):
        ask = ShelfAsk(
            actor=_actor(by), scope=scope, camera_id=camera or None, violation=violation or None,
            alert_id=numbered(alert) if alert is not None else None, worst=level, reason=why, note=note,
            until_at=_end(until, lasts, city, now),
        )  # fmt: skip
        view = desk.view(desk.shelve(ask, now).shelf_id)
    _tell([view], city, as_json=as_json, lang=lang, one=True)


@with_examples(
    "hcawatch alerts unshelve 019b2f3a-5c1e-7d40-8a11-0f4e2c9b6a77 --note 'the mast is done' --data-dir data"
)
def unshelve(
    shelf: Annotated[str, typer.Argument(metavar="SHELF", help="The shelf's id; `hcawatch alerts shelves` lists them.", show_default=False)],
    note: Annotated[str, typer.Option(help="Why it ends before its time.")] = "",
    config: ConfigOption = None,
    database: DatabaseUrl = None,
    data_dir: DataDir = None,
    by: By = None,
    as_json: AsJson = False,
    lang: Language = None,
) -> None:  # fmt: skip
    """End a shelf now: what is still there rings."""
    with _desk(config, database, data_dir, lang) as (desk, city, _):
        ended = desk.end(shelf, _actor(by), note, datetime.now(UTC))
        view = desk.view(ended.shelf_id)
    _tell([view], city, as_json=as_json, lang=lang, one=True)


@with_examples(
    "hcawatch alerts shelves --data-dir data",
    "hcawatch alerts shelves --ended --json --data-dir data",
)
def shelves(
    ended: Annotated[bool, typer.Option("--ended", help="Those that ended last, with what came meanwhile.")] = False,
    config: ConfigOption = None,
    database: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
    lang: Language = None,
) -> None:  # fmt: skip
    """List what is shelved: by whom, why, until when, and which alerts it keeps from ringing."""
    with _desk(config, database, data_dir, lang) as (desk, city, _):
        views = desk.ended() if ended else desk.running()
    _tell(views, city, as_json=as_json, lang=lang)


# ---------------------------------------------------------------- pieces
@contextmanager
def _desk(
    config: Path | None, database: str | None, data_dir: Path | None, lang: Lang | None
) -> "Iterator[tuple[ShelfDesk, City, Any]]":
    """The desk, the city, and how an alert's number becomes its id. What is refused is said as on the page."""
    from alerts.calm.desk import ShelfDesk
    from alerts.calm.shelves import ShelfRefused
    from alerts.calm.texts import PROBLEMS
    from alerts.errors import Conflict
    from alerts.policy import Policy
    from alerts.postgres_book import PostgresAlertBook
    from alerts.postgres_rows import QUERIES
    from monitor.store.pool import make_pool

    loaded = loaded_of(config, database, data_dir)
    policy = Policy(weights=loaded.settings.weights, response=loaded.settings.response,
                    supervision=loaded.settings.supervision, calm=loaded.settings.calm)  # fmt: skip
    words = language(lang).value
    with make_pool(database_url(database, data_dir), "shelves", max_size=1) as pool:

        def numbered(number: int) -> str:
            with pool.connection() as conn:
                row = conn.execute(QUERIES["alert_of_number"], {"number": number}).fetchone()
            if row is None:
                raise ShelfRefused("shelf_no_alert")
            return str(row["alert_id"])

        try:
            yield ShelfDesk(PostgresAlertBook(pool), loaded.city, policy), loaded.city, numbered
        except ShelfRefused as exc:
            raise CommandError(PROBLEMS[exc.key][words].format(**exc.facts)) from exc
        except Conflict as exc:
            raise CommandError("somebody changed it meanwhile: look, and do it again") from exc


def _actor(by: str | None) -> "Actor":
    """Whoever may run commands on the database decides as a supervisor does; the audit log names the login."""
    from alerts.values import Actor
    from monitor.domain.roles import Role

    return Actor(user=f"cli:{by or getpass.getuser()}", role=Role.SUPERVISOR)


def _one_of(known: Any, text: str, option: str) -> Any:
    try:
        return known(text)
    except ValueError as exc:
        raise CommandError(f"{option} {text!r} is none of {', '.join(one.value for one in known)}") from exc


def _end(until: str, lasts: str, city: "City", now: datetime) -> datetime:
    if bool(until) == bool(lasts):
        raise CommandError("say when it ends: --until 2026-12-01T06:00 or --for 2h")
    if until:
        try:
            return moment_of(until, city.timezone, "--until").astimezone(UTC)
        except OverflowError as exc:
            raise CommandError(
                f"--until {until!r} is no time that there is; write it as 2026-12-01T03:00"
            ) from exc
    units = {"m": "minutes", "h": "hours", "d": "days"}
    try:
        return now + timedelta(**{units[lasts[-1]]: float(lasts[:-1])})
    except (KeyError, ValueError, OverflowError) as exc:
        raise CommandError(f"--for {lasts!r} is no time: write 30m, 2h or 1d") from exc


def _tell(views: "Any", city: "City", *, as_json: bool, lang: Lang | None, one: bool = False) -> None:
    shown = [_plain(view) for view in views]
    if as_json:
        typer.echo(json.dumps(shown[0] if one else shown, ensure_ascii=False))
        return
    for view in views:
        typer.echo("\n".join(_told(view, city, language(lang).value)))
    if not one:
        typer.echo(f"{len(shown)} shelves")


def _plain(view: "ShelfView") -> dict[str, Any]:
    found: dict[str, Any] = plain(view.shelf)
    names = ("alert_id", "number", "kind", "level", "state", "violation", "health", "held_by")
    return {
        **found,
        "alerts": [{name: plain(getattr(alert, name)) for name in names} for alert in view.alerts],
    }


def _told(view: "ShelfView", city: "City", words: str) -> list[str]:
    from zoneinfo import ZoneInfo

    from alerts.calm.messages import title
    from alerts.calm.texts import WORDS

    def word(key: str, **facts: Any) -> str:
        return WORDS[key][words].format(**facts)

    def at(moment: datetime) -> str:
        return moment.astimezone(ZoneInfo(city.timezone)).strftime("%Y-%m-%d %H:%M")

    shelf = view.shelf
    lines = [f"{shelf.shelf_id}  {title(shelf, city)[words]}  ({shelf.worst})",
             f"  {word('reason_' + shelf.reason)}: {shelf.note}",
             f"  {word('by', name=shelf.shelved_by, at=at(shelf.from_at))}, {word('ends', at=at(shelf.until_at))}"]  # fmt: skip
    if shelf.ended_at is not None:
        how = "ended_due" if shelf.end_reason == "due" else "ended_by_hand"
        lines.append(f"  {word(how, at=at(shelf.ended_at), name=shelf.ended_by)} {shelf.end_note}".rstrip())
    held = [alert.number for alert in view.alerts if alert.held_by is not None and alert.closed_at is None]
    rang = [alert.number for alert in view.alerts if alert.held_by is None and alert.closed_at is None]
    for key, numbers in (("holds" if shelf.ended_at is None else "left_gone", held), ("left_rings", rang)):
        if numbers:
            which = " ".join(f"#{number}" for number in sorted(numbers))
            said = word(key, n=len(numbers), which=which)
            lines.append(f"  {said}" if which in said else f"  {said}: {which}")
    return lines
