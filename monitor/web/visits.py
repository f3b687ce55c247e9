"""The page of visits: how often whom was visited why, what was found, and which visits were not needed; CSV and JSON."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from alerts.visiting.book import read_looks, read_month, read_ratings
from alerts.visiting.counting import Month, month_of
from alerts.visiting.csv_out import month_csv
from monitor.domain.risk import Weights
from monitor.domain.roles import Right
from monitor.domain.violations import CATALOGUE
from monitor.web.access import Guard
from monitor.web.console import names_of
from monitor.web.deps import Web, web_of
from monitor.web.errors import Unusable
from monitor.web.people import Principal
from monitor.web.rendering import reader_texts, render
from monitor.web.showing import plain
from monitor.web.texts import Texts

router = APIRouter()
Reader = Annotated[Principal, Depends(Guard(Right.SEE_CONSOLE))]
MonthText = Annotated[str, Query(max_length=20)]

#: newest visits that the page lists; the CSV has all
MOST_LISTED = 60


def _month(web: Web, wanted: str, t: Texts) -> str:
    """The month asked for, else this one by the city's calendar."""
    month = wanted or web.deps.clock().astimezone(t.zone).strftime("%Y-%m")
    try:
        month_of(month, web.deps.city.timezone)
    except (ValueError, OverflowError):
        raise Unusable("bad_month") from None
    return month


def _neighbours(month: str, timezone: str, this_month: str) -> tuple[str, str | None]:
    """The month before, and the one after unless it has not begun."""
    since, until = month_of(month, timezone)
    after = _named(until + timedelta(days=15)) if month < this_month else None
    return _named(since - timedelta(days=15)), after


def _named(at: datetime) -> str:
    return at.strftime("%Y-%m")


def _weights(web: Web) -> Weights:
    return web.deps.engine.policy.weights


@router.get("/visits")
def visits_page(request: Request, me: Reader, month: MonthText = "") -> Response:
    """One month."""
    web, t = web_of(request), reader_texts(request)
    city, shown = web.deps.city, _month(web, month, t)
    with web.deps.pool.connection() as conn:
        found = read_month(conn, shown, city.timezone, _weights(web))
        looks = read_looks(conn, shown, city.timezone)
        ratings = read_ratings(conn, shown, city.timezone)
        names = names_of(conn, [row.officer for row in found.rows] + [look.looked_by for look in looks])
    before, after = _neighbours(shown, city.timezone, _month(web, "", t))
    sites = {hca.site_id: t.of(hca.name) for hca in city.hcas}
    return render(
        request, "visits.html",
        month=found, looks=looks, ratings=ratings, names=names, sites=sites, before=before, after=after,
        newest=[_row(row, t) for row in reversed(found.rows[-MOST_LISTED:])], most=MOST_LISTED,
        spared=list(reversed(found.avoided_rows[-MOST_LISTED:])),
        bars=_bars(found),
    )  # fmt: skip


def _row(row: Any, t: Texts) -> dict[str, Any]:
    known = CATALOGUE.get(row.violation or "")
    return {"row": row, "title": t.of(known.title) if known else (row.violation or "")}


def _bars(month: Month) -> list[dict[str, Any]]:
    """Made and avoided beside each other, drawn from 0 to 1000."""
    counts: Iterable[tuple[str, int]] = (
        ("made", month.visits),
        *((kind, n) for kind, (n, _) in month.avoided.items()),
    )
    counted = list(counts)
    most = max((n for _, n in counted), default=0) or 1
    return [{"kind": kind, "n": n, "width": round(1000 * n / most)} for kind, n in counted]


@router.get("/visits.csv")
def visits_csv(request: Request, me: Reader, month: MonthText = "") -> Response:
    """One line for each visit made and each one that was not needed."""
    web, t = web_of(request), reader_texts(request)
    shown = _month(web, month, t)
    with web.deps.pool.connection() as conn:
        found = read_month(conn, shown, web.deps.city.timezone, _weights(web))
    text = month_csv(found, web.deps.city.timezone)
    # with a mark of its encoding, which spreadsheets need for Chinese names
    return Response(
        "\ufeff" + text, media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="visits-{shown}.csv"'},
    )  # fmt: skip


@router.get("/api/v1/visits")
def visits_json(request: Request, me: Reader, month: MonthText = "") -> dict[str, Any]:
    """The same as JSON."""
    web, t = web_of(request), reader_texts(request)
    with web.deps.pool.connection() as conn:
        found = read_month(conn, _month(web, month, t), web.deps.city.timezone, _weights(web))
    return {**plain(found), "avoided_in_all": found.avoided_in_all}
