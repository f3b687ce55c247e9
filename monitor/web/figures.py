"""The figures of the loop and the monthly list of points: pages, and the same as JSON and CSV."""

from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from alerts.figures.benchmarks import Benchmark
from alerts.figures.desk import MOST_OFF_SCAN, Figures, figures, monthly
from alerts.figures.monthly import WHATS, Month
from alerts.figures.tables import figures_csv, month_csv
from alerts.figures.times import BY_LEVEL, BY_TEAM
from alerts.figures.values import PERIODS, BadPeriod, Period, month_of, period_of
from alerts.texts import HEALTH
from monitor.domain.assets import City
from monitor.domain.roles import Right
from monitor.domain.violations import CATALOGUE
from monitor.web import showing
from monitor.web.access import Guard
from monitor.web.deps import Web, web_of
from monitor.web.errors import Unusable
from monitor.web.people import Principal
from monitor.web.rendering import reader_texts, render
from monitor.web.texts import Texts

router = APIRouter()
Room = Annotated[Principal, Depends(Guard(Right.SEE_CONSOLE))]
Name = Annotated[str, Query(max_length=10, pattern="^[0-9a-z]*$")]
Moment = Annotated[str, Query(max_length=40, pattern="^[^\\x00]*$")]
MonthText = Annotated[str, Query(max_length=10, pattern="^[^\\x00]*$")]
Form = Literal["json", "csv"]

#: of the unacknowledged; the page says how many more there are
MOST_WAITING = 50


def _period(web: Web, name: str, begin: str, end: str) -> Period:
    try:
        return period_of(name, begin, end, ZoneInfo(web.deps.city.timezone), web.deps.clock())
    except BadPeriod as exc:
        raise Unusable(exc.key, **exc.facts) from exc


def _figures(web: Web, period: Period) -> Figures:
    policy = web.deps.engine.policy
    with web.deps.pool.connection() as conn:
        return figures(conn, period, web.deps.city, policy.response, policy.calm.positions, web.deps.clock())


def _month(web: Web, text: str) -> Month:
    zone, now = ZoneInfo(web.deps.city.timezone), web.deps.clock()
    name = text or now.astimezone(zone).strftime("%Y-%m")
    try:
        period = month_of(name, zone)
    except BadPeriod as exc:
        raise Unusable(exc.key, **exc.facts) from exc
    with web.deps.pool.connection() as conn:
        return monthly(conn, name, period, web.deps.city, now)


def _csv(text: str, name: str) -> Response:
    # with the mark that spreadsheets ask for to read other letters than English ones
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response("\ufeff" + text, media_type="text/csv; charset=utf-8", headers=headers)


# ---------------------------------------------------------------- the API
@router.get("/api/v1/figures")
def figures_api(
    request: Request,
    me: Room,
    period: Name = "7d",
    begin: Annotated[Moment, Query(alias="from")] = "",
    end: Annotated[Moment, Query(alias="to")] = "",
    form: Annotated[Form, Query(alias="format")] = "json",
) -> Any:
    """The figures of a period: a name, or from and to."""
    found = _figures(web_of(request), _period(web_of(request), period, begin, end))
    if form == "csv":
        return _csv(figures_csv(found), f"hcawatch-figures-{found.period.since:%Y%m%d}-{found.as_of:%Y%m%d}")
    return figures_json(found)


def figures_json(found: Figures) -> dict[str, Any]:
    """The figures with how each benchmark stands."""
    plain: dict[str, Any] = showing.plain(found)
    for row, benchmark in zip(plain["load"]["benchmarks"], found.load.benchmarks, strict=True):
        row["stands"] = benchmark.stands
    plain["note"] = "benchmarks of ISA-18.2, IEC 62682 and EEMUA 191, not requirements"
    return plain


@router.get("/api/v1/figures/month")
def month_api(
    request: Request, me: Room, month: MonthText = "", form: Annotated[Form, Query(alias="format")] = "json"
) -> Any:
    """The monthly list of points; without a month the one that runs."""
    found = _month(web_of(request), month)
    if form == "csv":
        return _csv(month_csv(found), f"hcawatch-points-{found.month}")
    return showing.plain(found)


# ---------------------------------------------------------------- the pages
@router.get("/figures")
def figures_page(
    request: Request,
    me: Room,
    period: Name = "7d",
    begin: Annotated[Moment, Query(alias="from")] = "",
    end: Annotated[Moment, Query(alias="to")] = "",
) -> Response:
    """The figures as a page."""
    web = web_of(request)
    t, city = reader_texts(request), web.deps.city
    found = _figures(web, _period(web, period, begin, end))
    named = "" if begin or end else period
    query = f"period={period}" if named else f"from={begin}&to={end}"
    return render(
        request, "figures.html",
        found=found, period=named, periods=list(PERIODS), begin=begin[:10], end=end[:10], query=query,
        benchmarks=[_benchmark_row(b, t) for b in found.load.benchmarks],
        groups=(("level", found.levels, BY_LEVEL), ("team", found.teams, BY_TEAM)),
        team_names={team.team_id: t.of(team.name) for team in city.teams},
        sources=_source_names(city, t), whats=_what_names(t), most=MOST_WAITING,
    )  # fmt: skip


@router.get("/figures/month")
def month_page(request: Request, me: Room, month: MonthText = "") -> Response:
    """The monthly list as a page."""
    web = web_of(request)
    t = reader_texts(request)
    found = _month(web, month)
    return render(
        request, "figures_month.html",
        found=found, kinds=WHATS, whats=_what_names(t), most=MOST_OFF_SCAN,
        why=lambda finding: _why(finding.what, finding.why, t),
    )  # fmt: skip


def _why(what: str, why: str, t: Texts) -> str:
    if what == "off_scan":
        return t(f"camera.{why}") if t.has(f"camera.{why}") else t(f"figures.why_{why}")
    keys = {"shelved": "calm.reason_", "inhibited": "camera.", "false_alarm": "cause."}
    key = keys[what] + why if what in keys else ""
    return t(key) if t.has(key) else t(f"why.{why}") if t.has(f"why.{why}") else why


def _benchmark_row(benchmark: Benchmark, t: Texts) -> dict[str, Any]:
    def said(value: float | None) -> str:
        if value is None:
            return ""
        match benchmark.unit:
            case "share":
                return f"{100 * value:.1f} %" if value and value < 0.1 else f"{100 * value:.0f} %"
            case "s":
                return t.lasting(value)
            case "count":
                return f"{value:.0f}"
        return f"{value:.0f}" if value == round(value) or value >= 100 else f"{value:.2f}"

    return {
        "key": benchmark.key, "value": said(benchmark.value), "stands": benchmark.stands,
        "target": said(benchmark.target), "limit": said(benchmark.limit),
        "split": benchmark.key.startswith("priority_"),
    }  # fmt: skip


def _source_names(city: City, t: Texts) -> dict[str, str]:
    named = {hca.site_id: t.of(hca.name) for hca in city.hcas}
    named |= {edge.edge_id: t.of(edge.name, edge.edge_id) for edge in city.edges}
    return named | {camera.camera_id: t.of(camera.name, camera.camera_id) for camera in city.cameras}


def _what_names(t: Texts) -> dict[str, str]:
    return {code: t.of(row.title) for code, row in CATALOGUE.items()} | {
        code: t.of(text) for code, text in HEALTH.items()
    }
