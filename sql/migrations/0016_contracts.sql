-- Contracts older than the token standards, as the configuration lists them, and from where in the raw log on the
-- normalizer reads each that way.
CREATE TABLE ref.contracts (
    network       text NOT NULL,
    contract      text NOT NULL,
    layout        text NOT NULL,                -- ft/contracts.py says which there are
    name          text NOT NULL DEFAULT '',
    source        text NOT NULL DEFAULT '',
    in_force_from bigint,                       -- raw offset; null: no worker has read it yet
    PRIMARY KEY (network, contract)
);

-- These were read from the first block on, by a list in the code.
INSERT INTO ref.contracts (network, contract, layout, in_force_from)
SELECT network, contract, layout, 0
FROM ref.networks, (VALUES
    ('0x06012c8cf97bead5deae237070f9587f8e7a266d', 'all_in_data'),
    ('0x79986af15539de2db9a5086382daeda917a9cf0c', 'id_in_data'),
    ('0x23cd7da31501aa54f61384a3756fb4a1329dbb2c', 'id_in_data'),
    ('0xbace7e22f06554339911a03b8e0ae28203da9598', 'id_in_data'),
    ('0xb47e3cd837ddf8e4c57f05d70ab865de6e193bbb', 'cryptopunks')
) AS known (contract, layout)
WHERE network = 'ethereum';

-- What was covered when a contract came on the list: there its movements are missing until the range is replaced.
CREATE TABLE ingest.undecoded (
    network  text NOT NULL,
    contract text NOT NULL,
    "from"   bigint NOT NULL,
    "to"     bigint NOT NULL,
    PRIMARY KEY (network, contract, "from")
);

GRANT SELECT, INSERT, UPDATE, DELETE ON ref.contracts, ingest.undecoded TO ft_writer;

-- Creations noted before their transactions were looked at: `ft migrate` proves them again from the raw log.
ALTER TABLE ingest.created ADD COLUMN checked boolean NOT NULL DEFAULT false;
ALTER TABLE ingest.created ALTER COLUMN checked SET DEFAULT true;
UPDATE ingest.created SET reasons = 'transactions_root';
CREATE INDEX created_unchecked ON ingest.created (network) WHERE NOT checked;
