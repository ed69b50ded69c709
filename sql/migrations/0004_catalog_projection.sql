-- What the agent `project` keeps from ledger.ownership_changed alone.
CREATE TABLE catalog.assets (
    network    text NOT NULL,
    contract   text NOT NULL,
    token_id   numeric(78, 0) NOT NULL,
    uuid       uuid NOT NULL UNIQUE,            -- uuid5 of the natural key
    standard   text NOT NULL,
    is_stub    boolean NOT NULL DEFAULT true,   -- true until metadata came
    first_seen timestamptz NOT NULL,            -- time of the first block it was seen in
    PRIMARY KEY (network, contract, token_id)
);

-- The subscriber's own copy of who holds what, by the same rule as the ledger's.
CREATE TABLE projection.holdings (
    network      text NOT NULL,
    contract     text NOT NULL,
    token_id     numeric(78, 0) NOT NULL,
    slot         text NOT NULL,
    account      text NOT NULL,
    quantity     numeric NOT NULL,
    block_number bigint NOT NULL,
    log_index    integer NOT NULL,
    sub_index    integer NOT NULL,
    returned     boolean NOT NULL DEFAULT false,
    PRIMARY KEY (network, contract, token_id, slot)
) WITH (fillfactor = 80);

CREATE TABLE projection.asset_cards (
    network     text NOT NULL,
    contract    text NOT NULL,
    token_id    numeric(78, 0) NOT NULL,
    standard    text NOT NULL,
    supply      numeric NOT NULL DEFAULT 0,     -- sum of the visible holdings
    owners      bigint NOT NULL DEFAULT 0,      -- visible holdings
    transfers   bigint NOT NULL DEFAULT 0,      -- live events, mints and burns among them
    last_block  bigint NOT NULL DEFAULT -1,     -- highest block of an event, live or retracted
    last_time   timestamptz,
    version     bigint NOT NULL DEFAULT 0,      -- seq of the last record that changed the card
    PRIMARY KEY (network, contract, token_id)
) WITH (fillfactor = 80);

CREATE TABLE projection.collection_holders (
    network  text NOT NULL,
    contract text NOT NULL,
    account  text NOT NULL,
    holdings bigint NOT NULL,                   -- visible rows of this account in the collection
    PRIMARY KEY (network, contract, account)
) WITH (fillfactor = 80);

CREATE TABLE projection.collection_stats (
    network     text NOT NULL,
    contract    text NOT NULL,
    standard    text NOT NULL,                  -- of the last event seen
    owners      bigint NOT NULL DEFAULT 0,      -- accounts with a visible holding
    assets      bigint NOT NULL DEFAULT 0,      -- token ids with a visible holding
    supply      numeric NOT NULL DEFAULT 0,     -- sum of the visible holdings
    transfers   bigint NOT NULL DEFAULT 0,      -- live events by kind
    mints       bigint NOT NULL DEFAULT 0,
    burns       bigint NOT NULL DEFAULT 0,
    first_block bigint NOT NULL,
    last_block  bigint NOT NULL,
    version     bigint NOT NULL DEFAULT 0,      -- seq of the last record that changed the row
    PRIMARY KEY (network, contract)
) WITH (fillfactor = 50);

CREATE TABLE projection.collection_activity (
    network   text NOT NULL,
    contract  text NOT NULL,
    day       date NOT NULL,                    -- UTC day of the block
    transfers bigint NOT NULL DEFAULT 0,
    mints     bigint NOT NULL DEFAULT 0,
    burns     bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (network, contract, day)
) WITH (fillfactor = 50);
