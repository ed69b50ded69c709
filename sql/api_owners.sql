-- The API's reads of an account.

-- name: owner_holdings
-- What an account holds, network by network; each starts behind its own (contract, token id).
SELECT p.network, p.contract, p.token_id, p.quantity, p.since, p.block_number
FROM unnest(%(networks)s::text[], %(contracts)s::text[], %(token_ids)s::numeric[])
     WITH ORDINALITY AS k (network, contract, token_id, place)
CROSS JOIN LATERAL (
    SELECT h.network, h.contract, h.token_id, h.quantity, h.since, h.block_number
    FROM projection.portfolio_assets h
    WHERE h.network = k.network AND h.account = %(account)s
      AND (h.contract, h.token_id) > (k.contract, k.token_id)
      AND (%(contract)s::text IS NULL OR h.contract = %(contract)s)
    ORDER BY h.contract, h.token_id
    LIMIT %(rows)s
) p
ORDER BY k.place, p.contract, p.token_id
LIMIT %(rows)s;
