-- How many logs a block of the tail was appended with: a longer list of equal proof takes its place while it is not final.
ALTER TABLE ingest.tail ADD COLUMN logs bigint NOT NULL DEFAULT -1;     -- -1: an older version wrote the row
