#!/bin/sh
# Run once, by the image's entry point, on an empty volume: the logins and databases that `ft up` makes for itself.
set -eu
# Extensions are in the template, so that every database has them, and without their comments: pg_dump writes those, and
# pg_restore as ft would fail at them.
psql -v ON_ERROR_STOP=1 -v ft="$FT_ROLE_PASSWORD" -v registry="$REGISTRY_ROLE_PASSWORD" -U postgres -d postgres <<'SQL'
CREATE ROLE ft LOGIN CREATEDB CREATEROLE PASSWORD :'ft';
CREATE ROLE registry LOGIN PASSWORD :'registry';
\connect template1
CREATE EXTENSION vector;
COMMENT ON EXTENSION vector IS NULL;
\connect postgres
CREATE DATABASE ft OWNER ft;
CREATE DATABASE registry OWNER registry;
-- Who creates a role may also act as it: ft logs in once and takes the role that it needs.
ALTER ROLE ft SET createrole_self_grant = 'set, inherit';
SQL
