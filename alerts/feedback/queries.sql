-- Feedback: what people said of alerts, and the thresholds that are proposed from it.

-- judged --
-- Alerts of cameras by their onset, with the event that opened them, what people say of them, and a stored picture.
SELECT alert.alert_id::text, number, site_id, level, onset_at, state, confirmation, closed_at IS NOT NULL AS closed,
       coalesce(outcome::text, closing_reason) AS outcome, cause,
       opening.camera_id, opening.rule_id, opening.object_class, picture.sha256 AS snapshot
FROM alert
JOIN LATERAL (
    SELECT risk_event.camera_id, rule_id, risk_event.object_class
    FROM alert_episode JOIN risk_event USING (episode_id)
    WHERE alert_episode.alert_id = alert.alert_id
    ORDER BY captured_at, seq
    LIMIT 1
) AS opening ON true
LEFT JOIN LATERAL (
    SELECT sha256 FROM evidence
    WHERE episode_id IN (SELECT episode_id FROM alert_episode WHERE alert_episode.alert_id = alert.alert_id)
      AND evidence.kind IN ('snapshot_annotated', 'snapshot_clean') AND stored_at IS NOT NULL
    ORDER BY evidence.kind, announced_at
    LIMIT 1
) AS picture ON true
WHERE alert.kind = 'violation' AND source = 'edge' AND onset_at >= %(since)s AND onset_at < %(until)s
  AND (%(camera_id)s::text IS NULL OR opening.camera_id = %(camera_id)s)
  AND (%(rule_id)s::text IS NULL OR opening.rule_id = %(rule_id)s)
ORDER BY number

-- looks --
-- All events of these alerts, as far as a number can depend on them.
SELECT alert_id::text, risk_event.episode_id::text, risk_event.camera_id, rule_id, phase, body->>'reason' AS reason,
       captured_at AS at, object_class, activity, confidence, dwell_s, body->'model'->>'sha256' AS model
FROM alert_episode JOIN risk_event USING (episode_id)
WHERE alert_id = ANY(%(alert_ids)s::uuid[])
ORDER BY captured_at, seq

-- missed_reports --
-- What people reported at a site and was so, while this camera told nothing of it.
SELECT alert_id::text, number FROM alert
WHERE kind = 'violation' AND source = 'report' AND site_id = %(site_id)s AND violation = %(violation)s
  AND onset_at > %(since)s AND alert_id <> ALL(%(known)s::uuid[]) AND coalesce(closing_reason, '') <> ALL(%(no_offence)s)
  AND (confirmation = 'confirmed' OR outcome IN ('rectified', 'referred'))
  AND NOT EXISTS (
      SELECT FROM alert_episode WHERE alert_episode.alert_id = alert.alert_id AND alert_episode.camera_id = %(camera_id)s
  )
ORDER BY number
LIMIT 20

-- refused_backs --
-- What somebody refused to take a step back for.
SELECT facts FROM threshold_proposal WHERE of_proposal = %(proposal_id)s AND kind = 'back' AND state = 'refused'

-- newest_model --
-- The model of a camera's newest event since then.
SELECT body->'model'->>'sha256' AS model FROM risk_event
WHERE camera_id = %(camera_id)s AND captured_at > %(since)s
ORDER BY captured_at DESC
LIMIT 1

-- begin_due --
-- The daily look, if it never was.
INSERT INTO feedback_due (what, due_at) VALUES (%(what)s, %(now)s) ON CONFLICT (what) DO NOTHING

-- take_due --
-- Whether it is due and nobody else does it; held until the transaction ends.
SELECT what FROM feedback_due WHERE what = %(what)s AND due_at <= %(now)s FOR UPDATE SKIP LOCKED

-- put_due --
-- When it is due next.
UPDATE feedback_due SET due_at = %(due_at)s WHERE what = %(what)s

-- proposal --
-- One proposal.
SELECT * FROM threshold_proposal WHERE proposal_id = %(proposal_id)s

-- proposal_for_update --
-- One proposal, its row locked.
SELECT * FROM threshold_proposal WHERE proposal_id = %(proposal_id)s FOR UPDATE

-- list_proposals --
-- Those that wait first, then the newest.
SELECT * FROM threshold_proposal
WHERE %(state)s::proposal_state IS NULL OR state = %(state)s::proposal_state
ORDER BY state = 'proposed' DESC, proposal_id DESC
LIMIT %(limit)s

-- open_proposals --
-- Those that wait, their rows locked.
SELECT * FROM threshold_proposal WHERE state = 'proposed' ORDER BY proposal_id FOR UPDATE

-- decisions --
-- When somebody last decided about a row at a camera.
SELECT camera_id, rule_id, max(greatest(decided_at, coalesce(reverted_at, decided_at))) AS decided_at
FROM threshold_proposal WHERE state IN ('approved', 'refused', 'reverted')
GROUP BY camera_id, rule_id

-- standing --
-- Steps that were approved and not taken back.
SELECT proposal_id, camera_id, rule_id, number, point, from_value, to_value, decided_at,
       coalesce(facts->'models', '[]'::jsonb) AS models
FROM threshold_proposal WHERE state = 'approved' AND kind = 'raise' ORDER BY proposal_id

-- insert_proposal --
-- A new one.
INSERT INTO threshold_proposal (
    kind, camera_id, rule_id, number, point, from_value, to_value, why, facts, of_proposal, made_at
) VALUES (
    %(kind)s, %(camera_id)s, %(rule_id)s, %(number)s, %(point)s, %(from_value)s, %(to_value)s, %(why)s, %(facts)s, %(of_proposal)s,
    %(now)s
)
RETURNING proposal_id

-- renew_proposal --
-- The same step, by what is known today.
UPDATE threshold_proposal SET facts = %(facts)s WHERE proposal_id = %(proposal_id)s

-- decide --
-- Approved, refused or withdrawn.
UPDATE threshold_proposal SET
    state = %(state)s, decided_at = %(now)s, decided_by = %(by)s, note = %(note)s, written_version = %(version)s,
    entry_before = %(before)s, entry_after = %(after)s
WHERE proposal_id = %(proposal_id)s

-- revert --
-- Taken back.
UPDATE threshold_proposal SET
    state = 'reverted', reverted_at = %(now)s, reverted_by = %(by)s, revert_note = %(note)s, reverted_version = %(version)s
WHERE proposal_id = %(proposal_id)s

-- exportable --
-- Clean snapshots that are stored, of alerts of cameras that somebody closed: the box that its event told, and who said
-- what it was.
SELECT alert.alert_id::text, number, alert.site_id, onset_at, state, confirmation,
       coalesce(outcome::text, closing_reason) AS outcome, cause, evidence.sha256, evidence.footage,
       risk_event.event_id::text, risk_event.camera_id, risk_event.captured_at, risk_event.object_class,
       risk_event.confidence, risk_event.body->'bbox' AS bbox, risk_event.body->'frame_size_px' AS frame_size_px,
       risk_event.body->'model' AS model, risk_event.body->>'config_version' AS config_version,
       judge.actor AS judged_by, judge.role AS judged_role, judge.at AS judged_at
FROM alert
JOIN alert_episode USING (alert_id)
JOIN evidence ON evidence.episode_id = alert_episode.episode_id
    AND evidence.kind = 'snapshot_clean' AND evidence.stored_at IS NOT NULL
JOIN risk_event ON risk_event.event_id = evidence.event_id AND risk_event.episode_id = evidence.episode_id
JOIN LATERAL (
    SELECT actor, role, at FROM alert_transition
    WHERE alert_transition.alert_id = alert.alert_id AND step IN ('dismiss', 'verify')
    ORDER BY n DESC
    LIMIT 1
) AS judge ON true
WHERE alert.kind = 'violation' AND source = 'edge' AND closed_at IS NOT NULL AND onset_at >= %(since)s
  AND (%(sites)s::text[] IS NULL OR alert.site_id = ANY(%(sites)s))
ORDER BY number, risk_event.captured_at, evidence.sha256
