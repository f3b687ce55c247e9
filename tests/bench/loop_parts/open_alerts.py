"""Alerts that are open already when a run begins: of the same sites and violation, seen just now, elsewhere."""

from __future__ import annotations

import psycopg

from tests.bench.loop_parts.town import PLACES_PER_SITE, SITES, place_of

#: north of the pipeline: none is where a run's onsets are
_ROWS_NORTH_M = 300.0


def open_alerts(dsn: str, count: int) -> None:
    """So many open alerts with their first transitions and episodes, spread over all sites; then ANALYZE."""
    with psycopg.connect(dsn) as conn, conn.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE spot (n bigint, site text, lon float8, lat float8, metres float8)")
        with cursor.copy("COPY spot FROM STDIN") as copy:
            for n in range(count):
                site, rank = n % SITES, n // SITES
                metres = (rank % PLACES_PER_SITE) * 100.0
                lon, lat = place_of(site, metres, _ROWS_NORTH_M + 100.0 * (rank // PLACES_PER_SITE))
                copy.write_row((n, f"site-{site}", lon, lat, metres))
        cursor.execute(
            "INSERT INTO alert (alert_id, kind, source, state, violation, subject, site_id, camera_id, level, reasons,"
            " weights_version, lon, lat, accuracy_m, pipeline_id, chainage_m, offset_m, opened_at, onset_at, last_seen_at)"
            " SELECT gen_random_uuid(), 'violation', 'edge', 'open', 'excavation_5m', site, site, 'cam-open', 'III', '[]',"
            " 'bench', lon, lat, 0.5, 'p1', metres, 300, now(), now(), now() FROM spot"
        )
        cursor.execute(
            "INSERT INTO alert_episode (episode_id, alert_id, camera_id, joined_at)"
            " SELECT gen_random_uuid(), alert_id, 'cam-open', now() FROM alert"
        )
        cursor.execute(
            "INSERT INTO alert_transition (alert_id, n, step, from_state, to_state, level, actor, role, at, reason)"
            " SELECT alert_id, 1, 'open', NULL, 'open', 'III', 'system', 'system', now(), 'new_place' FROM alert"
        )
        conn.commit()
        conn.autocommit = True
        cursor.execute("VACUUM ANALYZE")
