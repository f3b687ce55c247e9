-- Thresholds by hand: a rule's numbers at a camera, each change with what stood there before.

-- steps --
-- Decided changes of one camera that were not taken back: by hand, and proposals of feedback. A camera's first own entry
-- begins as a copy of the edge's.
SELECT 'hand' AS kind, rule_id, change_id AS number, version, changed_by AS by, changed_at AS at,
       coalesce(entry_before, edge_entry) AS before, entry_after AS after
FROM threshold_change WHERE camera_id = %(camera_id)s AND reverted_at IS NULL
UNION ALL
SELECT 'feedback', rule_id, proposal_id, written_version, decided_by, decided_at, entry_before, entry_after
FROM threshold_proposal
WHERE camera_id = %(camera_id)s AND state = 'approved' AND kind = 'raise' AND written_version IS NOT NULL

-- changes --
-- A camera's changes by hand, newest first.
SELECT * FROM threshold_change WHERE camera_id = %(camera_id)s ORDER BY change_id DESC LIMIT %(limit)s

-- change_for_update --
-- One change, its row locked.
SELECT * FROM threshold_change WHERE change_id = %(change_id)s FOR UPDATE

-- insert_change --
-- A new one.
INSERT INTO threshold_change (
    camera_id, rule_id, entry_before, entry_after, edge_entry, changed_at, changed_by, reason, version
) VALUES (
    %(camera_id)s, %(rule_id)s, %(before)s, %(after)s, %(of_edge)s, %(now)s, %(by)s, %(reason)s, %(version)s
)
RETURNING change_id

-- revert_change --
-- Taken back.
UPDATE threshold_change SET
    reverted_at = %(now)s, reverted_by = %(by)s, revert_reason = %(reason)s, reverted_version = %(version)s
WHERE change_id = %(change_id)s
