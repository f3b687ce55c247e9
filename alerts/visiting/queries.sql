-- Visits: checklists, and what one visit takes along. What was counted is read by counting's queries below.

-- ticks --
-- Answers to an alert's checklist, oldest first.
SELECT alert_id::text, item, answer, value_m, note, who, role, at, done_at, lon, lat, idempotency_key
FROM checklist_tick WHERE alert_id = %(alert_id)s ORDER BY tick_id

-- begun_anew --
-- When the alert was last reopened: what was looked at before says nothing of how it is found now.
SELECT max(at) AS at FROM alert_transition WHERE alert_id = %(alert_id)s AND step = 'reopen'

-- has_tick --
-- Whether the answer of that key was given.
SELECT FROM checklist_tick WHERE alert_id = %(alert_id)s AND idempotency_key = %(key)s

-- add_tick --
-- An answer to an item; the same key once.
INSERT INTO checklist_tick (alert_id, item, answer, value_m, note, who, role, at, done_at, lon, lat, idempotency_key)
VALUES (%(alert_id)s, %(item)s, %(answer)s, %(value_m)s, %(note)s, %(who)s, %(role)s, %(at)s, %(done_at)s, %(lon)s,
        %(lat)s, %(idempotency_key)s)
ON CONFLICT (alert_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING

-- alert_for_check --
-- An alert whose list is answered: no step is taken meanwhile.
SELECT * FROM alert WHERE alert_id = %(alert_id)s FOR SHARE

-- alerts_for_checks --
-- As alert_for_check, of many; in their order, so that two that ask do not wait for each other.
SELECT * FROM alert WHERE alert_id = ANY(%(alert_ids)b::uuid[]) ORDER BY alert_id FOR SHARE

-- running_visits --
-- Running dispatches of violations that are a visit of their own and have room for more, of the newest that run and not
-- without end: a look costs the same in a storm.
WITH newest AS MATERIALIZED (
    SELECT * FROM dispatch WHERE ended_at IS NULL ORDER BY dispatched_at DESC, dispatch_id DESC LIMIT %(limit)s
)
SELECT dispatch_id::text, d.alert_id::text, team_id, officer, dispatched_at, accepted_at, ended_at, end_reason,
       departed_at, d.arrived_at, shift_until, choice, chosen, a.site_id, along.have
FROM newest AS d JOIN alert AS a USING (alert_id) CROSS JOIN LATERAL (
    SELECT count(*) AS have FROM visit_check WHERE visit_check.dispatch_id = d.dispatch_id
) AS along
WHERE choice <> 'same_visit' AND a.kind = 'violation' AND a.site_id IS NOT NULL AND along.have < %(most_along)s
ORDER BY d.dispatched_at DESC, d.dispatch_id DESC

-- first_in_order --
-- For the transaction: the first of many come from an index in its order (alert_waits), not from sorting all of them.
SELECT set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true)

-- open_at_sites --
-- Open violations of these sites that a visit could take along and none has, the worst and oldest of each site. Whether
-- one has is asked of each by itself (a subquery): joined, all that visits have would be compared with all that is open.
SELECT found.* FROM unnest(%(sites)s::text[]) AS site CROSS JOIN LATERAL (
    SELECT * FROM alert
    WHERE site_id = site AND kind = 'violation' AND state = 'open' AND closed_at IS NULL AND confirmation <> 'refuted'
      AND held_by IS NULL
      AND (level IN ('III', 'IV') OR opened_at <= %(nobody_since)s)
      AND (
          SELECT count(*) FROM visit_check JOIN dispatch USING (dispatch_id)
          WHERE visit_check.kind = 'alert' AND visit_check.ref = alert.alert_id::text AND dispatch.ended_at IS NULL
      ) = 0
    ORDER BY level, opened_at
    LIMIT %(limit)s
) AS found

-- permits_ending --
-- Approved permits that end soon, that no running visit has, and at which nobody looked lately.
SELECT * FROM permit
WHERE state = 'approved' AND valid_to BETWEEN %(now)s AND %(soon)s
  AND NOT EXISTS (
      SELECT FROM visit_check JOIN dispatch USING (dispatch_id)
      WHERE visit_check.kind = 'permit' AND visit_check.ref = permit.permit_number
        AND (dispatch.ended_at IS NULL OR visit_check.looked_at > %(looked_since)s)
  )

-- add_checks --
-- Visits take them along; each once. What was added.
INSERT INTO visit_check (dispatch_id, kind, ref, why, added_at)
SELECT dispatch_id, kind, ref, why, %(now)s FROM jsonb_populate_recordset(NULL::visit_check, %(rows)s)
ON CONFLICT (dispatch_id, kind, ref) DO NOTHING
RETURNING dispatch_id::text, kind, ref

-- to_be_taken --
-- Alerts that a visit has planned to look at, whose officer is there by now.
SELECT dispatch_id::text, ref AS alert_id FROM visit_check JOIN dispatch USING (dispatch_id)
WHERE kind = 'alert' AND taken_at IS NULL AND dispatch.ended_at IS NULL AND dispatch.arrived_at IS NOT NULL
ORDER BY added_at, ref

-- running_of --
-- The running dispatch of an alert.
SELECT dispatch_id::text, alert_id::text, team_id, officer, dispatched_at, accepted_at, ended_at, end_reason,
       departed_at, arrived_at, shift_until, choice, chosen
FROM dispatch WHERE alert_id = %(alert_id)s AND ended_at IS NULL

-- dispatch --
-- One dispatch.
SELECT dispatch_id::text, alert_id::text, team_id, officer, dispatched_at, accepted_at, ended_at, end_reason,
       departed_at, arrived_at, shift_until, choice, chosen
FROM dispatch WHERE dispatch_id = %(dispatch_id)s

-- mark_taken --
-- The officer has it as a dispatch of its own; or it needs nobody any more (no dispatch).
UPDATE visit_check SET taken_at = %(now)s, taken_dispatch = %(taken)s
WHERE dispatch_id = %(dispatch_id)s AND kind = 'alert' AND ref = %(ref)s AND taken_at IS NULL

-- checks_of --
-- What the visits of an alert take along, and how it stands.
SELECT v.dispatch_id::text, v.kind, v.ref, v.why, v.added_at, v.taken_at, v.looked_at, v.looked_by, v.outcome, v.note,
       d.officer, d.arrived_at, d.ended_at, a.number, a.level, a.state, a.violation, p.company, p.valid_to
FROM visit_check AS v JOIN dispatch AS d USING (dispatch_id)
LEFT JOIN alert AS a ON a.alert_id = CASE WHEN v.kind = 'alert' THEN v.ref::uuid END
LEFT JOIN permit AS p ON v.kind = 'permit' AND p.permit_number = v.ref
WHERE d.alert_id = %(alert_id)s
ORDER BY v.added_at, v.kind, v.ref

-- visit_of --
-- The alert whose visit took this one along, newest first.
SELECT d.alert_id::text, a.number FROM visit_check AS v
JOIN dispatch AS d USING (dispatch_id) JOIN alert AS a ON a.alert_id = d.alert_id
WHERE v.kind = 'alert' AND v.ref = %(alert_id)s AND d.ended_at IS NULL
ORDER BY v.added_at DESC LIMIT 1

-- look_for_update --
-- A permit that a visit looks at.
SELECT v.looked_at, d.officer, d.arrived_at, d.ended_at, d.alert_id::text
FROM visit_check AS v JOIN dispatch AS d USING (dispatch_id)
WHERE v.dispatch_id = %(dispatch_id)s AND v.kind = 'permit' AND v.ref = %(ref)s
FOR UPDATE OF v

-- look --
-- How a permit's work was found.
UPDATE visit_check SET looked_at = %(now)s, looked_by = %(who)s, outcome = %(outcome)s, note = %(note)s
WHERE dispatch_id = %(dispatch_id)s AND kind = 'permit' AND ref = %(ref)s

-- notify --
-- Tells who listens, on commit.
SELECT pg_notify(%(channel)s, %(payload)s)
