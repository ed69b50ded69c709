-- The highest block that the last reorg left standing, as a reader of the partition has it: see ownership.floor_after.
ALTER TABLE system.partition_head ADD COLUMN floor bigint NOT NULL DEFAULT -1;
