-- name: contracts
-- Those older than the token standards, and from which raw offset on each is read that way (null: from now on).
SELECT contract, layout, in_force_from FROM ref.contracts WHERE network = %(network)s ORDER BY contract;

-- name: note_undecoded
-- What is covered already was read without these contracts.
INSERT INTO ingest.undecoded (network, contract, heights)
SELECT c.network, c.contract, range_agg(int8range(s."from", s."to", '[]'))
FROM ref.contracts c JOIN ingest.coverage s USING (network)
WHERE c.network = %(network)s AND c.contract = ANY(%(contracts)s) AND c.in_force_from IS NULL
GROUP BY c.network, c.contract
ON CONFLICT (network, contract) DO UPDATE SET heights = excluded.heights;

-- name: put_in_force
-- From this raw offset on they are read.
UPDATE ref.contracts SET in_force_from = %(position)s
WHERE network = %(network)s AND contract = ANY(%(contracts)s) AND in_force_from IS NULL;

-- name: any_undecoded
-- Whether anything was read before a contract was listed.
SELECT EXISTS (SELECT FROM ingest.undecoded WHERE network = %(network)s);

-- name: decoded_again
-- Blocks that were appended now were read with every listed contract.
UPDATE ingest.undecoded u SET heights = u.heights - read.again
FROM (SELECT range_agg(int8range(height, height, '[]')) AS again FROM unnest(%(heights)s::bigint[]) AS h (height)) read
WHERE u.network = %(network)s AND u.heights && read.again;

-- name: drop_decoded
-- Nothing is left of it.
DELETE FROM ingest.undecoded WHERE network = %(network)s AND isempty(heights);

-- name: forget_late
-- What every partition of the ledger has read. One that has read nothing of the network has no row, and is waited for.
DELETE FROM ingest.late
WHERE network = %(network)s AND raw_offset <= (
    SELECT min(h.position) FROM system.partition_head h
    WHERE h.consumer = 'ledger' AND h.network = %(network)s
    HAVING count(*) >= (SELECT s.value::bigint FROM system.settings s WHERE s.name = 'partitions'));

-- name: write_late
-- Stretches of heights that are not what a partition shows that has not read as far.
INSERT INTO ingest.late AS l (network, "from", "to", raw_offset)
SELECT %(network)s, low, high, raw_offset
FROM unnest(%(low)s::bigint[], %(high)s::bigint[], %(raw_offset)s::bigint[]) AS s (low, high, raw_offset)
ON CONFLICT (network, raw_offset, "from") DO UPDATE SET "to" = greatest(l."to", excluded."to");

-- name: forget_created
-- The receipt that created these contracts is not in the chain any more.
DELETE FROM ingest.created
WHERE network = %(network)s
  AND (number, hash) IN (SELECT * FROM unnest(%(number)s::bigint[], %(hash)s::text[]));

-- name: write_created
-- The lowest block that created a contract: one address may be created again. A block that comes better proven says it
-- anew.
INSERT INTO ingest.created (network, contract, number, hash, tx_hash, reasons)
SELECT DISTINCT ON (contract) %(network)s, contract, number, hash, tx_hash, reasons
FROM unnest(%(contract)s::text[], %(number)s::bigint[], %(hash)s::text[], %(tx_hash)s::text[], %(reasons)s::text[])
     AS c (contract, number, hash, tx_hash, reasons)
ORDER BY contract, number
ON CONFLICT (network, contract) DO UPDATE
SET number = excluded.number, hash = excluded.hash, tx_hash = excluded.tx_hash, reasons = excluded.reasons,
    checked = true
WHERE created.number >= excluded.number;
