-- What this deployment is (streams/deployment/comparing.py).

-- name: stored
-- As the database says; no row before the first migration that names it.
SELECT id::text, epoch, topic_prefix, cluster_id, announced FROM system.deployment;

-- name: knows_deployments
-- Whether the database is of a version that has them.
SELECT to_regclass('system.deployment') IS NOT NULL;

-- name: has_ledger
-- Whether the database was ever migrated.
SELECT to_regclass('system.partition_owner') IS NOT NULL;

-- name: ledger_topic
-- What the ledger has read, of a database that names no deployment.
SELECT min(topic) FROM system.partition_owner WHERE consumer = 'ledger' AND cluster_id <> '';

-- name: in_force
-- For whoever claims a partition: it stays so until the claim is committed, or a restore fences the claim too.
SELECT id::text, epoch, topic_prefix, cluster_id FROM system.deployment FOR SHARE;

-- name: topics_read
-- Topics that were read, and raw topics that were written above finality (by their network), each with its id.
SELECT DISTINCT topic, '', topic_id FROM system.partition_owner WHERE topic_id <> ''
UNION ALL
SELECT '', network, topic_id FROM ingest.leases WHERE topic_id <> '';

-- name: put
-- By the first; a second one at the same time finds it.
INSERT INTO system.deployment (id, topic_prefix, cluster_id) VALUES (%(id)s, %(topic_prefix)s, %(cluster_id)s)
ON CONFLICT DO NOTHING;

-- name: announced
-- The topic has said so.
UPDATE system.deployment SET announced = true;

-- name: restoring
-- The command of a restore that has begun and has not put the dump into the database yet; null: none has.
SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = 'ft_restoring';
