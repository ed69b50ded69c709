-- Where the rows begin that finality may still change: read back in one range, without a look at all others.
ALTER TABLE ingest.heads ADD COLUMN unfinal_from bigint;    -- lowest canonical height that is not final; null: none
