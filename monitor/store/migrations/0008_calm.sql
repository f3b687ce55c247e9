-- Calm: shelves, what an alert is held by, coming and going, bundled messages. All columns may be NULL, so that an
-- older release beside this one goes on writing.

ALTER TABLE alert
    ADD COLUMN held_by        text,         -- shelf | inhibited | shelf_over; NULL: it rings
    ADD COLUMN held_until     timestamptz,
    ADD COLUMN shelf_id       uuid,         -- the shelf that holds it, or held it last
    ADD COLUMN rung_at        timestamptz,  -- when it began to ring, if not with its opening; clocks count from here
    ADD COLUMN flapping_since timestamptz,  -- clears only once it stayed well for a while
    ADD COLUMN came_back      integer;      -- how often the condition came back
CREATE INDEX alert_opened ON alert (opened_at);                                 -- figures, floods
CREATE INDEX alert_rung ON alert (rung_at) WHERE rung_at IS NOT NULL;            -- floods
CREATE INDEX alert_shelf ON alert (shelf_id) WHERE shelf_id IS NOT NULL;        -- what came while shelved
CREATE INDEX alert_health ON alert (health, subject, opened_at) WHERE kind = 'health';  -- lost_before

-- a source that is kept from ringing (alerts/calm/shelves.py); level I goes through each
CREATE TABLE shelf (
    shelf_id   uuid PRIMARY KEY,
    scope      text NOT NULL CHECK (scope IN ('camera', 'rule', 'alert')),
    camera_id  text,
    violation  text,
    alert_id   uuid REFERENCES alert (alert_id),
    site_id    text,
    worst      risk_level NOT NULL CHECK (worst <> 'I'),
    reason     text NOT NULL,
    note       text NOT NULL,
    shelved_by text NOT NULL,
    role       text NOT NULL,
    from_at    timestamptz NOT NULL,
    until_at   timestamptz NOT NULL,
    ended_at   timestamptz,
    ended_by   text,
    end_reason text,
    end_note   text NOT NULL DEFAULT ''
);
CREATE INDEX shelf_camera ON shelf (camera_id) WHERE ended_at IS NULL;          -- quiet
CREATE INDEX shelf_alert ON shelf (alert_id) WHERE ended_at IS NULL;
CREATE INDEX shelf_due ON shelf (until_at) WHERE ended_at IS NULL;              -- next_shelf
CREATE INDEX shelf_from ON shelf (from_at);                                     -- the list, the monthly report

ALTER TABLE told ADD COLUMN sent_as text;                                       -- key of the bundle that it went with
CREATE INDEX told_person ON told (person, at);                                  -- told_lately
