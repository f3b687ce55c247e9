-- Questions that had no index to be answered by: they walked through tables that grow for years.

CREATE INDEX dispatch_alert ON dispatch (alert_id, dispatched_at);              -- an alert's dispatches: each timer, each phone
CREATE INDEX evidence_alert ON evidence (alert_id) WHERE alert_id IS NOT NULL;  -- photos
CREATE INDEX visit_check_looked ON visit_check (looked_at) WHERE looked_at IS NOT NULL;  -- known_checks
