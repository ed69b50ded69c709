-- Why a block is no more than what a provider said: words of docs/api.md, sorted, with commas between; '' for none.
ALTER TABLE ingest.blocks ADD COLUMN reasons text NOT NULL DEFAULT '';
ALTER TABLE ingest.coverage ADD COLUMN reasons text NOT NULL DEFAULT '';

CREATE OR REPLACE VIEW projection.coverage AS SELECT network, "from", "to", proof, reasons FROM ingest.coverage;
