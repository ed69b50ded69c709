-- What the API's status says of the networks that somebody follows, or followed: who is at it, and what it waits for.
CREATE VIEW projection.followers AS
SELECT n.network, l.seen_at, c.waits_for, c.waits_since, c.job IS NOT NULL AS followed, coalesce(h.broken, false) AS broken,
       h.head_time, coalesce((n.settings ->> 'block_time_s')::double precision, 12) AS block_time_s
FROM ref.networks n
LEFT JOIN system.sync_cursors c ON c.job = 'follow:' || n.network
LEFT JOIN ingest.leases l ON l.network = n.network
LEFT JOIN ingest.heads h ON h.network = n.network;
GRANT SELECT ON projection.followers TO ft_api;

-- Bulk backfills that are not done; while there is one, nothing is announced.
CREATE VIEW projection.bulk AS SELECT network, "from", "to", state, seen_at FROM ingest.bulk WHERE state <> 'done';
GRANT SELECT ON projection.bulk TO ft_api;
