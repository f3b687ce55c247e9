-- Queries of the demo's report and of its running commentary. They read; they change nothing.

-- numbers --
-- What the database has of one epoch: rows that carry a number, and what each kind left behind.
SELECT
    (SELECT count(*) FROM edge_number WHERE epoch = %(epoch)s)                                  AS numbers,
    (SELECT count(*) FROM risk_event WHERE epoch = %(epoch)s)                                   AS events,
    (SELECT count(DISTINCT event_id) FROM risk_event WHERE epoch = %(epoch)s)                   AS distinct_events,
    (SELECT count(*) FROM watch_minute WHERE epoch = %(epoch)s)                                 AS watch_minutes,
    (SELECT count(*) FROM loss WHERE epoch = %(epoch)s)                                         AS losses,
    (SELECT count(*) FROM dead_letter WHERE epoch = %(epoch)s)                                  AS dead_letters;

-- receipt --
-- The newest receipt of one epoch.
SELECT stored_through, ranges, last_seq FROM edge_receipt WHERE epoch = %(epoch)s;

-- alerts --
-- Counts of the loop. Twice: two alerts of one site and violation at the same time, two dispatches of an alert.
SELECT
    count(*) FILTER (WHERE kind = 'violation')                                                  AS violations,
    count(*) FILTER (WHERE kind = 'health')                                                     AS health,
    count(*) FILTER (WHERE kind = 'violation' AND state = 'verified')                           AS verified,
    count(*) FILTER (WHERE state = 'supervised')                                                AS supervised,
    (SELECT count(*) FROM alert a JOIN alert b ON a.number < b.number AND a.kind = 'violation' AND b.kind = 'violation'
       AND (a.site_id, a.violation) = (b.site_id, b.violation)
       AND b.occurrence_of IS DISTINCT FROM a.alert_id
       AND b.opened_at < coalesce(a.closed_at, 'infinity'))                                     AS alerts_twice,
    (SELECT count(DISTINCT alert_id) FROM dispatch)                                             AS dispatched,
    (SELECT count(*) - count(DISTINCT alert_id) FROM dispatch)                                  AS dispatches_twice
FROM alert;

-- evidence --
-- What edges announced, and what of it arrived.
SELECT count(*) AS announced, count(stored_at) AS stored, count(lost_reason) AS lost
FROM evidence WHERE edge_id IS NOT NULL;

-- photos --
-- Photos that officers took.
SELECT count(*) AS photos FROM evidence WHERE edge_id IS NULL AND stored_at IS NOT NULL;

-- onset_to_dispatch --
-- Milliseconds from the picture that opened a level I alert to its dispatch leaving for the broker.
SELECT extract(epoch FROM o.sent_at - a.onset_at) * 1000.0 AS ms
FROM alert a
JOIN dispatch d USING (alert_id)
JOIN outgoing o ON o.body ->> 'dispatch_id' = d.dispatch_id::text AND o.body ->> 'what' = 'dispatch'
WHERE a.level = 'I' AND o.sent_at IS NOT NULL AND d.dispatched_at - a.opened_at < interval '5 seconds'
ORDER BY d.dispatched_at;

-- cameras --
-- What each camera did, from its watch records and its events.
SELECT
    w.camera_id,
    sum(w.frames)::bigint                               AS frames,
    sum(w.detections)::bigint                           AS detections,
    sum(w.watched_s)                                    AS watched_s,
    sum(w.span_s) - sum(w.watched_s)                    AS unwatched_s,
    (SELECT count(*) FROM risk_event e WHERE e.camera_id = w.camera_id AND e.phase = 'onset') AS violations
FROM watch_minute w
GROUP BY w.camera_id;

-- positions --
-- Where one camera's events say that the thing is.
SELECT captured_at, lon, lat, accuracy_m, phase, body ->> 'activity' AS activity
FROM risk_event WHERE camera_id = %(camera_id)s AND lon IS NOT NULL ORDER BY captured_at;

-- detector --
-- The detector that saw the events, and what the edges say of theirs.
SELECT status -> 'detector' AS detector FROM edge_state WHERE edge_id = %(edge_id)s;

-- transitions --
-- The loop's steps after the last one seen, in order, for the running commentary.
SELECT a.number, a.kind::text, a.violation, a.health, a.subject, a.level::text AS level, t.step, t.to_state::text AS to_state,
       t.actor, t.role, t.reason, t.at, t.alert_id::text AS alert_id, t.n
FROM alert_transition t JOIN alert a USING (alert_id)
WHERE t.at > %(after)s ORDER BY t.at, t.alert_id, t.n LIMIT 200;

-- streaming_since --
-- Since when a camera streams; no row where it does not, or did so before.
SELECT since FROM camera_state WHERE camera_id = %(camera_id)s AND state = 'streaming' AND since >= %(after)s;

-- story --
-- Where the level I alert of one camera stands.
SELECT a.alert_id::text AS alert_id, a.number, a.state::text AS state, a.level::text AS level, a.onset_at,
       EXISTS (SELECT FROM risk_event r JOIN alert_episode p USING (episode_id)
               WHERE p.alert_id = a.alert_id AND r.phase = 'end') AS condition_ended,
       (SELECT count(*) FROM evidence e JOIN alert_episode p USING (episode_id)
        WHERE p.alert_id = a.alert_id AND e.stored_at IS NOT NULL) AS stored,
       (SELECT count(*) FROM evidence e JOIN alert_episode p USING (episode_id)
        WHERE p.alert_id = a.alert_id AND e.kind = 'clip' AND e.stored_at IS NOT NULL) AS clips
FROM alert a WHERE a.camera_id = %(camera_id)s AND a.kind = 'violation' ORDER BY a.opened_at DESC LIMIT 1;

-- steps --
-- The steps that one alert went through.
SELECT step FROM alert_transition WHERE alert_id = %(alert_id)s ORDER BY n;

-- not_watching --
-- Health alerts about one camera.
SELECT health, state::text AS state FROM alert WHERE kind = 'health' AND subject = %(camera_id)s;
