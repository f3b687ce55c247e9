-- running_by_level --
-- Running violations per level, levels without any included.
SELECT levels.level::text AS level, count(a.alert_id) AS alerts
FROM unnest(enum_range(NULL::risk_level)) AS levels (level)
LEFT JOIN alert AS a ON a.level = levels.level AND a.kind = 'violation' AND a.closed_at IS NULL
GROUP BY levels.level ORDER BY levels.level

-- running_by_state --
-- Running alerts per state and kind.
SELECT state::text AS state, kind::text AS kind, count(*) AS alerts
FROM alert WHERE closed_at IS NULL
GROUP BY state, kind ORDER BY count(*) DESC, state

-- alert_rate_10min --
-- Alerts opened per ten minutes, periods without any included.
SELECT period AS time, count(a.alert_id) AS alerts
FROM generate_series(date_bin('10 minutes', $__timeFrom()::timestamptz, 'epoch'),
                     date_bin('10 minutes', $__timeTo()::timestamptz, 'epoch'), interval '10 minutes') AS period
LEFT JOIN alert AS a ON a.opened_at >= period AND a.opened_at < period + interval '10 minutes'
GROUP BY period ORDER BY period

-- alerts_per_day --
-- Alerts opened per calendar day of the city.
SELECT date_trunc('day', opened_at, zone.name) AS time, count(*) AS alerts
FROM alert, (SELECT coalesce((SELECT body->'city'->>'timezone' FROM config_version
                              ORDER BY version DESC LIMIT 1), 'UTC') AS name) AS zone
WHERE $__timeFilter(opened_at)
GROUP BY 1 ORDER BY 1

-- flood_share --
-- Share of ten-minute periods with more than ten alerts.
SELECT coalesce(avg((alerts > 10)::int), 0)::float8 AS flood_share
FROM (SELECT period, count(a.alert_id) AS alerts
      FROM generate_series(date_bin('10 minutes', $__timeFrom()::timestamptz, 'epoch'),
                           date_bin('10 minutes', $__timeTo()::timestamptz, 'epoch'), interval '10 minutes') AS period
      LEFT JOIN alert AS a ON a.opened_at >= period AND a.opened_at < period + interval '10 minutes'
      GROUP BY period) AS periods

-- standing_stale --
-- Running alerts, and those that stand for more than 24 hours.
SELECT count(*) AS standing, count(*) FILTER (WHERE opened_at < now() - interval '24 hours') AS stale
FROM alert WHERE closed_at IS NULL

-- chattering --
-- Sources that gave three alerts or more within 60 seconds.
SELECT subject, max(opened_at) AS last_at, count(*) AS times
FROM (SELECT subject, opened_at,
             opened_at - lag(opened_at, 2) OVER (PARTITION BY subject ORDER BY opened_at) AS three_in
      FROM alert WHERE $__timeFilter(opened_at)) AS alerts
WHERE three_in <= interval '60 seconds'
GROUP BY subject ORDER BY times DESC, subject

-- priority_split --
-- Share of violations per priority (I high, II medium, III and IV low) beside the benchmark 5/15/80.
SELECT priority, count(a.alert_id) AS alerts,
       coalesce(count(a.alert_id)::float8 / nullif(sum(count(a.alert_id)) OVER (), 0), 0) AS share,
       benchmark
FROM (VALUES ('high', 0.05::float8), ('medium', 0.15), ('low', 0.80)) AS wanted (priority, benchmark)
LEFT JOIN alert AS a ON a.kind = 'violation' AND $__timeFilter(a.opened_at)
    AND priority = CASE a.level WHEN 'I' THEN 'high' WHEN 'II' THEN 'medium' ELSE 'low' END
GROUP BY priority, benchmark ORDER BY benchmark

-- busiest_sources --
-- The ten sources with most alerts and their share of all.
SELECT subject, count(*) AS alerts, count(*)::float8 / sum(count(*)) OVER () AS share
FROM alert WHERE $__timeFilter(opened_at)
GROUP BY subject ORDER BY alerts DESC, subject LIMIT 10

-- unacknowledged --
-- Running alerts that nobody has acknowledged, oldest first.
SELECT number, level::text AS level, kind::text AS kind, coalesce(violation, health) AS what, subject, opened_at,
       extract(epoch FROM now() - opened_at)::float8 AS age_s
FROM alert WHERE closed_at IS NULL AND acknowledged_at IS NULL
ORDER BY opened_at

-- alert_map --
-- Violations with a position: running ones, and those opened in the time shown.
SELECT lat AS latitude, lon AS longitude, number, level::text AS level, state::text AS state, violation,
       site_id, camera_id, accuracy_m, opened_at, footage
FROM alert
WHERE kind = 'violation' AND lat IS NOT NULL AND lon IS NOT NULL
  AND (closed_at IS NULL OR $__timeFilter(opened_at))
ORDER BY opened_at

-- health_alerts --
-- Running health alerts: what is wrong with the watching itself.
SELECT number, health, subject, state::text AS state, opened_at,
       extract(epoch FROM now() - opened_at)::float8 AS age_s
FROM alert WHERE kind = 'health' AND closed_at IS NULL
ORDER BY opened_at

-- false_alarms --
-- False alarms per month, camera and violation, with their share of all; reports are counted apart (/reports).
SELECT to_char(date_trunc('month', opened_at), 'YYYY-MM') AS month, camera_id, violation,
       count(*) FILTER (WHERE confirmation = 'refuted' OR closing_reason = 'false_alarm') AS false_alarms,
       count(*) AS alerts,
       count(*) FILTER (WHERE confirmation = 'refuted' OR closing_reason = 'false_alarm')::float8 / count(*) AS share
FROM alert WHERE kind = 'violation' AND source = 'edge' AND $__timeFilter(opened_at)
GROUP BY 1, camera_id, violation
HAVING count(*) FILTER (WHERE confirmation = 'refuted' OR closing_reason = 'false_alarm') > 0
ORDER BY 1 DESC, false_alarms DESC, camera_id

-- cameras_now --
-- What each camera's watchdog says now, and since when.
SELECT camera_id, edge_id, state, reason, since, extract(epoch FROM now() - since)::float8 AS age_s
FROM camera_state ORDER BY state = 'streaming', camera_id

-- camera_states --
-- Changes of the cameras' states, with the state that each had at the beginning of the time shown.
SELECT greatest(since, $__timeFrom()::timestamptz) AS time, camera_id, state
FROM (SELECT since, camera_id, state, lead(since) OVER (PARTITION BY camera_id ORDER BY since) AS until
      FROM camera_state_change) AS spans
WHERE since <= $__timeTo()::timestamptz AND (until IS NULL OR until > $__timeFrom()::timestamptz)
ORDER BY 1, camera_id

-- watched_share --
-- Share of each hour that was truly watched, per camera.
SELECT date_trunc('hour', minute) AS time, camera_id AS metric,
       sum(watched_s) / (60 * count(*)) AS watched_share
FROM watch_minute WHERE $__timeFilter(minute)
GROUP BY 1, camera_id ORDER BY 1, camera_id

-- unwatched_minutes --
-- Minutes that were not wholly watched, newest first.
SELECT minute, camera_id, 60 - watched_s AS unwatched_s, longest_blind_s, looks,
       CASE WHEN edge_id IS NULL THEN 'no record came'
            ELSE coalesce((SELECT string_agg(key, ', ' ORDER BY value::float8 DESC) FROM jsonb_each_text(state_s)
                           WHERE key <> 'streaming' AND value::float8 > 0), 'too few looks') END AS why
FROM watch_minute
WHERE $__timeFilter(minute) AND watched_s < 59
ORDER BY minute DESC, camera_id LIMIT 1000

-- frames_and_looks --
-- Decoded frames, looks and detector runs per minute, all cameras together.
SELECT minute AS time, sum(frames)::float8 AS frames, sum(looks)::float8 AS looks,
       sum(detector_runs)::float8 AS detector_runs
FROM watch_minute WHERE $__timeFilter(minute)
GROUP BY minute ORDER BY minute

-- edges_online --
-- Each edge: alive or gone, and what its last status said.
SELECT edge_id, online, updated_at, (status->>'queue_depth')::bigint AS queue_depth,
       (status->>'evidence_pending')::bigint AS evidence_pending, status->>'version' AS version,
       status->>'config_version' AS config_version,
       (status->'disk'->>'free')::bigint / 1000000 AS disk_free_mb,
       (SELECT string_agg(trouble, '; ') FROM jsonb_array_elements_text(status->'troubles') AS trouble) AS troubles
FROM edge_state ORDER BY online, edge_id

-- receipts --
-- Numbers given out by each edge against numbers that the database has; missing ones are gaps.
SELECT edge_id, epoch, last_seq AS numbered, stored, greatest(last_seq - stored, 0) AS missing, updated_at
FROM (SELECT edge_id, epoch, last_seq, updated_at,
             stored_through + coalesce((SELECT sum((hole->>1)::bigint - (hole->>0)::bigint + 1)
                                        FROM jsonb_array_elements(ranges) AS hole), 0)::bigint AS stored
      FROM edge_receipt) AS receipts
ORDER BY missing DESC, edge_id, epoch

-- gaps --
-- Holes in the numbers that stand now.
SELECT edge_id, epoch, from_seq, to_seq, to_seq - from_seq + 1 AS numbers, first_seen_at,
       reported_at IS NOT NULL AS reported
FROM number_gap ORDER BY first_seen_at

-- dead_letters --
-- Messages that could not be read, newest first; their bytes are kept.
SELECT received_at, topic, edge_id, seq, reason, octet_length(payload) AS bytes
FROM dead_letter WHERE $__timeFilter(received_at)
ORDER BY received_at DESC LIMIT 200

-- losses --
-- What edges named and had to throw away, newest first.
SELECT stored_at, edge_id, what, count, reason, from_at, to_at
FROM loss WHERE $__timeFilter(stored_at)
ORDER BY stored_at DESC LIMIT 200

-- evidence_flow --
-- Evidence announced per hour, and how much of it is stored, lost or still to come.
SELECT date_trunc('hour', announced_at) AS time, count(*)::float8 AS announced,
       count(stored_at)::float8 AS stored, count(lost_reason)::float8 AS lost,
       count(*) FILTER (WHERE stored_at IS NULL AND lost_reason IS NULL)::float8 AS waiting
FROM evidence WHERE $__timeFilter(announced_at)
GROUP BY 1 ORDER BY 1

-- way_of_events --
-- Seconds from the picture to the row in the database, per ten minutes.
SELECT date_bin('10 minutes', captured_at, 'epoch') AS time,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM stored_at - captured_at)::float8) AS p50,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM stored_at - captured_at)::float8) AS p95
FROM risk_event WHERE $__timeFilter(captured_at)
GROUP BY 1 ORDER BY 1

-- times_to --
-- How long each step took, counted from the opening of the alert.
SELECT step, count(took_s) AS alerts,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY took_s) AS p50,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY took_s) AS p95
FROM alert AS a
LEFT JOIN LATERAL (SELECT min(dispatched_at) AS dispatched_at FROM dispatch AS d
                   WHERE d.alert_id = a.alert_id) AS first ON true
CROSS JOIN LATERAL (VALUES (1, 'acknowledge', a.acknowledged_at), (2, 'dispatch', first.dispatched_at),
                           (3, 'arrive', a.arrived_at), (4, 'resolve', a.resolved_at)) AS steps (n, step, at)
CROSS JOIN LATERAL (SELECT extract(epoch FROM steps.at - a.opened_at)::float8 AS took_s) AS taken
WHERE a.kind = 'violation' AND $__timeFilter(a.opened_at)
GROUP BY n, step ORDER BY n

-- onset_to_dispatch --
-- Seconds from the first picture of a violation to its first dispatch, per hour.
SELECT date_trunc('hour', a.onset_at) AS time,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM d.dispatched_at - a.onset_at)::float8) AS p50,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM d.dispatched_at - a.onset_at)::float8) AS p95
FROM alert AS a
JOIN LATERAL (SELECT min(dispatched_at) AS dispatched_at FROM dispatch WHERE dispatch.alert_id = a.alert_id) AS d
    ON d.dispatched_at IS NOT NULL
WHERE $__timeFilter(a.onset_at)
GROUP BY 1 ORDER BY 1

-- dispatches_running --
-- Who is on the way, oldest first.
SELECT a.number, a.level::text AS level, a.state::text AS state, a.violation, a.site_id, d.team_id, d.officer,
       d.dispatched_at, d.accepted_at, extract(epoch FROM now() - d.dispatched_at)::float8 AS age_s
FROM dispatch AS d JOIN alert AS a USING (alert_id)
WHERE d.ended_at IS NULL
ORDER BY d.dispatched_at

-- dispatches_by_team --
-- Dispatches per team, and how long until somebody accepted.
SELECT team_id, count(*) AS dispatches, count(accepted_at) AS accepted,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM accepted_at - dispatched_at)::float8) AS accept_p50,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM accepted_at - dispatched_at)::float8) AS accept_p95
FROM dispatch WHERE $__timeFilter(dispatched_at)
GROUP BY team_id ORDER BY dispatches DESC, team_id

-- closing_reasons --
-- How violations ended.
SELECT coalesce(closing_reason, state::text) AS reason, count(*) AS alerts
FROM alert WHERE kind = 'violation' AND closed_at IS NOT NULL AND $__timeFilter(closed_at)
GROUP BY 1 ORDER BY alerts DESC, reason

-- visits_avoided --
-- Visits that joining, permits and refuting made unnecessary.
SELECT (SELECT count(*) FROM alert_episode WHERE $__timeFilter(joined_at))
         - (SELECT count(*) FROM alert WHERE kind = 'violation' AND $__timeFilter(opened_at)
            AND EXISTS (SELECT FROM alert_episode AS e WHERE e.alert_id = alert.alert_id)) AS joined,
       (SELECT count(*) FROM alert WHERE state = 'supervised' AND $__timeFilter(closed_at)) AS permitted,
       (SELECT count(*) FROM alert AS a WHERE a.state = 'dismissed' AND $__timeFilter(a.closed_at)
          AND NOT EXISTS (SELECT FROM dispatch AS d WHERE d.alert_id = a.alert_id)) AS dismissed

-- steps --
-- The newest steps of all cases.
SELECT t.at, a.number, t.step, t.from_state::text AS from_state, t.to_state::text AS to_state,
       t.actor, t.role, t.reason
FROM alert_transition AS t JOIN alert AS a USING (alert_id)
WHERE $__timeFilter(t.at)
ORDER BY t.at DESC, t.n DESC LIMIT 200
