-- The loop's figures, as the page "Figures" has them (alerts/figures, alerts/visiting/counting.py): what rang, at the time
-- when it first rang; lawful work that was only recorded, and what was held from first to last, rang for nobody.

-- loop_times_by_level --
-- How long each level's violations took to be acknowledged (from ringing), reached (from the first dispatch), cured (from arrival).
SELECT level::text AS level, step, count(took_s) AS alerts,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY took_s) AS p50,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY took_s) AS p95,
       count(*) FILTER (WHERE begun AND took_s IS NULL AND runs) AS standing
FROM (SELECT level, n, step, begun_at IS NOT NULL AS begun, runs,
             CASE WHEN at - begun_at IS NOT NULL THEN greatest(extract(epoch FROM at - begun_at), 0)::float8 END AS took_s
      FROM (SELECT alert.*, first.dispatched_at,
                   CASE WHEN held_by IS NULL AND rung_at IS NULL THEN opened_at
                   ELSE (SELECT min(move.at) FROM alert_transition AS move
                         WHERE move.alert_id = alert.alert_id AND move.held_by IS NULL) END AS rang_at
            FROM alert
            LEFT JOIN LATERAL (SELECT min(dispatched_at) AS dispatched_at FROM dispatch
                               WHERE dispatch.alert_id = alert.alert_id) AS first ON true
            WHERE kind = 'violation' AND ($__timeFilter(opened_at) OR $__timeFilter(rung_at))) AS a
      CROSS JOIN LATERAL (VALUES
          (1, 'acknowledge', rang_at, acknowledged_at, closed_at IS NULL),
          (2, 'arrive', dispatched_at, arrived_at, closed_at IS NULL AND resolved_at IS NULL),
          (3, 'cure', arrived_at, resolved_at, closed_at IS NULL)) AS steps (n, step, begun_at, at, runs)
      WHERE $__timeFilter(rang_at) AND (state <> 'supervised' OR dispatched_at IS NOT NULL)) AS took
GROUP BY level, n, step ORDER BY level, n

-- loop_times_by_team --
-- How long each team's dispatches took to be accepted, to arrive, and to put it right (from arrival).
SELECT team_id, step, count(took_s) AS dispatches,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY took_s) AS p50,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY took_s) AS p95,
       count(*) FILTER (WHERE begun_at IS NOT NULL AND took_s IS NULL AND ended_at IS NULL) AS standing
FROM (SELECT team_id, n, step, begun_at, ended_at, CASE WHEN at - begun_at IS NOT NULL THEN greatest(extract(epoch FROM at - begun_at), 0)::float8 END AS took_s
      FROM dispatch
      CROSS JOIN LATERAL (VALUES
          (1, 'accept', dispatched_at, accepted_at), (2, 'arrive', dispatched_at, arrived_at),
          (3, 'cure', arrived_at, CASE WHEN end_reason = 'resolved' THEN ended_at END)) AS steps (n, step, begun_at, at)
      WHERE $__timeFilter(dispatched_at)) AS took
GROUP BY team_id, n, step ORDER BY team_id, n

-- loop_alarms_10min --
-- What rang per ten minutes and operator position, periods without any included.
SELECT period AS time, count(a.rang_at)::float8 / max(staffed.positions) AS per_position
FROM generate_series(date_bin('10 minutes', $__timeFrom()::timestamptz, 'epoch'),
                     date_bin('10 minutes', $__timeTo()::timestamptz, 'epoch'), interval '10 minutes') AS period
CROSS JOIN (SELECT greatest(coalesce((SELECT (body->'calm'->>'positions')::int FROM config_version
                                      ORDER BY version DESC LIMIT 1), 1), 1) AS positions) AS staffed
LEFT JOIN (SELECT date_bin('10 minutes', rang_at, 'epoch') AS bin, rang_at
           FROM (SELECT state, alert_id,
                        CASE WHEN held_by IS NULL AND rung_at IS NULL THEN opened_at
                        ELSE (SELECT min(move.at) FROM alert_transition AS move
                              WHERE move.alert_id = alert.alert_id AND move.held_by IS NULL) END AS rang_at
                 FROM alert WHERE $__timeFilter(opened_at) OR $__timeFilter(rung_at)) AS rung
           WHERE $__timeFilter(rang_at)
             AND (state <> 'supervised' OR EXISTS (SELECT FROM dispatch WHERE dispatch.alert_id = rung.alert_id))) AS a
    ON a.bin = period
GROUP BY period ORDER BY period

-- loop_flood_share --
-- Share of the ten minutes in which more than ten alarms a position rang.
SELECT coalesce(avg((alarms > 10 * positions)::int), 0)::float8 AS flood_share, coalesce(max(alarms), 0) AS most_10min
FROM (SELECT period, count(a.rang_at) AS alarms, max(staffed.positions) AS positions
      FROM generate_series(date_bin('10 minutes', $__timeFrom()::timestamptz, 'epoch'),
                           date_bin('10 minutes', $__timeTo()::timestamptz, 'epoch'), interval '10 minutes') AS period
      CROSS JOIN (SELECT greatest(coalesce((SELECT (body->'calm'->>'positions')::int FROM config_version
                                            ORDER BY version DESC LIMIT 1), 1), 1) AS positions) AS staffed
      LEFT JOIN (SELECT date_bin('10 minutes', rang_at, 'epoch') AS bin, rang_at
                 FROM (SELECT state, alert_id,
                              CASE WHEN held_by IS NULL AND rung_at IS NULL THEN opened_at
                              ELSE (SELECT min(move.at) FROM alert_transition AS move
                                    WHERE move.alert_id = alert.alert_id AND move.held_by IS NULL) END AS rang_at
                       FROM alert WHERE $__timeFilter(opened_at) OR $__timeFilter(rung_at)) AS rung
                 WHERE $__timeFilter(rang_at)
                   AND (state <> 'supervised' OR EXISTS (SELECT FROM dispatch WHERE dispatch.alert_id = rung.alert_id))) AS a
          ON a.bin = period
      GROUP BY period) AS periods

-- loop_busiest --
-- The ten sources that rang most, and their share of all.
SELECT source AS subject, count(*) AS alerts, count(*)::float8 / sum(count(*)) OVER () AS share, max(rang_at) AS last_at
FROM (SELECT coalesce(camera_id, subject) AS source, state, alert_id,
             CASE WHEN held_by IS NULL AND rung_at IS NULL THEN opened_at
             ELSE (SELECT min(move.at) FROM alert_transition AS move
                   WHERE move.alert_id = alert.alert_id AND move.held_by IS NULL) END AS rang_at
      FROM alert WHERE $__timeFilter(opened_at) OR $__timeFilter(rung_at)) AS rung
WHERE $__timeFilter(rang_at)
  AND (state <> 'supervised' OR EXISTS (SELECT FROM dispatch WHERE dispatch.alert_id = rung.alert_id))
GROUP BY source ORDER BY alerts DESC, source LIMIT 10

-- loop_precision --
-- By week of the city's calendar, camera and rule: how many judged alerts were right, with Wilson's interval of 95 %.
SELECT week, camera_id, rule_id, right_n, false_n AS false_alarms, right_n::float8 / of AS share,
       greatest(0, (p + zz / (2 * of)) / (1 + zz / of) - half)::float8 AS low,
       least(1, (p + zz / (2 * of)) / (1 + zz / of) + half)::float8 AS high
FROM (SELECT *, z / (1 + zz / of) * sqrt(p * (1 - p) / of + zz / (4 * of * of)) AS half
      FROM (SELECT to_char(week, 'YYYY-MM-DD') AS week, camera_id, rule_id, right_n, false_n,
                   (right_n + false_n)::float8 AS of, right_n::float8 / (right_n + false_n) AS p,
                   1.959963984540054::float8 AS z, 1.959963984540054::float8 ^ 2 AS zz
            FROM (SELECT date_trunc('week', onset_at AT TIME ZONE zone.name) AS week,
                         coalesce(opening.camera_id, alert.camera_id, subject) AS camera_id,
                         coalesce(opening.rule_id, violation) AS rule_id,
                         count(*) FILTER (WHERE said.outcome IN ('rectified', 'referred')
                                             OR (said.outcome = 'no_access' AND confirmation = 'confirmed')) AS right_n,
                         count(*) FILTER (WHERE said.outcome = 'false_alarm') AS false_n
                  FROM alert
                  CROSS JOIN (SELECT coalesce((SELECT body->'city'->>'timezone' FROM config_version
                                               ORDER BY version DESC LIMIT 1), 'UTC') AS name) AS zone
                  CROSS JOIN LATERAL (SELECT coalesce(alert.outcome::text, closing_reason) AS outcome) AS said
                  LEFT JOIN LATERAL (
                      SELECT risk_event.camera_id, rule_id FROM alert_episode JOIN risk_event USING (episode_id)
                      WHERE alert_episode.alert_id = alert.alert_id ORDER BY captured_at, seq LIMIT 1
                  ) AS opening ON true
                  WHERE kind = 'violation' AND source = 'edge' AND closed_at IS NOT NULL AND state <> 'supervised'
                    AND $__timeFilter(onset_at)
                  GROUP BY 1, 2, 3) AS judged
            WHERE right_n + false_n > 0) AS counted) AS halved
ORDER BY week DESC, share, camera_id, rule_id

-- loop_avoided --
-- Dispatches that were not needed, by why (as the page "Visits" counts them).
SELECT why AS reason, avoided.n AS dispatches
FROM (VALUES
    (1, 'permit', (SELECT count(*) FROM alert AS a WHERE a.state = 'supervised' AND $__timeFilter(a.closed_at)
        AND NOT EXISTS (SELECT FROM dispatch AS d WHERE d.alert_id = a.alert_id))),
    (2, 'joined', (SELECT count(*) FROM alert_transition AS t JOIN alert AS a USING (alert_id)
        WHERE t.step = 'join' AND a.state <> 'supervised' AND $__timeFilter(t.at)
          AND EXISTS (SELECT FROM dispatch AS d WHERE d.alert_id = a.alert_id AND d.choice <> 'same_visit'))),
    (3, 'refuted', (SELECT count(*) FROM alert AS a
        WHERE a.kind = 'violation' AND a.state = 'dismissed' AND $__timeFilter(a.closed_at)
          AND a.closing_reason IN ('false_alarm', 'duplicate', 'permitted_work', 'permit_covers')
          AND NOT EXISTS (SELECT FROM dispatch AS d WHERE d.alert_id = a.alert_id))),
    (4, 'same_visit', (SELECT count(*) FROM dispatch AS d JOIN alert AS a USING (alert_id)
        WHERE d.choice = 'same_visit' AND d.arrived_at IS NOT NULL AND a.kind = 'violation' AND $__timeFilter(d.dispatched_at))),
    (5, 'rule', (SELECT count(*) FROM alert_transition AS t JOIN alert AS a USING (alert_id)
        WHERE t.reason IN ('kept_remote', 'kept_for_visit') AND $__timeFilter(t.at)
          AND (a.closing_reason IS NULL
               OR a.closing_reason NOT IN ('false_alarm', 'duplicate', 'permitted_work', 'permit_covers'))
          AND NOT EXISTS (SELECT FROM alert_transition AS b WHERE b.alert_id = t.alert_id AND b.n < t.n
                          AND b.reason IN ('kept_remote', 'kept_for_visit'))
          AND NOT EXISTS (SELECT FROM dispatch AS d WHERE d.alert_id = a.alert_id
                          AND (d.choice <> 'same_visit' OR d.arrived_at IS NOT NULL))))
) AS avoided (nth, why, n)
ORDER BY nth
