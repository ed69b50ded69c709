-- Schemas, reference data, and what the system keeps about itself.
CREATE SCHEMA ref;
CREATE SCHEMA ingest;
CREATE SCHEMA ledger;
CREATE SCHEMA catalog;
CREATE SCHEMA market;
CREATE SCHEMA projection;
-- schema system is made by the migrator, which keeps its own table there.

CREATE TABLE ref.networks (
    network     text PRIMARY KEY,
    family      text NOT NULL,
    chain_id    bigint,
    start_block bigint NOT NULL DEFAULT 0,      -- first height that full coverage needs
    confirmed   text NOT NULL,                  -- safe | depth | a tag
    finalized   text NOT NULL,
    settings    jsonb NOT NULL DEFAULT '{}',    -- finality depths and rpc limits; never an address with a key in it
    updated_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE ref.token_standards (
    standard text PRIMARY KEY,                  -- erc721, erc1155, ...
    family   text NOT NULL,
    holding  text NOT NULL CHECK (holding IN ('single', 'multi')),  -- one row a token, or one an (asset, account)
    title    text NOT NULL
);

CREATE TABLE ref.marketplaces (
    network text NOT NULL,
    address text NOT NULL,
    name    text NOT NULL,
    PRIMARY KEY (network, address)
);

-- What the first `ft migrate` chose for good: partitions.
CREATE TABLE system.settings (
    name  text PRIMARY KEY,
    value text NOT NULL
);

-- Exactly once: the input offset of every consumer, moved in the same transaction as its effects.
CREATE TABLE system.partition_owner (
    consumer    text NOT NULL,
    topic       text NOT NULL,
    partition   integer NOT NULL,
    epoch       bigint NOT NULL DEFAULT 0,
    next_offset bigint NOT NULL DEFAULT 0,
    next_seq    bigint NOT NULL DEFAULT 1,      -- ledger: next journal seq; others: last seq seen + 1
    owner       text NOT NULL DEFAULT '',       -- process that holds the epoch
    cluster_id  text NOT NULL DEFAULT '',       -- Kafka cluster and topic that next_offset belongs to
    topic_id    text NOT NULL DEFAULT '',
    claimed_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, topic, partition)
) WITH (fillfactor = 50);

-- How far each partition of a consumer has read each network; copied from records, never compared.
CREATE TABLE system.partition_head (
    consumer           text NOT NULL,
    partition          integer NOT NULL,
    network            text NOT NULL,
    position           bigint NOT NULL,             -- raw offset of the last record applied
    head_number        bigint NOT NULL DEFAULT -1,
    head_hash          text NOT NULL DEFAULT '',
    head_time          timestamptz,
    safe               bigint NOT NULL DEFAULT -1,
    finalized          bigint NOT NULL DEFAULT -1,
    announced_position bigint NOT NULL DEFAULT -1,  -- position of the last finality row in the journal
    reorg_from         bigint,                      -- an unfinished run of reverts: highest and lowest height
    reorg_to           bigint,
    reverted_max       bigint NOT NULL DEFAULT -1,  -- highest height ever reverted here
    updated_at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, partition, network)
) WITH (fillfactor = 50);

-- How far the journal is announced, and the last seq announced on each topic.
CREATE TABLE system.publish_cursor (
    partition     integer PRIMARY KEY,
    seq           bigint NOT NULL DEFAULT 0,
    ownership_seq bigint NOT NULL DEFAULT 0,
    finality_seq  bigint NOT NULL DEFAULT 0,
    reorg_seq     bigint NOT NULL DEFAULT 0,
    created_seq   bigint NOT NULL DEFAULT 0,
    blocked       text,                         -- why this partition waits for `ft dlq replay`; null: it does not
    updated_at    timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

-- How far each ingestion job has been acknowledged by Kafka.
CREATE TABLE system.sync_cursors (
    job         text PRIMARY KEY,               -- follow:<network>, range:<network>:<from>-<to>
    network     text NOT NULL,
    next_height bigint NOT NULL,
    node_head   bigint,
    node_time   timestamptz,                    -- time of the node's head when last asked
    updated_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE system.dlq (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer   text NOT NULL,
    topic      text NOT NULL,
    partition  integer NOT NULL,
    "offset"   bigint NOT NULL,                 -- publisher: the journal's seq
    network    text NOT NULL DEFAULT '',
    reason     text NOT NULL,
    error      text NOT NULL,
    payload    bytea NOT NULL,
    state      text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'replayed', 'dropped')),
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (consumer, topic, partition, "offset", reason)
);

CREATE TABLE system.findings (
    network  text NOT NULL,
    contract text NOT NULL,
    token_id numeric(78, 0) NOT NULL,
    kind     text NOT NULL,                     -- nonconserving
    detail   jsonb NOT NULL,
    found_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (network, contract, token_id, kind)
);

CREATE TABLE system.workers (
    worker      text PRIMARY KEY,               -- host:pid:start
    agents      text NOT NULL,
    metrics_url text NOT NULL DEFAULT '',
    started_at  timestamptz NOT NULL DEFAULT now(),
    seen_at     timestamptz NOT NULL DEFAULT now()
);
