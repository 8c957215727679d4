#!/bin/sh
# Brings Temporal's two databases to the schema of this image. Safe to repeat: what is there already is left alone.
# temporal-sql-tool reads SQL_PLUGIN, SQL_HOST, SQL_PORT, SQL_USER and SQL_PASSWORD.
set -eu

versions=${TEMPORAL_SCHEMA_DIR:-/etc/temporal/schema/postgresql/v12}

update() {
  temporal-sql-tool --db "$1" setup-schema -v 0.0
  temporal-sql-tool --db "$1" update-schema -d "$versions/$2/versioned"
}

update temporal temporal
update temporal_visibility visibility
