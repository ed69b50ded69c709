-- The API's page about the system itself.

-- name: chain_heads
-- How far each network's chain is folded, how far its node is, and what of it was read.
SELECT n.network, n.family, n.start_block, c.head_number, c.head_hash, c.head_time, c.safe, c.finalized, c.position,
       j.node_head, j.node_time,
       (SELECT count(*) FROM projection.coverage g WHERE g.network = n.network) AS stretches,
       (SELECT min(g."from") FROM projection.coverage g WHERE g.network = n.network) AS covered_from,
       (SELECT count(*) FROM projection.quarantined q
        WHERE q.network = n.network AND q.reason <> 'not_listed') AS quarantined
FROM projection.networks n
LEFT JOIN projection.chain_heads c ON c.network = n.network
LEFT JOIN LATERAL (
    SELECT i.node_head, i.node_time FROM projection.ingest_jobs i
    WHERE i.network = n.network AND i.node_head IS NOT NULL
    ORDER BY i.updated_at DESC
    LIMIT 1
) j ON true
ORDER BY n.network;

-- name: partition_heads
-- How far each partition of each consumer is.
SELECT consumer, network, partition, position, head_number, head_hash, head_time, safe, finalized
FROM projection.heads
WHERE consumer <> 'heads'
ORDER BY network, consumer, partition;

-- name: backlog
-- What waits: journal rows to be announced, records that nobody could read, partitions that are stuck.
SELECT (SELECT coalesce(sum(p.unpublished), 0) FROM projection.publishing p) AS outbox_unpublished,
       (SELECT count(*) FROM projection.publishing p WHERE p.blocked IS NOT NULL) AS outbox_blocked,
       (SELECT coalesce(sum(d.open), 0) FROM projection.dead_letters d) AS dlq_depth,
       (SELECT count(*) FROM projection.findings) AS findings,
       (SELECT count(*) FROM projection.months m WHERE NOT m.indexed) AS months_unindexed,
       (SELECT count(*) FROM projection.workers w WHERE w.seen_at > now() - interval '1 minute') AS workers,
       (SELECT coalesce(string_agg(DISTINCT a.name, ','), '')
        FROM projection.workers w, unnest(string_to_array(w.agents, ',')) AS a (name)
        WHERE w.seen_at > now() - interval '1 minute') AS agents;

-- name: deployment
-- The prefix of the deployment that the database is of, and the command that goes on with a restore which has begun.
SELECT topic_prefix, unfinished FROM projection.deployment;

-- name: failures
-- How processes ended lately, and errors that nobody has settled; ages in seconds.
SELECT role, what, kind, error, lately, settled, of_last_follower,
       extract(epoch FROM now() - last_at)::double precision AS last_s
FROM projection.failures
WHERE lately > 0 OR (kind = 'FinalityContradicted' AND NOT settled)
ORDER BY role, what, kind;

-- name: followers
-- Who is at each network, for what moves an operator; ages in seconds.
SELECT f.network, f.followed, f.broken, f.waits_for, f.block_time_s,
       extract(epoch FROM now() - f.seen_at)::double precision AS seen_s,
       extract(epoch FROM now() - f.waits_since)::double precision AS waits_s,
       extract(epoch FROM now() - f.head_time)::double precision AS head_age_s,
       EXISTS (SELECT FROM projection.bulk b
               WHERE b.network = f.network AND b.state = 'filling'
                 AND b.seen_at < now() - interval '2 minutes') AS bulk_stalled
FROM projection.followers f
ORDER BY f.network;
