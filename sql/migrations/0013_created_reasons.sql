-- Why the creation of a contract rests on what a provider said: words of docs/api.md, sorted, with commas; '' for none.
ALTER TABLE ingest.created ADD COLUMN reasons text NOT NULL DEFAULT '';

CREATE OR REPLACE VIEW projection.created AS SELECT network, contract, number, reasons FROM ingest.created;
