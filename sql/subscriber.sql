-- What every subscriber keeps beside its own tables (streams/worker/). Of each there are two consumers: %(consumer)s, of
-- the events, and %(told)s, of what the ledger says of its heads where nothing happens.

-- name: heads
-- By partition and network: of which blocks the subscriber's tables are the state; where the ledger was last said to
-- stand, and after which record.
SELECT consumer, partition, network, told_seq, after_seq, open_block, position, head_number, head_hash,
       coalesce(extract(epoch FROM head_time)::bigint, 0), safe, finalized
FROM system.partition_head WHERE consumer IN (%(consumer)s, %(told)s) AND partition = ANY(%(partitions)s::int[])

-- name: write_head
-- The block of which the tables are the state after this transaction, and the one that they are in the middle of.
INSERT INTO system.partition_head
    (consumer, partition, network, position, head_number, head_hash, head_time, safe, finalized, open_block)
VALUES (%(consumer)s, %(partition)s, %(network)s, %(position)s, %(head_number)s, %(head_hash)s,
    to_timestamp(nullif(%(head_time)s, 0)), %(safe)s, %(finalized)s, %(open_block)s)
ON CONFLICT (consumer, partition, network) DO UPDATE SET
    position = excluded.position, head_number = excluded.head_number, head_hash = excluded.head_hash,
    head_time = excluded.head_time, safe = excluded.safe, finalized = excluded.finalized,
    open_block = excluded.open_block, updated_at = now()

-- name: lock_heads
-- Two hops move them: each sees what the other one wrote before.
SELECT pg_advisory_xact_lock(hashtext('ft, rows of system.partition_head, ' || %(consumer)s), partition)
FROM (SELECT partition FROM unnest(%(partitions)s::int[]) AS p (partition) ORDER BY partition) AS p

-- name: put_ledger_head
-- The newest: a process that stood still for long may say an old one late.
INSERT INTO system.partition_head AS h
    (consumer, partition, network, position, head_number, head_hash, head_time, safe, finalized, told_seq, after_seq)
VALUES (%(told)s, %(partition)s, %(network)s, %(position)s, %(head_number)s, %(head_hash)s,
    to_timestamp(nullif(%(head_time)s, 0)), %(safe)s, %(finalized)s, %(seq)s, %(after)s)
ON CONFLICT (consumer, partition, network) DO UPDATE SET
    position = excluded.position, head_number = excluded.head_number, head_hash = excluded.head_hash,
    head_time = excluded.head_time, safe = excluded.safe, finalized = excluded.finalized,
    told_seq = excluded.told_seq, after_seq = excluded.after_seq, updated_at = now()
WHERE h.told_seq < excluded.told_seq

-- name: take_ledger_heads
-- The tables are just where these stand.
INSERT INTO system.partition_head
    (consumer, partition, network, position, head_number, head_hash, head_time, safe, finalized)
SELECT %(consumer)s, h.partition, h.network, h.position, h.head_number, h.head_hash, h.head_time, h.safe, h.finalized
FROM system.partition_head h
LEFT JOIN system.partition_owner o
    ON o.consumer = %(consumer)s AND o.topic = %(topic)s AND o.partition = h.partition
WHERE h.consumer = %(told)s AND h.partition = ANY(%(partitions)s::int[]) AND coalesce(o.next_seq, 1) - 1 = h.after_seq
ORDER BY h.partition, h.network
ON CONFLICT (consumer, partition, network) DO UPDATE SET
    position = excluded.position, head_number = excluded.head_number, head_hash = excluded.head_hash,
    head_time = excluded.head_time, safe = excluded.safe, finalized = excluded.finalized, open_block = NULL,
    updated_at = now()

-- name: add_dead_letter
-- A record that cannot be read, kept whole; the same record read again adds nothing.
INSERT INTO system.dlq (consumer, topic, partition, "offset", network, reason, error, payload)
VALUES (%(consumer)s, %(topic)s, %(partition)s, %(offset)s, %(network)s, %(reason)s, %(error)s, %(payload)s)
ON CONFLICT (consumer, topic, partition, "offset", reason) DO NOTHING

-- name: unreadable_before
-- Whether the record just before this offset was put aside because it could not be read: its seq is then unknown.
SELECT EXISTS (
    SELECT FROM system.dlq
    WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s AND "offset" = %(offset)s - 1
      AND reason = 'malformed_record'
)
