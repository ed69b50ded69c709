-- Which error the last follower of a network ended by: of one that started later and was told to stop, it is none of those
-- before.
CREATE OR REPLACE VIEW projection.failures AS
SELECT f.role, f.what, f.kind, f.error, f.at[1] AS last_at,
       (SELECT count(*) FROM unnest(f.at) AS t WHERE t > now() - interval '15 minutes') AS lately,
       coalesce(l.seen_at > f.at[1] + interval '1 minute', false) AS settled,
       coalesce(l.owner = f.process, false) AS of_last_follower
FROM system.failures f
LEFT JOIN ingest.leases l ON f.role = 'ingest' AND l.network = f.what;
