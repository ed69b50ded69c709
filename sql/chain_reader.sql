-- name: head
-- What the fold of the raw log knew after the last committed record.
SELECT claim_offset, broken, safe, position, late_position FROM ingest.heads WHERE network = %(network)s;

-- name: standing_rows
-- The rows that a chain always keeps: the highest, the highest final, and all from the lowest unfinal one on.
SELECT number, hash, parent, extract(epoch FROM time)::bigint, final, proof, raw_offset, digest, reasons
FROM ingest.blocks
WHERE network = %(network)s AND state = 'canonical'
  AND (number IN (SELECT unnest(ARRAY[head_number, finalized]) FROM ingest.heads WHERE network = %(network)s)
       OR number >= (SELECT unfinal_from FROM ingest.heads WHERE network = %(network)s));

-- name: rows_at
-- The canonical rows at the heights that the coming records name.
SELECT number, hash, parent, extract(epoch FROM time)::bigint, final, proof, raw_offset, digest, reasons
FROM ingest.blocks
WHERE network = %(network)s AND state = 'canonical' AND number = ANY(%(heights)s);

-- name: newest_rows
-- What the RocksDB table is filled with again.
SELECT number, hash, parent, extract(epoch FROM time)::bigint, final, proof, raw_offset, digest, reasons
FROM ingest.blocks
WHERE network = %(network)s AND state = 'canonical'
ORDER BY number DESC LIMIT %(rows)s;

-- name: rows_below
-- What may become the head, or the highest final row, once these heights are reverted.
SELECT b.number, b.hash, b.parent, extract(epoch FROM b.time)::bigint, b.final, b.proof, b.raw_offset, b.digest, b.reasons
FROM unnest(%(heights)s::bigint[]) AS h (height), (VALUES (true), (false)) AS wanted (final)
CROSS JOIN LATERAL (
    SELECT * FROM ingest.blocks
    WHERE network = %(network)s AND state = 'canonical' AND number < h.height AND (NOT wanted.final OR blocks.final)
    ORDER BY number DESC LIMIT 1
) AS b;

-- name: write_reverted
-- Before the canonical rows: a height has one canonical row at any time.
INSERT INTO ingest.blocks (network, number, hash, parent, time, state, final, proof, raw_offset, digest, reasons)
SELECT %(network)s, number, hash, parent, to_timestamp(time), 'reverted', final, proof, raw_offset, digest, reasons
FROM unnest(%(number)s::bigint[], %(hash)s::text[], %(parent)s::text[], %(time)s::bigint[], %(final)s::boolean[],
            %(proof)s::text[], %(raw_offset)s::bigint[], %(digest)s::text[], %(reasons)s::text[])
     AS b (number, hash, parent, time, final, proof, raw_offset, digest, reasons)
ON CONFLICT (network, number, hash) DO UPDATE SET state = 'reverted';

-- name: write_canonical
-- New rows, rows that came back, rows that became final or better proven.
INSERT INTO ingest.blocks (network, number, hash, parent, time, state, final, proof, raw_offset, digest, reasons)
SELECT %(network)s, number, hash, parent, to_timestamp(time), 'canonical', final, proof, raw_offset, digest, reasons
FROM unnest(%(number)s::bigint[], %(hash)s::text[], %(parent)s::text[], %(time)s::bigint[], %(final)s::boolean[],
            %(proof)s::text[], %(raw_offset)s::bigint[], %(digest)s::text[], %(reasons)s::text[])
     AS b (number, hash, parent, time, final, proof, raw_offset, digest, reasons)
ON CONFLICT (network, number, hash) DO UPDATE
SET state = 'canonical', parent = excluded.parent, time = excluded.time, final = excluded.final,
    proof = excluded.proof, raw_offset = excluded.raw_offset, digest = excluded.digest,
    reasons = excluded.reasons;

-- name: coverage_around
-- The stretches that a batch may touch, with their neighbours.
SELECT "from", "to", proof, raw_offset, reasons
FROM ingest.coverage
WHERE network = %(network)s AND "to" >= %(low)s::bigint - 1 AND "from" <= %(high)s::bigint + 1;

-- name: drop_coverage
-- Stretches that were merged into others, or cut away.
DELETE FROM ingest.coverage WHERE network = %(network)s AND "from" = ANY(%(lows)s);

-- name: write_coverage
-- Stretches that grew, shrank or are new.
INSERT INTO ingest.coverage (network, "from", "to", proof, raw_offset, reasons)
SELECT %(network)s, low, high, proof, raw_offset, reasons
FROM unnest(%(low)s::bigint[], %(high)s::bigint[], %(proof)s::text[], %(raw_offset)s::bigint[],
            %(reasons)s::text[])
     AS s (low, high, proof, raw_offset, reasons)
ON CONFLICT (network, "from") DO UPDATE
SET "to" = excluded."to", proof = excluded.proof, raw_offset = excluded.raw_offset, reasons = excluded.reasons;

-- name: write_head
-- The fold, and the network's head after the last record of the batch.
INSERT INTO ingest.heads (network, claim_offset, broken, head_number, head_hash, head_time, safe, finalized, position,
                          late_position, unfinal_from)
VALUES (%(network)s, %(claim_offset)s, %(broken)s, %(head_number)s, %(head_hash)s,
        CASE WHEN %(head_number)s::bigint >= 0 THEN to_timestamp(%(head_time)s) END, %(safe)s, %(finalized)s,
        %(position)s, %(late_position)s, %(unfinal_from)s)
ON CONFLICT (network) DO UPDATE
SET claim_offset = excluded.claim_offset, broken = excluded.broken, head_number = excluded.head_number,
    head_hash = excluded.head_hash, head_time = excluded.head_time, safe = excluded.safe,
    finalized = excluded.finalized, position = excluded.position, late_position = excluded.late_position,
    unfinal_from = excluded.unfinal_from;

-- name: revert_quarantine
-- A hole in a block that does not count is no hole. Returns the blocks that had some.
WITH gone AS (
    UPDATE ingest.quarantine SET state = 'reverted'
    WHERE network = %(network)s AND state = 'open'
      AND (block_number, block_hash) IN (SELECT * FROM unnest(%(number)s::bigint[], %(hash)s::text[]))
    RETURNING block_number, block_hash
)
SELECT DISTINCT block_number, block_hash FROM gone;

-- name: write_quarantine
-- A block that comes back opens its holes again.
INSERT INTO ingest.quarantine (network, block_number, block_hash, contract, tx_hash, log_index, topic0, reason, error,
                               payload, raw_offset, state)
VALUES (%(network)s, %(block_number)s, %(block_hash)s, %(contract)s, %(tx_hash)s, %(log_index)s, %(topic0)s,
        %(reason)s, %(error)s, %(payload)s, %(raw_offset)s, %(state)s)
ON CONFLICT (network, block_hash, contract, log_index, reason) DO UPDATE
SET state = excluded.state, error = excluded.error, payload = excluded.payload, raw_offset = excluded.raw_offset;

-- name: write_dead_letter
-- A record that cannot be read, or contradicts the log before it. Read again, it is the same letter.
INSERT INTO system.dlq (consumer, topic, partition, "offset", network, reason, error, payload)
VALUES (%(consumer)s, %(topic)s, %(partition)s, %(offset)s, %(network)s, %(reason)s, %(error)s, %(payload)s)
ON CONFLICT (consumer, topic, partition, "offset", reason) DO NOTHING;
