-- What a recount must know: whether everything that a contradiction rests on was read, and applied.
ALTER TABLE system.recounts
    -- Raw offset up to which the partition had read when it marked the contract: what was covered then is known only
    -- once normalize has committed as far.
    ADD COLUMN position bigint NOT NULL DEFAULT -1;

-- Deployments mark every contract of a history that was not read whole: what waits is found without the others.
CREATE INDEX recounts_marked ON system.recounts (marked_at) WHERE marked_seq > counted_seq;

-- Raw offset of the last block that came below the network's head; -1: none did. A partition of the ledger that has
-- read as far has every block that coverage names up to its own head.
ALTER TABLE ingest.heads ADD COLUMN late_position bigint NOT NULL DEFAULT -1;
UPDATE ingest.heads SET late_position = position;
