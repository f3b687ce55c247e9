-- Queries of the loop's figures: a fact per alert, dispatch and finding; what they mean is decided in Python.

-- alert_facts --
-- Alerts that were opened in the period, or that stand at its end. Lawful work that was only recorded, and what was held
-- from first to last, rang for nobody; what was held at first is opened, for these figures, when it first rang. That it
-- is held again later changes nothing of it.
SELECT alert.alert_id::text, number, kind::text AS kind, level::text AS level, coalesce(violation, health, '') AS what,
       coalesce(alert.camera_id, subject) AS source, coalesce(rung.at, opened_at) AS opened_at, acknowledged_at,
       first.dispatched_at, arrived_at, resolved_at, closed_at,
       rung.at IS NOT NULL AND (state <> 'supervised' OR first.dispatched_at IS NOT NULL) AS rang
FROM alert
LEFT JOIN LATERAL (
    SELECT CASE WHEN held_by IS NULL AND rung_at IS NULL THEN opened_at  -- never held
           ELSE (SELECT min(move.at) FROM alert_transition AS move
                 WHERE move.alert_id = alert.alert_id AND move.held_by IS NULL) END AS at
) AS rung ON true
LEFT JOIN LATERAL (SELECT min(dispatched_at) AS dispatched_at FROM dispatch
                   WHERE dispatch.alert_id = alert.alert_id) AS first ON true
WHERE (opened_at >= %(since)s AND opened_at < %(until)s)
   OR (rung_at >= %(since)s AND rung_at < %(until)s)
   OR (opened_at < %(until)s AND closed_at IS NULL)
   OR (opened_at < %(until)s AND closed_at >= %(until)s)
ORDER BY 7, number

-- dispatch_facts --
-- Dispatches of the period with the level of their alert.
SELECT team_id, level::text AS level, dispatched_at, accepted_at, dispatch.arrived_at, ended_at, end_reason
FROM dispatch JOIN alert USING (alert_id)
WHERE dispatched_at >= %(since)s AND dispatched_at < %(until)s
ORDER BY dispatched_at, dispatch_id

-- watched --
-- Each camera's minutes in the coverage ledger.
SELECT camera_id, count(*) AS minutes, sum(least(watched_s, 60.0)) AS watched_s
FROM watch_minute WHERE minute >= %(since)s AND minute < %(until)s
GROUP BY camera_id ORDER BY camera_id

-- off_scan --
-- Runs of minutes of which less than half was watched, and the state that took most of them; the longest of each camera.
WITH dark AS (
    SELECT camera_id, minute,
           minute - row_number() OVER (PARTITION BY camera_id ORDER BY minute) * interval '1 minute' AS run,
           coalesce(CASE WHEN edge_id IS NULL THEN 'no_record'
                    ELSE (SELECT key FROM jsonb_each_text(state_s) WHERE key <> 'streaming' AND value::float8 > 0
                          ORDER BY value::float8 DESC LIMIT 1) END, 'too_few_looks') AS why
    FROM watch_minute
    WHERE minute >= %(since)s AND minute < %(until)s AND watched_s < 30
), runs AS (
    SELECT camera_id, min(minute) AS from_at, max(minute) + interval '1 minute' AS to_at, count(*) AS minutes,
           mode() WITHIN GROUP (ORDER BY why) AS why
    FROM dark GROUP BY camera_id, run
)
SELECT camera_id, from_at, to_at, minutes, why
FROM (SELECT *, row_number() OVER (PARTITION BY camera_id ORDER BY minutes DESC, from_at) AS nth FROM runs) AS longest
WHERE nth <= %(most)s
ORDER BY camera_id, from_at

-- false_alarms --
-- Violations of the period that a person refuted or closed as a false alarm, and who said so first.
SELECT alert.alert_id::text, number, alert.camera_id, site_id, violation, alert.level::text AS level,
       opened_at AS from_at, judged.at AS to_at, coalesce(judged.actor, '') AS who, coalesce(display_name, '') AS name,
       coalesce(alert.cause::text, judged.reason, '') AS why, coalesce(judged.note, '') AS note
FROM alert
LEFT JOIN LATERAL (
    SELECT at, actor, reason, note FROM alert_transition
    WHERE alert_transition.alert_id = alert.alert_id
      AND (step = 'refute' OR (step IN ('dismiss', 'resolve', 'verify') AND reason = 'false_alarm'))
    ORDER BY n LIMIT 1
) AS judged ON true
LEFT JOIN app_user ON user_name = judged.actor
WHERE kind = 'violation' AND opened_at >= %(since)s AND opened_at < %(until)s
  AND (confirmation = 'refuted' OR closing_reason = 'false_alarm')
ORDER BY opened_at, number

-- judged --
-- How many violations of the period a person judged, by point.
SELECT coalesce(camera_id, site_id, '') AS point, count(*) AS judged FROM alert
WHERE kind = 'violation' AND opened_at >= %(since)s AND opened_at < %(until)s
  AND (confirmation <> 'pending' OR state IN ('verified', 'dismissed'))
GROUP BY 1 ORDER BY 1

-- shelved --
-- Shelves that stood in the period; minutes within it.
SELECT camera_id, site_id, violation, worst::text AS level, from_at, ended_at AS to_at, shelved_by AS who,
       coalesce(display_name, '') AS name, reason AS why, note, shelf.alert_id::text,
       (SELECT number FROM alert WHERE alert.alert_id = shelf.alert_id) AS number,
       extract(epoch FROM least(coalesce(ended_at, %(now)s), until_at, %(until)s) - greatest(from_at, %(since)s))::float8 / 60
           AS minutes
FROM shelf LEFT JOIN app_user ON user_name = shelved_by
WHERE from_at < %(until)s AND coalesce(ended_at, %(now)s) >= %(since)s
ORDER BY from_at, shelf_id

-- inhibited --
-- Violations that began to be held in the period because their camera could not be trusted: each time until they rang,
-- something else held them, or they were closed.
SELECT alert.alert_id::text, number, alert.camera_id, site_id, violation, alert.level::text AS level, began.at AS from_at,
       coalesce((SELECT min(later.at) FROM alert_transition AS later
                 WHERE later.alert_id = began.alert_id AND later.n > began.n AND later.held_by IS DISTINCT FROM 'inhibited'),
                closed_at) AS to_at,
       coalesce((SELECT said.one->>'detail' FROM jsonb_array_elements(reasons) AS said (one)
                 WHERE said.one->>'key' = 'inhibited' LIMIT 1), '') AS why
FROM alert_transition AS began JOIN alert USING (alert_id)
WHERE began.held_by = 'inhibited' AND began.at >= %(since)s AND began.at < %(until)s AND kind = 'violation'
  AND NOT EXISTS (SELECT FROM alert_transition AS before
                  WHERE before.alert_id = began.alert_id AND before.n = began.n - 1 AND before.held_by = 'inhibited')
ORDER BY began.at, number
