-- Who holds a single token after each event, said in the journal and on the topic. Null: what the row itself says.
ALTER TABLE ledger.events
    ADD COLUMN holder        text,              -- null: "to"
    ADD COLUMN holder_before text,              -- null: "from"
    ADD COLUMN holder_block  bigint,            -- block number of the event that the holding stands on; null: this row's; -1: implicit
    ADD COLUMN holder_time   bigint,            -- its time, unix seconds; null: this row's; 0: implicit
    ADD COLUMN block_end     boolean,           -- the last announced row of its block, though others follow; null: by place
    ADD COLUMN echo          boolean NOT NULL DEFAULT false;    -- another event of the transaction tells the same movement

-- A holding that no live event tells of: the account that the latest retraction names, before every event.
ALTER TABLE market.ownership_current ADD COLUMN implicit boolean NOT NULL DEFAULT false;

-- The block that `project` is in the middle of: its counters are those of no block. Null: every block is whole.
ALTER TABLE system.partition_head ADD COLUMN open_block bigint;

CREATE OR REPLACE VIEW projection.heads AS
SELECT consumer, partition, network, position, head_number, head_hash, head_time, safe, finalized, updated_at, open_block
FROM system.partition_head;
