"""How the watching stands: each camera's state, and what it watched of the last hour.

A minute without a record counts as unwatched; only `streaming` is watching (monitor.domain.events).
"""

import contextlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Request

from monitor.domain.assets import City
from monitor.domain.events import CameraState, DetectorLoad
from monitor.domain.roles import Right
from monitor.store.pool import Conn
from monitor.web.access import Guard
from monitor.web.deps import web_of
from monitor.web.people import Principal
from monitor.web.sql import QUERIES

router = APIRouter(prefix="/api/v1")
MINUTES = 60
#: a camera that no edge has spoken of
UNKNOWN = "unknown"


def last_hour(now: datetime) -> tuple[datetime, datetime]:
    """The last 60 whole minutes, without the one that runs and the one whose record is on its way."""
    until = now.replace(second=0, microsecond=0) - timedelta(minutes=1)
    return until - timedelta(minutes=MINUTES), until


def minutes_of(rows: Iterable[dict[str, Any]], since: datetime) -> dict[str, list[tuple[float, float]]]:
    """(watched_s, span_s) of each of the 60 minutes, per camera; what has no record stays (0, 0)."""
    found: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        at = int((row["minute"] - since) / timedelta(minutes=1))
        if 0 <= at < MINUTES:
            found.setdefault(row["camera_id"], [(0.0, 0.0)] * MINUTES)[at] = (row["watched_s"], row["span_s"])
    return found


def known_seconds(first: datetime | None, since: datetime, until: datetime) -> float:
    """How many seconds of the hour a camera was known; all of them if nobody noted when it came."""
    return max(0.0, (until - max(since, first or since)).total_seconds())


def overloaded(conn: Conn) -> dict[str, DetectorLoad]:
    """What each edge whose detector can't keep up says of it; what can't be read is as if it weren't said."""
    found = {}
    for row in conn.execute(QUERIES["overloaded_edges"]).fetchall():
        with contextlib.suppress(msgspec.ValidationError):
            found[row["edge_id"]] = msgspec.convert(row["load"], DetectorLoad)
    return found


def looks_of(load: DetectorLoad | None, camera_id: str) -> dict[str, int] | None:
    """Looks that a camera asked for and had in the last minute; None where the detector keeps up."""
    if load is None or camera_id not in load.cameras:
        return None
    return {"asked": load.cameras[camera_id].asked, "served": load.cameras[camera_id].served}


def cameras(conn: Conn, city: City, now: datetime) -> list[dict[str, Any]]:
    """All cameras of the configuration, in its order."""
    since, until = last_hour(now)
    states = {row["camera_id"]: row for row in conn.execute(QUERIES["camera_states"]).fetchall()}
    watched = minutes_of(
        conn.execute(QUERIES["watched_minutes"], {"since": since, "until": until}).fetchall(), since
    )
    first = {
        row["camera_id"]: row["since"] for row in conn.execute(QUERIES["cameras_first_heard"]).fetchall()
    }
    loads = overloaded(conn)
    shown = []
    for camera in city.cameras:
        row = states.get(camera.camera_id)
        minutes = watched.get(camera.camera_id, [(0.0, 0.0)] * MINUTES)
        watched_s = sum(watched_s for watched_s, _ in minutes)
        # before its first word the camera was not there, so nobody could have watched by it
        known_s = known_seconds(first.get(camera.camera_id), since, until)
        shown.append(
            {
                "camera_id": camera.camera_id,
                "edge_id": camera.edge_id,
                "site_id": camera.site_id,
                "name": camera.name,
                "footage": camera.footage,
                "state": row["state"] if row else UNKNOWN,
                "watching": row is not None and row["state"] == CameraState.STREAMING,
                "reason": row["reason"] if row else "",
                "since": row["since"] if row else None,
                "watched_s": round(watched_s, 1),
                "unwatched_s": round(max(0.0, known_s - watched_s), 1),
                "overload": looks_of(loads.get(camera.edge_id), camera.camera_id),
                "minutes": [round(min(1.0, watched_s / 60), 2) for watched_s, _ in minutes],
            }
        )
    return shown


@router.get("/cameras")
def list_cameras(
    request: Request, me: Annotated[Principal, Depends(Guard(Right.SEE_CONSOLE))]
) -> dict[str, Any]:
    """State, since when, watched and unwatched seconds of the last hour."""
    deps = web_of(request).deps
    with deps.pool.connection() as conn:
        return {"now": deps.clock(), "cameras": cameras(conn, deps.city, deps.clock())}
