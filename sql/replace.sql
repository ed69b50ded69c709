-- What `ft replace` reads and keeps (streams/ingest/replace.py). All of it in the session that holds the lock.

-- name: lock
-- One correction a network at a time, for as long as the session lives.
SELECT pg_try_advisory_lock(hashtextextended('ft replace ' || %(network)s, 0));

-- name: normalized_to
-- The first raw offset that normalize has not read.
SELECT next_offset, topic_id FROM system.partition_owner
WHERE consumer = 'normalize' AND topic = %(topic)s AND partition = 0;

-- name: canonical
-- What counts at these heights, as normalize has read it.
SELECT number, hash, parent, final, proof, reasons FROM ingest.blocks
WHERE network = %(network)s AND state = 'canonical' AND number BETWEEN %(first)s AND %(last)s
ORDER BY number;

-- name: open_above
-- What counts above, from the lowest block on that finality may still change.
SELECT b.number, b.hash, b.parent, b.final, b.proof, b.reasons
FROM ingest.heads h
JOIN ingest.blocks b USING (network)
WHERE h.network = %(network)s AND b.state = 'canonical' AND b.number >= h.unfinal_from AND b.number > %(last)s
ORDER BY b.number;

-- name: holes
-- Quarantined logs and slices of canonical blocks at these heights.
SELECT count(*) FROM ingest.quarantine
WHERE network = %(network)s AND state = 'open' AND block_number BETWEEN %(first)s AND %(last)s;

-- name: unfinished
-- Corrections that were begun: from their first revert on until all is in the log.
SELECT job FROM system.sync_cursors
WHERE network = %(network)s AND starts_with(job, 'replace:') AND job <> %(job)s ORDER BY job;

-- name: begin
-- Before the first revert.
INSERT INTO system.sync_cursors (job, network, next_height) VALUES (%(job)s, %(network)s, %(first)s)
ON CONFLICT (job) DO UPDATE SET next_height = excluded.next_height, updated_at = now();

-- name: finish
-- All is acknowledged; a wider correction finishes those within it.
DELETE FROM system.sync_cursors
WHERE network = %(network)s AND (job = %(job)s OR job = ANY(%(within)s::text[]));

-- name: move_anchor
-- The block that the follower stands on is another one now, or stands elsewhere in the log.
UPDATE ingest.tail t SET hash = k.hash, parent = k.parent, raw_offset = k.raw_offset
FROM unnest(%(height)s::bigint[], %(hash)s::text[], %(parent)s::text[], %(raw_offset)s::bigint[])
     AS k (height, hash, parent, raw_offset)
WHERE t.network = %(network)s AND t.height = k.height AND t.final;
