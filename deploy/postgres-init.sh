#!/bin/sh
# Run once, by the image's entry point, on an empty volume: the logins and databases that `ft up` makes for itself.
set -eu
psql -v ON_ERROR_STOP=1 -v ft="$FT_ROLE_PASSWORD" -v registry="$REGISTRY_ROLE_PASSWORD" -U postgres -d postgres <<'SQL'
CREATE ROLE ft LOGIN CREATEDB CREATEROLE PASSWORD :'ft';
CREATE ROLE registry LOGIN PASSWORD :'registry';
CREATE DATABASE ft OWNER ft;
CREATE DATABASE registry OWNER registry;
-- Who creates a role may also act as it: ft logs in once and takes the role that it needs.
ALTER ROLE ft SET createrole_self_grant = 'set, inherit';
\connect ft
CREATE EXTENSION vector;
SQL
