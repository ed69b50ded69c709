-- What `project` keeps, counted from the journal at once (ft/ops/anew/projections.py): what verify_projections.sql expects.

-- name: forget_holdings
DELETE FROM projection.holdings;

-- name: put_holdings
-- As the ledger has them. A balance's block is that of the newest record about it, a retraction too.
WITH told AS (
    SELECT e.network, e.contract, e.token_id, side.account AS slot, max(e.block_number) AS block_number
    FROM ledger.events e
    CROSS JOIN LATERAL (VALUES (e."from"), (e."to")) AS side (account)
    WHERE e.op IN ('apply', 'revert') AND NOT e.echo AND e.quantity > 0 AND e."from" <> e."to"
      AND NOT e.standard = ANY(%(single)s::text[]) AND NOT side.account = ANY(%(nobody)s::text[])
    GROUP BY e.network, e.contract, e.token_id, side.account
)
INSERT INTO projection.holdings (network, contract, token_id, slot, account, quantity, block_number, covered)
SELECT network, contract, token_id, slot, o.account, o.quantity, coalesce(t.block_number, o.block_number), false
FROM market.ownership_current o
LEFT JOIN told t USING (network, contract, token_id, slot)
UNION ALL
SELECT network, contract, token_id, slot, slot, c.quantity, coalesce(t.block_number, -1), true
FROM (SELECT network, contract, token_id, account AS slot, quantity FROM ledger.covered_balances) AS c
LEFT JOIN told t USING (network, contract, token_id, slot);

-- name: forget_cards
DELETE FROM projection.asset_cards;

-- name: put_cards
-- Supply and owners count the holdings; the rest counts the journal.
WITH told AS (
    SELECT e.network, e.contract, e.token_id, sum(CASE e.op WHEN 'apply' THEN 1 ELSE -1 END) AS transfers,
           max(e.block_number) AS last_block, max(e.block_time) AS last_time, max(e.seq) AS version,
           substr(max(lpad(e.seq::text, 20, '0') || e.standard), 21) AS standard
    FROM ledger.events e
    WHERE e.op IN ('apply', 'revert') AND NOT e.echo AND e.quantity > 0
      AND NOT (e."from" = ANY(%(nobody)s::text[]) AND e."to" = ANY(%(nobody)s::text[]))
    GROUP BY e.network, e.contract, e.token_id
), held AS (
    SELECT network, contract, token_id, sum(quantity) AS supply, count(*) AS owners
    FROM projection.holdings
    WHERE quantity > 0 AND NOT covered AND NOT account = ANY(%(nobody)s::text[])
    GROUP BY network, contract, token_id
)
INSERT INTO projection.asset_cards
    (network, contract, token_id, standard, supply, owners, transfers, last_block, last_time, version)
SELECT network, contract, token_id, t.standard, coalesce(h.supply, 0), coalesce(h.owners, 0), t.transfers, t.last_block,
       t.last_time, t.version
FROM told t
LEFT JOIN held h USING (network, contract, token_id);

-- name: forget_holders
DELETE FROM projection.collection_holders;

-- name: put_holders
-- Visible holdings of each account.
INSERT INTO projection.collection_holders (network, contract, account, holdings)
SELECT network, contract, account, count(*)
FROM projection.holdings
WHERE quantity > 0 AND NOT covered AND NOT account = ANY(%(nobody)s::text[])
GROUP BY network, contract, account;

-- name: forget_stats
DELETE FROM projection.collection_stats;

-- name: put_stats
-- Owners, assets and supply count the holdings; the rest counts the journal.
WITH told AS (
    SELECT network, contract, max(seq) AS version, min(block_number) AS first_block, max(block_number) AS last_block,
           substr(max(lpad(seq::text, 20, '0') || standard), 21) AS standard,
           coalesce(sum(sign) FILTER (WHERE minted = burned), 0) AS transfers,
           coalesce(sum(sign) FILTER (WHERE minted AND NOT burned), 0) AS mints,
           coalesce(sum(sign) FILTER (WHERE burned AND NOT minted), 0) AS burns
    FROM (
        SELECT e.*, CASE e.op WHEN 'apply' THEN 1 ELSE -1 END AS sign, e."from" = ANY(%(nobody)s::text[]) AS minted,
               e."to" = ANY(%(nobody)s::text[]) AS burned
        FROM ledger.events e
        WHERE e.op IN ('apply', 'revert') AND NOT e.echo AND e.quantity > 0
          AND NOT (e."from" = ANY(%(nobody)s::text[]) AND e."to" = ANY(%(nobody)s::text[]))
    ) AS read
    GROUP BY network, contract
), held AS (
    SELECT network, contract, count(DISTINCT account) AS owners, count(DISTINCT token_id) AS assets, sum(quantity) AS supply
    FROM projection.holdings
    WHERE quantity > 0 AND NOT covered AND NOT account = ANY(%(nobody)s::text[])
    GROUP BY network, contract
)
INSERT INTO projection.collection_stats (network, contract, standard, owners, assets, supply, transfers, mints, burns,
    first_block, last_block, version)
SELECT network, contract, t.standard, coalesce(h.owners, 0), coalesce(h.assets, 0), coalesce(h.supply, 0), t.transfers,
       t.mints, t.burns, t.first_block, t.last_block, t.version
FROM told t
LEFT JOIN held h USING (network, contract);

-- name: forget_activity
DELETE FROM projection.collection_activity;

-- name: put_activity
-- Live events by kind and UTC day.
INSERT INTO projection.collection_activity (network, contract, day, transfers, mints, burns)
SELECT network, contract, day,
       coalesce(sum(sign) FILTER (WHERE minted = burned), 0),
       coalesce(sum(sign) FILTER (WHERE minted AND NOT burned), 0),
       coalesce(sum(sign) FILTER (WHERE burned AND NOT minted), 0)
FROM (
    SELECT e.network, e.contract, (e.block_time AT TIME ZONE 'UTC')::date AS day,
           CASE e.op WHEN 'apply' THEN 1 ELSE -1 END AS sign, e."from" = ANY(%(nobody)s::text[]) AS minted,
           e."to" = ANY(%(nobody)s::text[]) AS burned
    FROM ledger.events e
    WHERE e.op IN ('apply', 'revert') AND NOT e.echo AND e.quantity > 0
      AND NOT (e."from" = ANY(%(nobody)s::text[]) AND e."to" = ANY(%(nobody)s::text[]))
) AS read
GROUP BY network, contract, day;

-- name: forget_assets
-- Stubs of what no event ever moved: there is no such asset.
DELETE FROM catalog.assets a
WHERE a.is_stub AND NOT EXISTS (
    SELECT FROM projection.asset_cards c
    WHERE (c.network, c.contract, c.token_id) = (a.network, a.contract, a.token_id));

-- name: date_assets
-- Since the time of the oldest block that tells of it, by the standard of the first event that was read.
UPDATE catalog.assets a SET first_seen = t.first_seen, standard = CASE WHEN a.is_stub THEN t.standard ELSE a.standard END
FROM (
    SELECT e.network, e.contract, e.token_id, min(e.block_time) AS first_seen,
           (array_agg(e.standard ORDER BY e.seq))[1] AS standard
    FROM ledger.events e
    WHERE e.op IN ('apply', 'revert') AND NOT e.echo AND e.quantity > 0
      AND NOT (e."from" = ANY(%(nobody)s::text[]) AND e."to" = ANY(%(nobody)s::text[]))
    GROUP BY e.network, e.contract, e.token_id
) AS t
WHERE (a.network, a.contract, a.token_id) = (t.network, t.contract, t.token_id)
  AND (a.first_seen <> t.first_seen OR (a.is_stub AND a.standard <> t.standard));

-- name: unnamed_assets
-- Assets that project had not come to: their uuid is for Python to compute.
SELECT c.network, c.contract, c.token_id::text, (array_agg(e.standard ORDER BY e.seq))[1],
       extract(epoch FROM min(e.block_time))::bigint
FROM ledger.events e
JOIN projection.asset_cards c USING (network, contract, token_id)
WHERE e.op IN ('apply', 'revert') AND NOT e.echo AND e.quantity > 0
  AND NOT (e."from" = ANY(%(nobody)s::text[]) AND e."to" = ANY(%(nobody)s::text[]))
  AND NOT EXISTS (SELECT FROM catalog.assets a
                  WHERE (a.network, a.contract, a.token_id) = (c.network, c.contract, c.token_id))
GROUP BY c.network, c.contract, c.token_id;

-- name: forget_heads
DELETE FROM system.partition_head WHERE consumer = 'project';

-- name: put_heads
-- The state is that of the ledger's head.
INSERT INTO system.partition_head
    (consumer, partition, network, position, head_number, head_hash, head_time, safe, finalized)
SELECT 'project', h.partition, h.network, h.position, h.head_number, h.head_hash, h.head_time, h.safe, h.finalized
FROM system.partition_head h
WHERE h.consumer = 'ledger';
