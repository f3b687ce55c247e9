-- What a permit's holder asks, or objects to, and the answer.

CREATE TABLE permit_question (
    question_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    permit_number   text NOT NULL,
    alert_id        uuid REFERENCES alert (alert_id),    -- an objection to this one; NULL: a question
    asked_by        text NOT NULL,
    at              timestamptz NOT NULL,
    text            text NOT NULL,
    state           text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'answered', 'upheld', 'rejected')),
    answered_by     text,
    answered_at     timestamptz,
    answer          text NOT NULL DEFAULT '',
    idempotency_key text
);
CREATE INDEX permit_question_permit ON permit_question (permit_number, question_id);   -- the permit's page
CREATE INDEX permit_question_open ON permit_question (at) WHERE state = 'open';        -- the supervisor's tasks
CREATE UNIQUE INDEX permit_question_once ON permit_question (permit_number, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
