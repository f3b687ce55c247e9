-- Channels: what is known of each, shared by all couriers; and messages that a fallback took over.

-- one row for each channel that was used (alerts/channels/limits.py)
CREATE TABLE channel_state (
    channel       text PRIMARY KEY,
    tokens        double precision,             -- messages that may go now, as of filled_at
    filled_at     timestamptz,
    failures      integer NOT NULL DEFAULT 0,   -- in a row
    open_until    timestamptz,                  -- rests until then; NULL: in order
    probing_until timestamptz,
    hold_until    timestamptz,                  -- the other side asked to wait
    delivered     bigint NOT NULL DEFAULT 0,
    failed        bigint NOT NULL DEFAULT 0,
    last_ok_at    timestamptz,
    last_error    text,
    last_error_at timestamptz
);

ALTER TABLE outgoing ADD COLUMN handed_to text;         -- the channel that took it over, as a message of its own
ALTER TABLE outgoing ADD COLUMN handed_at timestamptz;
DROP INDEX outgoing_todo;
CREATE INDEX outgoing_todo ON outgoing (next_try_at) WHERE sent_at IS NULL AND handed_at IS NULL;
