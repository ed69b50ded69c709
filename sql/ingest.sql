-- name: take_lease
-- Only a later claim takes over (or the same, sent again); a raw topic made anew begins with offset 0 again.
INSERT INTO ingest.leases (network, claim_offset, topic_id, owner)
VALUES (%(network)s, %(claim)s, %(topic_id)s, %(owner)s)
ON CONFLICT (network) DO UPDATE
SET claim_offset = excluded.claim_offset, topic_id = excluded.topic_id, owner = excluded.owner, seen_at = now()
WHERE ingest.leases.claim_offset <= excluded.claim_offset OR ingest.leases.topic_id <> excluded.topic_id;

-- name: hold_lease
-- The fence of every write to the tail. No row: a newer claim is registered.
UPDATE ingest.leases SET seen_at = now()
WHERE network = %(network)s AND claim_offset = %(claim)s AND topic_id = %(topic_id)s;

-- name: let_go
-- A follower that stops in order is not waited for.
UPDATE ingest.leases SET seen_at = 'epoch'
WHERE network = %(network)s AND claim_offset = %(claim)s AND topic_id = %(topic_id)s;

-- name: still_follows
-- A follower that waits for a server says so too; one that has let go, or lost its lease, does not.
UPDATE ingest.leases SET seen_at = now() WHERE network = %(network)s AND owner = %(owner)s AND seen_at <> 'epoch';

-- name: other_topic
-- Whether the offsets in the tail belong to another raw topic than the one at hand.
SELECT topic_id <> %(topic_id)s FROM ingest.leases WHERE network = %(network)s;

-- name: disbelieve
-- Rows that are not in the log for sure: acknowledged after the claim, in another topic, or read and not canonical.
UPDATE ingest.tail t SET raw_offset = NULL
WHERE t.network = %(network)s AND NOT t.final AND t.raw_offset IS NOT NULL
  AND (%(all)s OR t.raw_offset > %(claim)s OR EXISTS (
      SELECT FROM ingest.heads h
      WHERE h.network = t.network AND h.position >= t.raw_offset
        AND NOT EXISTS (
            SELECT FROM ingest.blocks b
            WHERE b.network = t.network AND b.number = t.height AND b.hash = t.hash AND b.state = 'canonical')));

-- name: is_outdated
-- Whether a restore left the tail older than the log.
SELECT refill FROM ingest.leases WHERE network = %(network)s;

-- name: normalized_position
-- How far normalize has read the raw log.
SELECT coalesce((SELECT position FROM ingest.heads WHERE network = %(network)s), -1);

-- name: doubtful
-- Heights that were appended, read by the normalizer, and did not become canonical.
SELECT t.height
FROM ingest.tail t
JOIN ingest.heads h ON h.network = t.network AND h.position >= t.raw_offset
WHERE t.network = %(network)s AND NOT t.final
  AND NOT EXISTS (
      SELECT FROM ingest.blocks b
      WHERE b.network = t.network AND b.number = t.height AND b.hash = t.hash AND b.state = 'canonical')
ORDER BY t.height;

-- name: tail
SELECT height, hash, parent, raw_offset, final, proof, logs, reasons, content
FROM ingest.tail WHERE network = %(network)s ORDER BY height;

-- name: lowest_unfinal
-- A backfill stays below it.
SELECT min(height) FROM ingest.tail WHERE network = %(network)s AND NOT final;

-- name: add_row
-- Before the append. A row of another hash stands for a block that must be reverted first: it is not overwritten.
INSERT INTO ingest.tail (network, height, hash, parent, proof, reasons, content, logs)
VALUES (%(network)s, %(height)s, %(hash)s, %(parent)s, %(proof)s, %(reasons)s, %(content)s, %(logs)s)
ON CONFLICT (network, height) DO UPDATE
SET raw_offset = NULL, parent = excluded.parent, proof = excluded.proof, reasons = excluded.reasons,
    content = excluded.content, logs = excluded.logs
WHERE ingest.tail.hash = excluded.hash;

-- name: better
-- After the same block was appended again, better proven: it stands where it stood.
UPDATE ingest.tail SET proof = %(proof)s, reasons = %(reasons)s
WHERE network = %(network)s AND height = %(height)s AND hash = %(hash)s;

-- name: acknowledge
UPDATE ingest.tail SET raw_offset = %(offset)s
WHERE network = %(network)s AND height = %(height)s AND hash = %(hash)s;

-- name: doubt_from
-- Before reverts are written: should we die between, the rows are appended again or reverted again.
UPDATE ingest.tail SET raw_offset = NULL
WHERE network = %(network)s AND height >= %(height)s AND NOT final;

-- name: drop_from
-- After the reverts are acknowledged.
DELETE FROM ingest.tail WHERE network = %(network)s AND height >= %(height)s AND NOT final;

-- name: pull_cursor
-- The follower starts again where blocks were reverted, should it die before it appends the new ones.
UPDATE system.sync_cursors SET next_height = least(next_height, %(height)s), updated_at = now()
WHERE job = 'follow:' || %(network)s;

-- name: mark_final
-- Before the finalize record is written.
UPDATE ingest.tail SET final = true WHERE network = %(network)s AND height = %(height)s AND hash = %(hash)s;

-- name: anchor
-- A block that was appended as final: the tail stands on it.
INSERT INTO ingest.tail (network, height, hash, parent, raw_offset, final)
VALUES (%(network)s, %(height)s, %(hash)s, %(parent)s, %(offset)s, true)
ON CONFLICT (network, height) DO UPDATE SET raw_offset = excluded.raw_offset, final = true
WHERE ingest.tail.hash = excluded.hash;

-- name: drop_below
-- After the finalize record is acknowledged: the highest final row stays.
DELETE FROM ingest.tail
WHERE network = %(network)s
  AND height < (SELECT max(height) FROM ingest.tail WHERE network = %(network)s AND final);

-- name: save_cursor
-- next_height: first height that Kafka has not acknowledged.
INSERT INTO system.sync_cursors (job, network, next_height, node_head, node_time)
VALUES (%(job)s, %(network)s, %(next_height)s, %(node_head)s, to_timestamp(%(node_time)s))
ON CONFLICT (job) DO UPDATE
SET next_height = excluded.next_height, node_head = excluded.node_head,
    node_time = coalesce(excluded.node_time, system.sync_cursors.node_time), updated_at = now();

-- name: waits
-- No provider gives the block, or proves it; since when is kept for as long as it is the same one.
UPDATE system.sync_cursors
SET waits_since = CASE WHEN waits_for = %(height)s THEN waits_since ELSE now() END, waits_for = %(height)s,
    waits_error = %(error)s, updated_at = now()
WHERE job = %(job)s;

-- name: waits_no_longer
UPDATE system.sync_cursors SET waits_for = NULL, waits_since = NULL, waits_error = NULL WHERE job = %(job)s;

-- name: cursor
SELECT next_height FROM system.sync_cursors WHERE job = %(job)s;

-- name: known_final
-- Final blocks that the log has at these heights; the node must agree to them.
SELECT number, hash FROM ingest.blocks
WHERE network = %(network)s AND state = 'canonical' AND final AND number BETWEEN %(first)s AND %(last)s
ORDER BY number DESC
LIMIT %(limit)s;

-- name: follower_lives
SELECT EXISTS (
    SELECT FROM ingest.leases
    WHERE network = %(network)s AND owner <> %(owner)s AND seen_at > now() - interval '15 seconds');

-- name: ledger_position
-- Raw offset up to which the ledger has applied everything; of the normalizer where the ledger has none; null: nobody.
SELECT coalesce(
    (SELECT min(position) FROM system.partition_head WHERE consumer = 'ledger' AND network = %(network)s),
    (SELECT next_offset - 1 FROM system.partition_owner
     WHERE consumer = 'normalize' AND topic = %(topic)s AND partition = 0 AND owner <> ''));
