#!/bin/sh
# Runs once, when the volume is empty: a role without special rights for Fairlead and one for Temporal, each with its own databases.
set -eu

psql --username "$POSTGRES_USER" --dbname postgres --set ON_ERROR_STOP=1 --set password="$POSTGRES_PASSWORD" <<'SQL'
create role fairlead login password :'password';
create role temporal login password :'password';
create database fairlead owner fairlead;
create database temporal owner temporal;
create database temporal_visibility owner temporal;
revoke connect, temporary on database fairlead, temporal, temporal_visibility from public;
SQL
