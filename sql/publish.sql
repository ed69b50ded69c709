-- name: add_cursors
-- A partition that was never announced starts before its first row.
INSERT INTO system.publish_cursor (partition)
SELECT * FROM unnest(%(partitions)s::int[])
ON CONFLICT DO NOTHING;

-- name: cursors
-- How far the partitions are announced.
SELECT partition, seq, ownership_seq, finality_seq, reorg_seq, created_seq, blocked
FROM system.publish_cursor
WHERE partition = ANY(%(partitions)s::int[]);

-- name: marks
-- Which heights are safe and final, for the finality of a record at publishing.
SELECT network, safe, finalized
FROM system.partition_head
WHERE consumer = 'ledger' AND partition = %(partition)s;

-- name: journal_rows
-- What follows in the journal; the partition's rows are gapless.
SELECT seq, network, block_number, block_hash, extract(epoch FROM block_time)::bigint, op, control, revision,
       tx_hash, tx_from, contract, topic0, n, sub_index, log_index, standard, token_id::text, "from", "to", operator,
       quantity::text, echo, holder, holder_before, holder_block, holder_time, block_end
FROM ledger.events
WHERE partition = %(partition)s AND seq > %(after)s AND seq < %(before)s
ORDER BY seq
LIMIT %(rows_max)s;

-- name: move_cursors
-- Under the ledger's epoch, and only from where this process read it.
UPDATE system.publish_cursor c
SET seq = k.seq, ownership_seq = k.ownership_seq, finality_seq = k.finality_seq, reorg_seq = k.reorg_seq,
    created_seq = k.created_seq, updated_at = now()
FROM unnest(%(partition)s::int[], %(epoch)s::bigint[], %(seq_before)s::bigint[], %(seq)s::bigint[],
            %(ownership_seq)s::bigint[], %(finality_seq)s::bigint[], %(reorg_seq)s::bigint[], %(created_seq)s::bigint[])
     AS k (partition, epoch, seq_before, seq, ownership_seq, finality_seq, reorg_seq, created_seq)
WHERE c.partition = k.partition AND c.seq = k.seq_before
  AND EXISTS (
      SELECT FROM system.partition_owner o
      WHERE o.consumer = 'ledger' AND o.topic = %(topic)s AND o.partition = k.partition AND o.epoch = k.epoch)
RETURNING c.partition;

-- name: block_cursor
-- Order is worth more than progress: the partition waits until `ft dlq replay` clears this.
UPDATE system.publish_cursor c
SET blocked = %(reason)s, updated_at = now()
WHERE c.partition = %(partition)s
  AND EXISTS (
      SELECT FROM system.partition_owner o
      WHERE o.consumer = 'ledger' AND o.topic = %(topic)s AND o.partition = %(partition)s AND o.epoch = %(epoch)s);

-- name: put_dead
-- The record that no broker takes, once a row of the journal.
INSERT INTO system.dlq (consumer, topic, partition, "offset", network, reason, error, payload)
VALUES ('publisher', %(topic)s, %(partition)s, %(seq)s, %(network)s, 'refused', %(error)s, %(payload)s)
ON CONFLICT (consumer, topic, partition, "offset", reason) DO UPDATE
SET state = 'open', error = excluded.error, payload = excluded.payload;
