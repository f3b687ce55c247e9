"""`hcawatch reports`: open an alert by hand after a call or a patrol, and see what was reported."""

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
    from contextlib import AbstractContextManager

    from alerts.engine import AlertEngine

app = group("Reports of callers and patrols: enter, list.")


@app.command("new")
@with_examples(
    "hcawatch reports new --violation excavation_5m --said 'an excavator digs' --pipeline gas-1 --stake K4+500 "
    "--offset-m 3 --side right --data-dir data",
    "hcawatch reports new --violation marker_damaged --said 'marker lies in the ditch' --camera cam-7 --via patrol "
    "--data-dir data",
)
def new(
    violation: Annotated[str, typer.Option(help="Code of the catalogue; docs/reports.md lists them.", show_default=False)],
    said: Annotated[str, typer.Option(help="What was said; officers read it, so no caller's name.", show_default=False)],
    via: Annotated[str, typer.Option(help="call, patrol, officer, other.")] = "call",
    observed_at: Annotated[str, typer.Option(help="When it was seen, the city's time; now if left out.")] = "",
    lon: Annotated[str, typer.Option(help="Longitude, WGS84.")] = "",
    lat: Annotated[str, typer.Option(help="Latitude, WGS84.")] = "",
    pipeline: Annotated[str, typer.Option(help="Id of the pipeline on which the stake stands.")] = "",
    stake: Annotated[str, typer.Option(help="K12+345 or metres.")] = "",
    offset_m: Annotated[str, typer.Option("--offset-m", help="Metres beside the line, with --side.")] = "",
    side: Annotated[str, typer.Option(help="left or right, looking along the line.")] = "",
    camera: Annotated[str, typer.Option(help="Id of a camera that shows it.")] = "",
    activity: Annotated[str, typer.Option(help="passing, stopped, working.")] = "",
    machine: Annotated[str, typer.Option(help="excavator, loader, drill_rig, crane, truck, person.")] = "",
    machines: Annotated[str, typer.Option(help="How many at once.")] = "",
    caller_name: Annotated[str, typer.Option("--caller-name", help="Only the control room can read it.")] = "",
    caller_phone: Annotated[str, typer.Option("--caller-phone", help="The same.")] = "",
    key: Annotated[str, typer.Option(help="The same key is the same report, however often it is sent.")] = "",
    config: ConfigOption = None,
    database: DatabaseUrl = None,
    data_dir: DataDir = None,
    by: Annotated[str | None, typer.Option("--by", help="Who does it, for the audit log; else your login here.", show_default=False)] = None,
    as_json: AsJson = False,
    lang: Language = None,
) -> None:  # fmt: skip
    """Enter a report: it is graded, joined with running alerts and sent like what a camera sees."""
    from alerts.engine import new_uuid7
    from alerts.reporting.desk import KeyUsed, ReportDesk
    from alerts.reporting.fields import read_report
    from alerts.reporting.texts import FIELDS, fault_text
    from alerts.values import Actor
    from monitor.domain.roles import Role

    fields = {
        "violation": violation, "said": said, "via": via, "observed_at": observed_at, "lon": lon, "lat": lat,
        "pipeline": pipeline, "stake": stake, "offset_m": offset_m, "side": side, "camera": camera, "activity": activity,
        "machine": machine, "machines": machines, "caller_name": caller_name, "caller_phone": caller_phone,
    }  # fmt: skip
    now, words = datetime.now(UTC), language(lang).value
    actor = Actor(user=f"cli:{by or getpass.getuser()}", role=Role.OPERATOR)
    with _engine(config, database, data_dir) as engine:
        own_key = f"{actor.user}:{key}" if key else ""
        read = read_report(fields, engine.city, actor, now, new_uuid7(), own_key)
        if read.report is None:
            for fault in read.faults:
                option = "--" + fault.field.replace("_", "-")
                name = FIELDS.get(fault.field, {}).get(words, fault.field)
                typer.echo(f"{option} ({name}): {fault_text(fault, words)}", err=True)
            raise CommandError(f"{len(read.faults)} faults: nothing was reported")
        try:
            taken = ReportDesk(engine).take(read.report, read.caller, now)
        except KeyUsed as exc:
            raise CommandError(str(exc)) from exc
    alert = taken.view.alert
    if as_json:
        typer.echo(json.dumps({"report_id": taken.report.report_id, "alert_id": alert.alert_id, "number": alert.number,
                               "level": alert.level, "state": alert.state, "new": taken.new, "opened": taken.opened}))  # fmt: skip
        return
    became = "was here already" if not taken.new else "opens" if taken.opened else "joins"
    typer.echo(f"the report {became}: alert {alert.number}, level {alert.level}, {alert.state}")


@app.command("list")
@with_examples("hcawatch reports list --data-dir data")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many, the newest first.")] = 100,
    config: ConfigOption = None,
    database: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List reports with their cases, and what alerts of the last 30 days turned out to be, by source. No callers."""
    from zoneinfo import ZoneInfo

    import msgspec

    from alerts.reporting.desk import ReportDesk

    with _engine(config, database, data_dir) as engine:
        rows, figures = ReportDesk(engine).list(limit, datetime.now(UTC))
        zone = ZoneInfo(engine.city.timezone)
    if as_json:
        plain = {"reports": msgspec.to_builtins(rows), "figures": msgspec.to_builtins(figures)}
        typer.echo(json.dumps(plain, ensure_ascii=False))
        return
    for row in rows:
        one = row.report
        place = one.camera_id if one.chainage_m is None else f"{one.pipeline_id} {one.chainage_m:.0f} m"
        said = " ".join(one.said.split())
        typer.echo(
            f"{one.observed_at.astimezone(zone):%Y-%m-%d %H:%M}  {row.number:6} {row.level:3} {row.state:12} "
            f"{row.closing_reason or row.confirmation:12} {one.via:7} {one.violation:22} {place}  {said[:60]}"
        )
    for of in figures:
        typer.echo(
            f"{of.source}: {of.opened} opened, {of.confirmed} confirmed, {of.false_alarms} false alarms, "
            f"{of.lawful} lawful, {of.unjudged} not judged"
        )


def _engine(
    config: Path | None, database: str | None, data_dir: Path | None
) -> "AbstractContextManager[AlertEngine]":
    from contextlib import contextmanager

    @contextmanager
    def opened() -> "Iterator[AlertEngine]":
        from alerts.engine import AlertEngine
        from alerts.policy import Policy
        from alerts.postgres_book import PostgresAlertBook
        from monitor.store.pool import make_pool

        url = database_url(database, data_dir)
        loaded: Any = running_config(config, url)
        policy = Policy(weights=loaded.settings.weights, response=loaded.settings.response)
        with make_pool(url, "reports", max_size=1) as pool:
            yield AlertEngine(PostgresAlertBook(pool), loaded.city, policy)

    return opened()
