-- Backfills in bulk: the job of `ft ingest --bulk` (streams/ingest/bulk.py), and the worker that builds the indexes
-- afterwards (agents/ledger/indexing.py). filling -> written -> indexing -> done.

-- name: open_job
-- From here on the publisher is held back.
INSERT INTO ingest.bulk (network, "from", "to", from_time, to_time)
VALUES (%(network)s, %(first)s, %(last)s, to_timestamp(%(from_time)s), to_timestamp(%(to_time)s))
RETURNING id;

-- name: filling_jobs
-- What a process left behind that was stopped, or still fills.
SELECT id, "from", "to", extract(epoch FROM now() - seen_at)::float
FROM ingest.bulk
WHERE network = %(network)s AND state = 'filling'
ORDER BY id;

-- name: seen
-- Somebody fills it. No row: it was closed meanwhile.
UPDATE ingest.bulk SET seen_at = now() WHERE id = %(id)s AND state = 'filling';

-- name: written
-- Everything is acknowledged and lies at or below this raw offset.
UPDATE ingest.bulk SET state = 'written', raw_end = %(raw_end)s, seen_at = now(), abandoned = %(abandoned)s
WHERE id = %(id)s AND state = 'filling';

-- name: holds
-- Whether the publisher is held back.
SELECT EXISTS (SELECT FROM ingest.bulk WHERE state <> 'done');

-- name: waits
-- Whether the builder has anything to look after.
SELECT EXISTS (SELECT FROM ingest.bulk WHERE state <> 'done') OR EXISTS (SELECT FROM ledger.months WHERE NOT indexed);

-- name: applied
-- Jobs that the ledger has read to their end, in every partition.
UPDATE ingest.bulk b SET state = 'indexing'
WHERE b.state = 'written'
  AND (b.raw_end < 0 OR (
      SELECT count(*) FROM system.partition_head h
      WHERE h.consumer = 'ledger' AND h.network = b.network AND h.position >= b.raw_end
  ) >= (SELECT value::integer FROM system.settings WHERE name = 'partitions'))
RETURNING b.id, b.network, b."from", b."to";

-- name: months
-- Months to build: without indexes, and no job's blocks may still come.
SELECT m.month
FROM ledger.months m
WHERE NOT m.indexed AND NOT EXISTS (
    SELECT FROM ingest.bulk b
    WHERE b.state IN ('filling', 'written')
      AND m.month BETWEEN date_trunc('month', b.from_time AT TIME ZONE 'UTC') AND b.to_time AT TIME ZONE 'UTC')
ORDER BY m.month;

-- name: is_free
-- Whether nobody builds now.
SELECT pg_try_advisory_xact_lock(%(lock)s);

-- name: lock
-- One builder at a time; held by the session that builds, until Postgres is done with it.
SELECT pg_try_advisory_lock(%(lock)s);

-- name: month_indexes
-- The indexes of a month: definition, and whether it is there and valid (null: it is not there).
SELECT i.name, i.definition, x.indisvalid
FROM ledger.month_indexes(%(month)s) i
LEFT JOIN pg_index x ON x.indexrelid = to_regclass(format('ledger.%%I', i.name));

-- name: month_is_indexed
-- The API may read it. Refused where an index is missing or invalid.
SELECT ledger.month_is_indexed(%(month)s);

-- name: finish
-- Nothing is left to do for these; the last one releases the publisher.
UPDATE ingest.bulk b SET state = 'done', error = NULL, finished_at = now()
WHERE b.state = 'indexing' AND NOT EXISTS (
    SELECT FROM ledger.months m
    WHERE NOT m.indexed
      AND m.month BETWEEN date_trunc('month', b.from_time AT TIME ZONE 'UTC') AND b.to_time AT TIME ZONE 'UTC')
RETURNING b.id, b.network, b."from", b."to";

-- name: note_error
-- For `ft status`: why indexes cannot be built. null: they can again.
UPDATE ingest.bulk SET error = %(error)s WHERE state = 'indexing' AND error IS DISTINCT FROM %(error)s;
