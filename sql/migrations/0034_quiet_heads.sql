-- Heads are announced beside the journal, but for those where a mark moves over something that was announced.
ALTER TABLE system.partition_head
    ADD COLUMN told_safe      bigint NOT NULL DEFAULT -1,  -- the marks of the last head that was announced
    ADD COLUMN told_finalized bigint NOT NULL DEFAULT -1,
    ADD COLUMN told_seq       bigint NOT NULL DEFAULT 0,   -- of consumer 'heads': seq of the record it was read from,
    ADD COLUMN after_seq      bigint NOT NULL DEFAULT 0;   -- and of the last record of ownership_changed before it

-- Those of the last head may be a little behind these: what lies so near below them is told once more.
UPDATE system.partition_head
SET told_safe = greatest(safe - 4096, -1), told_finalized = greatest(finalized - 4096, -1)
WHERE consumer = 'ledger';

-- Heads are in no row: whoever takes a partition says where it stands.
ALTER TABLE system.partition_head DROP COLUMN announced_position;
