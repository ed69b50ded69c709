-- ownership_changed -> projections (agents/project/hop.py). Arrays are columns of equal length, in key order.

-- name: plan
-- A batch looks up hundreds of keys in tables of millions of rows: a plan made while a table was small must not scan it.
SELECT set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
       set_config('enable_mergejoin', 'off', true)

-- name: read_holdings
-- The stored holdings of the slots that a batch touches, by their number in the arrays.
SELECT d.n, h.account, h.quantity::text, h.block_number, h.covered
FROM unnest(%(network)s::text[], %(contract)s::text[], %(token_id)s::numeric[], %(slot)s::text[])
     WITH ORDINALITY AS d (network, contract, token_id, slot, n)
JOIN projection.holdings h USING (network, contract, token_id, slot)

-- name: read_balances
-- Of assets that have one holder from now on, or had one, by their number in the arrays: mostly none.
SELECT d.n, h.account, h.quantity::text, h.block_number, h.covered
FROM unnest(%(network)s::text[], %(contract)s::text[], %(token_id)s::numeric[])
     WITH ORDINALITY AS d (network, contract, token_id, n)
JOIN projection.holdings h USING (network, contract, token_id)
WHERE h.slot <> ''

-- name: move_holders
-- Differences; returns, a row for each and in their order, how many visible holdings the account has now, which is
-- cheaper than to read it before. An account that gave everything away stays at 0: an update costs less than a deletion
-- and its return.
INSERT INTO projection.collection_holders AS h (network, contract, account, holdings)
SELECT * FROM unnest(%(network)s::text[], %(contract)s::text[], %(account)s::text[], %(difference)s::bigint[])
ON CONFLICT (network, contract, account) DO UPDATE SET holdings = h.holdings + excluded.holdings
RETURNING h.holdings

-- name: write_holdings
-- Whole rows: what the pure rule made of the stored ones.
INSERT INTO projection.holdings AS h
    (network, contract, token_id, slot, account, quantity, block_number, covered)
SELECT * FROM unnest(%(network)s::text[], %(contract)s::text[], %(token_id)s::numeric[], %(slot)s::text[],
    %(account)s::text[], %(quantity)s::numeric[], %(block_number)s::bigint[], %(covered)s::boolean[])
ON CONFLICT (network, contract, token_id, slot) DO UPDATE SET
    account = excluded.account, quantity = excluded.quantity, block_number = excluded.block_number,
    covered = excluded.covered

-- name: move_cards
-- Differences, and heights and times that only rise; returns, a row for each and in their order, what the card was, which
-- is cheaper than to read it before: null for a new one. The version is the seq of the card's last record.
INSERT INTO projection.asset_cards AS c
    (network, contract, token_id, standard, supply, owners, transfers, last_block, last_time, version)
SELECT network, contract, token_id, standard, supply, owners, transfers, last_block, to_timestamp(last_time), version
FROM unnest(%(network)s::text[], %(contract)s::text[], %(token_id)s::numeric[], %(standard)s::text[],
    %(supply)s::numeric[], %(owners)s::bigint[], %(transfers)s::bigint[], %(last_block)s::bigint[],
    %(last_time)s::bigint[], %(version)s::bigint[])
    AS d (network, contract, token_id, standard, supply, owners, transfers, last_block, last_time, version)
ON CONFLICT (network, contract, token_id) DO UPDATE SET
    standard = CASE WHEN excluded.version > c.version THEN excluded.standard ELSE c.standard END,
    supply = c.supply + excluded.supply, owners = c.owners + excluded.owners,
    transfers = c.transfers + excluded.transfers, last_block = greatest(c.last_block, excluded.last_block),
    last_time = greatest(c.last_time, excluded.last_time), version = greatest(c.version, excluded.version)
RETURNING old.owners, extract(epoch FROM old.last_time)::bigint

-- name: write_stats
-- Differences; heights only widen.
INSERT INTO projection.collection_stats AS s (network, contract, standard, owners, assets, supply, transfers, mints,
    burns, first_block, last_block, version)
SELECT * FROM unnest(%(network)s::text[], %(contract)s::text[], %(standard)s::text[], %(owners)s::bigint[],
    %(assets)s::bigint[], %(supply)s::numeric[], %(transfers)s::bigint[], %(mints)s::bigint[], %(burns)s::bigint[],
    %(first_block)s::bigint[], %(last_block)s::bigint[], %(version)s::bigint[])
ON CONFLICT (network, contract) DO UPDATE SET
    standard = CASE WHEN excluded.version > s.version THEN excluded.standard ELSE s.standard END,
    owners = s.owners + excluded.owners, assets = s.assets + excluded.assets,
    supply = s.supply + excluded.supply, transfers = s.transfers + excluded.transfers, mints = s.mints + excluded.mints,
    burns = s.burns + excluded.burns, first_block = least(s.first_block, excluded.first_block),
    last_block = greatest(s.last_block, excluded.last_block), version = greatest(s.version, excluded.version)

-- name: write_activity
-- Differences, by UTC day of the block (days since 1970).
INSERT INTO projection.collection_activity AS a (network, contract, day, transfers, mints, burns)
SELECT network, contract, date '1970-01-01' + day, transfers, mints, burns
FROM unnest(%(network)s::text[], %(contract)s::text[], %(day)s::integer[], %(transfers)s::bigint[],
    %(mints)s::bigint[], %(burns)s::bigint[]) AS d (network, contract, day, transfers, mints, burns)
ON CONFLICT (network, contract, day) DO UPDATE SET
    transfers = a.transfers + excluded.transfers, mints = a.mints + excluded.mints, burns = a.burns + excluded.burns

-- name: add_assets
-- Stubs: metadata comes later, from elsewhere, into the same row.
INSERT INTO catalog.assets (network, contract, token_id, uuid, standard, is_stub, first_seen)
SELECT network, contract, token_id, uuid, standard, true, to_timestamp(first_seen)
FROM unnest(%(network)s::text[], %(contract)s::text[], %(token_id)s::numeric[], %(uuid)s::uuid[], %(standard)s::text[],
    %(first_seen)s::bigint[]) AS d (network, contract, token_id, uuid, standard, first_seen)
ON CONFLICT (network, contract, token_id) DO UPDATE SET first_seen = least(assets.first_seen, excluded.first_seen)

-- name: seen_earlier
-- Older blocks that came later: the catalog keeps the time of the oldest.
UPDATE catalog.assets a SET first_seen = to_timestamp(d.first_seen)
FROM unnest(%(network)s::text[], %(contract)s::text[], %(token_id)s::numeric[], %(first_seen)s::bigint[])
     AS d (network, contract, token_id, first_seen)
WHERE (a.network, a.contract, a.token_id) = (d.network, d.contract, d.token_id)
  AND a.first_seen > to_timestamp(d.first_seen)
