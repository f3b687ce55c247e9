-- The loop's queries. One named block each; read by monitor.store.queries.

-- lock --
-- Waits for a named lock of this transaction (ports.py says in which order they are taken).
SELECT pg_advisory_xact_lock(hashtextextended(%(name)s, 0))

-- notify --
-- Tells who listens, on commit.
SELECT pg_notify(%(channel)s, %(payload)s)

-- lock_all --
-- The same for several, in the order given.
SELECT pg_advisory_xact_lock(hashtextextended(name, 0)) FROM unnest(%(names)s::text[]) AS name

-- notify_all --
-- The same for several.
SELECT pg_notify(channel, payload) FROM unnest(%(channels)s::text[], %(payloads)s::text[]) AS one (channel, payload)

-- waiting_onsets --
-- The oldest onsets that no other transaction holds.
SELECT work_id, kind, body, created_at FROM alert_work
WHERE done_at IS NULL AND kind = 'event' AND body->>'phase' = 'onset'
ORDER BY work_id
LIMIT %(limit)s
FOR UPDATE SKIP LOCKED

-- next_device_alarm --
-- The oldest alarm of a smart camera that no other transaction holds; a camera's after all that is older of it, so that
-- an "over" is never overtaken by the next alarm. While one of them is being decided, the camera's others wait. Only each
-- camera's oldest is looked at, from camera to camera, however many of one wait.
WITH RECURSIVE camera AS (
    (SELECT body->>'camera_id' AS id FROM alert_work
     WHERE done_at IS NULL AND kind = 'device_alarm' AND body->>'camera_id' IS NOT NULL
     ORDER BY body->>'camera_id', work_id LIMIT 1)
    UNION ALL
    SELECT (SELECT body->>'camera_id' FROM alert_work
            WHERE done_at IS NULL AND kind = 'device_alarm' AND body->>'camera_id' > camera.id
            ORDER BY body->>'camera_id', work_id LIMIT 1)
    FROM camera WHERE camera.id IS NOT NULL
), oldest AS (
    SELECT (SELECT work_id FROM alert_work
            WHERE done_at IS NULL AND kind = 'device_alarm' AND body->>'camera_id' = camera.id
            ORDER BY body->>'camera_id', work_id LIMIT 1) AS work_id
    FROM camera WHERE camera.id IS NOT NULL
    UNION ALL
    SELECT work_id FROM alert_work WHERE done_at IS NULL AND kind = 'device_alarm' AND body->>'camera_id' IS NULL
)
SELECT work_id, kind, body, created_at FROM alert_work
WHERE work_id IN (SELECT work_id FROM oldest) AND done_at IS NULL
ORDER BY work_id
LIMIT 1
FOR UPDATE SKIP LOCKED

-- next_rest --
-- The oldest other work that no other transaction holds; an episode's after all that is older of it.
-- min() and not NOT EXISTS, so that the index answers for the one row that is looked at.
SELECT work_id, kind, body, created_at FROM alert_work
WHERE done_at IS NULL AND (kind = 'event' AND body->>'phase' = 'onset') IS NOT TRUE AND kind <> 'device_alarm'
  AND work_id = coalesce((
      SELECT min(older.work_id) FROM alert_work AS older
      WHERE older.done_at IS NULL AND older.body->>'episode_id' = alert_work.body->>'episode_id'
  ), work_id)
ORDER BY work_id
LIMIT 1
FOR UPDATE SKIP LOCKED

-- finish_work --
-- The work is done.
UPDATE alert_work SET done_at = %(now)s WHERE work_id = ANY(%(work_ids)s)

-- next_timer --
-- The timer that is due longest and that no other transaction holds.
SELECT timer_id, alert_id::text, what, due_at, dispatch_id::text FROM timer
WHERE done_at IS NULL AND due_at <= %(now)s
ORDER BY due_at, timer_id
LIMIT 1
FOR UPDATE SKIP LOCKED

-- finish_timer --
-- The timer is handled.
UPDATE timer SET done_at = %(now)s WHERE timer_id = %(timer_id)s

-- add_timer --
-- A timer; with `once` only if the alert does not wait for the same already, due no later.
INSERT INTO timer (alert_id, what, dispatch_id, due_at)
SELECT %(alert_id)s, %(what)s, %(dispatch_id)s::uuid, %(due_at)s
WHERE NOT (%(once)s AND EXISTS (
    SELECT FROM timer WHERE alert_id = %(alert_id)s AND what = %(what)s AND done_at IS NULL AND due_at <= %(due_at)s
))

-- alerts_near --
-- Alerts of one site and violation that were seen lately, in the box or, where one of the two has no place, by the
-- same camera; and the one that holds the episode. Whether the event belongs to one, joining.py decides.
SELECT * FROM alert WHERE alert_id IN (
    SELECT alert_id FROM alert
    WHERE kind = 'violation' AND point(lon, lat) <@ box(point(%(west)s, %(south)s), point(%(east)s, %(north)s))
      AND site_id = %(site_id)s AND violation = %(violation)s AND last_seen_at >= %(seen_since)s
    UNION
    SELECT alert_id FROM alert
    WHERE kind = 'violation' AND camera_id = %(camera_id)s AND lon IS NULL
      AND site_id = %(site_id)s AND violation = %(violation)s AND last_seen_at >= %(seen_since)s
    UNION
    SELECT alert_id FROM alert
    WHERE kind = 'violation' AND camera_id = %(camera_id)s AND %(west)s::float8 IS NULL
      AND site_id = %(site_id)s AND violation = %(violation)s AND last_seen_at >= %(seen_since)s
    UNION
    SELECT alert_id FROM alert_episode WHERE episode_id = %(episode_id)s
)

-- surroundings --
-- For each of many events: whether `alerts_near` would find anything (met), and whether there are permits, repeats,
-- shelves, or a camera that cannot be trusted (more).
SELECT
    EXISTS (SELECT FROM alert_episode WHERE alert_episode.episode_id = event.episode_id)
    OR EXISTS (
        SELECT FROM alert
        WHERE kind = 'violation' AND point(lon, lat) <@ box(point(west, south), point(east, north))
          AND alert.site_id = event.site_id AND alert.violation = event.violation AND last_seen_at >= seen_since
    )
    OR EXISTS (
        SELECT FROM alert
        WHERE kind = 'violation' AND alert.camera_id = event.camera_id AND lon IS NULL
          AND alert.site_id = event.site_id AND alert.violation = event.violation AND last_seen_at >= seen_since
    )
    OR west IS NULL AND EXISTS (
        SELECT FROM alert
        WHERE kind = 'violation' AND alert.camera_id = event.camera_id
          AND alert.site_id = event.site_id AND alert.violation = event.violation AND last_seen_at >= seen_since
    ) AS met,
    EXISTS (SELECT FROM permit WHERE permit.pipeline_id = event.pipeline_id)
    OR EXISTS (
        SELECT FROM alert
        WHERE alert.site_id = event.site_id AND alert.violation = event.violation AND last_seen_at >= %(repeated_since)s
          AND (confirmation = 'confirmed' OR state = 'verified')
    )
    OR EXISTS (SELECT FROM shelf WHERE shelf.camera_id = event.camera_id AND ended_at IS NULL)
    OR EXISTS (
        SELECT FROM camera_state WHERE camera_state.camera_id = event.camera_id AND state = ANY(%(inhibiting)s)
    ) AS more
FROM unnest(
    %(episode_ids)b::uuid[], %(site_ids)b::text[], %(violations)b::text[], %(camera_ids)b::text[],
    %(pipeline_ids)b::text[], %(seen_since)b::timestamptz[],
    %(wests)b::float8[], %(souths)b::float8[], %(easts)b::float8[], %(norths)b::float8[]
) WITH ORDINALITY AS event (
    episode_id, site_id, violation, camera_id, pipeline_id, seen_since, west, south, east, north, n
)
ORDER BY n

-- episodes_of_holder --
-- All episodes of the alert that holds this one.
SELECT episode_id::text, alert_id::text, camera_id, joined_at, ended_at FROM alert_episode
WHERE alert_id = (SELECT alert_id FROM alert_episode WHERE episode_id = %(episode_id)s)

-- permits_near --
-- Permits that are not long over, for this kind of work on this pipeline or for any work at this chainage;
-- whether one covers, permits.py decides.
SELECT permit_number, violation, also, state, pipeline_id, from_m, to_m, from_offset_m, to_offset_m, valid_from, valid_to,
       hours, activities, machine_limits, company, phone, email, holder, machines, file_sha256, ended_at, prolong_to,
       version
FROM permit
WHERE pipeline_id = %(pipeline_id)s
  AND valid_to >= %(at)s::timestamptz - interval '30 days' AND valid_from <= %(at)s::timestamptz + interval '30 days'
  AND (violation = %(violation)s OR also ? %(violation)s OR %(chainage_m)s::double precision BETWEEN from_m AND to_m)
ORDER BY permit_number

-- looks_of_holder --
-- How the alert that holds this episode was seen: looks that are alike, minute by minute (the hours of a permit
-- begin and end with a minute).
SELECT violation, rule_id, coalesce((body->>'may_lie_within')::boolean, false) AS may_lie_within,
       coalesce(body->'also', '[]'::jsonb) AS also, object_class, activity, pipeline_id, min(chainage_m) AS from_m, max(chainage_m) AS to_m, min(offset_m) AS from_offset_m,
       max(offset_m) AS to_offset_m, min(captured_at) AS first_at, max(captured_at) AS last_at
FROM risk_event
WHERE episode_id IN (
    SELECT episode_id FROM alert_episode
    WHERE alert_id = (SELECT alert_id FROM alert_episode WHERE episode_id = %(episode_id)s)
) AND phase <> 'end' AND body->>'reason' NOT IN ('clip_closed', 'still_taken')
GROUP BY date_trunc('minute', captured_at), violation, rule_id, 3, 4, object_class, activity, pipeline_id
ORDER BY first_at, violation, rule_id, 3, 4, object_class, activity, pipeline_id
LIMIT %(limit)s

-- machines_near --
-- Episodes of a camera on one pipeline that were there with this one: since its own beginning, a day at most.
WITH own AS (
    SELECT greatest(least(min(captured_at), %(at)s), %(at)s::timestamptz - interval '1 day') AS came_at
    FROM risk_event WHERE episode_id = %(episode_id)s
)
SELECT episode_id::text, min(object_class) AS object_class, jsonb_agg(DISTINCT violation) AS violations,
       min(chainage_m) AS from_m, max(chainage_m) AS to_m, min(captured_at) AS first_at,
       max(captured_at) FILTER (WHERE body->>'reason' NOT IN ('clip_closed', 'still_taken') OR phase = 'end') AS last_at,
       bool_or(phase = 'end') AS ended
FROM risk_event
WHERE episode_id IN (
    SELECT episode_id FROM risk_event, own
    WHERE camera_id = %(camera_id)s AND pipeline_id = %(pipeline_id)s
      AND captured_at BETWEEN own.came_at - %(still_there)s::interval AND %(at)s
) AND captured_at <= %(at)s
GROUP BY episode_id
HAVING max(captured_at) FILTER (WHERE body->>'reason' NOT IN ('clip_closed', 'still_taken') OR phase = 'end') IS NOT NULL
ORDER BY first_at, episode_id
LIMIT 500

-- repeats --
-- Confirmed or verified alerts of this site and violation lately; what turned out to be none is no offence.
SELECT alert_id::text FROM alert
WHERE site_id = %(site_id)s AND violation = %(violation)s AND last_seen_at >= %(since)s
  AND (confirmation = 'confirmed' OR state = 'verified')
  AND coalesce(closing_reason, '') <> ALL(%(no_offence)s)
LIMIT 50

-- last_word_of_camera --
-- The camera's newest state.
SELECT state, since FROM camera_state WHERE camera_id = %(camera_id)s

-- last_word_of_edge --
-- Whether the edge is there.
SELECT CASE WHEN online THEN 'online' ELSE 'offline' END AS state, updated_at AS since
FROM edge_state WHERE edge_id = %(edge_id)s

-- stored_photos --
-- Which of these are stored photos of this alert.
SELECT sha256 FROM evidence
WHERE sha256 = ANY(%(sha256s)s) AND kind = 'photo' AND alert_id = %(alert_id)s AND stored_at IS NOT NULL

-- waiting_evidence --
-- Evidence of the alert that is announced but neither stored nor lost.
SELECT sha256, kind, content_type, bytes, evidence.camera_id, event_id::text, evidence.episode_id::text,
       uploaded_by, footage, announced_at, stored_at, lost_reason
FROM evidence JOIN alert_episode USING (episode_id)
WHERE alert_episode.alert_id = %(alert_id)s AND stored_at IS NULL AND lost_reason IS NULL
ORDER BY announced_at

-- evidence --
-- Evidence of the alert's episodes, and its photos.
SELECT sha256, kind, content_type, bytes, camera_id, event_id::text, episode_id::text,
       uploaded_by, footage, announced_at, stored_at, lost_reason, taken_at, lon, lat
FROM evidence
WHERE sha256 IN (
    SELECT sha256 FROM evidence JOIN alert_episode USING (episode_id) WHERE alert_episode.alert_id = %(alert_id)s
    UNION SELECT sha256 FROM evidence WHERE alert_id = %(alert_id)s
)
ORDER BY announced_at, sha256

-- site_record --
-- What is on record of a site beside one alert: since when records are kept, when its confirmed violations were last
-- seen, and the companies of the permits that the alert names.
SELECT (SELECT min(created_at) FROM config_version) AS known_since, %(pipeline_id)s::text AS pipeline_id,
    ARRAY(
        SELECT last_seen_at FROM alert
        WHERE site_id = %(site_id)s AND kind = 'violation' AND alert_id <> %(alert_id)s
          AND (confirmation = 'confirmed' OR state = 'verified')
          AND (closing_reason IS NULL OR closing_reason <> ALL(%(no_offence)s))
        ORDER BY last_seen_at
    ) AS confirmed,
    ARRAY(SELECT company FROM permit WHERE permit_number = ANY(%(numbers)s) ORDER BY company) AS companies

-- alert --
-- One alert.
SELECT * FROM alert WHERE alert_id = %(alert_id)s

-- alert_for_update --
-- One alert, its row locked.
SELECT * FROM alert WHERE alert_id = %(alert_id)s FOR UPDATE

-- running_health --
-- The running health alert of a subject, its row locked.
SELECT * FROM alert
WHERE kind = 'health' AND health = %(health)s AND subject = %(subject)s AND closed_at IS NULL
FOR UPDATE

-- running_subjects --
-- Where a health alert of this kind runs.
SELECT subject FROM alert WHERE kind = 'health' AND health = %(health)s AND closed_at IS NULL

-- insert_alert --
-- A new alert; the database gives its number.
INSERT INTO alert (
    alert_id, kind, source, state, violation, health, subject, site_id, camera_id, level, reasons, weights_version,
    confirmation, lon, lat, accuracy_m, pipeline_id, chainage_m, offset_m, object_class, activity, zone_id, footage,
    opened_at, onset_at, last_seen_at, condition_ended_at, acknowledged_at, arrived_at, resolved_at, resolved_by,
    closed_at, closing_reason, occurrence_of, version, held_by, held_until, shelf_id, rung_at, flapping_since, came_back
) VALUES (
    %(alert_id)s, %(kind)s, %(source)s, %(state)s, %(violation)s, %(health)s, %(subject)s, %(site_id)s, %(camera_id)s,
    %(level)s, %(reasons)s, %(weights_version)s, %(confirmation)s, %(lon)s, %(lat)s, %(accuracy_m)s, %(pipeline_id)s,
    %(chainage_m)s, %(offset_m)s, %(object_class)s, %(activity)s, %(zone_id)s, %(footage)s, %(opened_at)s,
    %(onset_at)s, %(last_seen_at)s, %(condition_ended_at)s, %(acknowledged_at)s, %(arrived_at)s, %(resolved_at)s,
    %(resolved_by)s, %(closed_at)s, %(closing_reason)s, %(occurrence_of)s, %(version)s, %(held_by)s, %(held_until)s,
    %(shelf_id)s, %(rung_at)s, %(flapping_since)s, %(came_back)s
)
RETURNING number

-- numbers --
-- Numbers for so many new alerts.
SELECT nextval(pg_get_serial_sequence('alert', 'number')) AS number FROM generate_series(1, %(count)s)

-- insert_alerts --
-- Many new alerts, whose numbers were taken before.
INSERT INTO alert OVERRIDING SYSTEM VALUE
SELECT * FROM jsonb_populate_recordset(NULL::alert, %(rows)s)

-- add_moves --
-- Many rows of histories.
INSERT INTO alert_transition SELECT * FROM jsonb_populate_recordset(NULL::alert_transition, %(rows)s)

-- hold_episodes --
-- Many episodes that no alert holds yet.
INSERT INTO alert_episode SELECT * FROM jsonb_populate_recordset(NULL::alert_episode, %(rows)s)

-- add_dispatches --
-- Many new dispatches.
INSERT INTO dispatch SELECT * FROM jsonb_populate_recordset(NULL::dispatch, %(rows)s)

-- add_timers --
-- Many timers.
INSERT INTO timer (alert_id, what, dispatch_id, due_at)
SELECT alert_id, what, dispatch_id, due_at FROM jsonb_populate_recordset(NULL::timer, %(rows)s)

-- add_outgoings --
-- Many messages, in their order.
INSERT INTO outgoing (channel, address, idempotency_key, body, created_at, next_try_at)
SELECT channel, address, idempotency_key, body, created_at, created_at
FROM jsonb_populate_recordset(NULL::outgoing, %(rows)s)
ON CONFLICT (idempotency_key) DO NOTHING

-- update_alert --
-- The case after a transition, provided that nobody was first.
UPDATE alert SET
    state = %(state)s, violation = %(violation)s, level = %(level)s, reasons = %(reasons)s,
    weights_version = %(weights_version)s, confirmation = %(confirmation)s,
    held_by = %(held_by)s, held_until = %(held_until)s, shelf_id = %(shelf_id)s, rung_at = %(rung_at)s,
    flapping_since = %(flapping_since)s,
    condition_ended_at = %(condition_ended_at)s, acknowledged_at = %(acknowledged_at)s, arrived_at = %(arrived_at)s,
    resolved_at = %(resolved_at)s, resolved_by = %(resolved_by)s, closed_at = %(closed_at)s,
    closing_reason = %(closing_reason)s, outcome = %(outcome)s, cause = %(cause)s, version = %(version)s
WHERE alert_id = %(alert_id)s AND version = %(from_version)s

-- touch_alert --
-- Place and times of what is seen; the case stays as it is.
UPDATE alert SET
    onset_at = least(onset_at, %(onset_at)s), last_seen_at = greatest(last_seen_at, %(last_seen_at)s),
    lon = %(lon)s, lat = %(lat)s, accuracy_m = %(accuracy_m)s, pipeline_id = %(pipeline_id)s,
    chainage_m = %(chainage_m)s, offset_m = %(offset_m)s, activity = %(activity)s,
    came_back = greatest(came_back, %(came_back)s)
WHERE alert_id = %(alert_id)s

-- add_move --
-- A row of the alert's history.
INSERT INTO alert_transition (
    alert_id, n, step, from_state, to_state, level, actor, role, at, reason, note, lon, lat, attachments,
    idempotency_key, held_by
) VALUES (
    %(alert_id)s, %(n)s, %(step)s, %(from_state)s, %(to_state)s, %(level)s, %(actor)s, %(role)s, %(at)s, %(reason)s,
    %(note)s, %(lon)s, %(lat)s, %(attachments)s, %(idempotency_key)s, %(held_by)s
)

-- has_move --
-- Whether the step of that key was taken.
SELECT FROM alert_transition WHERE alert_id = %(alert_id)s AND idempotency_key = %(idempotency_key)s

-- moves --
-- The alert's history.
SELECT alert_id::text, n, step, from_state, to_state, level, actor, role, at, reason, note, lon, lat, attachments,
       idempotency_key, held_by
FROM alert_transition WHERE alert_id = %(alert_id)s ORDER BY n

-- hold_episode --
-- The episode belongs to this alert from now on.
INSERT INTO alert_episode (episode_id, alert_id, camera_id, joined_at, ended_at)
VALUES (%(episode_id)s, %(alert_id)s, %(camera_id)s, %(joined_at)s, %(ended_at)s)
ON CONFLICT (episode_id) DO UPDATE SET alert_id = excluded.alert_id, ended_at = excluded.ended_at

-- events --
-- The newest events of the alert's episodes.
SELECT body FROM risk_event
WHERE episode_id IN (SELECT episode_id FROM alert_episode WHERE alert_id = %(alert_id)s)
ORDER BY captured_at DESC, seq DESC
LIMIT %(limit)s

-- running_dispatch --
-- The one running dispatch of an alert.
SELECT dispatch_id::text, alert_id::text, team_id, officer, dispatched_at, accepted_at, ended_at, end_reason,
       departed_at, arrived_at, shift_until, choice, chosen
FROM dispatch WHERE alert_id = %(alert_id)s AND ended_at IS NULL

-- dispatches --
-- All dispatches of an alert.
SELECT dispatch_id::text, alert_id::text, team_id, officer, dispatched_at, accepted_at, ended_at, end_reason,
       departed_at, arrived_at, shift_until, choice, chosen
FROM dispatch WHERE alert_id = %(alert_id)s ORDER BY dispatched_at, dispatch_id

-- dispatch --
-- One dispatch.
SELECT dispatch_id::text, alert_id::text, team_id, officer, dispatched_at, accepted_at, ended_at, end_reason,
       departed_at, arrived_at, shift_until, choice, chosen
FROM dispatch WHERE dispatch_id = %(dispatch_id)s

-- running_dispatches --
-- Running dispatches of one officer, or of all.
SELECT dispatch_id::text, alert_id::text, team_id, officer, dispatched_at, accepted_at, ended_at, end_reason,
       departed_at, arrived_at, shift_until, choice, chosen
FROM dispatch
WHERE ended_at IS NULL AND (%(officer)s::text IS NULL OR officer = %(officer)s)
ORDER BY dispatched_at DESC, dispatch_id DESC

-- running_by_officer --
-- How many running dispatches each of these officers has; what they were given because they are there anyway keeps
-- nobody from being sent.
SELECT officer, count(*) AS running FROM dispatch
WHERE ended_at IS NULL AND choice <> 'same_visit' AND officer = ANY(%(officers)b::text[]) GROUP BY officer

-- add_dispatch --
-- An officer is sent; a unique index allows one running dispatch per alert.
INSERT INTO dispatch (dispatch_id, alert_id, team_id, officer, dispatched_at, shift_until, choice, chosen)
VALUES (%(dispatch_id)s, %(alert_id)s, %(team_id)s, %(officer)s, %(dispatched_at)s, %(shift_until)s, %(choice)s, %(chosen)s)

-- accept_dispatch --
-- The officer accepted.
UPDATE dispatch SET accepted_at = %(at)s WHERE dispatch_id = %(dispatch_id)s

-- dispatch_moves --
-- The officer left, or arrived.
UPDATE dispatch SET departed_at = coalesce(%(departed_at)s, departed_at), arrived_at = coalesce(%(arrived_at)s, arrived_at)
WHERE dispatch_id = %(dispatch_id)s

-- end_dispatch --
-- The dispatch ended.
UPDATE dispatch SET ended_at = %(at)s, end_reason = %(why)s WHERE dispatch_id = %(dispatch_id)s AND ended_at IS NULL

-- escalations --
-- Clocks of an alert that ran out.
SELECT alert_id::text, clock, since, begun_at, level, told_through_s, next_at, ended_at, end_reason
FROM escalation WHERE alert_id = %(alert_id)s ORDER BY begun_at, clock

-- put_escalation --
-- A clock ran out, or its chain went on.
INSERT INTO escalation (alert_id, clock, since, begun_at, level, told_through_s, next_at, ended_at, end_reason)
VALUES (%(alert_id)s, %(clock)s, %(since)s, %(begun_at)s, %(level)s, %(told_through_s)s, %(next_at)s, %(ended_at)s, %(end_reason)s)
ON CONFLICT (alert_id, clock, begun_at) DO UPDATE SET told_through_s = excluded.told_through_s,
    next_at = excluded.next_at, ended_at = excluded.ended_at, end_reason = excluded.end_reason

-- next_escalations --
-- When the next step of the running chains of these alerts is due, by alert.
SELECT alert_id::text, min(next_at) AS next_at FROM escalation
WHERE alert_id = ANY(%(alert_ids)b::uuid[]) AND ended_at IS NULL
GROUP BY alert_id

-- add_told --
-- Somebody is told; the key of the message holds it once.
INSERT INTO told (idempotency_key, alert_id, clock, at, who, person, channel, sent_as)
VALUES (%(idempotency_key)s, %(alert_id)s, %(clock)s, %(at)s, %(who)s, %(person)s, %(channel)s, %(sent_as)s)
ON CONFLICT (idempotency_key) DO NOTHING

-- told --
-- Whom an alert's escalations told, and when the channel took it.
SELECT told.idempotency_key, told.alert_id::text, clock, at, who, person, told.channel, sent_at, sent_as
FROM told LEFT JOIN outgoing ON outgoing.idempotency_key = coalesce(sent_as, told.idempotency_key)
WHERE told.alert_id = %(alert_id)s ORDER BY at, told.idempotency_key

-- add_outgoing --
-- A message to deliver; one of the same key is the same message.
INSERT INTO outgoing (channel, address, idempotency_key, body, created_at, next_try_at)
VALUES (%(channel)s, %(address)s, %(idempotency_key)s, %(body)s, %(created_at)s, %(created_at)s)
ON CONFLICT (idempotency_key) DO NOTHING

-- take_outgoing --
-- Messages that are due and that no other transaction sends, but for channels that may not be used now; those of one
-- dispatch to one address in their order, so that no recall overtakes what it calls back. The two conditions for "waits"
-- are written differently, so that each uses its own index, whatever the planner thinks of a small table.
SELECT outgoing_id, channel, address, idempotency_key, body, created_at, attempts FROM outgoing
WHERE coalesce(sent_at, handed_at) IS NULL AND next_try_at <= %(now)s AND channel <> ALL(%(held)s::text[])
  AND outgoing_id = coalesce((
      SELECT min(earlier.outgoing_id) FROM outgoing AS earlier
      WHERE earlier.sent_at IS NULL AND earlier.handed_at IS NULL
        AND earlier.channel = outgoing.channel AND earlier.address = outgoing.address
        AND earlier.body->>'dispatch_id' = outgoing.body->>'dispatch_id'
  ), outgoing_id)
ORDER BY next_try_at, outgoing_id
LIMIT %(limit)s
FOR UPDATE SKIP LOCKED

-- outgoing_sent --
-- Delivered; the subjects of running health alerts of a kind, which a delivery may end.
WITH sent AS (
    UPDATE outgoing SET sent_at = %(at)s, attempts = attempts + 1, last_error = NULL
    WHERE outgoing_id = ANY(%(outgoing_ids)s)
)
SELECT subject FROM alert WHERE kind = 'health' AND health = %(health)s AND closed_at IS NULL

-- outgoing_failed --
-- Not delivered; one attempt more.
UPDATE outgoing SET attempts = attempts + 1, last_error = %(error)s, next_try_at = %(next_try_at)s
WHERE outgoing_id = %(outgoing_id)s

-- outgoing_postponed --
-- Not tried: a limit. No attempt more.
UPDATE outgoing SET last_error = %(error)s, next_try_at = %(next_try_at)s WHERE outgoing_id = %(outgoing_id)s

-- outgoing_handed --
-- Another channel took it over, as a message of its own.
UPDATE outgoing SET attempts = attempts + 1, last_error = %(error)s, handed_to = %(channel)s, handed_at = %(at)s
WHERE outgoing_id = %(outgoing_id)s

-- channel_states --
-- What is known of all channels.
SELECT channel, tokens, filled_at, failures, open_until, probing_until, hold_until, delivered, failed, last_ok_at,
       last_error, last_error_at
FROM channel_state

-- begin_channel_state --
-- The channel's row, if there is none yet.
INSERT INTO channel_state (channel) VALUES (%(channel)s) ON CONFLICT (channel) DO NOTHING

-- channel_state_for_update --
-- What is known of one channel, its row locked.
SELECT channel, tokens, filled_at, failures, open_until, probing_until, hold_until, delivered, failed, last_ok_at,
       last_error, last_error_at
FROM channel_state WHERE channel = %(channel)s
FOR UPDATE

-- update_channel_state --
-- What is known of one channel.
UPDATE channel_state SET
    tokens = %(tokens)s, filled_at = %(filled_at)s, failures = %(failures)s, open_until = %(open_until)s,
    probing_until = %(probing_until)s, hold_until = %(hold_until)s, delivered = %(delivered)s, failed = %(failed)s,
    last_ok_at = %(last_ok_at)s, last_error = %(last_error)s, last_error_at = %(last_error_at)s
WHERE channel = %(channel)s

-- channels_waiting --
-- Messages of each channel that wait, and since when.
SELECT channel, count(*) AS waiting, min(created_at) AS oldest_at FROM outgoing
WHERE sent_at IS NULL AND handed_at IS NULL
GROUP BY channel

-- list_alerts --
-- Alerts, newest first.
SELECT * FROM alert
WHERE (%(state)s::alert_state IS NULL OR state = %(state)s::alert_state)
  AND (%(kind)s::alert_kind IS NULL OR kind = %(kind)s::alert_kind)
  AND (%(running)s::boolean IS NULL OR (closed_at IS NULL) = %(running)s::boolean)
ORDER BY number DESC
LIMIT %(limit)s

-- urgent_alerts --
-- Running alerts that ring, or that are held; the worst level first and the oldest within it: where the list is cut,
-- what is milder and newer is left for the next page. The empty site: those without one.
SELECT * FROM alert
WHERE closed_at IS NULL AND (held_by IS NOT NULL) = %(held)s::boolean
  AND (%(level)s::risk_level IS NULL OR level = %(level)s::risk_level)
  AND (%(state)s::alert_state IS NULL OR state = %(state)s::alert_state)
  AND (%(site_id)s::text IS NULL OR coalesce(site_id, '') = %(site_id)s::text)
  AND (%(what)s::text IS NULL OR coalesce(violation, health, '') = %(what)s::text)
ORDER BY level, opened_at, number
LIMIT %(limit)s OFFSET %(after)s

-- alerts_with_entries --
-- Every alert with the loop's entries about it: one statement, so that both are of the same moment.
SELECT alert.*, ARRAY(
    SELECT body FROM audit_entry WHERE audit_entry.subject = alert.alert_id::text AND audit_entry.kind LIKE 'alert.%%' ORDER BY entry_id
) AS entries
FROM alert ORDER BY number

-- entries_without_alert --
-- The loop's entries whose alert is not in the table.
SELECT body FROM audit_entry
WHERE kind LIKE 'alert.%%' AND NOT EXISTS (SELECT FROM alert WHERE alert.alert_id::text = audit_entry.subject)
ORDER BY entry_id
