"""`hcawatch visits`: how often whom was visited why in a month, what was found, and what was not needed."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from hcawatch.commands.common import (
    AsJson,
    CommandError,
    ConfigOption,
    DatabaseUrl,
    DataDir,
    Language,
    database_url,
    language,
    with_examples,
)
from hcawatch.commands.rules import loaded_of

if TYPE_CHECKING:
    from alerts.visiting.counting import Month

_WORDS = {
    "en": {
        "made": "{made} visits ({sent} dispatches), {along} further checks taken along, {spared} not needed",
        "permit": "by a permit", "joined": "by joining", "refuted": "by a look at the picture",
        "same_visit": "in another's visit", "rule": "by a supervision rule",
        "by_itself": "{n} of them would have been sent without a person's word",
        "company": "{name}: {visits} visits, {in_vain} in vain, {spared} spared", "unknown": "(company not known)",
        "why": "why", "found": "found", "open": "not put down yet",
    },
    "zh": {
        "made": "到访 {made} 次（派遣 {sent} 次），顺带核查 {along} 项，免除 {spared} 次",
        "permit": "因许可", "joined": "因并入同案", "refuted": "经看图否定", "same_visit": "顺带核查", "rule": "按监管规则",
        "by_itself": "其中 {n} 次本会自动派遣",
        "company": "{name}：到访 {visits} 次，无违规 {in_vain} 次，免除 {spared} 次", "unknown": "（单位未知）",
        "why": "原因", "found": "结果", "open": "尚未结案",
    },
}  # fmt: skip


@with_examples(
    "hcawatch visits --data-dir data",
    "hcawatch visits --month 2026-11 --csv --data-dir data > november.csv",
    "hcawatch visits --month 2026-11 --json --data-dir data",
)
def visits(
    month: Annotated[str | None, typer.Option("--month", metavar="YYYY-MM", help="By the city's calendar; else this one.", show_default=False)] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV: one line for each visit, made or spared.")] = False,
    config: ConfigOption = None,
    database: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
    lang: Language = None,
) -> None:  # fmt: skip
    """Print how often whom was visited why, what was found, and which visits were not needed."""
    import msgspec

    from alerts.visiting.book import read_month
    from alerts.visiting.csv_out import month_csv
    from monitor.store.pool import make_pool

    loaded = loaded_of(config, database, data_dir)
    timezone = loaded.city.timezone
    wanted = month or datetime.now(UTC).astimezone(ZoneInfo(timezone)).strftime("%Y-%m")
    with (
        make_pool(database_url(database, data_dir), "visits", max_size=1) as pool,
        pool.connection() as conn,
    ):
        try:
            found = read_month(conn, wanted, timezone, loaded.settings.weights)
        except ValueError as exc:
            raise CommandError(str(exc)) from exc
    if as_csv:
        typer.echo(month_csv(found, timezone), nl=False)
    elif as_json:
        plain: dict[str, Any] = msgspec.to_builtins(found)
        typer.echo(json.dumps({**plain, "avoided_in_all": found.avoided_in_all}, ensure_ascii=False))
    else:
        typer.echo(told(found, language(lang).value))


def told(month: "Month", tongue: str) -> str:
    """The month in a few lines."""
    from alerts.texts import REASONS

    words = _WORDS[tongue]

    def named(counts: Any) -> str:
        text = {
            key: words["open"] if key == "open" else REASONS.get(key, {}).get(tongue, key) for key in counts
        }
        return ", ".join(f"{text[key]} {n}" for key, n in counts.items())

    made = words["made"].format(made=month.visits, sent=month.dispatches, along=month.taken_along,
                                spared=month.avoided_in_all)  # fmt: skip
    lines = [f"{month.month}  {made}"]
    for kind, (count, sure) in month.avoided.items():
        by_itself = f"  ({words['by_itself'].format(n=sure)})" if sure else ""
        lines.append(f"  {words[kind]:<28} {count:>5}{by_itself}")
    for one in month.companies:
        lines.append("")
        lines.append(words["company"].format(name=one.company or words["unknown"], visits=one.visits,
                                             in_vain=one.in_vain, spared=one.spared))  # fmt: skip
        if one.visits:
            lines += [f"  {words['why']}: {named(one.why)}", f"  {words['found']}: {named(one.found)}"]
    return "\n".join(lines)
