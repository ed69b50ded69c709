-- The API's pages of assets and holders. `rows` is one more than the page shows: it tells whether more follow.

-- name: collection_tokens
-- A loose index scan: one step a token id, however many accounts hold it.
WITH RECURSIVE token (token_id, place) AS (
    (SELECT o.token_id, 1
     FROM projection.ownership_view o
     WHERE o.network = %(network)s AND o.contract = %(contract)s AND o.token_id > %(after)s::numeric
     ORDER BY o.token_id
     LIMIT 1)
    UNION ALL
    SELECT following.token_id, t.place + 1
    FROM token t
    CROSS JOIN LATERAL (
        SELECT o.token_id
        FROM projection.ownership_view o
        WHERE o.network = %(network)s AND o.contract = %(contract)s AND o.token_id > t.token_id
        ORDER BY o.token_id
        LIMIT 1
    ) following
    WHERE t.place < %(rows)s
)
SELECT token_id FROM token ORDER BY token_id;

-- name: collection_owners
-- An account and all it holds of a collection, in the order of accounts: that order does not move. The index has it, so
-- reading ends with the first holding behind the page, and no holding is read twice. One that the ledger infers (block
-- -1) rests on no event, and so does the sum.
SELECT o.account, sum(o.quantity) AS quantity, count(*) AS assets,
       CASE WHEN min(o.block_number) < 0 THEN -1 ELSE max(o.block_number) END AS block_number
FROM projection.ownership_view o
WHERE o.network = %(network)s AND o.contract = %(contract)s AND o.account > %(after)s
GROUP BY o.account
ORDER BY o.account
LIMIT %(rows)s;

-- name: collection_debits
-- The newest block, above finality, in which each of some accounts gave away any of a collection: what it has left rests
-- on that too. By the accounts' own events, for all of them together: where the planner takes the contract's instead, it
-- reads those once. Of a single token, what another account's name stands for (holder_before). No event above the mark of
-- finality is older than the block there: that keeps it to the newest months.
WITH final AS (
    SELECT coalesce((SELECT b.time FROM projection.blocks b
                     WHERE b.network = %(network)s AND b.number <= %(finalized)s
                     ORDER BY b.number DESC
                     LIMIT 1), '-infinity') AS time
)
SELECT account, max(block_number) AS block_number
FROM (
    SELECT t."from" AS account, t.block_number
    FROM projection.transfers t
    WHERE t.network = %(network)s AND t."from" = ANY(%(accounts)s::text[]) AND t.block_number > %(finalized)s
      AND t.block_time >= (SELECT time FROM final) AND t.contract = %(contract)s
      AND t.holder_before IS NULL AND t."to" <> t."from" AND t.quantity > 0 AND NOT t.echo
    UNION ALL
    SELECT t.holder_before, t.block_number
    FROM projection.transfers t
    WHERE t.network = %(network)s AND t.holder_before = ANY(%(accounts)s::text[]) AND t.block_number > %(finalized)s
      AND t.block_time >= (SELECT time FROM final) AND t.contract = %(contract)s
      AND t."to" <> t.holder_before AND NOT t.echo
    UNION ALL  -- what it had of an id that is another account's alone now
    SELECT c.account, s.block_number
    FROM projection.covered_balances c
    JOIN projection.single_holdings s USING (network, contract, token_id)
    WHERE c.network = %(network)s AND c.contract = %(contract)s AND c.account = ANY(%(accounts)s::text[])
      AND c.quantity > 0 AND s.account <> c.account AND s.block_number > %(finalized)s
) t
GROUP BY account;

-- name: asset_owners
-- Who holds an asset: at most one row where a token has one holder (slot ''), else one an account.
SELECT o.account, o.quantity, o.since, o.block_number, o.slot
FROM projection.ownership_view o
WHERE o.network = %(network)s AND o.contract = %(contract)s AND o.token_id = %(token_id)s::numeric
  AND (%(after)s::text IS NULL OR o.slot > %(after)s)
ORDER BY o.slot
LIMIT %(rows)s;

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

-- name: collections_by_contract
-- Collections of a network of which an event is in force or somebody holds something, as far as `project` has counted;
-- by contract.
SELECT s.contract, 0::bigint AS value
FROM projection.collection_stats s
WHERE s.network = %(network)s AND s.contract > %(contract)s AND %(value)s::bigint >= 0
  AND (s.transfers + s.mints + s.burns > 0 OR s.assets > 0)
ORDER BY s.contract
LIMIT %(rows)s;

-- name: collections_by_newest
-- The same, those first that were first seen in the highest block.
SELECT s.contract, s.first_block AS value
FROM projection.collection_stats s
WHERE s.network = %(network)s AND (s.transfers + s.mints + s.burns > 0 OR s.assets > 0)
  AND (s.first_block < %(value)s OR (s.first_block = %(value)s AND s.contract > %(contract)s))
ORDER BY s.first_block DESC, s.contract
LIMIT %(rows)s;

-- name: collections_by_owners
-- The same, those first that most accounts hold something of. All of the network's are read.
SELECT s.contract, s.owners AS value
FROM projection.collection_stats s
WHERE s.network = %(network)s AND (s.transfers + s.mints + s.burns > 0 OR s.assets > 0)
  AND (s.owners < %(value)s OR (s.owners = %(value)s AND s.contract > %(contract)s))
ORDER BY s.owners DESC, s.contract
LIMIT %(rows)s;

-- name: collections_by_transfers
-- The same, those first of which most was transferred.
SELECT s.contract, s.transfers AS value
FROM projection.collection_stats s
WHERE s.network = %(network)s AND (s.transfers + s.mints + s.burns > 0 OR s.assets > 0)
  AND (s.transfers < %(value)s OR (s.transfers = %(value)s AND s.contract > %(contract)s))
ORDER BY s.transfers DESC, s.contract
LIMIT %(rows)s;

-- name: has_one_holder
-- Whether a token had one holder once a block was applied: now it has the row of slot '', and of the live events up to
-- the block, if there are any, one is not of a balance.
SELECT EXISTS (
    SELECT FROM projection.single_holdings o
    WHERE o.network = %(network)s AND o.contract = %(contract)s AND o.token_id = %(token_id)s::numeric
) AND (EXISTS (
    SELECT FROM projection.transfers t
    WHERE t.network = %(network)s AND t.contract = %(contract)s AND t.token_id = %(token_id)s::numeric
      AND t.block_number <= %(number)s AND t.quantity > 0 AND NOT t.echo AND t.standard = ANY(%(single)s::text[])
) OR NOT EXISTS (
    SELECT FROM projection.transfers t
    WHERE t.network = %(network)s AND t.contract = %(contract)s AND t.token_id = %(token_id)s::numeric
      AND t.block_number <= %(number)s AND t.quantity > 0 AND NOT t.echo
)) AS one;

-- name: holder_at
-- Who a token with one holder belonged to once a block was applied: `to` of the last live event up to it. It is held
-- since the first of the last events that all name this account, so that a transfer to oneself changes nothing. A token
-- without a live event is with whom the ledger believes to hold it (implicit, before every block).
WITH newest AS MATERIALIZED (
    SELECT t."to" AS account, t.block_number
    FROM projection.transfers t
    WHERE t.network = %(network)s AND t.contract = %(contract)s AND t.token_id = %(token_id)s::numeric
      AND t.block_number <= %(number)s AND t.quantity > 0 AND NOT t.echo
    ORDER BY t.block_number DESC, t.log_index DESC, t.sub_index DESC
    LIMIT 1
), others AS MATERIALIZED (
    SELECT o.*
    FROM newest w
    CROSS JOIN LATERAL (
        SELECT t.block_number, t.log_index, t.sub_index
        FROM projection.transfers t
        WHERE t.network = %(network)s AND t.contract = %(contract)s AND t.token_id = %(token_id)s::numeric
          AND t.block_number <= %(number)s AND t.quantity > 0 AND NOT t.echo AND t."to" <> w.account
        ORDER BY t.block_number DESC, t.log_index DESC, t.sub_index DESC
        LIMIT 1
    ) o
), since AS MATERIALIZED (
    SELECT t.block_time
    FROM projection.transfers t
    WHERE t.network = %(network)s AND t.contract = %(contract)s AND t.token_id = %(token_id)s::numeric
      AND t.block_number BETWEEN coalesce((SELECT o.block_number FROM others o), 0) AND %(number)s
      AND (t.block_number, t.log_index, t.sub_index)
          > (coalesce((SELECT o.block_number FROM others o), -1), coalesce((SELECT o.log_index FROM others o), -1),
             coalesce((SELECT o.sub_index FROM others o), -1))
      AND t.quantity > 0 AND NOT t.echo
    ORDER BY t.block_number, t.log_index, t.sub_index
    LIMIT 1
)
SELECT w.account, 1::numeric AS quantity, (SELECT s.block_time FROM since s) AS since, w.block_number, ''::text AS slot
FROM newest w
UNION ALL
SELECT o.account, o.quantity, o.since, o.block_number, ''::text AS slot
FROM projection.single_holdings o
WHERE o.network = %(network)s AND o.contract = %(contract)s AND o.token_id = %(token_id)s::numeric
  AND o.block_number < 0 AND NOT EXISTS (SELECT FROM newest);

-- name: holders_at
-- The same for a token of many holders: the sum of the live events up to that block. A holding rests on the newest event
-- that changed it, in or out; it is held since the newest that came in.
SELECT side.account, sum(side.delta) AS quantity,
       max(t.block_time) FILTER (WHERE side.delta > 0) AS since, max(t.block_number) AS block_number,
       side.account AS slot
FROM projection.transfers t
CROSS JOIN LATERAL (VALUES (t."from", -t.quantity), (t."to", t.quantity)) AS side (account, delta)
WHERE t.network = %(network)s AND t.contract = %(contract)s AND t.token_id = %(token_id)s::numeric
  AND t.block_number <= %(number)s AND t.quantity > 0 AND t."from" <> t."to" AND NOT t.echo
  AND side.account <> ALL(%(nobody)s::text[])
  AND (%(after)s::text IS NULL OR side.account > %(after)s)
GROUP BY side.account
HAVING sum(side.delta) > 0
ORDER BY side.account
LIMIT %(rows)s;

-- name: block_at
-- The canonical block of a height, if it was read.
SELECT number, hash, time, position FROM projection.blocks WHERE network = %(network)s AND number = %(number)s;

-- name: block_at_time
-- The highest canonical block not later than a time. Times rise with heights, so bisecting the primary key
-- finds it without an index by time; gaps between heights are stepped over.
WITH RECURSIVE step (low, high) AS (
    SELECT min(b.number), max(b.number) FROM projection.blocks b WHERE b.network = %(network)s
    UNION ALL
    SELECT CASE WHEN probe.time <= %(at)s THEN probe.number ELSE s.low END,
           CASE WHEN probe.time <= %(at)s THEN s.high ELSE (s.low + s.high + 1) / 2 - 1 END
    FROM step s
    CROSS JOIN LATERAL (
        SELECT b.number, b.time FROM projection.blocks b
        WHERE b.network = %(network)s AND b.number >= (s.low + s.high + 1) / 2
        ORDER BY b.number
        LIMIT 1
    ) probe
    WHERE s.low < s.high
)
SELECT b.number, b.hash, b.time, b.position
FROM step s
JOIN LATERAL (
    SELECT c.number, c.hash, c.time, c.position FROM projection.blocks c
    WHERE c.network = %(network)s AND c.number = s.low AND c.time <= %(at)s
) b ON true
WHERE s.low = s.high;
