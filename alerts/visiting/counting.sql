-- What is counted of visits: all from rows and reasons that were written when it was decided.

-- visits --
-- Dispatches that began in a time, with the reason of the transition that sent, how the case was put down, and whose
-- work it was as far as a notice or a permit names it.
SELECT d.dispatch_id::text, d.alert_id::text, a.number, a.site_id, a.violation, a.level, d.officer, d.choice,
       coalesce(sent.reason, 'sent_by_room') AS why, d.dispatched_at, d.arrived_at, d.end_reason,
       CASE WHEN d.end_reason = 'resolved' THEN coalesce(found.reason, a.closing_reason) ELSE a.closing_reason END AS found,
       coalesce(named.company, permitted.company, '') AS company
FROM dispatch AS d JOIN alert AS a USING (alert_id)
LEFT JOIN LATERAL (
    SELECT reason FROM alert_transition AS t
    WHERE t.alert_id = d.alert_id AND t.to_state = 'dispatched' AND t.at = d.dispatched_at ORDER BY t.n LIMIT 1
) AS sent ON true
LEFT JOIN LATERAL (
    SELECT reason FROM alert_transition AS t
    WHERE t.alert_id = d.alert_id AND t.step = 'resolve' AND t.at = d.ended_at ORDER BY t.n DESC LIMIT 1
) AS found ON true
LEFT JOIN LATERAL (
    SELECT company FROM notice WHERE notice.alert_id = d.alert_id ORDER BY issued_at DESC LIMIT 1
) AS named ON true
LEFT JOIN LATERAL (
    SELECT permit.company FROM jsonb_array_elements(a.reasons) AS named_by JOIN permit ON permit_number = named_by->>'detail'
    WHERE named_by->>'key' LIKE 'permit%%' ORDER BY permit_number LIMIT 1
) AS permitted ON true
WHERE d.dispatched_at >= %(since)s AND d.dispatched_at < %(until)s AND a.kind = 'violation'
ORDER BY d.dispatched_at, d.dispatch_id

-- supervised --
-- Cases that a permit covered, closed in a time.
SELECT a.alert_id::text, a.number, a.site_id, a.level, a.reasons, a.weights_version, a.closed_at AS at,
       permit.permit_number, coalesce(permit.company, '') AS company
FROM alert AS a
LEFT JOIN LATERAL (
    SELECT permit_number, company FROM jsonb_array_elements(a.reasons) AS named_by
    JOIN permit ON permit_number = named_by->>'detail' WHERE named_by->>'key' = 'permit' LIMIT 1
) AS permit ON true
WHERE a.state = 'supervised' AND a.closed_at >= %(since)s AND a.closed_at < %(until)s
  AND NOT EXISTS (SELECT FROM dispatch WHERE dispatch.alert_id = a.alert_id)
ORDER BY a.closed_at, a.number

-- joined --
-- Episodes that joined a case to which somebody was sent.
SELECT a.alert_id::text, a.number, a.site_id, t.level, t.at, t.reason AS why
FROM alert_transition AS t JOIN alert AS a USING (alert_id)
WHERE t.step = 'join' AND t.at >= %(since)s AND t.at < %(until)s AND a.state <> 'supervised'
  AND EXISTS (SELECT FROM dispatch WHERE dispatch.alert_id = a.alert_id AND dispatch.choice <> 'same_visit')
ORDER BY t.at, a.number, t.n

-- refuted --
-- Suspicions that the room put down before anybody was sent, closed in a time.
SELECT a.alert_id::text, a.number, a.site_id, a.level, a.closed_at AS at, a.closing_reason AS why
FROM alert AS a
WHERE a.kind = 'violation' AND a.state = 'dismissed' AND a.closed_at >= %(since)s AND a.closed_at < %(until)s
  AND a.closing_reason = ANY(%(no_offence)s)
  AND NOT EXISTS (SELECT FROM dispatch WHERE dispatch.alert_id = a.alert_id)
ORDER BY a.closed_at, a.number

-- kept_by_rule --
-- Confirmed cases to which a supervision rule sent nobody of their own: each once, when it was first kept; not where
-- somebody looked at it after all, or where there was nothing to go for.
SELECT a.alert_id::text, a.number, a.site_id, t.level, t.at, t.note AS why
FROM alert_transition AS t JOIN alert AS a USING (alert_id)
WHERE t.reason IN ('kept_remote', 'kept_for_visit') AND t.at >= %(since)s AND t.at < %(until)s
  AND (a.closing_reason IS NULL OR a.closing_reason <> ALL(%(no_offence)s))
  AND NOT EXISTS (
      SELECT FROM alert_transition AS before
      WHERE before.alert_id = t.alert_id AND before.n < t.n AND before.reason IN ('kept_remote', 'kept_for_visit')
  )
  AND NOT EXISTS (
      SELECT FROM dispatch
      WHERE dispatch.alert_id = a.alert_id AND (dispatch.choice <> 'same_visit' OR dispatch.arrived_at IS NOT NULL)
  )
ORDER BY t.at, a.number

-- ratings --
-- How visited companies rated visits, by month of the rating.
SELECT company, count(*) AS ratings, avg(rating)::double precision AS mean FROM notice
WHERE rated_at >= %(since)s AND rated_at < %(until)s AND rating IS NOT NULL
GROUP BY company ORDER BY company

-- permit_looks --
-- How permits' work was found during visits.
SELECT ref AS permit_number, outcome, note, looked_at, looked_by, coalesce(company, '') AS company
FROM visit_check LEFT JOIN permit ON permit_number = ref
WHERE kind = 'permit' AND looked_at >= %(since)s AND looked_at < %(until)s ORDER BY looked_at, ref
