"""`hcawatch permits`: import a list of approvals, look at permits, withdraw one, make a holder's login."""

import getpass
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hcawatch.commands.common import (
    AsJson,
    CommandError,
    ConfigOption,
    DatabaseUrl,
    DataDir,
    Language,
    database_url,
    group,
    language,
    running_config,
    with_examples,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alerts.permitting.desk import PermitDesk
    from alerts.values import Actor, Permit
    from monitor.domain.assets import City

app = group("Permits for lawful work: import, look, withdraw.")

MOST_LISTED = 100_000
By = Annotated[str | None, typer.Option("--by", help="Who does it, for the audit log; else your login here.", show_default=False)]  # fmt: skip


@app.command("import")
@with_examples(
    "hcawatch permits import approvals.csv --dry-run --data-dir data",
    "hcawatch permits import approvals.csv --data-dir data",
)
def import_(
    file: Annotated[Path, typer.Argument(help="A CSV with a first line of columns; docs/permits.md lists them.", show_default=False)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    config: ConfigOption = None,
    database: DatabaseUrl = None,
    data_dir: DataDir = None,
    by: By = None,
    as_json: AsJson = False,
    lang: Language = None,
) -> None:  # fmt: skip
    """Register the approvals of a CSV, all or none. A permit that is there is changed; the same file again changes nothing."""
    from alerts.permitting.csv_file import read_csv
    from alerts.permitting.texts import FIELDS, fault_text

    words = language(lang).value
    with _desk(config, database, data_dir) as (desk, city):
        found = desk.import_(
            read_csv(file.read_bytes(), city), _actor(by), datetime.now(UTC), dry_run=dry_run
        )
    faults = [
        {"line": fault.line, "column": fault.column, "field": fault.fault.field, "key": fault.fault.key,
         "text": fault_text(fault.fault, words)}
        for fault in found.faults
    ]  # fmt: skip
    if as_json:
        typer.echo(json.dumps({"dry_run": dry_run, "new": found.new, "changed": found.changed, "same": found.same,
                               "faults": faults}, ensure_ascii=False))  # fmt: skip
    else:
        for fault in faults:
            name = FIELDS.get(str(fault["field"]), {}).get(words, fault["field"])
            typer.echo(f"{file.name}:{fault['line']}:{fault['column']}: {name}: {fault['text']}")
        verb = "would be " if dry_run else ""
        if faults:
            typer.echo(f"{len(faults)} faults: nothing was imported")
        else:
            typer.echo(
                f"{len(found.new)} {verb}new, {len(found.changed)} {verb}changed, {len(found.same)} the same"
            )
    raise typer.Exit(1 if faults else 0)


@app.command("list")
@with_examples("hcawatch permits list --view ending --data-dir data")
def list_(
    view: Annotated[str, typer.Option(help="running, coming, ending, asked, breached, over; else all.")] = "",
    text: Annotated[str, typer.Option(help="Part of a number or a company.")] = "",
    config: ConfigOption = None,
    database: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List permits, those that end first on top."""
    from zoneinfo import ZoneInfo

    from monitor.domain.geometry import format_chainage

    with _desk(config, database, data_dir) as (desk, city):
        found = desk.list_permits(_actor(None), datetime.now(UTC), view, text, limit=MOST_LISTED)
    if as_json:
        typer.echo(json.dumps([_plain(permit) for permit in found], ensure_ascii=False))
        return
    zone = ZoneInfo(city.timezone)
    for permit in found:
        place = f"{permit.pipeline_id} {format_chainage(permit.from_m)}-{format_chainage(permit.to_m)}"
        until = f"{permit.valid_from.astimezone(zone):%Y-%m-%d %H:%M} - {permit.valid_to.astimezone(zone):%Y-%m-%d %H:%M}"
        typer.echo(
            f"{permit.permit_number:20} {permit.state:9} {place:28} {until}  {' '.join(permit.kinds)}  {permit.company}"
        )
    typer.echo(f"{len(found)} permits")


@app.command()
@with_examples("hcawatch permits show EX-2026-001 --data-dir data")
def show(
    number: Annotated[str, typer.Argument(help="The permit's number.", show_default=False)],
    config: ConfigOption = None,
    database: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show one permit with its history and the alerts that it covered or that lay outside of it."""
    from zoneinfo import ZoneInfo

    from alerts.permitting.fields import written

    with _desk(config, database, data_dir) as (desk, city):
        view = desk.view(number, _actor(None))
    if as_json:
        typer.echo(json.dumps(_plain(view), ensure_ascii=False))
        return
    zone = ZoneInfo(city.timezone)
    typer.echo(f"{'state':14} {view.permit.state}")
    for name, text in written(view.permit, zone).items():
        if text:
            typer.echo(f"{name:14} {text}")
    for move in view.moves:
        typer.echo(
            f"{move.at.astimezone(zone):%Y-%m-%d %H:%M}  {move.step} by {move.actor} ({move.role}) {move.note}".rstrip()
        )
    for alert in view.alerts:
        outside = ", ".join(alert.breaks(number))
        typer.echo(f"alert {alert.number} ({alert.level}, {alert.state}): {outside or 'covered'}")


@app.command()
@with_examples("hcawatch permits withdraw EX-2026-001 --note 'work finished' --data-dir data")
def withdraw(
    number: Annotated[str, typer.Argument(help="The permit's number.", show_default=False)],
    note: Annotated[str, typer.Option(help="Why; it stands in the permit's history.", show_default=False)],
    config: ConfigOption = None,
    database: DatabaseUrl = None,
    data_dir: DataDir = None,
    by: By = None,
) -> None:
    """Withdraw a permit from now on; what was seen before stays lawful."""
    from alerts.permitting.steps import Ask, PermitStep

    with _desk(config, database, data_dir) as (desk, _):
        permit = desk.ask(
            number, Ask(step=PermitStep.WITHDRAW, actor=_actor(by), note=note), datetime.now(UTC)
        )
    typer.echo(f"{permit.permit_number} is {permit.state}")


@app.command("add-holder")
@with_examples(
    "hcawatch permits add-holder roads-ltd --name 'Example Roads Ltd' --secrets secrets --data-dir data"
)
def add_holder(
    user: Annotated[str, typer.Argument(help="Login of the company.", show_default=False)],
    name: Annotated[str, typer.Option(help="How it is called on pages.", show_default=False)],
    secrets: Annotated[
        Path, typer.Option(help="Folder for the password; made with mode 700.", show_default=False)
    ],
    database: DatabaseUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Make a company's login, which sees its own permits only. The password becomes the file password-USER."""
    from hcawatch.people import ensure_holder
    from hcawatch.vault import Vault
    from monitor.store.pool import make_pool

    with (
        make_pool(database_url(database, data_dir), "permits", max_size=1) as pool,
        pool.connection() as conn,
    ):
        try:
            ensure_holder(conn, user, name, Vault(secrets), datetime.now(UTC))
        except ValueError as exc:
            raise CommandError(str(exc)) from exc
    typer.echo(f"{user} can log in; the password is in {secrets}")


# ---------------------------------------------------------------- pieces
def _desk(config: Path | None, database: str | None, data_dir: Path | None) -> "Any":
    from contextlib import contextmanager

    @contextmanager
    def opened() -> "Iterator[tuple[PermitDesk, City]]":
        from alerts.permitting.desk import PermitDesk
        from alerts.permitting.steps import PermitError
        from alerts.permitting.texts import problem
        from monitor.store.pool import make_pool

        url = database_url(database, data_dir)
        city = running_config(config, url).city
        with make_pool(url, "permits", max_size=1) as pool:
            try:
                yield PermitDesk(pool, city), city
            except PermitError as exc:
                raise CommandError(problem(exc.key, language(None).value, **exc.facts)) from exc

    return opened()


def _actor(by: str | None) -> "Actor":
    """Whoever may run commands on the database decides as a supervisor does; the audit log names the login."""
    from alerts.values import Actor
    from monitor.domain.roles import Role

    return Actor(user=f"cli:{by or getpass.getuser()}", role=Role.SUPERVISOR)


def _plain(value: "Permit | Any") -> Any:
    import msgspec

    return msgspec.to_builtins(value)
