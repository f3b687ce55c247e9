"""Reads from the database what feedback decides on: judged alerts, their events, rows of the table at a camera."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from alerts.feedback.causes import FalseCause, Outcome, verdict_of
from alerts.feedback.judged import Judged
from alerts.feedback.points import Point
from alerts.feedback.ports import Current
from alerts.feedback.proposals import Facts
from alerts.feedback.proposing import WINDOW, Named, Row
from alerts.feedback.replaying import Case, Look
from alerts.feedback.taking_back import Since, Standing
from alerts.policy import NO_OFFENCE
from alerts.postgres_book import value
from monitor.domain.assets import Camera, City, LonLat
from monitor.domain.places import middle
from monitor.domain.rulebook import merged
from monitor.domain.violations import RULES
from monitor.store.pool import Conn
from monitor.store.queries import Queries

QUERIES = Queries("alerts.feedback")
_ROWS = {rule.rule_id: rule for rule in RULES}


def judged(
    conn: Conn, since: datetime, until: datetime, camera_id: str | None = None, rule_id: str | None = None
) -> tuple[Judged, ...]:
    """Alerts of cameras with an onset from `since` until before `until`."""
    given = {"since": since, "until": until, "camera_id": camera_id, "rule_id": rule_id}
    return tuple(_judged(row) for row in conn.execute(QUERIES["judged"], given))


def _judged(row: dict[str, Any]) -> Judged:
    verdict = verdict_of(row["outcome"], row["confirmation"], closed=row["closed"],
                         supervised=row["state"] == "supervised")  # fmt: skip
    return Judged(
        alert_id=row["alert_id"], number=row["number"], camera_id=row["camera_id"], rule_id=row["rule_id"],
        site_id=row["site_id"], object_class=row["object_class"], level=row["level"], onset_at=row["onset_at"],
        verdict=verdict, may_be_right=not row["closed"] or row["outcome"] == Outcome.NO_ACCESS,
        cause=None if row["cause"] is None else FalseCause(row["cause"]), snapshot=row["snapshot"],
    )  # fmt: skip


def cases(conn: Conn, alerts: Sequence[Judged]) -> tuple[tuple[Case, ...], tuple[str, ...]]:
    """These alerts with all their events, and the SHA-256 of the models that they are of."""
    looks: dict[str, list[Look]] = {one.alert_id: [] for one in alerts}
    models: set[str] = set()
    for row in conn.execute(QUERIES["looks"], {"alert_ids": list(looks)}):
        look = value({**row, "model": row["model"] or ""}, Look)
        looks[row["alert_id"]].append(look)
        if look.model:
            models.add(look.model)
    found = tuple(Case(judged=one, looks=tuple(looks[one.alert_id])) for one in alerts)
    return found, tuple(sorted(models))


def row_of(current: Current, camera_id: str, rule_id: str) -> Row | None:
    """The row as it is set at that camera; None if there is no such camera or row any more."""
    camera = next((one for one in current.city.cameras if one.camera_id == camera_id), None)
    if camera is None or rule_id not in _ROWS:
        return None
    edge = next(one for one in current.city.edges if one.edge_id == camera.edge_id)
    settings = {setting.rule_id: setting for setting in merged(edge.rules, camera.rules)}
    others = [
        Row(camera_id=camera_id, shipped=rule, setting=settings.get(rule.rule_id))
        for rule in RULES
        if rule.rule_id != rule_id
    ]
    return Row(camera_id=camera_id, shipped=_ROWS[rule_id], setting=settings.get(rule_id), place=_place(current.city, camera),
               others=tuple(one.rule() for one in others),
               others_at_night=tuple(one.rule(Point.NIGHT) for one in others))  # fmt: skip


def _place(city: City, camera: Camera) -> LonLat | None:
    """Where its edge looks the sun up: at the middle of its site."""
    hca = next((one for one in city.hcas if one.site_id == camera.site_id), None)
    return None if hca is None else middle(hca, city.pipeline(hca.pipeline_id))


def decisions(conn: Conn) -> dict[tuple[str, str], datetime]:
    """When somebody last decided about a row at a camera."""
    return {
        (row["camera_id"], row["rule_id"]): row["decided_at"] for row in conn.execute(QUERIES["decisions"])
    }


def standing(conn: Conn) -> tuple[Standing, ...]:
    """Steps that were approved and not taken back."""
    return tuple(value(row, Standing) for row in conn.execute(QUERIES["standing"]))


def since_of(conn: Conn, step: Standing, current: Current) -> Since:
    """What came of the camera since a step was approved."""
    row = row_of(current, step.camera_id, step.rule_id)
    if row is None:
        return Since(in_force=None)
    refused = [msgspec.convert(one["facts"], Facts)
               for one in conn.execute(QUERIES["refused_backs"], {"proposal_id": step.proposal_id})]  # fmt: skip
    known = [shown.alert_id for one in refused for shown in one.missed]
    given = {"known": known, "site_id": current.city.camera(step.camera_id).site_id, "violation": row.shipped.violation,
             "since": step.decided_at, "camera_id": step.camera_id, "no_offence": list(NO_OFFENCE)}  # fmt: skip
    missed = tuple(value(one, Named) for one in conn.execute(QUERIES["missed_reports"], given))
    return Since(in_force=row.in_force(step.number, step.point), missed=missed,
                 model=newest_model(conn, step.camera_id, step.decided_at),
                 refused_models=tuple(model for one in refused for model in one.models))  # fmt: skip


def newest_model(conn: Conn, camera_id: str, since: datetime) -> str | None:
    """SHA-256 of the detector of the camera's newest event since then; None if there is none."""
    newest = conn.execute(QUERIES["newest_model"], {"camera_id": camera_id, "since": since}).fetchone()
    return newest["model"] if newest else None


def of_row(conn: Conn, camera_id: str, rule_id: str, now: datetime) -> tuple[Judged, ...]:
    """The row's alerts at that camera of the weeks that a proposal looks at."""
    return judged(conn, now - WINDOW, now, camera_id, rule_id)


def snapshots(alerts: Iterable[Judged]) -> dict[str, str | None]:
    """Their pictures by alert."""
    return {one.alert_id: one.snapshot for one in alerts}


def plain(struct: msgspec.Struct) -> Any:
    """As JSON values."""
    return msgspec.to_builtins(struct)
