-- An id that events of both holdings tell of is with one account as long as a live event of a single holding says so;
-- where none does, its balances count.

-- What accounts have of an id by its events of balances, while one account holds it: it counts again once nobody does.
CREATE TABLE ledger.covered_balances (
    network  text NOT NULL,
    contract text NOT NULL,
    token_id numeric(78, 0) NOT NULL,
    account  text NOT NULL,
    quantity numeric NOT NULL,
    PRIMARY KEY (network, contract, token_id, account)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON ledger.covered_balances TO ft_writer;
ALTER TABLE projection.holdings ADD COLUMN covered boolean NOT NULL DEFAULT false;

-- The ids of a contract that tells of both that one account holds: a live event of a single holding tells of them, or
-- none is live, and the last row is a retraction of such an event (then it is implicit). Echoes and quantities of zero
-- say nothing.
CREATE OR REPLACE FUNCTION ledger.single_ids(of_network text, of_contract text) RETURNS TABLE (token_id numeric)
LANGUAGE sql STABLE AS $$
    SELECT e.token_id
    FROM ledger.contract_kinds k
    JOIN ledger.normalized_events e ON (e.network, e.contract) = (k.network, k.contract)
    WHERE (k.network, k.contract) = (of_network, of_contract) AND k.single AND k.multi
      AND e.standard <> 'erc1155' AND NOT e.echo AND e.quantity > 0
    UNION
    SELECT l.token_id
    FROM (
        SELECT DISTINCT ON (e.token_id) e.token_id, e.op = 'revert' AND e.standard <> 'erc1155' AS undone
        FROM ledger.contract_kinds k
        JOIN ledger.events e ON (e.network, e.contract) = (k.network, k.contract)
        WHERE (k.network, k.contract) = (of_network, of_contract) AND k.single AND k.multi
          AND e.op IN ('apply', 'revert') AND NOT e.echo AND e.quantity > 0
        ORDER BY e.token_id, e.seq DESC
    ) l
    WHERE l.undone AND NOT EXISTS (
        SELECT FROM ledger.normalized_events n
        WHERE (n.network, n.contract, n.token_id) = (of_network, of_contract, l.token_id)
          AND NOT n.echo AND n.quantity > 0)
$$;

-- The row of a token that has one holder, also where that is nobody (burned).
CREATE OR REPLACE VIEW projection.single_holdings AS
SELECT o.network, o.contract, o.token_id, o.account, o.quantity, o.since, o.block_number
FROM market.ownership_current o
WHERE o.slot = '';

-- A journal with contracts that tell of both says by another rule who holds their ids: `ft migrate` writes it anew.
INSERT INTO system.settings (name, value)
SELECT 'holders', '{"step": "journal"}'
WHERE EXISTS (SELECT FROM ledger.contract_kinds WHERE single AND multi)
ON CONFLICT (name) DO NOTHING;
