-- who was sent why and until when; whom an overdue clock told
ALTER TABLE dispatch ADD COLUMN departed_at timestamptz;
ALTER TABLE dispatch ADD COLUMN arrived_at timestamptz;
ALTER TABLE dispatch ADD COLUMN shift_until timestamptz;
ALTER TABLE dispatch ADD COLUMN choice text NOT NULL DEFAULT '';
ALTER TABLE dispatch ADD COLUMN chosen jsonb NOT NULL DEFAULT '{}';

CREATE TABLE escalation (
    alert_id       uuid NOT NULL REFERENCES alert (alert_id),
    clock          text NOT NULL,                -- party:milestone, e.g. authority:arrive
    since          timestamptz NOT NULL,         -- when that clock began to run
    begun_at       timestamptz NOT NULL,         -- when it ran out; the chain's steps count from here
    level          risk_level NOT NULL,          -- whose chain it is
    told_through_s double precision NOT NULL,    -- steps of the chain up to this offset are done; -1: none
    next_at        timestamptz,                  -- of the next step, or of the chain's end; NULL when it ended
    ended_at       timestamptz,
    end_reason     text,                         -- answered | acknowledged | level_rose | exhausted
    PRIMARY KEY (alert_id, clock, begun_at)
);

CREATE TABLE told (
    idempotency_key text PRIMARY KEY,            -- of the message in outgoing: one per step, round and person
    alert_id   uuid NOT NULL REFERENCES alert (alert_id),
    clock      text NOT NULL,
    at         timestamptz NOT NULL,
    who        text NOT NULL,                    -- the chain's word: team_lead, supervisor, …
    person     text NOT NULL,                    -- user name, or the role where the room has no names
    channel    text NOT NULL
);
CREATE INDEX escalation_running ON escalation (alert_id, next_at) WHERE ended_at IS NULL;   -- next_escalations
CREATE INDEX told_alert ON told (alert_id, at);                                -- the alert's page
CREATE INDEX timer_waits ON timer (alert_id, what) WHERE done_at IS NULL;       -- add_timer, once
