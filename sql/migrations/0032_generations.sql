-- Each restore begins a generation of announced records, which goes on from a state of another one (streams/generations.py).
CREATE TABLE system.generations (
    generation integer PRIMARY KEY,
    parent     integer NOT NULL,                    -- the generation of the state that was restored
    began_at   bigint[] NOT NULL                    -- by partition, the last seq of that state's journal
);
GRANT SELECT ON system.generations TO ft_writer;

-- Set by a restore: the tail is older than the raw log. Whoever follows makes it anew from what normalize has read.
ALTER TABLE ingest.leases ADD COLUMN refill boolean NOT NULL DEFAULT false;

-- What a recovery cuts from the chain, for the time of its transaction: empty before and after it (sql/recovery.sql).
CREATE TABLE system.recovery_cut (network text NOT NULL, number bigint NOT NULL, hash text NOT NULL);
CREATE TABLE system.recovery_parts (
    network text NOT NULL, "from" bigint NOT NULL, low bigint, high bigint, proof text NOT NULL, raw_offset bigint NOT NULL,
    reasons text NOT NULL
);
