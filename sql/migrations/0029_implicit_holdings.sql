-- Holders whom no event in force names: few, and what rests on them is not proven.
CREATE INDEX ownership_implicit ON market.ownership_current (network, contract) WHERE implicit;

CREATE VIEW projection.implicit_holdings AS
SELECT o.network, o.contract, o.token_id
FROM market.ownership_current o
WHERE o.implicit AND o.account NOT IN ('', 'addr_none', '0x0000000000000000000000000000000000000000');
GRANT SELECT ON projection.implicit_holdings TO ft_api;
