-- A camera's first own entry of a rule begins as a copy of the edge's. To take a change back, what the edge had is kept
-- with it: else numbers that were only copied would count as changed.

ALTER TABLE threshold_change ADD COLUMN edge_entry jsonb;   -- what the edge had set then for all its cameras
