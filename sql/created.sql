-- Creations that are proven again from the raw log (agents/normalize/reproof.py).

-- name: unchecked
-- How many are left, a network.
SELECT network, count(*) FROM ingest.created WHERE NOT checked GROUP BY network ORDER BY network;

-- name: blocks
-- The next blocks with such creations, in the order of the raw log, and what they created.
SELECT b.raw_offset, b.number, b.hash, array_agg(c.contract ORDER BY c.contract)
FROM ingest.created c
JOIN ingest.blocks b USING (network, number, hash)
WHERE c.network = %(network)s AND NOT c.checked AND b.raw_offset > %(after)s
GROUP BY b.raw_offset, b.number, b.hash
ORDER BY b.raw_offset
LIMIT %(limit)s;

-- name: keep
-- A creation as its block proves it.
UPDATE ingest.created c
SET tx_hash = k.tx_hash, reasons = k.reasons, checked = true
FROM unnest(%(contract)s::text[], %(number)s::bigint[], %(hash)s::text[], %(tx_hash)s::text[], %(reasons)s::text[])
     AS k (contract, number, hash, tx_hash, reasons)
WHERE c.network = %(network)s AND c.contract = k.contract AND c.number = k.number AND c.hash = k.hash;

-- name: forget
-- What a receipt named and no transaction created.
DELETE FROM ingest.created c
USING unnest(%(contract)s::text[], %(number)s::bigint[], %(hash)s::text[]) AS k (contract, number, hash)
WHERE c.network = %(network)s AND c.contract = k.contract AND c.number = k.number AND c.hash = k.hash AND NOT c.checked;
