-- What kept a loop under a storm from its work: plans that were good for small tables only. Each index fits one question
-- and no other, so that no statistics, or old ones, can lead to a walk through a whole table.

-- the oldest work but for onsets: not past all onsets that wait
DROP INDEX alert_work_todo;
CREATE INDEX alert_work_rest ON alert_work (work_id)
    WHERE done_at IS NULL AND (kind = 'event' AND body->>'phase' = 'onset') IS NOT TRUE;

-- alerts of a place have one; a camera's alerts without one are few
DROP INDEX alert_place;
CREATE INDEX alert_place ON alert USING gist (point(lon, lat)) WHERE kind = 'violation' AND lon IS NOT NULL;
CREATE INDEX alert_camera_placeless ON alert (camera_id, last_seen_at) WHERE kind = 'violation' AND lon IS NULL;

-- running visits, the newest first
CREATE INDEX dispatch_newest ON dispatch (dispatched_at, dispatch_id) WHERE ended_at IS NULL;

-- which keys sign: a handful of entries among millions
CREATE INDEX audit_entry_keys ON audit_entry (entry_id) WHERE kind = 'audit.key';
