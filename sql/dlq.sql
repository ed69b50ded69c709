-- What `ft dlq` reads and settles (ft/ops/dlq.py).

-- name: letters
-- The oldest first; a null filter takes all.
SELECT id, consumer, topic, partition, "offset", network, reason, error, payload, state, created_at
FROM system.dlq
WHERE (%(consumer)s::text IS NULL OR consumer = %(consumer)s)
  AND (%(reason)s::text IS NULL OR reason = %(reason)s)
  AND (%(network)s::text IS NULL OR network = %(network)s)
  AND (%(settled)s OR state = 'open')
ORDER BY id
LIMIT %(limit)s;

-- name: count_letters
SELECT count(*)
FROM system.dlq
WHERE (%(consumer)s::text IS NULL OR consumer = %(consumer)s)
  AND (%(reason)s::text IS NULL OR reason = %(reason)s)
  AND (%(network)s::text IS NULL OR network = %(network)s)
  AND (%(settled)s OR state = 'open');

-- name: letter
SELECT id, consumer, topic, partition, "offset", network, reason, error, payload, state, created_at
FROM system.dlq WHERE id = %(id)s;

-- name: settle
-- A letter is settled once; a publisher that is refused again opens its letter anew.
UPDATE system.dlq SET state = %(state)s WHERE id = %(id)s AND state = 'open';

-- name: unblock
-- The partition goes on where it stood. One that has passed the letter's row is blocked by another letter, if at all.
UPDATE system.publish_cursor SET blocked = NULL, updated_at = now()
WHERE partition = %(partition)s AND seq < %(seq)s AND blocked IS NOT NULL;

-- name: announced
-- How far the partition is announced, and why it waits.
SELECT seq, blocked FROM system.publish_cursor WHERE partition = %(partition)s;

-- name: canonical_at
-- The block that counts at a height.
SELECT hash, final, raw_offset FROM ingest.blocks
WHERE network = %(network)s AND number = %(height)s AND state = 'canonical';

-- name: slice_applied
-- Whether the ledger has a block's slice in a partition.
SELECT EXISTS (
    SELECT FROM ledger.applied_blocks
    WHERE consumer = 'ledger' AND network = %(network)s AND block_hash = %(hash)s AND partition = %(partition)s
      AND state = 'applied');
