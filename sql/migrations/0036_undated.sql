-- Holdings of which the journal could not tell since when, or by which event: it may lie in a month without indexes. They
-- are dated once every month has them.
CREATE TABLE ledger.undated (
    network  text NOT NULL,
    contract text NOT NULL,
    token_id numeric(78, 0) NOT NULL,
    slot     text NOT NULL,                     -- as in market.ownership_current
    PRIMARY KEY (network, contract, token_id, slot)
);
GRANT SELECT, INSERT, DELETE ON ledger.undated TO ft_writer;

-- Those that were left so before.
INSERT INTO ledger.undated (network, contract, token_id, slot)
SELECT network, contract, token_id, slot
FROM market.ownership_current
WHERE CASE WHEN slot = '' THEN since IS NULL AND NOT implicit ELSE quantity > 0 AND (since IS NULL OR block_number < 0) END
  AND account NOT IN ('', 'addr_none', '0x0000000000000000000000000000000000000000');
