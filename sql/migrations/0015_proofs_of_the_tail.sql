-- How well each unfinal block is proven, so that a follower asks again for what may be proven better.
ALTER TABLE ingest.tail
    ADD COLUMN proof   text NOT NULL DEFAULT '',        -- '': written by an older version
    ADD COLUMN reasons text NOT NULL DEFAULT '',        -- words of docs/networks.md with commas between
    ADD COLUMN content text NOT NULL DEFAULT '';        -- digest of what the block says, whatever proves it

-- A block that no provider gives or proves: the network's follower waits for it.
ALTER TABLE system.sync_cursors
    ADD COLUMN waits_for   bigint,                      -- its height; null: it waits for none
    ADD COLUMN waits_since timestamptz,
    ADD COLUMN waits_error text;                        -- what the providers said last
