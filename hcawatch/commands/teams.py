"""`hcawatch teams`: who is on shift at a moment, and until when."""

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from hcawatch.commands.common import (
    AsJson,
    CommandError,
    DatabaseUrl,
    DataDir,
    Language,
    group,
    language,
    with_examples,
)
from hcawatch.commands.rules import loaded_of, moment_of

if TYPE_CHECKING:
    from monitor.domain.assets import City, Team

app = group("Teams and their shifts.")

_WORDS = {
    "en": {
        "until": "until {at}", "no_end": "no end in sight", "leaving": "hands over until {at}", "nobody": "nobody is on shift",
        "on_call": "on call: {who}", "no_call": "and nobody is on call: nobody would be sent", "next": "next change: {at}",
        "lead": "lead", "always": "no shifts: always",
    },
    "zh": {
        "until": "至 {at}", "no_end": "无结束时间", "leaving": "交接至 {at}", "nobody": "无人当班",
        "on_call": "备勤：{who}", "no_call": "且无人备勤：届时无人可派", "next": "下次变动：{at}",
        "lead": "班长", "always": "未设排班：始终当班",
    },
}  # fmt: skip


@app.command("on-shift")
@with_examples(
    "hcawatch teams on-shift my.yaml",
    "hcawatch teams on-shift my.yaml --at 2026-10-01T03:00 --team patrol-west",
    "hcawatch teams on-shift --data-dir data --json",
)
def on_shift(
    config: Annotated[
        Path | None, typer.Argument(metavar="[CONFIG]", help="The YAML configuration; else the version that the database runs.", show_default=False)
    ] = None,
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="At this time instead of now (the city's, if it names no zone).", show_default=False)] = None,
    team: Annotated[str | None, typer.Option("--team", metavar="ID", help="Only this team.", show_default=False)] = None,
    database: DatabaseUrl = None,
    data_dir: DataDir = None,
    lang: Language = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Print who is on shift, until when, and who is on call when nobody is."""
    city = loaded_of(config, database, data_dir).city
    moment = moment_of(at, city.timezone)
    known = [one.team_id for one in city.teams]
    if team is not None and team not in known:
        raise CommandError(f"there is no team '{team}'; use one of: {', '.join(known)}")
    views = [_view(city, one, moment) for one in city.teams if team in (None, one.team_id)]
    tongue = language(lang).value
    typer.echo(
        json.dumps(views, ensure_ascii=False, indent=1) if as_json else _told(city, views, moment, tongue)
    )


def _view(city: "City", team: "Team", at: datetime) -> dict[str, Any]:
    found = city.on_shift(team, at)
    zone = ZoneInfo(city.timezone)

    def said(moment: datetime | None) -> str | None:
        return None if moment is None else moment.astimezone(zone).isoformat(timespec="minutes")

    names = {member.user: member.name for member in team.members}
    return {
        "team": team.team_id, "name": team.name, "kind": team.kind, "has_shifts": bool(team.shifts),
        "on_shift": [
            {
                "user": m.user, "name": names[m.user], "lead": m.user == team.lead, "leaving": m.leaving,
                "until": said(m.until + team.hand_over if m.until and m.leaving else m.until),
            }
            for m in found.members
        ],
        "on_call": list(team.on_call), "next_change": said(found.until),
    }  # fmt: skip


def _told(city: "City", views: list[dict[str, Any]], at: datetime, tongue: str) -> str:
    words = _WORDS[tongue]
    lines = [f"{city.name.get(tongue, '')}  {at.astimezone(ZoneInfo(city.timezone)):%Y-%m-%d %H:%M %Z}"]
    for view in views:
        lines.append(f"\n{view['name'].get(tongue, view['team'])} ({view['team']}, {view['kind']})")
        for one in view["on_shift"]:
            until = one["until"].replace("T", " ")[:16] if one["until"] else None
            how = (
                words["leaving" if one["leaving"] else "until"].format(at=until) if until else words["no_end"]
            )
            lead = f" [{words['lead']}]" if one["lead"] else ""
            name = one["name"].get(tongue, "")
            lines.append(f"  {name} ({one['user']}){lead}  {how if view['has_shifts'] else words['always']}")
        if not view["on_shift"]:
            lines.append(f"  {words['nobody']}")
            if not view["on_call"]:
                lines.append(f"  {words['no_call']}")
        if view["on_call"]:
            lines.append(f"  {words['on_call'].format(who=', '.join(view['on_call']))}")
        if view["next_change"]:
            lines.append(f"  {words['next'].format(at=view['next_change'].replace('T', ' ')[:16])}")
    return "\n".join(lines)
