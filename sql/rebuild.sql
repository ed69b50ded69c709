-- Rebuilds (ft/ops/rebuild/). Queries that compare or copy are asked once of each generation: of what is served, and of
-- what was rebuilt. Those that compare give a key and a value, and are joined by ft/ops/rebuild/compare.py.

-- name: only_one
-- Held as long as the connection: a second rebuild of the same kind is refused.
SELECT pg_try_advisory_lock(hashtext('ft rebuild ' || current_database()), hashtext(%(kind)s));

-- name: wanted
-- Whether a rebuild of this kind lives, and the schemas of this generation are its own: another one deletes them.
SELECT to_regnamespace(%(schema)s) IS NOT NULL AND EXISTS (
    SELECT FROM pg_locks
    WHERE locktype = 'advisory' AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND classid::bigint = hashtext('ft rebuild ' || current_database())::bigint & 4294967295
      AND objid::bigint = hashtext(%(kind)s)::bigint & 4294967295);

-- name: may_make_schemas
-- False for a database that was copied: grants on it stay behind.
SELECT has_database_privilege('ft_migrate', current_database(), 'CREATE');

-- name: fences
-- Where a subscriber stands, locked until the transaction ends: nobody moves it meanwhile.
SELECT partition, next_offset, next_seq, cluster_id, topic_id
FROM system.partition_owner
WHERE consumer = %(consumer)s AND topic = %(topic)s
ORDER BY partition
FOR UPDATE;

-- name: take_fence
-- The epoch stays: who holds the partition goes on from here, and finds out by its next transaction that it moved.
INSERT INTO system.partition_owner AS o (consumer, topic, partition, next_offset, next_seq, cluster_id, topic_id)
VALUES (%(consumer)s, %(topic)s, %(partition)s, %(next_offset)s, %(next_seq)s, %(cluster_id)s, %(topic_id)s)
ON CONFLICT (consumer, topic, partition) DO UPDATE SET
    next_offset = excluded.next_offset, next_seq = excluded.next_seq, cluster_id = excluded.cluster_id,
    topic_id = excluded.topic_id, updated_at = now()
WHERE (o.next_offset, o.next_seq, o.cluster_id, o.topic_id)
      IS DISTINCT FROM (excluded.next_offset, excluded.next_seq, excluded.cluster_id, excluded.topic_id);

-- name: heads
-- Heads that a subscriber keeps.
SELECT partition, network, position, head_number, head_hash, head_time, safe, finalized, open_block
FROM system.partition_head WHERE consumer = %(consumer)s;

-- name: forget_heads
-- Those of the tables that go.
DELETE FROM system.partition_head WHERE consumer = %(consumer)s;

-- name: take_head
-- Those of the tables that come.
INSERT INTO system.partition_head
    (consumer, partition, network, position, head_number, head_hash, head_time, safe, finalized, open_block)
VALUES (%(consumer)s, %(partition)s, %(network)s, %(position)s, %(head_number)s, %(head_hash)s, %(head_time)s, %(safe)s,
    %(finalized)s, %(open_block)s);

-- name: letters
-- What a subscriber has refused.
SELECT partition, "offset", network, reason, error, payload
FROM system.dlq WHERE consumer = %(consumer)s AND topic = %(topic)s;

-- name: take_letter
-- A record that the rebuild refused; one that was refused before keeps what became of it.
INSERT INTO system.dlq (consumer, topic, partition, "offset", network, reason, error, payload)
VALUES (%(consumer)s, %(topic)s, %(partition)s, %(offset)s, %(network)s, %(reason)s, %(error)s, %(payload)s)
ON CONFLICT (consumer, topic, partition, "offset", reason) DO NOTHING;

-- name: settle_letters
-- Records that had been refused and are part of the new tables: read from the first offset to the fence.
UPDATE system.dlq d SET state = 'replayed'
FROM system.partition_owner o
WHERE d.consumer = %(consumer)s AND d.topic = %(topic)s AND d.state = 'open'
  AND (o.consumer, o.topic, o.partition) = (d.consumer, d.topic, d.partition) AND d."offset" < o.next_offset
  AND NOT EXISTS (
      SELECT FROM unnest(%(partitions)s::integer[], %(offsets)s::bigint[]) AS r (partition, "offset")
      WHERE (r.partition, r."offset") = (d.partition, d."offset"));

-- name: views_of
-- The views that read a table: they are bound to it, not to its name.
SELECT DISTINCT n.nspname, v.relname, pg_get_viewdef(v.oid), array_to_string(v.reloptions, ', ')
FROM pg_depend d
JOIN pg_rewrite r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
JOIN pg_class v ON v.oid = r.ev_class AND v.relkind = 'v'
JOIN pg_namespace n ON n.oid = v.relnamespace
WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = %(table)s::regclass
ORDER BY 1, 2;

-- name: grants_of
-- Who may do what with a table, its owner aside. Grantee null: everybody.
SELECT CASE WHEN a.grantee <> 0 THEN pg_get_userbyid(a.grantee) END, a.privilege_type, a.is_grantable
FROM pg_class c CROSS JOIN aclexplode(c.relacl) a
WHERE c.oid = %(table)s::regclass AND a.grantee <> c.relowner;

-- name: positions
-- How far the ledger has read each network, by partition: raw offsets.
SELECT partition, network, position FROM system.partition_head
WHERE consumer = 'ledger' AND network = ANY(%(networks)s::text[]);

-- name: chain_positions
-- How far normalize has read each network: raw offsets.
SELECT network, position FROM ingest.heads WHERE network = ANY(%(networks)s::text[]);

-- name: events
-- Live events, of the partitions and networks that stand at the same position.
SELECT concat_ws(':', e.network, e.tx_hash, e.contract, e.topic0, e.n) || '/' || e.sub_index AS key,
       format('partition %%s, block %%s %%s at %%s, log %%s, sender %%s, %%s %%s, %%s -> %%s, by %%s, quantity %%s',
              e.partition, e.block_number, e.block_hash, e.block_time, e.log_index, e.tx_from, e.standard, e.token_id,
              e."from", e."to", e.operator, e.quantity) AS value
FROM ledger.normalized_events e
JOIN unnest(%(partitions)s::integer[], %(networks)s::text[]) AS level (partition, network) USING (partition, network);

-- name: deltas
-- What each account gained and lost in all, retractions included.
SELECT concat_ws(':', d.network, d.contract, d.token_id) || ' of ' || d.account AS key, sum(d.delta)::text AS value
FROM ledger.normalized_event_deltas d
JOIN unnest(%(partitions)s::integer[], %(networks)s::text[]) AS level (partition, network) USING (partition, network)
GROUP BY d.network, d.contract, d.token_id, d.account
HAVING sum(d.delta) <> 0;

-- name: ownership
-- Visible holdings. A contract is of the partition where its events are; one without events is always compared.
WITH level AS (
    SELECT * FROM unnest(%(partitions)s::integer[], %(networks)s::text[]) AS level (partition, network)
), elsewhere AS (
    SELECT DISTINCT e.network, e.contract FROM ledger.events e
    WHERE e.op = 'apply' AND (e.partition, e.network) NOT IN (SELECT partition, network FROM level)
)
SELECT concat_ws(':', o.network, o.contract, o.token_id, nullif(o.slot, '')) AS key,
       format('%%s of %%s, %%s, since %%s, at %%s/%%s/%%s%%s', o.quantity, o.account, o.standard, o.since,
              o.block_number, o.log_index, o.sub_index, CASE WHEN o.implicit THEN ' (implicit)' ELSE '' END) AS value
FROM market.ownership_current o
WHERE o.quantity > 0 AND NOT o.account = ANY(%(nobody)s::text[])
  AND o.network IN (SELECT network FROM level)
  AND NOT EXISTS (SELECT FROM elsewhere x WHERE (x.network, x.contract) = (o.network, o.contract));

-- name: slices
-- Blocks' slices in force.
SELECT format('%%s block %%s in partition %%s', a.network, a.block_hash, a.partition) AS key,
       format('block %%s at %%s, %%s rows, digest %%s, proof %%s', a.number, a.time, a.seq_to - a.seq_from + 1, a.digest,
              a.proof) AS value
FROM ledger.applied_blocks a
JOIN unnest(%(partitions)s::integer[], %(networks)s::text[]) AS level (partition, network) USING (partition, network)
WHERE a.consumer = 'ledger' AND a.state = 'applied';

-- name: marks
-- Head and finality, as each partition has them.
SELECT format('head of %%s in partition %%s', h.network, h.partition) AS key,
       format('block %%s %%s at %%s, safe %%s, finalized %%s', h.head_number, h.head_hash, h.head_time, h.safe,
              h.finalized) AS value
FROM system.partition_head h
JOIN unnest(%(partitions)s::integer[], %(networks)s::text[]) AS level (partition, network) USING (partition, network)
WHERE h.consumer = 'ledger';

-- name: blocks
-- The canonical chain, of the networks that stand at the same position.
SELECT format('%%s block %%s', b.network, b.number) AS key,
       format('%%s on %%s at %%s, %%s, proof %%s, digest %%s', b.hash, b.parent, b.time,
              CASE WHEN b.final THEN 'final' ELSE 'not final' END, concat_ws(', ', b.proof, nullif(b.reasons, '')),
              b.digest) AS value
FROM ingest.blocks b
WHERE b.network = ANY(%(networks)s::text[]) AND b.state = 'canonical';

-- name: coverage
-- Stretches that were read.
SELECT format('%%s from block %%s', c.network, c."from") AS key,
       format('to %%s, proof %%s', c."to", concat_ws(', ', c.proof, nullif(c.reasons, ''))) AS value
FROM ingest.coverage c
WHERE c.network = ANY(%(networks)s::text[]);

-- name: holes
-- What could not be decoded, on blocks that count.
SELECT format('%%s block %%s %%s, contract %%s, log %%s: %%s', q.network, q.block_number, q.block_hash, q.contract,
              q.log_index, q.reason) AS key,
       'quarantined' AS value
FROM ingest.quarantine q
WHERE q.network = ANY(%(networks)s::text[]) AND q.state = 'open';
