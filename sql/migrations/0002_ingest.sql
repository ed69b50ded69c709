-- The canonical chain as normalize has read it from the raw log, and the source's own tail.
CREATE TABLE ingest.blocks (
    network    text NOT NULL,
    number     bigint NOT NULL,
    hash       text NOT NULL,
    parent     text NOT NULL,
    time       timestamptz NOT NULL,
    state      text NOT NULL CHECK (state IN ('canonical', 'reverted')),
    final      boolean NOT NULL DEFAULT false,
    digest     text NOT NULL DEFAULT '',
    proof      text NOT NULL,
    raw_offset bigint NOT NULL,
    PRIMARY KEY (network, number, hash)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX blocks_canonical ON ingest.blocks (network, number) WHERE state = 'canonical';

-- Unbroken stretches that were read; adjacent stretches of one proof are merged.
CREATE TABLE ingest.coverage (
    network    text NOT NULL,
    "from"     bigint NOT NULL,
    "to"       bigint NOT NULL,
    proof      text NOT NULL,
    raw_offset bigint NOT NULL,                 -- of the record that last changed the stretch
    PRIMARY KEY (network, "from"),
    CHECK ("from" <= "to")
);

-- What the fold of the raw log knows beside the blocks themselves.
CREATE TABLE ingest.heads (
    network      text PRIMARY KEY,
    claim_offset bigint NOT NULL DEFAULT -1,    -- the lease in force; -1: none was read
    broken       boolean NOT NULL DEFAULT false, -- leased records are ignored until the next claim
    head_number  bigint NOT NULL DEFAULT -1,
    head_hash    text NOT NULL DEFAULT '',
    head_time    timestamptz,
    safe         bigint NOT NULL DEFAULT -1,
    finalized    bigint NOT NULL DEFAULT -1,
    position     bigint NOT NULL DEFAULT -1
);

-- Blocks above finality that a source has meant to append: written before the append.
CREATE TABLE ingest.tail (
    network    text NOT NULL,
    height     bigint NOT NULL,
    hash       text NOT NULL,
    parent     text NOT NULL,
    raw_offset bigint,                          -- null until Kafka acknowledged the append
    PRIMARY KEY (network, height)
);

-- The block whose receipt created a contract: where its full history begins.
CREATE TABLE ingest.created (
    network  text NOT NULL,
    contract text NOT NULL,
    number   bigint NOT NULL,
    hash     text NOT NULL,
    tx_hash  text NOT NULL,
    PRIMARY KEY (network, contract)
);
CREATE INDEX created_block ON ingest.created (network, number);

-- Logs and slices that could not be decoded or applied: holes in coverage, kept whole.
CREATE TABLE ingest.quarantine (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    network      text NOT NULL,
    block_number bigint NOT NULL,
    block_hash   text NOT NULL,
    contract     text NOT NULL DEFAULT '',      -- empty: the whole block
    tx_hash      text NOT NULL DEFAULT '',
    log_index    integer NOT NULL DEFAULT -1,
    topic0       text NOT NULL DEFAULT '',
    reason       text NOT NULL,
    error        text NOT NULL,
    payload      bytea NOT NULL,
    raw_offset   bigint NOT NULL,
    state        text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'reverted', 'resolved')),
    created_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (network, block_hash, contract, log_index, reason)
);
CREATE INDEX quarantine_contract ON ingest.quarantine (network, contract);
CREATE INDEX quarantine_block ON ingest.quarantine (network, block_number);
