-- Tries to log in, or codes of notices, that failed: counted together whatever server process they came to.
-- Rows live for a quarter of an hour.

CREATE TABLE failed_try (
    try_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind   text NOT NULL,                        -- what was tried: login, notice
    who    text NOT NULL,                        -- counted by: name and address, address alone, name alone
    at     timestamptz NOT NULL
);
CREATE INDEX failed_try_who ON failed_try (kind, who, at DESC);   -- recent_tries
CREATE INDEX failed_try_at ON failed_try (at);                    -- sweep_tries
