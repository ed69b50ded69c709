-- A contradiction is noted in the transaction that brings it, and falls with its block.
ALTER TABLE system.findings
    ADD COLUMN block_number bigint NOT NULL DEFAULT -1,     -- of the event that contradicts; -1: found by a recount
    ADD COLUMN block_hash   text NOT NULL DEFAULT '';

-- Contracts of which events were applied below a token's row: their order is not that of the chain until they are
-- counted again.
CREATE TABLE system.recounts (
    network      text NOT NULL,
    contract     text NOT NULL,
    partition    integer NOT NULL,
    marked_seq   bigint NOT NULL,               -- journal seq of the newest event that came below a row
    counted_seq  bigint NOT NULL DEFAULT 0,     -- journal seq up to which a recount has looked; marked while it is lower
    marked_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (network, contract)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON system.recounts TO ft_writer;

CREATE VIEW projection.recounts AS SELECT network, contract FROM system.recounts WHERE marked_seq > counted_seq;
GRANT SELECT ON projection.recounts TO ft_api;
