-- What `ft status` shows of the pipeline (ft/cli/status_pipeline.py).

-- name: networks
-- Each network's head as normalized, what is covered, and how far the partitions behind have read it. Holes: blocks
-- from the lowest that was read to the head that were not read, or without a state sync that they list.
SELECT n.network, h.head_number, h.safe, h.finalized, extract(epoch FROM now() - h.head_time)::bigint,
       coalesce(c.heights, 0), coalesce(c.stretches, 0), c.low, c.high, l.head, p.head, h.broken,
       coalesce(greatest(c.high, h.head_number) - c.low + 1 - c.heights, 0)::bigint
       + (SELECT coalesce(sum(g."to" - g."from" + 1), 0)::bigint FROM ingest.coverage g
          WHERE g.network = n.network AND 'state_sync_missing' = ANY(string_to_array(g.reasons, ','))),
       (SELECT count(*) FROM ingest.quarantine q WHERE q.network = n.network AND q.state = 'open'),
       (SELECT count(*) FROM system.findings f WHERE f.network = n.network)
FROM ref.networks n
JOIN ingest.heads h USING (network)
LEFT JOIN (
    SELECT network, sum(upper(r) - lower(r)) AS heights, count(*) AS stretches, min(lower(r)) AS low, max(upper(r)) - 1 AS high
    FROM (SELECT network, unnest(range_agg(int8range("from", "to", '[]'))) AS r FROM ingest.coverage GROUP BY network) s
    GROUP BY network
) c USING (network)
LEFT JOIN (SELECT network, min(head_number) AS head FROM system.partition_head WHERE consumer = 'ledger' GROUP BY 1) l
    USING (network)
LEFT JOIN (SELECT network, min(head_number) AS head FROM system.partition_head WHERE consumer = 'project' GROUP BY 1) p
    USING (network)
ORDER BY n.network

-- name: waits
-- Followers that wait for a block which no provider gives or proves.
SELECT network, waits_for, extract(epoch FROM now() - waits_since)::bigint, waits_error
FROM system.sync_cursors WHERE starts_with(job, 'follow:') AND waits_for IS NOT NULL
ORDER BY network

-- name: lacking
-- Blocks above what is final that list a state sync whose receipt no provider has.
SELECT c.network, greatest(c."from", h.finalized + 1), c."to"
FROM ingest.coverage c
JOIN ingest.heads h USING (network)
WHERE 'state_sync_missing' = ANY(string_to_array(c.reasons, ',')) AND c."to" > h.finalized
ORDER BY c.network, c."from"

-- name: lesser
-- Final blocks that are less proven than others of their network can be: `ft replace` reads them anew.
WITH found AS (
    SELECT c.network, c."from", least(c."to", h.finalized) AS "to", concat_ws(', ', c.proof, nullif(c.reasons, '')) AS how
    FROM ingest.coverage c
    JOIN ingest.heads h USING (network)
    LEFT JOIN ref.networks n USING (network)
    WHERE c."from" <= h.finalized
      AND (c.proof NOT IN ('receipts', coalesce(n.settings ->> 'proof', 'receipts')) OR c.reasons NOT IN ('', 'state_sync', 'outside_receipts'))
)
SELECT network, "from", "to", how, stretches
FROM (
    SELECT *, row_number() OVER (PARTITION BY network ORDER BY "from") AS nth, count(*) OVER (PARTITION BY network) AS stretches
    FROM found
) AS numbered
WHERE nth <= %(most)s
ORDER BY network, "from"

-- name: lost
-- Raw logs whose first records were lost with their Kafka, and the offset at which they begin.
SELECT topic, "offset" FROM system.topic_begins
WHERE starts_with(topic, %(prefix)s || 'chain.') AND "offset" > 0 ORDER BY topic

-- name: consumers
-- Where each consumer stands in each partition.
SELECT consumer, topic, partition, next_offset, owner
FROM system.partition_owner
WHERE starts_with(topic, %(prefix)s)
ORDER BY array_position(ARRAY['normalize', 'ledger', 'project', 'heads'], consumer), topic, partition

-- name: outbox
-- Journal rows that are not announced, and partitions that wait for `ft dlq replay`.
SELECT o.partition, greatest(o.next_seq - 1 - coalesce(c.seq, 0), 0), c.blocked
FROM system.partition_owner o
LEFT JOIN system.publish_cursor c USING (partition)
WHERE o.consumer = 'ledger' AND o.topic = %(normalized)s
ORDER BY o.partition

-- name: announcing
-- What domains have written and not announced, a topic, and since when nothing of it came out.
SELECT topic, sum(written - announced)::bigint, extract(epoch FROM now() - min(announced_at))::bigint
FROM system.outbox_cursor WHERE written > announced GROUP BY topic ORDER BY topic

-- name: dead_letters
-- Letters that nobody has dealt with.
SELECT consumer, reason, count(*), min(created_at) FROM system.dlq WHERE state = 'open' GROUP BY 1, 2 ORDER BY 1, 2

-- name: workers
-- Processes that were seen in the last minute.
SELECT worker, agents, metrics_url, extract(epoch FROM now() - seen_at)::bigint, doing
FROM system.workers WHERE seen_at > now() - interval '1 minute' ORDER BY worker

-- name: bulk
-- Open bulk backfills: while there is one, nothing is announced.
SELECT b.network, b."from", b."to", b.state, coalesce(c.next_height, b."from"),
       extract(epoch FROM now() - b.seen_at)::bigint, b.error,
       (SELECT count(*) FROM system.partition_head h
        WHERE h.consumer = 'ledger' AND h.network = b.network AND h.position >= b.raw_end)
FROM ingest.bulk b
LEFT JOIN system.sync_cursors c ON c.job = format('bulk:%%s:%%s-%%s:%%s', b.network, b."from", b."to", b.id)
WHERE b.state <> 'done'
ORDER BY b.id

-- name: months
-- Months without the API's indexes; histories in them answer 503.
SELECT month FROM ledger.months WHERE NOT indexed ORDER BY month

-- name: building
-- The index that is built now; seen by the login that builds, so that one asks.
SELECT coalesce(c.relname, ''), p.phase,
       round(100.0 * greatest(p.blocks_done, 0) / nullif(p.blocks_total, 0))::integer
FROM pg_stat_progress_create_index p
LEFT JOIN pg_class c ON c.oid = p.index_relid
WHERE p.datname = current_database() AND p.phase IS NOT NULL

-- name: undecoded
-- Ranges that were read before a contract was listed, and not again; for one that no worker has read yet, all that is
-- covered.
SELECT u.network, lower(r), upper(r) - 1, array_agg(coalesce(nullif(c.name, ''), c.contract) ORDER BY c.name, c.contract)
FROM (
    SELECT network, contract, heights FROM ingest.undecoded
    UNION ALL
    SELECT network, contract, range_agg(int8range("from", "to", '[]'))
    FROM ref.contracts JOIN ingest.coverage USING (network) WHERE in_force_from IS NULL
    GROUP BY network, contract
) u
JOIN ref.contracts c USING (network, contract), unnest(u.heights) AS r
GROUP BY u.network, r
ORDER BY u.network, r
