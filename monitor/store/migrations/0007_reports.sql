-- what a person said, or a device's own alarm; held by an alert as an episode is (alert_episode.episode_id)
CREATE TABLE report (
    report_id       uuid PRIMARY KEY,
    idempotency_key text NOT NULL UNIQUE,         -- the same form twice is one report
    source          alert_source NOT NULL CHECK (source IN ('report', 'device')),
    device_key      text NOT NULL DEFAULT '',     -- one condition of one device; '' for people
    observed_at     timestamptz NOT NULL,
    received_at     timestamptz NOT NULL,
    body            jsonb NOT NULL                -- alerts.reporting.values.Report
);
CREATE INDEX report_newest ON report (received_at DESC) WHERE source = 'report';             -- newest
CREATE INDEX report_device ON report (device_key, received_at DESC) WHERE source = 'device'; -- newest_of_device

-- personal data, apart from all that officers, holders and exports see; may be deleted by itself
CREATE TABLE report_caller (
    report_id uuid PRIMARY KEY REFERENCES report (report_id) ON DELETE CASCADE,
    name      text NOT NULL,
    phone     text NOT NULL,
    salt      text NOT NULL                       -- of the hash in the audit log
);

-- a smart camera's own alarm is work for the alert module too
ALTER TABLE alert_work DROP CONSTRAINT alert_work_kind_check;
ALTER TABLE alert_work ADD CONSTRAINT alert_work_kind_check CHECK (kind IN ('event', 'camera_state', 'edge_online', 'number_gap', 'dead_letter', 'loss', 'same_number_other_hash', 'device_alarm'));
