-- Which holdings a contract's events tell of. One that tells of both has ids with one holder and ids with balances, side
-- by side: what each of them is now, its last row says.
CREATE TABLE ledger.contract_kinds (
    network   text NOT NULL,
    contract  text NOT NULL,
    partition integer NOT NULL,
    single    boolean NOT NULL,                 -- of tokens that one account holds (ERC-721 and the like)
    multi     boolean NOT NULL,                 -- of balances (ERC-1155)
    PRIMARY KEY (network, contract)
);
GRANT SELECT, INSERT, UPDATE ON ledger.contract_kinds TO ft_writer;

INSERT INTO ledger.contract_kinds (network, contract, partition, single, multi)
SELECT network, contract, max(partition), bool_or(standard <> 'erc1155'), bool_or(standard = 'erc1155')
FROM ledger.events
WHERE op = 'apply'
GROUP BY network, contract;

DROP TABLE ledger.hybrids;

-- The ids of such a contract that one account holds, although events of balances tell of them too: those whose last row,
-- echoes and quantities of zero aside, is of a single standard, or says a holder.
CREATE FUNCTION ledger.single_ids(of_network text, of_contract text) RETURNS TABLE (token_id numeric)
LANGUAGE sql STABLE AS $$
    SELECT l.token_id
    FROM (
        SELECT DISTINCT ON (e.token_id) e.token_id, e.standard <> 'erc1155' OR e.holder IS NOT NULL AS one
        FROM ledger.contract_kinds k
        JOIN ledger.events e ON (e.network, e.contract) = (k.network, k.contract)
        WHERE (k.network, k.contract) = (of_network, of_contract) AND k.single AND k.multi
          AND e.op IN ('apply', 'revert') AND NOT e.echo AND e.quantity > 0
        ORDER BY e.token_id, e.seq DESC
    ) l
    WHERE l.one
$$;
REVOKE EXECUTE ON FUNCTION ledger.single_ids(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.single_ids(text, text) TO ft_writer;

-- The row of a token that has one holder, also where that is nobody (burned). Where nothing is left of what made it such a
-- token, and balances are, they count.
CREATE OR REPLACE VIEW projection.single_holdings AS
SELECT o.network, o.contract, o.token_id, o.account, o.quantity, o.since, o.block_number
FROM market.ownership_current o
WHERE o.slot = '' AND NOT (
    o.implicit AND o.account IN ('', 'addr_none', '0x0000000000000000000000000000000000000000')
    AND EXISTS (SELECT FROM market.ownership_current b
                WHERE (b.network, b.contract, b.token_id) = (o.network, o.contract, o.token_id) AND b.slot <> ''));
