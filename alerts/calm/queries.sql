-- Queries of shelves, of coming and going, and of bundles.

-- shelves_of --
-- Shelves that did not end, of a camera or of alerts.
SELECT shelf_id::text, scope, camera_id, violation, alert_id::text, site_id, worst, reason, note, shelved_by, role,
       from_at, until_at, ended_at, ended_by, end_reason, end_note
FROM shelf WHERE ended_at IS NULL AND (camera_id = %(camera_id)s OR alert_id = ANY(%(alert_ids)s::uuid[]))
ORDER BY shelf_id

-- shelf --
-- One shelf.
SELECT shelf_id::text, scope, camera_id, violation, alert_id::text, site_id, worst, reason, note, shelved_by, role,
       from_at, until_at, ended_at, ended_by, end_reason, end_note
FROM shelf WHERE shelf_id = %(shelf_id)s

-- shelf_for_update --
-- One shelf, its row locked.
SELECT shelf_id::text, scope, camera_id, violation, alert_id::text, site_id, worst, reason, note, shelved_by, role,
       from_at, until_at, ended_at, ended_by, end_reason, end_note
FROM shelf WHERE shelf_id = %(shelf_id)s
FOR UPDATE

-- next_shelf --
-- The shelf that is due longest and that no other transaction ends.
SELECT shelf_id::text, scope, camera_id, violation, alert_id::text, site_id, worst, reason, note, shelved_by, role,
       from_at, until_at, ended_at, ended_by, end_reason, end_note
FROM shelf WHERE ended_at IS NULL AND until_at <= %(now)s
ORDER BY until_at, shelf_id
LIMIT 1
FOR UPDATE SKIP LOCKED

-- put_shelf --
-- A new shelf, or its end.
INSERT INTO shelf (shelf_id, scope, camera_id, violation, alert_id, site_id, worst, reason, note, shelved_by, role,
                   from_at, until_at, ended_at, ended_by, end_reason, end_note)
VALUES (%(shelf_id)s, %(scope)s, %(camera_id)s, %(violation)s, %(alert_id)s, %(site_id)s, %(worst)s, %(reason)s,
        %(note)s, %(shelved_by)s, %(role)s, %(from_at)s, %(until_at)s, %(ended_at)s, %(ended_by)s, %(end_reason)s,
        %(end_note)s)
ON CONFLICT (shelf_id) DO UPDATE SET ended_at = excluded.ended_at, ended_by = excluded.ended_by,
    end_reason = excluded.end_reason, end_note = excluded.end_note

-- running_shelves --
-- Shelves that run, the next to end first.
SELECT shelf_id::text, scope, camera_id, violation, alert_id::text, site_id, worst, reason, note, shelved_by, role,
       from_at, until_at, ended_at, ended_by, end_reason, end_note
FROM shelf WHERE ended_at IS NULL ORDER BY until_at, shelf_id LIMIT %(limit)s

-- ended_shelves --
-- Shelves that ended, the last first.
SELECT shelf_id::text, scope, camera_id, violation, alert_id::text, site_id, worst, reason, note, shelved_by, role,
       from_at, until_at, ended_at, ended_by, end_reason, end_note
FROM shelf WHERE ended_at IS NOT NULL ORDER BY ended_at DESC, shelf_id LIMIT %(limit)s

-- alert_of_number --
-- The alert that people call by this number.
SELECT alert_id FROM alert WHERE number = %(number)s

-- standing_of --
-- Running alerts of a camera (violations, and that it does not watch) or one alert, their rows locked in one order.
SELECT * FROM alert
WHERE closed_at IS NULL AND (
    alert_id = %(alert_id)s::uuid
    OR (camera_id = %(camera_id)s AND (kind = 'violation' OR health = 'camera_not_watching'))
)
ORDER BY alert_id
FOR UPDATE

-- alerts_of_shelf --
-- What a shelf holds, or held last.
SELECT * FROM alert WHERE shelf_id = %(shelf_id)s ORDER BY alert_id

-- alerts_of_shelf_for_update --
-- The same, rows locked.
SELECT * FROM alert WHERE shelf_id = %(shelf_id)s ORDER BY alert_id FOR UPDATE

-- lost_before --
-- How many health alerts of this kind and subject were opened since.
SELECT count(*) AS n FROM alert
WHERE kind = 'health' AND health = %(health)s AND subject = %(subject)s AND opened_at > %(since)s

-- told_lately --
-- How often a person was told through a channel since, and the worst level of those messages.
SELECT count(*) AS n, min((body->>'level')::risk_level)::text AS worst
FROM told LEFT JOIN outgoing ON outgoing.idempotency_key = coalesce(sent_as, told.idempotency_key)
WHERE person = %(person)s AND told.channel = %(channel)s AND at > %(since)s

-- waiting_bundle --
-- A person's bundle that is not due yet, its row locked: no courier takes it before.
SELECT outgoing_id, channel, address, idempotency_key, body, created_at, attempts FROM outgoing
WHERE sent_at IS NULL AND handed_at IS NULL AND next_try_at > %(now)s AND attempts = 0
  AND channel = %(channel)s AND address = %(address)s
  AND body->>'what' = 'escalations' AND body->>'officer' = %(person)s
ORDER BY outgoing_id LIMIT 1
FOR UPDATE

-- add_bundle --
-- A bundle that goes later.
INSERT INTO outgoing (channel, address, idempotency_key, body, created_at, next_try_at)
VALUES (%(channel)s, %(address)s, %(idempotency_key)s, %(body)s, %(created_at)s, %(goes_at)s)
ON CONFLICT (idempotency_key) DO NOTHING

-- change_bundle --
-- How a waiting bundle reads now.
UPDATE outgoing SET body = %(body)s WHERE idempotency_key = %(idempotency_key)s

-- rang_lately --
-- When alerts first rang since; lawful work that is only recorded, and what was held from first to last, rings for nobody.
SELECT rung.at FROM alert
CROSS JOIN LATERAL (
    SELECT CASE WHEN held_by IS NULL AND rung_at IS NULL THEN opened_at  -- never held
           ELSE (SELECT min(move.at) FROM alert_transition AS move
                 WHERE move.alert_id = alert.alert_id AND move.held_by IS NULL) END AS at
) AS rung
WHERE (opened_at > %(since)s OR rung_at > %(since)s) AND rung.at > %(since)s AND state <> 'supervised'
ORDER BY 1

-- running_tallies --
-- How many alerts run, by everything that a list is grouped or chosen by.
SELECT site_id, coalesce(violation, health, '') AS what, kind, level, state, held_by IS NOT NULL AS held,
       count(*) AS n, count(*) FILTER (WHERE acknowledged_at IS NULL) AS unacknowledged,
       min(opened_at) AS oldest_at, max(opened_at) AS newest_at
FROM alert WHERE closed_at IS NULL
GROUP BY 1, 2, 3, 4, 5, 6

-- alerts_of_shelves --
-- What these shelves hold, or held last.
SELECT * FROM alert WHERE shelf_id = ANY(%(shelf_ids)s::uuid[]) ORDER BY alert_id

-- last_words_of_cameras --
-- The newest states of these cameras.
SELECT camera_id, state, since FROM camera_state WHERE camera_id = ANY(%(camera_ids)s::text[])

-- shelves_of_many --
-- Shelves that did not end, of these cameras or alerts.
SELECT shelf_id::text, scope, camera_id, violation, alert_id::text, site_id, worst, reason, note, shelved_by, role,
       from_at, until_at, ended_at, ended_by, end_reason, end_note
FROM shelf WHERE ended_at IS NULL
    AND (camera_id = ANY(%(camera_ids)s::text[]) OR alert_id = ANY(%(alert_ids)s::uuid[]))
ORDER BY shelf_id
