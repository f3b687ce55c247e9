-- lock_versions --
-- One writer of versions at a time; readers go on.
LOCK TABLE config_version IN SHARE ROW EXCLUSIVE MODE;

-- newest_version --
-- The configuration that runs.
SELECT version, sha256, body, author, reason, created_at FROM config_version ORDER BY version DESC LIMIT 1;

-- newest_number --
-- The newest version's number, and when the first one was applied: another database counts anew.
SELECT max(version) AS number, min(created_at) AS since FROM config_version;

-- started_since --
-- Whether the file that a centre starts with is one that it, or somebody after it, has applied already.
SELECT EXISTS (
    SELECT FROM config_version
    WHERE sha256 = %(sha256)s
      AND version >= (SELECT max(version) FROM config_version WHERE author = %(starter)s)
) AS known;

-- edge_answers --
-- What each edge says of its configuration.
SELECT edge_id, online, status->>'config_version' AS config_version,
       (status->>'config_number')::bigint AS config_number, status->'answer' AS answer
FROM edge_state ORDER BY edge_id;

-- one_version --
-- A version by its number.
SELECT version, sha256, body, author, reason, created_at FROM config_version WHERE version = %(version)s;

-- all_versions --
-- Every version, newest first.
SELECT version, sha256, body, author, reason, created_at FROM config_version ORDER BY version DESC;

-- insert_version --
-- The next version.
INSERT INTO config_version (sha256, body, author, reason, created_at)
VALUES (%(sha256)s, %(body)s, %(author)s, %(reason)s, %(now)s)
RETURNING version;

-- put_permit --
-- A permit of the file; a changed one replaces what stood there.
INSERT INTO permit (permit_number, violation, pipeline_id, from_m, to_m, valid_from, valid_to, company, machines, created_at)
VALUES (%(number)s, %(violation)s, %(pipeline_id)s, %(from_m)s, %(to_m)s, %(valid_from)s, %(valid_to)s, %(company)s, %(machines)s, %(now)s)
ON CONFLICT (permit_number) DO UPDATE SET
    violation = EXCLUDED.violation, pipeline_id = EXCLUDED.pipeline_id,
    from_m = EXCLUDED.from_m, to_m = EXCLUDED.to_m,
    valid_from = EXCLUDED.valid_from, valid_to = EXCLUDED.valid_to,
    company = EXCLUDED.company, machines = EXCLUDED.machines, version = permit.version + 1,
    -- of a request nobody has looked at the rest: the file approves what it says itself, which is the columns' defaults
    also = CASE WHEN permit.state = 'requested' THEN EXCLUDED.also ELSE permit.also END,
    hours = CASE WHEN permit.state = 'requested' THEN EXCLUDED.hours ELSE permit.hours END,
    activities = CASE WHEN permit.state = 'requested' THEN EXCLUDED.activities ELSE permit.activities END,
    machine_limits = CASE WHEN permit.state = 'requested' THEN EXCLUDED.machine_limits ELSE permit.machine_limits END,
    from_offset_m = CASE WHEN permit.state = 'requested' THEN EXCLUDED.from_offset_m ELSE permit.from_offset_m END,
    to_offset_m = CASE WHEN permit.state = 'requested' THEN EXCLUDED.to_offset_m ELSE permit.to_offset_m END,
    file_sha256 = CASE WHEN permit.state = 'requested' THEN EXCLUDED.file_sha256 ELSE permit.file_sha256 END,
    prolong_to = CASE WHEN permit.state = 'requested' THEN EXCLUDED.prolong_to ELSE permit.prolong_to END,
    -- the file's word is an approval; what was refused or withdrawn by hand stays so
    state = CASE WHEN permit.state IN ('requested', 'ended') AND EXCLUDED.valid_to > %(now)s THEN 'approved' ELSE permit.state END;

-- delete_permits --
-- Permits that the version before had and this one has no more; those entered elsewhere stay.
DELETE FROM permit WHERE permit_number = ANY(%(numbers)s);

-- edge_models --
-- Which detector each edge says that it uses.
SELECT edge_id, online, status->'model' AS model, status->'detector' AS detector FROM edge_state ORDER BY edge_id;

-- rollbacks --
-- Which of these versions are rollbacks of detectors.
SELECT subject FROM audit_entry WHERE subject = ANY(%(subjects)s) AND kind = 'model.rolled_back';
