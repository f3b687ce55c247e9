-- lock_migrations --
-- One migrating process at a time; released with the connection.
SELECT pg_advisory_lock(%(key)s);

-- create_schema_migration --
-- The list of applied migrations; the only table that is not in schema.sql.
CREATE TABLE IF NOT EXISTS schema_migration (
    name       text PRIMARY KEY,
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- applied_migrations --
-- What was applied, oldest first.
SELECT name, sha256 FROM schema_migration ORDER BY name;

-- record_migration --
-- In the transaction of the migration itself.
INSERT INTO schema_migration (name, sha256) VALUES (%(name)s, %(sha256)s);

-- timescale_version --
-- Installed version of TimescaleDB, NULL when it is only available; no row when the server lacks it.
SELECT installed_version FROM pg_available_extensions WHERE name = 'timescaledb';

-- create_timescale --
-- The extension, for the hypertables below.
CREATE EXTENSION IF NOT EXISTS timescaledb;

-- create_hypertable --
-- Makes a hypertable of a time series; rows that it holds already move along.
SELECT create_hypertable(
    %(table)s::regclass, by_range(%(column)s::name, %(interval)s::interval),
    create_default_indexes => false, if_not_exists => true, migrate_data => true
);

-- store_versions --
-- For reports: which server and, if any, which TimescaleDB.
SELECT current_setting('server_version_num')::int / 10000 AS postgresql,
       (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb') AS timescaledb;
