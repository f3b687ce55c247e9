#!/bin/sh
# Run once by the database image, at its first start: a user who may only read, for Grafana.
# The tables belong to the centre's user, who migrates them.
set -eu
: "${HCAWATCH_GRAFANA_DATABASE_PASSWORD:?}"
psql --set=ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    --set=password="$HCAWATCH_GRAFANA_DATABASE_PASSWORD" --set=database="$POSTGRES_DB" <<'SQL'
CREATE ROLE grafana LOGIN PASSWORD :'password';
GRANT CONNECT ON DATABASE :"database" TO grafana;
GRANT USAGE ON SCHEMA public TO grafana;
-- which tables it may read is decided by `hcawatch grafana grant grafana`, once they are there
ALTER ROLE grafana SET statement_timeout = '30s';
ALTER ROLE grafana SET default_transaction_read_only = on;
SQL
