-- how a case was closed, as typed fields; thresholds that are proposed from it
CREATE TYPE closing_outcome AS ENUM ('rectified', 'referred', 'permitted_work', 'false_alarm', 'duplicate', 'no_access');
CREATE TYPE false_cause AS ENUM (
    'passing_vehicle', 'animal', 'shadow_light', 'permitted_work', 'wrong_zone', 'wrong_place', 'wrong_class', 'other'
);
ALTER TABLE alert ADD COLUMN outcome closing_outcome;
ALTER TABLE alert ADD COLUMN cause false_cause;
ALTER TABLE alert ADD CONSTRAINT alert_cause_of_false CHECK (cause IS NULL OR outcome = 'false_alarm');
CREATE INDEX alert_judged ON alert (onset_at) WHERE kind = 'violation' AND source = 'edge';

CREATE TYPE proposal_state AS ENUM ('proposed', 'approved', 'refused', 'withdrawn', 'reverted');
CREATE TABLE threshold_proposal (
    proposal_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind        text NOT NULL CHECK (kind IN ('raise', 'back')),
    camera_id   text NOT NULL,
    rule_id     text NOT NULL,
    number      text NOT NULL CHECK (number IN ('enter_score', 'dwell_s')),
    from_value  double precision NOT NULL,
    to_value    double precision NOT NULL,
    why         text NOT NULL,
    facts       jsonb NOT NULL,
    state       proposal_state NOT NULL DEFAULT 'proposed',
    of_proposal bigint REFERENCES threshold_proposal (proposal_id),
    made_at     timestamptz NOT NULL,
    decided_at  timestamptz,
    decided_by  text,
    note        text NOT NULL DEFAULT '',
    entry_before jsonb,
    entry_after  jsonb,
    written_version bigint,
    reverted_at timestamptz,
    reverted_by text,
    revert_note text NOT NULL DEFAULT '',
    reverted_version bigint
);
CREATE UNIQUE INDEX threshold_proposal_open ON threshold_proposal (camera_id, rule_id) WHERE state = 'proposed';

CREATE TABLE feedback_due (
    what   text PRIMARY KEY,
    due_at timestamptz NOT NULL
);
