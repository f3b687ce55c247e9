-- Visits: checklists that were ticked, and checks that one visit took along.

CREATE TABLE checklist_tick (
    tick_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id uuid NOT NULL REFERENCES alert (alert_id),
    item     text NOT NULL,                      -- key of monitor.domain.checklists
    answer   text NOT NULL CHECK (answer IN ('done', 'not_possible', 'open')),
    value_m  double precision,                   -- of a measured item
    note     text NOT NULL DEFAULT '',
    who      text NOT NULL,
    role     text NOT NULL,
    at       timestamptz NOT NULL,               -- the centre's clock
    done_at  timestamptz NOT NULL,               -- when it was done, by the phone's clock where that can be
    lon      double precision,
    lat      double precision,
    idempotency_key text
);
CREATE INDEX checklist_tick_alert ON checklist_tick (alert_id, tick_id);       -- ticks
CREATE UNIQUE INDEX checklist_tick_once ON checklist_tick (alert_id, idempotency_key) WHERE idempotency_key IS NOT NULL;

-- a visit is a dispatch; what else is looked at while the officer is there
CREATE TABLE visit_check (
    dispatch_id uuid NOT NULL REFERENCES dispatch (dispatch_id),
    kind        text NOT NULL CHECK (kind IN ('alert', 'permit')),
    ref         text NOT NULL,                   -- alert_id, or permit number
    why         text NOT NULL,                   -- alerts.visiting.bundling.Along
    added_at    timestamptz NOT NULL,
    taken_at    timestamptz,                     -- an alert: since when the officer has it as a dispatch of its own
    taken_dispatch uuid REFERENCES dispatch (dispatch_id),
    looked_at   timestamptz,                     -- a permit: when, by whom, and how it was
    looked_by   text,
    outcome     text,
    note        text NOT NULL DEFAULT '',
    PRIMARY KEY (dispatch_id, kind, ref)
);
CREATE INDEX visit_check_ref ON visit_check (kind, ref);                       -- is it part of a visit already

-- what the visited company is given: a code by which it sees what concerns it, rates the visit, and objects
CREATE TABLE notice (
    notice_id   uuid PRIMARY KEY,
    alert_id    uuid NOT NULL REFERENCES alert (alert_id),
    company     text NOT NULL,
    code_sha256 text NOT NULL UNIQUE,            -- the code itself is nowhere stored
    advice      boolean NOT NULL,                -- the act was explained and advice given, before any penalty
    said        text NOT NULL DEFAULT '',        -- to the company: what is to be put right until when
    issued_by   text NOT NULL,
    issued_at   timestamptz NOT NULL,
    idempotency_key text,
    rating      smallint CHECK (rating BETWEEN 1 AND 5),
    rating_note text NOT NULL DEFAULT '',
    rated_at    timestamptz
);
CREATE INDEX notice_alert ON notice (alert_id);                                -- per company, the alert's page
CREATE UNIQUE INDEX notice_once ON notice (alert_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE TABLE objection (
    objection_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    notice_id    uuid NOT NULL REFERENCES notice (notice_id),
    at           timestamptz NOT NULL,
    text         text NOT NULL,
    state        text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'upheld', 'rejected')),
    decided_by   text,
    decided_at   timestamptz,
    decision     text NOT NULL DEFAULT ''
);
CREATE INDEX objection_notice ON objection (notice_id);
CREATE INDEX objection_open ON objection (at) WHERE state = 'open';            -- the supervisor's tasks
