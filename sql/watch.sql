-- name: ingest_lag
-- The node's head against the normalized one, for networks that somebody follows.
SELECT c.network, greatest(c.node_head - h.head_number, 0),
       CASE WHEN c.node_head > h.head_number THEN greatest(extract(epoch FROM now() - h.head_time), 0)::float ELSE 0 END
FROM system.sync_cursors c
JOIN ingest.heads h USING (network)
WHERE starts_with(c.job, 'follow:') AND c.node_head IS NOT NULL;

-- name: ingest_waits
-- How long a block of each followed network cannot be had already.
SELECT network, coalesce(greatest(extract(epoch FROM now() - waits_since), 0), 0)::float
FROM system.sync_cursors WHERE starts_with(job, 'follow:');

-- name: outbox
-- Journal rows that are not announced yet, of the partitions that this worker holds.
SELECT o.partition, greatest(o.next_seq - 1 - coalesce(c.seq, 0), 0)
FROM system.partition_owner o
LEFT JOIN system.publish_cursor c USING (partition)
WHERE o.consumer = 'ledger' AND o.partition = ANY(%(partitions)s);

-- name: bulk_jobs
-- Open bulk backfills by state; stalled: nobody has filled it for two minutes.
SELECT k.state, count(b.state)
FROM unnest(ARRAY['filling', 'stalled', 'written', 'indexing']) AS k (state)
LEFT JOIN (
    SELECT CASE WHEN state = 'filling' AND seen_at < now() - interval '2 minutes' THEN 'stalled' ELSE state END AS state
    FROM ingest.bulk WHERE state <> 'done'
) AS b USING (state)
GROUP BY k.state;

-- name: dlq_depth
-- Letters that nobody has dealt with.
SELECT count(*) FROM system.dlq WHERE state = 'open';

-- name: stub_assets
-- Assets that are known by their existence only.
SELECT count(*) FROM catalog.assets WHERE is_stub;

-- name: failures
-- Processes that ended by an error in the last quarter of an hour.
SELECT role, what, sum(lately) FROM projection.failures WHERE lately > 0 GROUP BY role, what;

-- name: contradicted
-- Networks whose node denies what is final, until they were followed again.
SELECT DISTINCT what FROM projection.failures WHERE kind = 'FinalityContradicted' AND NOT settled;

-- name: say_doing
-- What a worker does that takes long, for `ft status`.
UPDATE system.workers SET doing = %(doing)s WHERE worker = %(worker)s;
