-- Permits become whole: what they allow, who holds them, where they stand, their history and what becomes due.
-- An older release beside this one goes on reading and writing its own columns.

CREATE TYPE permit_state AS ENUM (
    'requested',   -- a holder asked; covers nothing yet
    'approved',    -- requested -> approved
    'refused',     -- requested -> refused; final
    'withdrawn',   -- requested, approved -> withdrawn; final, covers what was seen before
    'ended'        -- approved -> ended, by time; covers what was seen before
);
ALTER TABLE permit
    ADD COLUMN also           jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN state          permit_state NOT NULL DEFAULT 'approved',
    ADD COLUMN phone          text NOT NULL DEFAULT '',
    ADD COLUMN email          text NOT NULL DEFAULT '',
    ADD COLUMN holder         text,
    ADD COLUMN from_offset_m  double precision,
    ADD COLUMN to_offset_m    double precision,
    ADD COLUMN hours          jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN activities     jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN machine_limits jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN file_sha256    text,
    ADD COLUMN ended_at       timestamptz,
    ADD COLUMN prolong_to     timestamptz,
    ADD COLUMN version        integer NOT NULL DEFAULT 1;
CREATE INDEX permit_line ON permit (pipeline_id, valid_to);
CREATE INDEX permit_holder ON permit (holder) WHERE holder IS NOT NULL;

CREATE TABLE permit_move (
    permit_number   text NOT NULL,
    n               integer NOT NULL,
    step            text NOT NULL,
    from_state      permit_state,
    to_state        permit_state NOT NULL,
    actor           text NOT NULL,
    role            text NOT NULL,
    at              timestamptz NOT NULL,
    note            text NOT NULL DEFAULT '',
    facts           jsonb NOT NULL DEFAULT '{}',
    idempotency_key text,
    PRIMARY KEY (permit_number, n)
);
CREATE UNIQUE INDEX permit_move_key ON permit_move (permit_number, idempotency_key) WHERE idempotency_key IS NOT NULL;

CREATE TABLE permit_due (
    permit_number text NOT NULL,
    what          text NOT NULL,
    valid_to      timestamptz NOT NULL,
    due_at        timestamptz NOT NULL,
    done_at       timestamptz,
    PRIMARY KEY (permit_number, what, valid_to)
);
CREATE INDEX permit_due_todo ON permit_due (due_at) WHERE done_at IS NULL;
-- permits of before are reminded of too
INSERT INTO permit_due (permit_number, what, valid_to, due_at)
SELECT permit_number, what, valid_to, valid_to - before FROM permit,
    (VALUES ('remind_7d', interval '7 days'), ('remind_1d', interval '1 day'), ('end', interval '0')) AS thresholds (what, before)
WHERE valid_to - before > now();
