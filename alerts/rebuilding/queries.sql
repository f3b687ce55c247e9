-- What is kept beside alerts, each table with its entries in one statement: both are of the same moment.

-- shelf_history --
-- Shelves, and their entries.
SELECT 'shelf' AS of, to_jsonb(shelf) AS fields, NULL::bytea AS body FROM shelf
UNION ALL
SELECT 'entry', NULL, body FROM audit_entry WHERE kind = ANY(%(kinds)s::text[])

-- visit_history --
-- What visits took along, and its entries.
SELECT 'visit_check' AS of, to_jsonb(visit_check) AS fields, NULL::bytea AS body FROM visit_check
UNION ALL
SELECT 'entry', NULL, body FROM audit_entry WHERE kind = ANY(%(kinds)s::text[])

-- notice_history --
-- Notices to companies with their objections, and their entries.
SELECT 'notice' AS of, to_jsonb(notice) AS fields, NULL::bytea AS body FROM notice
UNION ALL
SELECT 'objection', to_jsonb(objection) || jsonb_build_object('file_sha256', sha256), NULL
FROM objection LEFT JOIN objection_file USING (objection_id)
UNION ALL
SELECT 'entry', NULL, body FROM audit_entry WHERE kind = ANY(%(kinds)s::text[])
