-- Who writes above finality, as Postgres knows it: fences the tail's rows, and says whether a follower lives.
CREATE TABLE ingest.leases (
    network      text PRIMARY KEY,
    claim_offset bigint NOT NULL,               -- raw offset of the newest claim that its writer registered
    topic_id     text NOT NULL,                 -- the raw topic that the offset belongs to
    owner        text NOT NULL,
    seen_at      timestamptz NOT NULL DEFAULT now()
);

-- The highest block declared final stays in the tail: what the node must agree to for ever.
ALTER TABLE ingest.tail ADD COLUMN final boolean NOT NULL DEFAULT false;

GRANT SELECT, INSERT, UPDATE, DELETE ON ingest.leases TO ft_writer;
