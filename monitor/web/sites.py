"""A site's own page, which the QR code at the site opens, and the label with that code to print."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from monitor.domain.assets import City, Hca
from monitor.domain.geometry import format_chainage
from monitor.domain.roles import Right, Role
from monitor.domain.violations import CATALOGUE
from monitor.store.pool import Conn
from monitor.web import checks, showing
from monitor.web.access import Guard
from monitor.web.deps import address_of, web_of
from monitor.web.errors import NotFound
from monitor.web.people import Principal
from monitor.web.qr import qr_of
from monitor.web.rendering import reader_texts, render
from monitor.web.sql import QUERIES
from monitor.web.texts import Texts

router = APIRouter()
Room = Annotated[Principal, Depends(Guard(Right.SEE_CONSOLE))]
FieldReader = Annotated[Principal, Depends(Guard(Right.SEE_FIELD))]
_FIELD = (Role.OFFICER, Role.PATROL)


def _site(city: City, site_id: str) -> Hca:
    found = next((hca for hca in city.hcas if hca.site_id == site_id), None)
    if found is None:
        raise NotFound("no_such_page")
    return found


def _place(hca: Hca, city: City, t: Texts) -> str:
    line = next((one for one in city.pipelines if one.pipeline_id == hca.pipeline_id), None)
    return f"{t.of(line.name) if line else hca.pipeline_id} {format_chainage(hca.from_m)} – {format_chainage(hca.to_m)}"


@router.get("/sites/{site_id}/label")
def label_page(request: Request, site_id: str, me: Room) -> Response:
    """The label to print: the site's name, its place, and the code that opens its page."""
    city, t = web_of(request).deps.city, reader_texts(request)
    hca = _site(city, site_id)
    url = address_of(request, f"/s/{hca.site_id}")
    return render(
        request, "site_label.html", name=t.of(hca.name), place=_place(hca, city, t), url=url, qr=qr_of(url)
    )


@router.get("/s/{site_id}")
def site_page(request: Request, site_id: str, me: FieldReader) -> Response:
    """What the officer has to do here, what is always looked at here, and which permits run here."""
    deps = web_of(request).deps
    city, t = deps.city, reader_texts(request)
    hca = _site(city, site_id)
    found = deps.engine.dispatches_for(me.user if me.role in _FIELD else None)
    with deps.pool.connection() as conn:
        permits = _permits(conn, hca, deps.clock(), t)
    return render(
        request, "site.html", name=t.of(hca.name), place=_place(hca, city, t), site_id=site_id,
        rows=[
            {**showing.dispatch_row(item, city, t), "along": checks.is_taken_along(item.dispatch.choice)}
            for item in found
            if item.alert.site_id == site_id
        ],
        always=[t.of(check.text) for check in city.site_checks.get(site_id, ())],
        permits=permits,
    )  # fmt: skip


def _permits(conn: Conn, hca: Hca, now: datetime, t: Texts) -> list[dict[str, Any]]:
    given = {"pipeline": hca.pipeline_id, "from": hca.from_m, "to": hca.to_m, "now": now}
    return [
        {
            **row,
            "works": t.of(CATALOGUE[row["violation"]].title)
            if row["violation"] in CATALOGUE
            else row["violation"],
            "place": f"{format_chainage(row['from_m'])} – {format_chainage(row['to_m'])}",
            "until": t.time(row["valid_to"])[:16],
        }
        for row in conn.execute(QUERIES["permits_at_site"], given)
    ]
