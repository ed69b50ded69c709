-- What the API reads beside 0005: the slot that orders an asset's holders, and the canonical chain by height.
CREATE OR REPLACE VIEW projection.ownership_view AS
SELECT network, contract, token_id, account, quantity, since, standard, block_number, log_index, sub_index, slot
FROM market.ownership_current
WHERE quantity > 0
  AND account NOT IN ('', 'addr_none', '0x0000000000000000000000000000000000000000');

CREATE VIEW projection.blocks AS SELECT network, number, hash, time FROM ingest.blocks WHERE state = 'canonical';

GRANT SELECT ON projection.blocks TO ft_api;
