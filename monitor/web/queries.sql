-- Queries of the web, by name. Alerts, dispatches and steps are the alert module's (alerts/queries.sql).

-- find_user --
-- one user with the password's hash
SELECT user_name, role, display_name, team_id, password_hash FROM app_user WHERE user_name = %(user)s

-- insert_user --
INSERT INTO app_user (user_name, role, display_name, team_id, password_hash, created_at)
VALUES (%(user)s, %(role)s, %(name)s, %(team)s, %(hash)s, %(now)s)

-- update_user --
UPDATE app_user SET role = %(role)s, display_name = %(name)s, team_id = %(team)s WHERE user_name = %(user)s

-- set_password --
UPDATE app_user SET password_hash = %(hash)s WHERE user_name = %(user)s

-- insert_session --
INSERT INTO app_session (token_sha256, user_name, created_at, expires_at)
VALUES (%(hash)s, %(user)s, %(now)s, %(expires)s)

-- sweep_sessions --
-- sessions that have ended
DELETE FROM app_session WHERE expires_at <= %(now)s

-- end_session --
DELETE FROM app_session WHERE token_sha256 = %(hash)s

-- end_sessions --
-- all of one user: a new password was set
DELETE FROM app_session WHERE user_name = %(user)s

-- user_of_session --
SELECT u.user_name, u.role, u.display_name, u.team_id, u.password_hash
FROM app_session s JOIN app_user u USING (user_name)
WHERE s.token_sha256 = %(hash)s AND s.expires_at > %(now)s

-- lock_tries --
-- one try after the other, of those that are counted together; always in the same order
SELECT pg_advisory_xact_lock(n) FROM (
    SELECT hashtextextended(key, 0) AS n FROM unnest(%(keys)s::text[]) AS key ORDER BY n
) AS locks

-- recent_tries --
-- failures that may still count, the newest of each
SELECT key AS who, found.at FROM unnest(%(keys)s::text[]) AS key CROSS JOIN LATERAL (
    SELECT at FROM failed_try WHERE kind = %(kind)s AND who = key AND at > %(since)s ORDER BY at DESC LIMIT 50
) AS found

-- add_tries --
INSERT INTO failed_try (kind, who, at) SELECT %(kind)s, key, %(now)s FROM unnest(%(keys)s::text[]) AS key
RETURNING try_id

-- forget_tries --
-- it was right: neither this try counts, nor those before it
DELETE FROM failed_try WHERE (kind = %(kind)s AND who = %(who)s) OR try_id = ANY(%(ids)s)

-- sweep_tries --
-- what counts for nobody any more
DELETE FROM failed_try WHERE at <= %(before)s

-- upsert_edge --
INSERT INTO edge_credential (edge_id, token_sha256) VALUES (%(edge)s, %(hash)s)
ON CONFLICT (edge_id) DO UPDATE SET token_sha256 = EXCLUDED.token_sha256

-- edge_of_token --
SELECT edge_id FROM edge_credential WHERE token_sha256 = %(hash)s

-- names_of_users --
-- how people are called, for pages
SELECT user_name, display_name FROM app_user WHERE user_name = ANY(%(users)s)

-- camera_states --
-- what each camera's watchdog said last
SELECT camera_id, edge_id, state, reason, since, updated_at FROM camera_state

-- overloaded_edges --
-- edges that are there and whose detector can't keep up, with the looks that each camera asked for and had
SELECT edge_id, status -> 'load' AS load FROM edge_state
WHERE online AND status -> 'load' ->> 'overloaded_since' IS NOT NULL

-- cameras_first_heard --
-- when each camera was first heard of
SELECT camera_id, min(since) AS since FROM camera_state_change GROUP BY camera_id

-- watched_minutes --
-- watched and unwatched seconds per camera and minute: the strip of cameras
SELECT camera_id, minute, watched_s, span_s FROM watch_minute
WHERE minute >= %(since)s AND minute < %(until)s ORDER BY minute

-- evidence_row --
SELECT sha256, kind, content_type, bytes, edge_id, camera_id, event_id, episode_id, alert_id, footage,
       announced_at, stored_at, lost_reason, uploaded_by
FROM evidence WHERE sha256 = %(sha256)s

-- newest_clean_snapshot --
-- the camera's picture that a survey is clicked in
SELECT sha256, announced_at FROM evidence
WHERE camera_id = %(camera)s AND kind = 'snapshot_clean' AND stored_at IS NOT NULL
ORDER BY announced_at DESC LIMIT 1

-- is_clean_snapshot_of --
SELECT 1 FROM evidence
WHERE sha256 = %(sha256)s AND camera_id = %(camera)s AND kind = 'snapshot_clean' AND stored_at IS NOT NULL

-- evidence_viewed_since --
-- whether this reader's view of it, of this copy, is an entry already
SELECT 1 FROM audit_entry
WHERE subject = %(sha256)s AND kind = %(kind)s AND actor = %(user)s AND at > %(since)s
  AND convert_from(body, 'UTF8')::jsonb->'body'->>'copy' = %(copy)s
LIMIT 1

-- company_looked_since --
-- whether the company's look, by this notice, is an entry already
SELECT 1 FROM audit_entry
WHERE subject = %(subject)s AND kind = %(kind)s AND actor = 'company' AND at > %(since)s
  AND convert_from(body, 'UTF8')::jsonb->'body'->>'notice_id' = %(notice)s
LIMIT 1

-- evidence_stored --
-- once: whoever comes second changes no row
UPDATE evidence SET stored_at = %(now)s, lost_reason = NULL WHERE sha256 = %(sha256)s AND stored_at IS NULL

-- evidence_alerts --
-- which alerts hold it: by their episodes, or as a photo
SELECT alert_id FROM alert_episode WHERE episode_id = %(episode)s
UNION SELECT alert_id FROM evidence WHERE sha256 = %(sha256)s AND alert_id IS NOT NULL

-- insert_photo --
INSERT INTO evidence (sha256, kind, content_type, bytes, alert_id, uploaded_by, footage, announced_at, stored_at,
                      taken_at, lon, lat)
VALUES (%(sha256)s, 'photo', %(content_type)s, %(bytes)s, %(alert)s, %(user)s, %(footage)s, %(now)s, %(now)s,
        %(taken_at)s, %(lon)s, %(lat)s)
ON CONFLICT (sha256) DO NOTHING

-- alert_teams --
-- whose phones an alert concerns, for the stream
SELECT DISTINCT team_id FROM dispatch WHERE alert_id = %(alert)s

-- is_dispatched_to --
-- object rights of the field: an alert that was sent to this person or this person's team
SELECT 1 FROM dispatch
WHERE alert_id = %(alert)s AND (officer = %(user)s OR team_id = %(team)s)
  AND (NOT %(running)s OR ended_at IS NULL)
LIMIT 1

-- audit_newest --
-- newest first, by subject, kind or actor, a page at a time
SELECT entry_id, leaf_index, kind, subject, actor, at, encode(leaf_hash, 'hex') AS leaf_hash,
       convert_from(body, 'UTF8') AS body
FROM audit_entry
WHERE (%(search)s = '' OR subject = %(search)s OR kind = %(search)s OR actor = %(search)s
       OR starts_with(subject, %(search)s) OR starts_with(kind, %(search)s))
  AND (%(before)s::bigint IS NULL OR entry_id < %(before)s)
ORDER BY entry_id DESC LIMIT %(limit)s

-- audit_range --
-- sequenced entries by leaf index, as the API gives them
SELECT leaf_index, kind, subject, actor, at, encode(leaf_hash, 'hex') AS leaf_hash,
       convert_from(body, 'UTF8') AS body
FROM audit_entry WHERE leaf_index >= %(from)s AND leaf_index < %(to)s ORDER BY leaf_index LIMIT %(limit)s

-- audit_waiting --
SELECT count(*) AS waiting FROM audit_entry WHERE leaf_index IS NULL

-- alert_by_number --
-- an alert by the number that people call it
SELECT alert_id, number FROM alert WHERE number = %(number)s

-- alert_by_id --
SELECT alert_id, number FROM alert WHERE alert_id = %(alert)s

-- numbers_of_alerts --
-- which of these subjects are alerts, and what people call them
SELECT alert_id::text AS alert_id, number FROM alert WHERE alert_id = ANY(%(ids)s::uuid[])

-- newest_head --
-- the newest signed tree head
SELECT size, encode(root, 'hex') AS root, checkpoint, signed_at FROM audit_head ORDER BY size DESC LIMIT 1

-- holders --
-- logins of permit holders
SELECT user_name, display_name FROM app_user WHERE role = 'holder' ORDER BY display_name, user_name

-- permits_at_site --
-- approved permits that hold now on a site's stretch, for who stands there
SELECT permit_number, company, violation, from_m, to_m, valid_to FROM permit
WHERE state = 'approved' AND pipeline_id = %(pipeline)s AND from_m <= %(to)s AND to_m >= %(from)s
  AND valid_from <= %(now)s AND valid_to >= %(now)s
ORDER BY valid_to, permit_number LIMIT 50
