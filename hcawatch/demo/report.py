"""What the demo did, read from the edge's outbox and the database, not from counters of its own.

`collect` reads, `judge` says which steps of the chain did not happen. The last line of
`hcawatch demo --once` is the report as JSON.
"""

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from edge.outbox import SqliteOutbox
from hcawatch.demo.setting import EDGE, FIELD, TREES, DemoSetting
from monitor.domain.assets import City
from monitor.domain.geometry import LocalFrame
from monitor.domain.numbers import Stored
from monitor.store.pool import Conn
from monitor.store.queries import Queries

QUERIES = Queries("hcawatch.demo")

#: an error of the excavator's place above this fails the demo
PLACE_ERROR_LIMIT_M = 2.0
STEPS_OF_THE_STORY = ("dispatch", "accept", "depart", "arrive", "collect", "resolve", "verify")


class Camera(msgspec.Struct, frozen=True, kw_only=True):
    """One camera's share."""

    name: str
    footage: str
    detections: int
    violations: int
    watched_s: float
    unwatched_s: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The last line of `hcawatch demo --once`."""

    frames: int
    events: int
    watch_records: int
    stored: int
    receipted: int
    alerts: int
    dispatched: int
    verified: int
    #: lawful work that a permit covered: recorded, nobody sent
    supervised: int
    evidence_announced: int
    evidence_stored: int
    restarts: int
    lost: int
    duplicates: int
    gaps: int
    audit: str
    detector: dict[str, Any]
    onset_to_dispatch_ms: dict[str, float | None]
    cameras: tuple[Camera, ...]
    place_error_m: float | None
    health_alerts: int
    photos: int
    steps: tuple[str, ...]
    not_watching: tuple[str, ...]
    store: str
    broker: str

    def as_json(self) -> str:
        """One line."""
        return json.dumps(msgspec.to_builtins(self), ensure_ascii=False)


def collect(
    conn: Conn,
    *,
    outbox: Path,
    city: City,
    setting: DemoSetting,
    restarts: int,
    audit: str,
    store: str,
    broker: str,
) -> Report:
    """Read the report. The edge must have been stopped, so that its outbox is at rest."""
    box = SqliteOutbox(outbox)
    try:
        epoch, summary = box.epoch, box.summary()
    finally:
        box.close()
    numbers = _one(conn, "numbers", epoch=epoch)
    alerts, evidence = _one(conn, "alerts"), _one(conn, "evidence")
    receipt = conn.execute(QUERIES["receipt"], {"epoch": epoch}).fetchone()
    stored = (
        Stored(receipt["stored_through"], tuple((a, b) for a, b in receipt["ranges"]))
        if receipt
        else Stored()
    )
    missing = sum(high - low + 1 for low, high in stored.missing(summary.last_seq))
    rows = numbers["events"] + numbers["watch_minutes"] + numbers["losses"] + numbers["dead_letters"]
    cameras = _cameras(conn, city)
    story = conn.execute(QUERIES["story"], {"camera_id": FIELD}).fetchone()
    steps = conn.execute(QUERIES["steps"], {"alert_id": story["alert_id"]}).fetchall() if story else []
    return Report(
        frames=sum(frames for frames, _ in cameras),
        events=summary.numbered.get("event", 0),
        watch_records=summary.numbered.get("watch", 0),
        stored=numbers["numbers"],
        receipted=summary.last_seq - summary.unreceipted,
        alerts=alerts["violations"],
        dispatched=alerts["dispatched"],
        verified=alerts["verified"],
        supervised=alerts["supervised"],
        evidence_announced=evidence["announced"],
        evidence_stored=evidence["stored"],
        restarts=restarts,
        lost=summary.last_seq - rows,
        duplicates=numbers["events"] - numbers["distinct_events"] + alerts["alerts_twice"] + alerts["dispatches_twice"],
        gaps=missing,
        audit=audit,
        detector=_detector(conn),
        onset_to_dispatch_ms=_percentiles([row["ms"] for row in conn.execute(QUERIES["onset_to_dispatch"])]),
        cameras=tuple(camera for _, camera in cameras),
        place_error_m=_place_error_m(conn, setting),
        health_alerts=alerts["health"],
        photos=_one(conn, "photos")["photos"],
        steps=tuple(row["step"] for row in steps),
        not_watching=tuple(row["health"] for row in conn.execute(QUERIES["not_watching"], {"camera_id": TREES})),
        store=store,
        broker=broker,
    )  # fmt: skip


def judge(report: Report, *, kills: int) -> list[str]:
    """What did not happen, one sentence each; empty if the whole chain happened."""
    checks: Sequence[tuple[bool, str]] = (
        (report.frames > 0, "no frame was decoded"),
        (report.events > 0, "no risk event was numbered"),
        (report.watch_records > 0, "no watch record was numbered"),
        (report.lost == 0, f"{report.lost} numbered records are not in the database"),
        (report.gaps == 0, f"{report.gaps} numbers are missing at the end"),
        (report.receipted == report.stored, f"{report.stored} stored, but receipts cover {report.receipted}"),
        (report.duplicates == 0, f"{report.duplicates} rows, alerts or dispatches more than one"),
        (report.dispatched > 0, "nobody was dispatched"),
        (report.verified > 0, "no alert was verified"),
        (report.supervised > 0, "the permitted works were not recorded, or somebody was sent to them"),
        (all(step in report.steps for step in STEPS_OF_THE_STORY),
         f"the level I alert's steps were {', '.join(report.steps) or 'none'}"),
        (report.photos > 0, "no photo came from the field"),
        (report.evidence_announced > 0, "no evidence was announced"),
        (report.evidence_stored == report.evidence_announced,
         f"{report.evidence_announced} pieces of evidence announced, {report.evidence_stored} stored"),
        (report.restarts == kills, f"the edge was restarted {report.restarts} times, not {kills}"),
        (report.audit == "verified", f"the audit log says: {report.audit}"),
        (bool(report.not_watching), "the camera that lost its stream was not reported"),
        (all(camera.watched_s > 0 for camera in report.cameras), "a camera was never watched"),
        (any(c.footage == "real" and c.detections > 0 for c in report.cameras), "nothing was seen on real footage"),
        (report.place_error_m is not None and report.place_error_m < PLACE_ERROR_LIMIT_M,
         f"the excavator's place is off by {report.place_error_m} m"),
        (report.onset_to_dispatch_ms["p50"] is not None, "no level I alert was dispatched at once"),
    )  # fmt: skip
    return [sentence for happened, sentence in checks if not happened]


def _one(conn: Conn, query: str, **values: object) -> dict[str, Any]:
    row = conn.execute(QUERIES[query], values).fetchone()
    assert row is not None
    return row


def _cameras(conn: Conn, city: City) -> list[tuple[int, Camera]]:
    rows = {row["camera_id"]: row for row in conn.execute(QUERIES["cameras"])}
    found = []
    for camera in city.cameras:
        row = rows.get(camera.camera_id)
        found.append(
            (
                int(row["frames"]) if row else 0,
                Camera(
                    name=camera.camera_id, footage=camera.footage,
                    detections=int(row["detections"]) if row else 0,
                    violations=int(row["violations"]) if row else 0,
                    watched_s=round(float(row["watched_s"]), 1) if row else 0.0,
                    unwatched_s=round(float(row["unwatched_s"]), 1) if row else 0.0,
                ),
            )
        )  # fmt: skip
    return found


def _detector(conn: Conn) -> dict[str, Any]:
    row = conn.execute(QUERIES["detector"], {"edge_id": EDGE}).fetchone()
    return dict(row["detector"]) if row and row["detector"] else {}


def _percentiles(values: list[Any]) -> dict[str, float | None]:
    ms = sorted(float(value) for value in values)
    if not ms:
        return {"p50": None, "p95": None}
    return {
        "p50": round(statistics.median(ms), 1),
        "p95": round(ms[min(len(ms) - 1, int(0.95 * len(ms)))], 1),
    }


def _place_error_m(conn: Conn, setting: DemoSetting) -> float | None:
    """Median distance of the working excavator's positions to where the renderer put it."""
    frame = LocalFrame(setting.true_place)
    errors = []
    for row in conn.execute(QUERIES["positions"], {"camera_id": FIELD}):
        if row["activity"] == "working":
            east, north = frame.to_en_m((row["lon"], row["lat"]))
            errors.append((east**2 + north**2) ** 0.5)
    return round(statistics.median(errors), 2) if errors else None
