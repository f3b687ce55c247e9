-- has_migrations --
-- Whether this database was ever migrated.
SELECT to_regclass('schema_migration') IS NOT NULL;

-- count_rows --
-- Rows of the main tables, for `hcawatch db status`.
SELECT 'risk_events', count(*) FROM risk_event
UNION ALL SELECT 'watch_minutes', count(*) FROM watch_minute
UNION ALL SELECT 'alerts', count(*) FROM alert
UNION ALL SELECT 'alerts_running', count(*) FROM alert WHERE closed_at IS NULL
UNION ALL SELECT 'dispatches', count(*) FROM dispatch
UNION ALL SELECT 'dead_letters', count(*) FROM dead_letter
UNION ALL SELECT 'audit_entries', count(*) FROM audit_entry
UNION ALL SELECT 'config_versions', count(*) FROM config_version;

-- newest_head --
-- The signed head that covers most entries.
SELECT size, root, checkpoint, signed_at FROM audit_head ORDER BY size DESC LIMIT 1;
