-- What a restore took back: records that were announced before it, and rows that the journal lost (streams/generations.py).
CREATE TABLE system.generations (
    generation integer NOT NULL,                    -- one that is over
    partition  integer NOT NULL,
    holds_to   bigint NOT NULL,                     -- its records up to this seq hold; those beyond never happened
    PRIMARY KEY (generation, partition)
);
GRANT SELECT ON system.generations TO ft_writer;

-- Set by a restore: the tail is older than the raw log. Whoever follows makes it anew from what normalize has read.
ALTER TABLE ingest.leases ADD COLUMN refill boolean NOT NULL DEFAULT false;
