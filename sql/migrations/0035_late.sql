-- Answers are no surer than what they show: blocks that coverage counts, and that some partition has not applied, are
-- named until it has; events that the counters lack make these null.

-- Heights of the records that changed what lies at or below a head that the ledger may be at: blocks that came below the
-- head, and blocks that were taken back although they were not known for good. A partition of the ledger that has not read
-- as far as raw_offset shows something else there than coverage counts. Kept until every partition has.
CREATE TABLE ingest.late (
    network    text NOT NULL,
    "from"     bigint NOT NULL,
    "to"       bigint NOT NULL,
    raw_offset bigint NOT NULL,                 -- of the last of these records
    PRIMARY KEY (network, raw_offset, "from"),
    CHECK ("from" <= "to")
);
GRANT SELECT, INSERT, UPDATE, DELETE ON ingest.late TO ft_writer;

-- Which heights came late until now was not noted.
INSERT INTO ingest.late (network, "from", "to", raw_offset)
SELECT network, 0, head_number, late_position FROM ingest.heads WHERE late_position >= 0 AND head_number >= 0;

CREATE VIEW projection.late AS SELECT network, "from", "to", raw_offset AS position FROM ingest.late;

-- Journal seq of the contract's last event that was taken back, or written at or below a head that was announced: where
-- `project` has not read as far, its counters are those of no block.
ALTER TABLE ledger.contract_kinds ADD COLUMN late_seq bigint NOT NULL DEFAULT 0;
ALTER TABLE ledger.contract_kinds SET (fillfactor = 80);

CREATE VIEW projection.late_events AS SELECT network, contract, late_seq FROM ledger.contract_kinds WHERE late_seq > 0;

GRANT SELECT ON projection.late, projection.late_events TO ft_api;
