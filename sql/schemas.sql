-- The schemas that the registry gave ids out for (streams/deployment/schema_ids.py).

-- name: knows_schemas
-- Whether the database is of a version that keeps them.
SELECT to_regclass('system.schemas') IS NOT NULL;

-- name: kept
-- All of them.
SELECT id, subject, version, schema FROM system.schemas ORDER BY id, subject;

-- name: kept_in_turn
-- One of them, each number another one.
SELECT id, subject, version, schema FROM system.schemas ORDER BY id, subject
OFFSET %(turn)s::bigint %% (SELECT greatest(count(*), 1) FROM system.schemas) LIMIT 1;

-- name: keep
-- Whoever comes second finds it kept.
INSERT INTO system.schemas (id, subject, version, schema) VALUES (%(id)s, %(subject)s, %(version)s, %(schema)s)
ON CONFLICT DO NOTHING;

-- name: alone
-- Who puts ids back into a registry is alone at it, until the transaction ends.
SELECT pg_advisory_xact_lock(%(lock)s);
