"""A day of rows for the dashboards' tests: every table that a panel reads has some, with known figures."""

import uuid
from datetime import UTC, datetime, timedelta

import psycopg

NOW = datetime.now(UTC).replace(microsecond=0)
SINCE, UNTIL = NOW - timedelta(days=1), NOW + timedelta(minutes=1)
HOUR_AGO = NOW - timedelta(hours=1)


def add_alert(
    conn: psycopg.Connection, *, opened_at: datetime, level: str = "II", state: str = "open", subject: str = "cam-1",
    kind: str = "violation", acknowledged_s: float | None = None, arrived_s: float | None = None,
    resolved_s: float | None = None, closed_s: float | None = None, closing_reason: str | None = None,
    confirmation: str = "pending", onset_s_before: float = 1.0, lon: float | None = 121.6,
) -> uuid.UUID:  # fmt: skip
    """One alert; times are seconds after its opening."""

    def after(seconds: float | None) -> datetime | None:
        return None if seconds is None else opened_at + timedelta(seconds=seconds)

    alert_id = uuid.uuid4()
    conn.execute(
        """INSERT INTO alert (alert_id, kind, source, state, violation, health, subject, site_id, camera_id, level,
               reasons, weights_version, confirmation, lon, lat, accuracy_m, opened_at, onset_at, last_seen_at,
               acknowledged_at, arrived_at, resolved_at, closed_at, closing_reason)
           VALUES (%s, %s, 'edge', %s, %s, %s, %s, 'hca-01', %s, %s, '[]', 'w', %s, %s, %s, 1.5, %s, %s, %s, %s, %s, %s, %s, %s)""",
        (
            alert_id, kind, state, "excavation_5m" if kind == "violation" else None,
            None if kind == "violation" else "camera_stalled", subject, subject, level, confirmation,
            lon, None if lon is None else 29.9, opened_at, opened_at - timedelta(seconds=onset_s_before), opened_at,
            after(acknowledged_s), after(arrived_s), after(resolved_s), after(closed_s), closing_reason,
        ),
    )  # fmt: skip
    return alert_id


def add_dispatch(conn: psycopg.Connection, alert_id: uuid.UUID, at: datetime, *, accepted_s: float | None = None,
                 ended_s: float | None = None) -> None:  # fmt: skip
    """One dispatch of team-a."""
    accepted = None if accepted_s is None else at + timedelta(seconds=accepted_s)
    ended = None if ended_s is None else at + timedelta(seconds=ended_s)
    conn.execute(
        """INSERT INTO dispatch (dispatch_id, alert_id, team_id, officer, dispatched_at, accepted_at, ended_at)
           VALUES (%s, %s, 'team-a', 'zhang-wei', %s, %s, %s)""",
        (uuid.uuid4(), alert_id, at, accepted, ended),
    )


def fill(conn: psycopg.Connection) -> None:
    """The day."""
    _config(conn)
    _alerts(conn)
    _cameras(conn)
    _edges(conn)
    conn.commit()


def _config(conn: psycopg.Connection) -> None:
    conn.execute(
        """INSERT INTO config_version (sha256, body, author, reason, created_at)
           VALUES ('x', '{"city": {"timezone": "Asia/Shanghai"}}', 'a', 'b', %s)""", (SINCE,)
    )  # fmt: skip


def _alerts(conn: psycopg.Connection) -> None:
    # three within a minute of one source: chattering; dispatched after 10, 20 and 60 s
    for n, seconds in enumerate((10.0, 20.0, 60.0)):
        opened = HOUR_AGO + timedelta(seconds=20 * n)
        alert_id = add_alert(conn, opened_at=opened, level="I", state="verified", acknowledged_s=5, arrived_s=600,
                             resolved_s=1200, closed_s=1500, closing_reason="rectified")  # fmt: skip
        add_dispatch(conn, alert_id, opened + timedelta(seconds=seconds), accepted_s=30, ended_s=1300)
        for _ in range(2):
            conn.execute("INSERT INTO alert_episode (episode_id, alert_id, camera_id, joined_at) VALUES (%s, %s, 'cam-1', %s)",
                         (uuid.uuid4(), alert_id, opened))  # fmt: skip
        conn.execute(
            """INSERT INTO alert_transition (alert_id, n, step, from_state, to_state, level, actor, role, at, reason)
               VALUES (%s, 1, 'open', NULL, 'open', 'I', 'system', 'system', %s, 'onset')""", (alert_id, opened)
        )  # fmt: skip
    running = add_alert(conn, opened_at=HOUR_AGO, level="II", state="en_route", subject="cam-2")
    add_dispatch(conn, running, HOUR_AGO + timedelta(seconds=30))
    conn.execute(
        """INSERT INTO alert_transition (alert_id, n, step, from_state, to_state, level, actor, role, at, reason)
           VALUES (%s, 1, 'join', 'en_route', 'en_route', 'II', 'system', 'system', %s, 'same_place')""", (running, HOUR_AGO)
    )  # fmt: skip
    add_alert(conn, opened_at=NOW - timedelta(days=2), level="III", subject="cam-3")  # stale
    add_alert(conn, opened_at=HOUR_AGO, level="IV", state="dismissed", subject="cam-3", closed_s=60,
              closing_reason="false_alarm", confirmation="refuted", lon=None)  # fmt: skip
    add_alert(
        conn,
        opened_at=HOUR_AGO,
        level="III",
        state="supervised",
        subject="cam-4",
        closed_s=60,
        closing_reason="permit",
    )
    add_alert(conn, opened_at=HOUR_AGO, level="II", kind="health", subject="cam-5", lon=None)


def _cameras(conn: psycopg.Connection) -> None:
    for camera, state in (("cam-1", "streaming"), ("cam-2", "stalled")):
        conn.execute(
            "INSERT INTO camera_state VALUES (%s, 'edge-1', %s, 'r', %s, %s)", (camera, state, HOUR_AGO, NOW)
        )
        for since, was in ((SINCE - timedelta(hours=3), "starting"), (HOUR_AGO, state)):
            conn.execute(
                "INSERT INTO camera_state_change VALUES (%s, 'edge-1', %s, '', %s)", (camera, was, since)
            )
    minute = HOUR_AGO.replace(second=0)
    rows = (("cam-1", "edge-1", 60.0, '{"streaming": 60}'), ("cam-2", "edge-1", 15.0, '{"streaming": 15, "stalled": 45}'),
            ("cam-3", None, 0.0, "{}"))  # fmt: skip
    for camera, edge, watched_s, states in rows:
        conn.execute(
            """INSERT INTO watch_minute (minute, camera_id, edge_id, epoch, seq, watched_s, span_s, frames, looks, detector_runs,
                   detections, longest_blind_s, state_s, seen, calibration_version, config_version, stored_at)
               VALUES (%s, %s, %s, 'e', 1, %s, 60, 600, 300, 20, 3, 1.0, %s, '[]', 'none', 'v', %s)""",
            (minute, camera, edge, watched_s, states, minute),
        )  # fmt: skip


def _edges(conn: psycopg.Connection) -> None:
    conn.execute(
        """INSERT INTO edge_state VALUES ('edge-1', true, '{"queue_depth": 4, "evidence_pending": 2, "version": "0.1.0",
               "config_version": "v", "disk": {"free": 5000000000}, "troubles": ["uploader died once: OSError"]}', %s), ('edge-2', false, NULL, %s)""", (NOW, NOW)
    )  # fmt: skip
    conn.execute(
        "INSERT INTO edge_receipt VALUES ('edge-1', 'e', 100, '[[103, 110], [112, 112]]', 115, %s)", (NOW,)
    )
    conn.execute("INSERT INTO number_gap VALUES ('edge-1', 'e', 101, 102, %s, NULL)", (NOW,))
    conn.execute(
        "INSERT INTO dead_letter (topic, edge_id, seq, payload, reason, received_at) VALUES ('t', 'edge-1', 9, 'x', 'not JSON', %s)",
        (NOW,),
    )
    conn.execute(
        "INSERT INTO loss VALUES ('edge-1', 'e', 8, 'evidence', 1, 'disk full', NULL, %s, %s, %s)",
        (HOUR_AGO, NOW, NOW),
    )
    for stored, lost in ((NOW, None), (None, "disk full"), (None, None)):
        conn.execute(
            """INSERT INTO evidence (sha256, kind, content_type, bytes, announced_at, stored_at, lost_reason)
               VALUES (%s, 'snapshot_clean', 'image/jpeg', 9, %s, %s, %s)""", (uuid.uuid4().hex, HOUR_AGO, stored, lost)
        )  # fmt: skip
    for n, lag_s in enumerate((1.0, 2.0, 3.0)):
        conn.execute(
            """INSERT INTO risk_event (captured_at, event_id, edge_id, epoch, seq, episode_id, phase, site_id, camera_id,
                   violation, rule_id, object_class, track_id, confidence, dwell_s, activity, risk_edge, footage, body,
                   received_at, stored_at)
               VALUES (%s, %s, 'edge-1', 'e', %s, %s, 'onset', 'hca-01', 'cam-1', 'excavation_5m', 'dig-5m', 'excavator', 1, 0.9,
                   5, 'working', 'I', 'real', '{}', %s, %s)""",
            (HOUR_AGO, uuid.uuid4(), n + 1, uuid.uuid4(), HOUR_AGO, HOUR_AGO + timedelta(seconds=lag_s)),
        )  # fmt: skip
