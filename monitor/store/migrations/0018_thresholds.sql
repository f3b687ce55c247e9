-- Thresholds that a person sets by hand: one rule's entry at one camera before and after, so that it can be taken back
-- and everybody sees where a number comes from.

CREATE TABLE threshold_change (
    change_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    camera_id     text NOT NULL,
    rule_id       text NOT NULL,
    entry_before  jsonb,                        -- the camera's setting of the rule; NULL: it had none of its own
    entry_after   jsonb,
    changed_at    timestamptz NOT NULL,
    changed_by    text NOT NULL,
    reason        text NOT NULL,
    version       bigint NOT NULL,              -- of the configuration
    reverted_at   timestamptz,
    reverted_by   text,
    revert_reason text NOT NULL DEFAULT '',
    reverted_version bigint
);
CREATE INDEX threshold_change_camera ON threshold_change (camera_id, change_id);
CREATE INDEX threshold_proposal_camera ON threshold_proposal (camera_id);   -- where a camera's numbers come from
