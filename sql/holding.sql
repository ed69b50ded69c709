-- name: applied
-- Raw offset up to which the ledger has applied everything, by network.
SELECT network, min(position) FROM system.partition_head WHERE consumer = 'ledger' GROUP BY network;

-- name: stages
-- Whether a ledger has ever worked here; journal rows that project has taken, and those that it has not: without the
-- partitions whose publisher waits for an operator; the networks whose follower lives.
SELECT count(*) FILTER (WHERE l.epoch > 0), coalesce(sum(p.next_seq), 0)::bigint,
       coalesce(sum(greatest(l.next_seq - 1 - c.seq, 0) + greatest(c.ownership_seq + 1 - p.next_seq, 0))
                FILTER (WHERE c.blocked IS NULL), 0)::bigint,
       ARRAY(SELECT network FROM ingest.leases WHERE seen_at > now() - interval '15 seconds')
FROM system.partition_owner l
LEFT JOIN system.publish_cursor c ON c.partition = l.partition
LEFT JOIN system.partition_owner p ON p.consumer = 'project' AND p.partition = l.partition
WHERE l.consumer = 'ledger';
