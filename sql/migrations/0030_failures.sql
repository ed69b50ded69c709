-- How processes ended that ended by an error (streams/failures.py): what loops over a crash, and where the chain denied
-- what was final. A row a kind of error, with its last ten times, newest first.
CREATE TABLE system.failures (
    role    text NOT NULL,                          -- worker, ingest
    what    text NOT NULL,                          -- a worker's agents, a network
    kind    text NOT NULL,                          -- of the error: its class
    error   text NOT NULL,
    process text NOT NULL,
    at      timestamptz[] NOT NULL,
    PRIMARY KEY (role, what, kind)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON system.failures TO ft_writer;

-- settled: a network was followed for a minute after its error.
CREATE VIEW projection.failures AS
SELECT f.role, f.what, f.kind, f.error, f.at[1] AS last_at,
       (SELECT count(*) FROM unnest(f.at) AS t WHERE t > now() - interval '15 minutes') AS lately,
       coalesce(l.seen_at > f.at[1] + interval '1 minute', false) AS settled
FROM system.failures f
LEFT JOIN ingest.leases l ON f.role = 'ingest' AND l.network = f.what;
GRANT SELECT ON projection.failures TO ft_api;
-- `ft status` reads what the API reads.
GRANT SELECT ON ALL TABLES IN SCHEMA projection TO ft_writer;
