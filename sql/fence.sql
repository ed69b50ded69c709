-- name: add_row
-- A partition that nobody has read yet starts at offset 0. Its claims are counted from another number in each generation,
-- so that a process of before a reset has none of them; they fit into 31 bits, as the seq of a head begins with one.
INSERT INTO system.partition_owner (consumer, topic, partition, epoch)
VALUES (%(consumer)s, %(topic)s, %(partition)s, mod(%(deployment_epoch)s::bigint, 1000) * 10000)
ON CONFLICT DO NOTHING;

-- name: lock_row
-- The row lock makes two claims of one partition happen one after the other.
SELECT epoch, next_offset, next_seq, owner, cluster_id, topic_id
FROM system.partition_owner
WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s
FOR UPDATE;

-- name: end_stopped
-- Sessions of ft that wait for their process amid a statement, and have for so long: it was stopped while it wrote by COPY,
-- where Postgres looks at no timeout, and whoever waits for its locks would wait until it wakes up.
WITH stopped AS MATERIALIZED (  -- chosen before the first is ended: of conditions in one WHERE any may be looked at first
    SELECT pid, application_name FROM pg_stat_activity
    WHERE datname = current_database() AND usename = session_user AND pid <> pg_backend_pid()
      AND application_name LIKE 'ft %%' AND state = 'active' AND wait_event = 'ClientRead'
      AND state_change < now() - make_interval(secs => %(seconds)s)
)
SELECT application_name FROM stopped WHERE pg_terminate_backend(pid);

-- name: take_row
-- A claim by the process that owns the row already keeps its epoch: a rebalance must not fence the worker itself.
UPDATE system.partition_owner
SET epoch = epoch + CASE WHEN owner = %(owner)s THEN 0 ELSE 1 END,
    owner = %(owner)s, cluster_id = %(cluster_id)s, topic_id = %(topic_id)s, claimed_at = now(), updated_at = now()
WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s
RETURNING epoch, next_offset, next_seq;

-- name: move
-- The fence: only the epoch that read next_offset may move it. No row: somebody else owns the partition.
UPDATE system.partition_owner
SET next_offset = %(to_offset)s, next_seq = %(to_seq)s, updated_at = now()
WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s
  AND epoch = %(epoch)s AND next_offset = %(from_offset)s AND next_seq = %(from_seq)s;

-- name: read_row
-- Who holds the partition, after a refused move or a commit whose reply was lost.
SELECT epoch, next_offset, next_seq, owner
FROM system.partition_owner
WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s;

-- name: register_worker
-- A worker is known from its start, and seen every few seconds, until it has noted how it ended.
INSERT INTO system.workers (worker, agents, metrics_url)
SELECT %(worker)s, %(agents)s, %(metrics_url)s
WHERE NOT EXISTS (SELECT FROM system.failures WHERE role = 'worker' AND process = %(worker)s)
ON CONFLICT (worker) DO UPDATE SET agents = excluded.agents, metrics_url = excluded.metrics_url, seen_at = now();

-- name: living_workers
-- A worker is seen every two seconds.
SELECT worker, agents, extract(epoch FROM started_at)::float, extract(epoch FROM seen_at)::float
FROM system.workers WHERE seen_at > now() - interval '10 seconds';

-- name: forget_worker
-- A worker that stops in order leaves no row.
DELETE FROM system.workers WHERE worker = %(worker)s;

-- name: forget_silent_workers
-- Nobody refreshes the row of a worker that died.
DELETE FROM system.workers WHERE seen_at < now() - interval '10 minutes';

-- name: networks
-- What the normalizer reads, and a rebuild reads again: one raw topic a network.
SELECT network, family FROM ref.networks ORDER BY network;

-- name: migrated
-- Whether `ft migrate` has run here.
SELECT to_regclass('system.settings') IS NOT NULL AND to_regclass('system.partition_owner') IS NOT NULL;

-- name: schemas_lacking
-- Of these, those that are not there.
SELECT name FROM unnest(%(schemas)s::text[]) AS name WHERE to_regnamespace(name) IS NULL ORDER BY name;

-- name: half_migrated
-- Whether the journal of an earlier version is still on its way (ft/ops/anew/).
SELECT EXISTS (SELECT FROM system.settings WHERE name = 'holders');
