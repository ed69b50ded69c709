-- Backup, restore and what follows a loss (ft/ops/recovery/).

-- name: unfinished
-- What a restore has begun and not ended; no row: nothing.
SELECT value FROM system.settings WHERE name = 'recovery';

-- name: begin
-- From here on nobody starts, until all of it is done.
INSERT INTO system.settings (name, value) VALUES ('recovery', %(value)s)
ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: finish
DELETE FROM system.settings WHERE name = 'recovery';

-- name: only_one
-- Held as long as the connection.
SELECT pg_try_advisory_lock(hashtext('ft recovery ' || current_database()));

-- name: snapshot
-- What another session dumps while this transaction lasts.
SELECT pg_export_snapshot();

-- name: schemas_there
-- Which of ft's schemas a database has: none of an empty one.
SELECT nspname FROM pg_namespace WHERE nspname = ANY(%(schemas)s::text[]) ORDER BY nspname;

-- name: was_migrated
-- Whether the schemas are ft's: the first thing that a migration makes.
SELECT to_regclass('system.migrations') IS NOT NULL;

-- name: knows_events
-- Whether it came as far as the journal.
SELECT to_regclass('ledger.events') IS NOT NULL AND to_regclass('system.partition_owner') IS NOT NULL;

-- name: has_read
-- Whether anything was ever read into it.
SELECT EXISTS (SELECT FROM ledger.events) OR EXISTS (SELECT FROM system.partition_owner WHERE cluster_id <> '');

-- name: knows_processes
-- Whether the tables are there in which whoever is at work says so.
SELECT bool_and(to_regclass(name) IS NOT NULL)
FROM unnest(ARRAY['system.workers', 'ingest.leases', 'ingest.bulk', 'system.sync_cursors']) AS t (name);

-- name: left_of_reset
-- Whether a reset emptied the database, and was ended before it had named it again.
SELECT to_regclass('ft_reset.left_to_do') IS NOT NULL;

-- name: positions
-- Where each consumer stands.
SELECT consumer, topic, partition, next_offset, next_seq, topic_id FROM system.partition_owner
ORDER BY consumer, topic, partition;

-- name: raise_epoch
-- The database and its topics are of a later state of the deployment from here on.
UPDATE system.deployment SET epoch = %(epoch)s, cluster_id = %(cluster_id)s, announced = false;

-- name: put_origins
-- What each generation went on from; later ones may be known from the topic alone.
INSERT INTO system.generations (generation, parent, began_at)
SELECT generation, parent, began_at::bigint[]
FROM unnest(%(generation)s::int[], %(parent)s::int[], %(began_at)s::text[]) AS o (generation, parent, began_at)
ON CONFLICT (generation) DO NOTHING;

-- name: nobody_claims
-- Until the transaction ends: first of all in it, as whoever claims a partition begins here too.
SELECT FROM system.deployment FOR UPDATE;

-- name: outlive
-- No process that ran before holds a partition any more, whatever epoch it got in the state that was lost, or after an
-- earlier restore of the same backup: claims are counted from another number in each generation, in 31 bits.
UPDATE system.partition_owner
SET epoch = epoch + (1 + mod(coalesce((SELECT epoch FROM system.deployment), 0), 1000)) * 10000, owner = '';

-- name: refill_later
-- The tails are older than the raw logs: whoever follows makes them anew from what normalize has read.
UPDATE ingest.leases SET refill = true, seen_at = 'epoch';

-- name: cut
-- Blocks that normalize had read, and not every partition of the ledger has applied: what says what is in them was lost.
INSERT INTO system.recovery_cut (network, number, hash)
SELECT b.network, b.number, b.hash
FROM (
    SELECT n.network, min(coalesce(h.position, -1)) AS position
    FROM ingest.heads n CROSS JOIN generate_series(0, %(partitions)s::int - 1) AS p (partition)
    LEFT JOIN system.partition_head h
        ON h.consumer = 'ledger' AND h.network = n.network AND h.partition = p.partition
    GROUP BY n.network
) AS applied
JOIN ingest.blocks b ON b.network = applied.network AND b.state = 'canonical' AND b.raw_offset > applied.position;

-- name: cut_blocks
DELETE FROM ingest.blocks b USING system.recovery_cut c
WHERE (b.network, b.number, b.hash) = (c.network, c.number, c.hash);

-- name: cut_created
DELETE FROM ingest.created d USING system.recovery_cut c WHERE (d.network, d.number, d.hash) = (c.network, c.number, c.hash);

-- name: cut_quarantine
UPDATE ingest.quarantine q SET state = 'reverted' FROM system.recovery_cut c
WHERE (q.network, q.block_number, q.block_hash) = (c.network, c.number, c.hash) AND q.state = 'open';

-- name: cut_coverage
-- Stretches without the heights that were cut; two statements, since a part begins where the whole did.
INSERT INTO system.recovery_parts (network, "from", low, high, proof, raw_offset, reasons)
SELECT g.network, g."from", lower(part) AS low, upper(part) - 1 AS high, g.proof, g.raw_offset, g.reasons
FROM (SELECT network, range_agg(int8range(number, number, '[]')) AS heights FROM system.recovery_cut GROUP BY network) c
JOIN ingest.coverage g ON g.network = c.network AND int8range(g."from", g."to", '[]') && c.heights
LEFT JOIN LATERAL unnest(int8multirange(int8range(g."from", g."to", '[]')) - c.heights) AS part ON true;

-- name: drop_coverage
DELETE FROM ingest.coverage g USING system.recovery_parts p WHERE (g.network, g."from") = (p.network, p."from");

-- name: put_coverage
INSERT INTO ingest.coverage (network, "from", "to", proof, raw_offset, reasons)
SELECT network, low, high, proof, raw_offset, reasons FROM system.recovery_parts WHERE low IS NOT NULL;

-- name: cut_heads
-- What the chain comes to without them.
UPDATE ingest.heads h
SET broken = false, head_number = coalesce(t.number, -1), head_hash = coalesce(t.hash, ''), head_time = t.time,
    finalized = coalesce(f.number, -1), safe = least(h.safe, coalesce(t.number, -1)), unfinal_from = u.number
FROM ingest.heads o
LEFT JOIN LATERAL (
    SELECT b.number, b.hash, b.time FROM ingest.blocks b WHERE b.network = o.network AND b.state = 'canonical'
    ORDER BY b.number DESC LIMIT 1
) AS t ON true
LEFT JOIN LATERAL (
    SELECT b.number FROM ingest.blocks b WHERE b.network = o.network AND b.state = 'canonical' AND b.final
    ORDER BY b.number DESC LIMIT 1
) AS f ON true
LEFT JOIN LATERAL (
    SELECT min(b.number) AS number FROM ingest.blocks b
    WHERE b.network = o.network AND b.state = 'canonical' AND NOT b.final AND b.number >= o.unfinal_from
) AS u ON true
WHERE h.network = o.network;

-- name: forget_cut
-- They are of this transaction alone.
WITH parts AS (DELETE FROM system.recovery_parts) DELETE FROM system.recovery_cut;

-- name: count_cut
SELECT count(*) FROM system.recovery_cut;

-- name: pull_ranges
-- Ranges that are being read, or were, go on from the lowest block that is not covered: what Kafka had acknowledged and
-- nobody had read is lost too.
UPDATE system.sync_cursors s SET next_height = h.low
FROM (
    SELECT j.job, lower(int8multirange(int8range(split_part(split_part(j.job, ':', 3), '-', 1)::bigint, j.next_height))
                        - coalesce(c.heights, '{}')) AS low
    FROM system.sync_cursors j
    LEFT JOIN (
        SELECT network, range_agg(int8range("from", "to", '[]')) AS heights FROM ingest.coverage GROUP BY network
    ) AS c USING (network)
    WHERE j.job ~ '^range:[^:]*:[0-9]+-[0-9]*$'
      AND j.next_height > split_part(split_part(j.job, ':', 3), '-', 1)::bigint
) AS h
WHERE s.job = h.job AND h.low IS NOT NULL;

-- name: clear_tail
DELETE FROM ingest.tail t USING ingest.leases l WHERE t.network = l.network AND l.network = ANY(%(networks)s::text[]);

-- name: refill_tail
-- As normalize has read the log: what is not final, and the highest block that is.
INSERT INTO ingest.tail (network, height, hash, parent, raw_offset, final)
SELECT b.network, b.number, b.hash, b.parent, CASE WHEN b.final OR %(in_log)s THEN b.raw_offset END, b.final
FROM ingest.heads h
JOIN ingest.leases l USING (network)
JOIN ingest.blocks b ON b.network = h.network AND b.state = 'canonical'
     AND (b.number = h.finalized OR (b.number >= h.unfinal_from AND NOT b.final))
WHERE h.network = ANY(%(networks)s::text[]);

-- name: pull_follower
-- It goes on above its tail.
UPDATE system.sync_cursors s SET next_height = least(s.next_height, t.top + 1)
FROM (SELECT network, max(height) AS top FROM ingest.tail GROUP BY network) AS t
WHERE s.job = 'follow:' || t.network AND t.network = ANY(%(networks)s::text[]);

-- name: refilled
UPDATE ingest.leases SET refill = false WHERE network = ANY(%(networks)s::text[]);

-- name: taken_back
-- What the ledger has applied and no chain names any more: blocks that were cut, and reorgs that it was not told of.
-- Newest first, each with the partitions that hold something of it.
SELECT a.network, a.number, a.block_hash, extract(epoch FROM min(a.time))::bigint, min(a.proof),
       array_agg(a.partition ORDER BY a.partition)
FROM ledger.applied_blocks a
LEFT JOIN ingest.blocks b
    ON (b.network, b.number, b.hash) = (a.network, a.number, a.block_hash) AND b.state = 'canonical'
WHERE a.consumer = 'ledger' AND a.state = 'applied' AND b.hash IS NULL
GROUP BY a.network, a.number, a.block_hash
ORDER BY a.network, a.number DESC, a.block_hash;

-- name: note_taken_back
-- They are blocks that were reverted, as any other that fell; one that the chain still has is read again, and stands anew.
INSERT INTO ingest.blocks (network, number, hash, parent, time, state, proof, raw_offset)
SELECT DISTINCT ON (a.network, a.number, a.block_hash) a.network, a.number, a.block_hash, '', a.time, 'reverted', a.proof, 0
FROM ledger.applied_blocks a
WHERE a.consumer = 'ledger' AND a.state = 'applied'
ON CONFLICT (network, number, hash) DO NOTHING;

-- name: chain_heads
-- For the records that take it back.
SELECT network, head_number, head_hash, coalesce(extract(epoch FROM head_time)::bigint, 0), safe, finalized
FROM ingest.heads;

-- name: raw_offsets
-- Where normalize goes on in each raw topic.
SELECT topic, next_offset FROM system.partition_owner WHERE consumer = 'normalize';

-- name: move_raw
-- The records that take back stand at positions behind those that were read.
UPDATE system.partition_owner SET next_offset = %(next_offset)s WHERE consumer = 'normalize' AND topic = %(topic)s;

-- name: move_position
UPDATE ingest.heads SET position = greatest(position, %(position)s) WHERE network = %(network)s;

-- name: other_log
-- Offsets of a Kafka that is gone: the raw topics go on where they were, all others begin anew.
UPDATE system.partition_owner
SET cluster_id = '', topic_id = '', next_offset = CASE WHEN consumer = 'normalize' THEN next_offset ELSE 0 END;

-- name: other_raw_log
-- The same of the sources' claims.
UPDATE ingest.leases SET topic_id = '';

-- name: listed_late
-- Contracts that were listed after blocks had been read, or are not in force yet where some were.
SELECT DISTINCT contract FROM (
    SELECT contract FROM ingest.undecoded
    UNION ALL
    SELECT contract FROM ref.contracts JOIN ingest.heads USING (network) WHERE in_force_from IS NULL
) AS late ORDER BY contract;

-- name: empty_chain
-- All of it comes again from the raw log's first record; holes stay, since the ledger has written some of them.
TRUNCATE ingest.blocks, ingest.heads, ingest.coverage, ingest.created, ingest.late;

-- name: read_raw_again
UPDATE system.partition_owner SET next_offset = 0 WHERE consumer = 'normalize' AND topic = ANY(%(topics)s::text[]);

-- name: go_to_end
-- What is there was read, or comes again.
UPDATE system.partition_owner SET next_offset = %(end)s
WHERE consumer = 'ledger' AND topic = %(topic)s AND partition = %(partition)s;

-- name: begin_raw
-- What lies below was lost.
INSERT INTO system.topic_begins (topic, partition, "offset") VALUES (%(topic)s, 0, %(offset)s)
ON CONFLICT (topic, partition) DO UPDATE SET "offset" = excluded."offset";

-- name: begins
-- Where topics begin, as the database knows it.
SELECT topic, partition, "offset" FROM system.topic_begins WHERE topic = ANY(%(topics)s::text[]);

-- name: forget_begins
DELETE FROM system.topic_begins WHERE topic = ANY(%(topics)s::text[]);

-- name: age_letters
-- Dead letters name places in topics that are gone; those of the new ones have the same numbers.
UPDATE system.dlq SET "offset" = -1 - "offset" - %(epoch)s::bigint * 100000000000
WHERE "offset" >= 0 AND consumer = ANY(%(consumers)s::text[]);

-- name: read_again
-- Who reads what is announced goes on by seq, from where its records begin; the topic may be another one.
UPDATE system.partition_owner o SET next_offset = b."offset", cluster_id = '', topic_id = ''
FROM system.topic_begins b
WHERE o.topic = ANY(%(topics)s::text[]) AND (o.topic, o.partition) = (b.topic, b.partition);

-- name: heads_again
-- Who reads heads begins anew: the topic may be another one.
UPDATE system.partition_owner SET next_offset = 0, cluster_id = '', topic_id = '' WHERE topic = %(finality)s;

-- name: tables
-- How many tables have rows to be dumped.
SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname = ANY(%(schemas)s::text[]);

-- name: forget_workers
-- Of a database that was restored: whoever it names runs on another one, or not at all.
DELETE FROM system.workers;

-- name: forget_followers
UPDATE ingest.leases SET seen_at = 'epoch';

-- name: forget_jobs
UPDATE system.sync_cursors SET updated_at = least(updated_at, now() - interval '1 minute');

-- name: followers
-- How far the followers are, for the database that comes after this one.
SELECT job, network, next_height FROM system.sync_cursors WHERE starts_with(job, 'follow:') ORDER BY job;

-- name: put_follower
INSERT INTO system.sync_cursors (job, network, next_height) VALUES (%(job)s, %(network)s, %(next_height)s)
ON CONFLICT DO NOTHING;

-- name: put_lease
-- Its tail is to be made anew.
INSERT INTO ingest.leases (network, claim_offset, topic_id, owner, seen_at, refill)
VALUES (%(network)s, -1, '', '', 'epoch', true)
ON CONFLICT DO NOTHING;

-- name: put_deployment
-- The same deployment, of which nothing is left but the raw topics.
INSERT INTO system.deployment (id, epoch, topic_prefix, cluster_id)
VALUES (%(id)s, %(epoch)s, %(topic_prefix)s, %(cluster_id)s)
ON CONFLICT (one) DO UPDATE SET id = excluded.id, epoch = excluded.epoch, cluster_id = excluded.cluster_id;

-- name: sizes
-- What is to be emptied.
SELECT (SELECT coalesce(sum(next_seq - 1), 0)::bigint FROM system.partition_owner WHERE consumer = 'ledger'),
       (SELECT count(*) FROM system.dlq WHERE state = 'open'), pg_database_size(current_database());
