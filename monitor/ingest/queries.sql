-- make_receipts --
-- A receipt for each source of the batch, so that it can be locked.
INSERT INTO edge_receipt (edge_id, epoch, updated_at)
SELECT edge_id, epoch, %(now)s
FROM unnest(%(edge_ids)b::text[], %(epochs)b::text[]) AS source (edge_id, epoch)
ORDER BY edge_id, epoch
ON CONFLICT DO NOTHING;

-- lock_receipts --
-- One writer at a time per source, always in the same order.
SELECT edge_id, epoch, stored_through, ranges
FROM edge_receipt
WHERE (edge_id, epoch) IN (SELECT * FROM unnest(%(edge_ids)b::text[], %(epochs)b::text[]))
ORDER BY edge_id, epoch
FOR UPDATE;

-- advance_receipt --
-- What is stored now; last_seq never falls.
UPDATE edge_receipt
SET stored_through = %(through)s, ranges = %(ranges)s::jsonb,
    last_seq = greatest(last_seq, %(last_seq)s), updated_at = %(now)s
WHERE edge_id = %(edge_id)s AND epoch = %(epoch)s;

-- heard_of --
-- The highest number that an edge says it gave out, so that a missing tail is known.
INSERT INTO edge_receipt (edge_id, epoch, last_seq, updated_at)
VALUES (%(edge_id)s, %(epoch)s, %(last_seq)s, %(now)s)
ON CONFLICT (edge_id, epoch) DO UPDATE SET last_seq = greatest(edge_receipt.last_seq, EXCLUDED.last_seq);

-- all_receipts --
-- For publishing; the source that changed last comes last, since an edge has one retained topic.
SELECT edge_id, epoch, stored_through, ranges FROM edge_receipt ORDER BY updated_at, edge_id, epoch;

-- claim_numbers --
-- Decides which numbers are new; two lines with one number in one batch must not reach this.
INSERT INTO edge_number (edge_id, epoch, seq, sha256, kind, received_at)
SELECT * FROM unnest(
    %(edge_ids)b::text[], %(epochs)b::text[], %(seqs)b::bigint[], %(sha256s)b::text[], %(kinds)b::text[],
    %(received)b::timestamptz[]
)
ON CONFLICT DO NOTHING
RETURNING edge_id, epoch, seq;

-- known_hashes --
-- The hashes under which numbers were stored.
SELECT edge_id, epoch, seq, sha256
FROM edge_number
WHERE (edge_id, epoch, seq) IN (
    SELECT * FROM unnest(%(edge_ids)b::text[], %(epochs)b::text[], %(seqs)b::bigint[])
);

-- insert_events --
-- Accepted risk events.
INSERT INTO risk_event (
    captured_at, event_id, edge_id, epoch, seq, episode_id, phase, site_id, camera_id, violation, rule_id,
    object_class, track_id, confidence, lon, lat, accuracy_m, no_fix, pipeline_id, chainage_m, offset_m,
    within_band, dwell_s, activity, risk_edge, footage, body, published_at, received_at, stored_at
)
SELECT
    captured_at, event_id, edge_id, epoch, seq, episode_id, phase, site_id, camera_id, violation, rule_id,
    object_class, track_id, confidence, lon, lat, accuracy_m, no_fix, pipeline_id, chainage_m, offset_m,
    within_band, dwell_s, activity, risk_edge, footage, body, published_at, received_at, stored_at
FROM jsonb_populate_recordset(NULL::risk_event, %(rows)s::jsonb);

-- announce_evidence --
-- Evidence that an event names; a loss record that overtook the event counts already.
INSERT INTO evidence (
    sha256, kind, content_type, bytes, edge_id, camera_id, event_id, episode_id, footage, announced_at,
    lost_reason
)
SELECT %(sha256)s, %(kind)s, %(content_type)s, %(bytes)s, %(edge_id)s, %(camera_id)s, %(event_id)s,
       %(episode_id)s, %(footage)s, %(announced_at)s,
       (SELECT reason FROM loss WHERE edge_id = %(edge_id)s AND sha256 = %(sha256)s LIMIT 1)
ON CONFLICT (sha256) DO NOTHING;

-- upsert_watch --
-- One row per camera and minute: a record beats what the centre wrote; of two records (the edge was
-- restarted within the minute) the one that covers more of it stays.
INSERT INTO watch_minute (
    minute, camera_id, edge_id, epoch, seq, watched_s, span_s, frames, looks, detector_runs, detections,
    longest_blind_s, state_s, seen, calibration_version, config_version, stored_at
) VALUES (
    %(minute)s, %(camera_id)s, %(edge_id)s, %(epoch)s, %(seq)s, %(watched_s)s, %(span_s)s, %(frames)s,
    %(looks)s, %(detector_runs)s, %(detections)s, %(longest_blind_s)s, %(state_s)s, %(seen)s,
    %(calibration_version)s, %(config_version)s, %(stored_at)s
)
ON CONFLICT (camera_id, minute) DO UPDATE SET
    edge_id = EXCLUDED.edge_id, epoch = EXCLUDED.epoch, seq = EXCLUDED.seq, watched_s = EXCLUDED.watched_s,
    span_s = EXCLUDED.span_s, frames = EXCLUDED.frames, looks = EXCLUDED.looks,
    detector_runs = EXCLUDED.detector_runs, detections = EXCLUDED.detections,
    longest_blind_s = EXCLUDED.longest_blind_s, state_s = EXCLUDED.state_s, seen = EXCLUDED.seen,
    calibration_version = EXCLUDED.calibration_version, config_version = EXCLUDED.config_version,
    stored_at = EXCLUDED.stored_at
WHERE watch_minute.edge_id IS NULL
   OR (EXCLUDED.span_s, EXCLUDED.watched_s) > (watch_minute.span_s, watch_minute.watched_s);

-- insert_loss --
-- Something that an edge had to throw away.
INSERT INTO loss (edge_id, epoch, seq, what, count, reason, sha256, from_at, to_at, stored_at)
VALUES (%(edge_id)s, %(epoch)s, %(seq)s, %(what)s, %(count)s, %(reason)s, %(sha256)s, %(from_at)s, %(to_at)s,
        %(stored_at)s);

-- lose_evidence --
-- The bytes will not come; stored ones stay stored.
UPDATE evidence SET lost_reason = %(reason)s
WHERE sha256 = %(sha256)s AND edge_id = %(edge_id)s AND stored_at IS NULL;

-- keep_dead_letter --
-- Bytes and reason of a message that cannot be used; one that comes again is kept once.
INSERT INTO dead_letter (topic, edge_id, epoch, seq, sha256, payload, reason, received_at)
SELECT %(topic)s, %(edge_id)s, %(epoch)s, %(seq)s, %(sha256)s, %(payload)s, %(reason)s, %(received_at)s
WHERE NOT EXISTS (
    SELECT 1 FROM dead_letter
    WHERE sha256 = %(sha256)s::text AND topic = %(topic)s::text
      AND epoch IS NOT DISTINCT FROM %(epoch)s::text AND seq IS NOT DISTINCT FROM %(seq)s::bigint
)
RETURNING dead_letter_id;

-- leave_work --
-- Work for the alert module in its order, in the transaction that stores the causes.
INSERT INTO alert_work (kind, body, created_at)
SELECT kind, body || extra, %(now)s
FROM ROWS FROM (
    jsonb_to_recordset(%(rows)s::jsonb) AS (kind text, body jsonb, extra jsonb)
) WITH ORDINALITY AS work (kind, body, extra, n)
ORDER BY n;

-- notify_work --
-- Wakes the alert module when this transaction commits.
SELECT pg_notify('hcawatch_work', '');

-- notify_camera --
-- Tells pages that a camera changed.
SELECT pg_notify('hcawatch_change', 'camera:' || %(camera_id)s);

-- upsert_edge_status --
-- What an edge says of itself. Who speaks first time is there, so that 'offline' is a change whichever of the
-- two retained messages comes first.
INSERT INTO edge_state (edge_id, online, status, updated_at) VALUES (%(edge_id)s, true, %(status)s, %(now)s)
ON CONFLICT (edge_id) DO UPDATE SET status = EXCLUDED.status, updated_at = EXCLUDED.updated_at;

-- edge_silence --
-- Whether an edge counts as silent, when it made its last status, and whether it was overloaded then; locked until we commit.
SELECT silent, (status ->> 'at')::timestamptz AS said_at, status -> 'load' ->> 'overloaded_since' IS NOT NULL AS overloaded
FROM edge_state WHERE edge_id = %(edge_id)s FOR UPDATE;

-- silence_edges --
-- Edges that are there by the broker's word, but have said nothing since: they count as gone.
UPDATE edge_state SET online = false, silent = true
WHERE online AND status IS NOT NULL AND updated_at < %(before)s RETURNING edge_id;

-- edge_online --
-- Whether an edge was there and spoke, locked until we commit.
SELECT online, silent FROM edge_state WHERE edge_id = %(edge_id)s FOR UPDATE;

-- upsert_edge_online --
-- Whether an edge is there.
INSERT INTO edge_state (edge_id, online, updated_at) VALUES (%(edge_id)s, %(online)s, %(now)s)
ON CONFLICT (edge_id) DO UPDATE SET online = EXCLUDED.online, silent = false, updated_at = EXCLUDED.updated_at;

-- camera_states --
-- Known states of an edge's cameras, locked until we commit.
SELECT camera_id, state FROM camera_state WHERE camera_id = ANY(%(camera_ids)s::text[])
ORDER BY camera_id FOR UPDATE;

-- cameras_of_edge --
-- Whose pages change when an edge comes or goes.
SELECT camera_id FROM camera_state WHERE edge_id = %(edge_id)s ORDER BY camera_id;

-- upsert_camera_state --
-- What the watchdog says now.
INSERT INTO camera_state (camera_id, edge_id, state, reason, since, updated_at)
VALUES (%(camera_id)s, %(edge_id)s, %(state)s, %(reason)s, %(since)s, %(now)s)
ON CONFLICT (camera_id) DO UPDATE SET
    edge_id = EXCLUDED.edge_id, state = EXCLUDED.state, reason = EXCLUDED.reason, since = EXCLUDED.since,
    updated_at = EXCLUDED.updated_at;

-- insert_camera_change --
-- The history of states.
INSERT INTO camera_state_change (camera_id, edge_id, state, reason, since)
VALUES (%(camera_id)s, %(edge_id)s, %(state)s, %(reason)s, %(since)s)
ON CONFLICT DO NOTHING;

-- receipts_with_last --
-- All sources with the highest number heard of; locked, so that a batch cannot fill a gap meanwhile.
SELECT edge_id, epoch, stored_through, ranges, last_seq FROM edge_receipt
WHERE last_seq > stored_through OR EXISTS (
    SELECT 1 FROM number_gap WHERE (number_gap.edge_id, number_gap.epoch) = (edge_receipt.edge_id, edge_receipt.epoch)
)
ORDER BY edge_id, epoch FOR UPDATE;

-- known_gaps --
-- Holes that stood when we last looked.
SELECT from_seq, to_seq, first_seen_at, reported_at FROM number_gap
WHERE edge_id = %(edge_id)s AND epoch = %(epoch)s ORDER BY from_seq;

-- forget_gaps --
-- Before the holes that stand now are written.
DELETE FROM number_gap WHERE edge_id = %(edge_id)s AND epoch = %(epoch)s;

-- insert_gap --
-- A hole that stands now.
INSERT INTO number_gap (edge_id, epoch, from_seq, to_seq, first_seen_at, reported_at)
VALUES (%(edge_id)s, %(epoch)s, %(from_seq)s, %(to_seq)s, %(first_seen_at)s, %(reported_at)s);

-- fill_minutes --
-- Minutes of known cameras for which no record came: nobody was looking. A late record replaces them.
INSERT INTO watch_minute (
    minute, camera_id, watched_s, span_s, frames, looks, detector_runs, detections, longest_blind_s, state_s,
    seen, calibration_version, config_version, stored_at
)
SELECT minute, camera.camera_id, 0, 60, 0, 0, 0, 0, 60, jsonb_build_object(%(state)s::text, 60), '[]', '', '', %(now)s
FROM (SELECT camera_id, min(since) AS known_since FROM camera_state_change GROUP BY camera_id) AS camera,
     generate_series(%(first)s::timestamptz, %(last)s::timestamptz, interval '1 minute') AS minute
WHERE minute >= camera.known_since
ON CONFLICT (camera_id, minute) DO NOTHING;

-- prune_numbers --
-- Numbers far below what the receipt covers: the receipt alone says that they are stored.
DELETE FROM edge_number USING edge_receipt
WHERE edge_number.edge_id = edge_receipt.edge_id AND edge_number.epoch = edge_receipt.epoch
  AND edge_number.seq <= edge_receipt.stored_through AND edge_number.received_at < %(before)s;
