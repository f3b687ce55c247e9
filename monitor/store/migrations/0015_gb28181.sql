-- devices that registered with the centre by GB/T 28181: a restart of the centre must not make them strangers, since many
-- register once a day only and an alarm of a stranger is refused
CREATE TABLE gb_registration (
    gb_id         text PRIMARY KEY CHECK (gb_id ~ '^[0-9]{20}$'),
    transport     text NOT NULL CHECK (transport IN ('UDP', 'TCP')),
    host          text NOT NULL,                 -- its messages count only from this address
    port          integer NOT NULL,
    registered_at timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL
);
ALTER TABLE alert_work DROP CONSTRAINT alert_work_kind_check;
ALTER TABLE alert_work ADD CONSTRAINT alert_work_kind_check CHECK (kind IN ('event', 'camera_state', 'edge_online', 'number_gap', 'dead_letter', 'loss', 'same_number_other_hash', 'device_alarm', 'gb_device'));
