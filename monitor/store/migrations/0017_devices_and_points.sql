-- A smart camera's alarm waits with the onsets, not behind an edge's backlog; each camera's in the order in which they came.

CREATE INDEX alert_work_device ON alert_work ((body->>'camera_id'), work_id)
    WHERE done_at IS NULL AND kind = 'device_alarm';
CREATE INDEX alert_work_devices ON alert_work (work_id) WHERE done_at IS NULL AND kind = 'device_alarm';

-- the oldest of the rest: not past all device alarms that wait
DROP INDEX alert_work_rest;
CREATE INDEX alert_work_rest ON alert_work (work_id)
    WHERE done_at IS NULL AND (kind = 'event' AND body->>'phase' = 'onset') IS NOT TRUE AND kind <> 'device_alarm';

-- A step of a threshold may be for a camera's numbers by day, or at night, alone. The default: an older release goes on writing.
ALTER TABLE threshold_proposal ADD COLUMN point text NOT NULL DEFAULT 'always' CHECK (point IN ('always', 'day', 'night'));
