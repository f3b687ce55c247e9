"""`hcawatch alerts`: figures of the loop, the monthly list of points; shelves are shelving.py's."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from hcawatch.commands import shelving
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
    with_examples,
)
from hcawatch.commands.rules import loaded_of
from hcawatch.commands.shown import plain

if TYPE_CHECKING:
    from alerts.figures.desk import Figures
    from alerts.figures.monthly import Month
    from monitor.domain.assets import City

app = group("Alerts: figures of the loop, the monthly list of points, shelves.")
app.command()(shelving.shelve)
app.command()(shelving.unshelve)
app.command()(shelving.shelves)

AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV.")]


@app.command()
@with_examples(
    "hcawatch alerts figures --data-dir data",
    "hcawatch alerts figures --from 2026-11-01 --to 2026-11-30 --json --data-dir data",
)
def figures(
    period: Annotated[str, typer.Option("--period", help="24h, 7d, 30d or 90d back from now.")] = "7d",
    begin: Annotated[str, typer.Option("--from", metavar="TIME", help="A day or a time of the city's clock.", show_default=False)] = "",
    end: Annotated[str, typer.Option("--to", metavar="TIME", help="The same; a day is taken whole. Now if left out.", show_default=False)] = "",
    config: ConfigOption = None,
    database: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    lang: Language = None,
) -> None:  # fmt: skip
    """Print how fast alerts are answered, and the room's load beside the benchmarks of ISA-18.2 and EEMUA 191."""
    import psycopg

    from alerts.figures import desk
    from alerts.figures.tables import figures_csv
    from alerts.figures.values import BadPeriod, period_of

    loaded = loaded_of(config, database, data_dir)
    tongue, now = language(lang).value, datetime.now(UTC)
    try:
        wanted = period_of(period, begin, end, ZoneInfo(loaded.city.timezone), now)
    except BadPeriod as exc:
        raise _refused(exc.key, exc.facts, tongue) from exc
    settings = loaded.settings
    with psycopg.connect(database_url(database, data_dir), prepare_threshold=None) as conn:
        found = desk.figures(conn, wanted, loaded.city, settings.response, settings.calm.positions, now)
    if as_csv:
        typer.echo(figures_csv(found), nl=False)
    elif as_json:
        shown: dict[str, Any] = plain(found)
        for row, benchmark in zip(shown["load"]["benchmarks"], found.load.benchmarks, strict=True):
            row["stands"] = benchmark.stands
        typer.echo(json.dumps(shown, ensure_ascii=False))
    else:
        typer.echo(_told(found, loaded.city, tongue))


@app.command()
@with_examples(
    "hcawatch alerts report --month 2026-11 --data-dir data",
    "hcawatch alerts report --month 2026-11 --csv --data-dir data > points-2026-11.csv",
)
def report(
    month: Annotated[str, typer.Option("--month", metavar="YYYY-MM", help="The month; the running one if left out.", show_default=False)] = "",
    config: ConfigOption = None,
    database: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    lang: Language = None,
) -> None:  # fmt: skip
    """Print the month's points that were off-scan, kept from ringing, or gave false alarms (after 49 CFR 192.631(e))."""
    import psycopg

    from alerts.figures import desk
    from alerts.figures.tables import month_csv
    from alerts.figures.values import BadPeriod, month_of

    city = loaded_of(config, database, data_dir).city
    zone, now, tongue = ZoneInfo(city.timezone), datetime.now(UTC), language(lang).value
    name = month or now.astimezone(zone).strftime("%Y-%m")
    try:
        wanted = month_of(name, zone)
    except BadPeriod as exc:
        raise _refused(exc.key, exc.facts, tongue) from exc
    with psycopg.connect(database_url(database, data_dir), prepare_threshold=None) as conn:
        found = desk.monthly(conn, name, wanted, city, now)
    if as_csv:
        typer.echo(month_csv(found), nl=False)
    elif as_json:
        typer.echo(json.dumps(plain(found), ensure_ascii=False))
    else:
        typer.echo(_listed(found, zone, tongue))


# ---------------------------------------------------------------- as people read it
def _refused(key: str, facts: dict[str, str], tongue: str) -> CommandError:
    from alerts.figures.texts import PROBLEMS

    return CommandError(PROBLEMS[key][tongue].format(**facts))


def _lasting(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    if seconds < 600:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 36_000 else f"{seconds / 3600:.1f} h"


def _told(found: "Figures", city: "City", tongue: str) -> str:
    from alerts.figures.texts import WORDS

    def word(key: str) -> str:
        return WORDS[key][tongue]

    zone = ZoneInfo(city.timezone)
    begin, end = found.period.since.astimezone(zone), found.as_of.astimezone(zone)
    load = found.load
    lines = [f"{begin:%Y-%m-%d %H:%M} - {end:%Y-%m-%d %H:%M}", word("load_about").format(alarms=load.alarms, positions=load.positions), ""]  # fmt: skip
    for one in load.benchmarks:
        share = one.unit == "share"

        def said(value: float | None, share: bool = share, seconds: bool = one.unit == "s") -> str:
            if value is None:
                return ""
            return _lasting(value) if seconds else f"{100 * value:.1f} %" if share else f"{value:.5g}"

        bound = f"{word('target')} {said(one.target)}" if one.target is not None else ""
        bound += f", {word('limit')} {said(one.limit)}" if one.limit is not None else ""
        stands = "" if one.stands == "none" else word(f"stands_{one.stands}")
        lines.append(f"{word(one.key)}: {said(one.value)}" + (f"  [{bound}]  {stands}" if bound else ""))
    names = {team.team_id: team.name.get(tongue, team.team_id) for team in city.teams}
    for title, rows in (("levels", found.levels), ("teams", found.teams)):
        lines += ["", f"{word(title)} ({word('p50_p95')})"]
        for row in rows:
            took = "  ".join(
                f"{word('took_' + one.milestone.value)} {_lasting(one.p50_s)} · {_lasting(one.p95_s)}"
                f" ({word('n').format(n=one.n)}, {word('waiting').format(n=one.waiting)})"
                for one in row.took
            )
            lines.append(f"  {names.get(row.of, row.of)} ({row.count}): {took}")
    return "\n".join(lines)


def _listed(found: "Month", zone: ZoneInfo, tongue: str) -> str:
    from alerts.figures.texts import WORDS

    lines = [f"{WORDS['month_title'][tongue]} {found.month}"]
    for point in found.points:
        share = (
            ""
            if point.watched_share is None
            else f"{WORDS['watched'][tongue]} {100 * point.watched_share:.1f} %, "
        )
        counts = ", ".join(
            f"{WORDS[what][tongue]} {n}"
            for what, n in (("off_scan", point.off_scan), ("shelved", point.shelved), ("inhibited", point.inhibited),
                            ("false_alarm", point.false_alarms))
        )  # fmt: skip
        lines.append(f"{point.name.get(tongue, point.point)} ({point.point}): {share}{counts}")
        for one in point.findings:
            end = one.to_at.astimezone(zone).strftime("%m-%d %H:%M") if one.to_at else ""
            number = f"#{one.number} " if one.number is not None else ""
            said = " ".join(
                part for part in (one.violation or "", one.why, one.name or one.who, one.note) if part
            )
            lines.append(
                f"  {WORDS[one.what][tongue]} {one.from_at.astimezone(zone):%m-%d %H:%M}-{end} {number}{said}"
            )
    return "\n".join(lines)
