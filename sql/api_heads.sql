-- The API's reads: how far a network is read, and which block was there.

-- name: partitions
-- Chosen at the first migration; an asset's partition follows from it.
SELECT value::integer AS partitions FROM projection.settings WHERE name = 'partitions';

-- name: head
-- How far one partition has read one network: blocks as a whole. Amid a block (open_block) that is the one before it.
SELECT network, partition, position, least(head_number, open_block - 1) AS head_number,
       CASE WHEN open_block <= head_number THEN '' ELSE head_hash END AS head_hash,
       CASE WHEN open_block <= head_number THEN NULL ELSE head_time END AS head_time, safe, finalized
FROM projection.heads
WHERE consumer = %(consumer)s AND partition = %(partition)s AND network = %(network)s;

-- name: heads
-- The same for all partitions of some networks; the caller lets the one with the lowest position speak.
SELECT network, partition, position, least(head_number, open_block - 1) AS head_number,
       CASE WHEN open_block <= head_number THEN '' ELSE head_hash END AS head_hash,
       CASE WHEN open_block <= head_number THEN NULL ELSE head_time END AS head_time, safe, finalized
FROM projection.heads
WHERE consumer = %(consumer)s AND network = ANY(%(networks)s::text[]);

-- name: networks
-- Every network that is configured.
SELECT network, family, chain_id, start_block, confirmed, finalized FROM projection.networks ORDER BY network;

-- name: block_at
-- The canonical block of a height, if it was read.
SELECT number, hash, time, position FROM projection.blocks WHERE network = %(network)s AND number = %(number)s;

-- name: block_at_time
-- The highest canonical block not later than a time. Times rise with heights, so bisecting the primary key
-- finds it without an index by time; gaps between heights are stepped over.
WITH RECURSIVE step (low, high) AS (
    SELECT min(b.number), max(b.number) FROM projection.blocks b WHERE b.network = %(network)s
    UNION ALL
    SELECT CASE WHEN probe.time <= %(at)s THEN probe.number ELSE s.low END,
           CASE WHEN probe.time <= %(at)s THEN s.high ELSE (s.low + s.high + 1) / 2 - 1 END
    FROM step s
    CROSS JOIN LATERAL (
        SELECT b.number, b.time FROM projection.blocks b
        WHERE b.network = %(network)s AND b.number >= (s.low + s.high + 1) / 2
        ORDER BY b.number
        LIMIT 1
    ) probe
    WHERE s.low < s.high
)
SELECT b.number, b.hash, b.time, b.position
FROM step s
JOIN LATERAL (
    SELECT c.number, c.hash, c.time, c.position FROM projection.blocks c
    WHERE c.network = %(network)s AND c.number = s.low AND c.time <= %(at)s
) b ON true
WHERE s.low = s.high;
