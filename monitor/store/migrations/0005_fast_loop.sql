-- Indices so that neither 100,000 open alerts nor a backlog of work slow down the next alert
-- (docs/decisions/0403-fast-loop.md).

-- onsets are taken before everything else
CREATE INDEX alert_work_onsets ON alert_work (work_id)
    WHERE done_at IS NULL AND kind = 'event' AND body->>'phase' = 'onset';
-- an episode's work keeps its order
CREATE INDEX alert_work_episode ON alert_work ((body->>'episode_id'), work_id) WHERE done_at IS NULL;

-- joining looks at the alerts of the place, not at those of the whole site
CREATE INDEX alert_place ON alert USING gist (point(lon, lat)) WHERE kind = 'violation';
CREATE INDEX alert_camera ON alert (camera_id, last_seen_at) WHERE kind = 'violation';
CREATE INDEX alert_repeats ON alert (site_id, violation, last_seen_at)
    WHERE confirmation = 'confirmed' OR state = 'verified';
DROP INDEX alert_recent;

-- who has how many running dispatches
CREATE INDEX dispatch_running ON dispatch (officer) WHERE ended_at IS NULL;

-- the messages of one dispatch to one address keep their order
CREATE INDEX outgoing_dispatch ON outgoing ((body->>'dispatch_id'), channel, address, outgoing_id)
    WHERE sent_at IS NULL AND handed_at IS NULL;
