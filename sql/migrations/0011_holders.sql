-- Who holds a single token after each event, said in the journal and on the topic. Null: what the row itself says.
ALTER TABLE ledger.events
    ADD COLUMN holder        text,              -- null: "to"
    ADD COLUMN holder_before text,              -- null: "from"
    ADD COLUMN holder_block  bigint,            -- block number of the event that the holding stands on; null: this row's; -1: implicit
    ADD COLUMN holder_time   bigint,            -- its time, unix seconds; null: this row's; 0: implicit
    ADD COLUMN block_end     boolean,           -- the last announced row of its block, though others follow; null: by place
    ADD COLUMN echo          boolean NOT NULL DEFAULT false;    -- another event of the transaction tells the same movement

ALTER TABLE market.ownership_current
    -- A holding that no live event tells of: the account that the latest retraction names, before every event.
    ADD COLUMN implicit boolean NOT NULL DEFAULT false,
    ADD COLUMN event_time timestamptz,          -- single: of the event that the row stands on; null: implicit
    DROP COLUMN returned;

-- Contracts that tell one movement by an ERC-721 and an ERC-1155 event: which holding a token has, its row says.
CREATE TABLE ledger.hybrids (
    network   text NOT NULL,
    contract  text NOT NULL,
    partition integer NOT NULL,
    PRIMARY KEY (network, contract)
);
GRANT SELECT, INSERT ON ledger.hybrids TO ft_writer;

-- A subscriber assigns what the records say: nothing tells included-again from read-late any more.
ALTER TABLE system.partition_head DROP COLUMN floor;
ALTER TABLE projection.holdings DROP COLUMN returned, DROP COLUMN log_index, DROP COLUMN sub_index;

-- What a worker does that takes long, for `ft status`; null: nothing of the kind.
ALTER TABLE system.workers ADD COLUMN doing text;

-- Echoes are told in history, and count for nothing.
CREATE OR REPLACE VIEW ledger.normalized_event_deltas AS
SELECT e.partition, e.seq, e.network, e.contract, e.token_id, e.standard, e.block_number, e.block_time,
       e.tx_hash, e.topic0, e.n, e.sub_index, e.revision, e.op, side.account,
       CASE WHEN e.op = 'revert' THEN -side.sign ELSE side.sign END * e.quantity AS delta
FROM ledger.events e
CROSS JOIN LATERAL (VALUES (e."from", -1), (e."to", 1)) AS side (account, sign)
WHERE e.op IN ('apply', 'revert') AND NOT e.echo
  AND side.account NOT IN ('', 'addr_none', '0x0000000000000000000000000000000000000000');

-- The block that `project` is in the middle of: its counters are those of no block. Null: every block is whole.
ALTER TABLE system.partition_head ADD COLUMN open_block bigint;

CREATE OR REPLACE VIEW projection.heads AS
SELECT consumer, partition, network, position, head_number, head_hash, head_time, safe, finalized, updated_at, open_block
FROM system.partition_head;
