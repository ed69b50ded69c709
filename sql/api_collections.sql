-- The API's reads of collections: one, some, and what is in one.

-- name: contract_is_live
-- The same for a contract.
SELECT EXISTS (
    SELECT FROM projection.transfers t
    WHERE t.network = %(network)s AND t.contract = %(contract)s
) AS live;

-- name: collections
-- Of some collections, in their order: counters as `project` keeps them, with the head that they are the state of (counted_*); whether the ledger knows a
-- holding; and what the contract rests on, up to the ledger's head.
SELECT s.standard, s.owners, s.assets, s.supply, s.transfers, s.mints, s.burns, s.first_block, s.last_block,
       EXISTS (SELECT FROM projection.ownership_view o
               WHERE o.network = c.network AND o.contract = c.contract) AS held,
       c.network, c.contract, c.partition, h.position, h.head_number, h.head_hash, h.head_time, h.safe, h.finalized,
       least(p.head_number, p.open_block - 1) AS counted_number,
       CASE WHEN p.open_block <= p.head_number THEN '' ELSE p.head_hash END AS counted_hash,
       CASE WHEN p.open_block <= p.head_number THEN NULL ELSE p.head_time END AS counted_time,
       p.safe AS counted_safe, p.finalized AS counted_finalized, p.open_block,
       e.contradicted, false AS contract_contradicts,
       coalesce(covered.gapless, false) AND NOT EXISTS (
           SELECT FROM projection.late l
           WHERE l.network = c.network AND l.position > h.position
             AND l."to" >= span.low AND l."from" <= h.head_number) AS gapless,
       coalesce(k.late_seq >= coalesce(counted.seq, 1), false) AS uncounted,
       EXISTS (SELECT FROM projection.quarantined q
               WHERE q.network = c.network AND q.contract IN (c.contract, '') AND q.reason <> 'not_listed'
                 AND q.block_number BETWEEN span.low AND h.head_number) AS quarantined,
       EXISTS (SELECT FROM projection.quarantined q
               WHERE q.network = c.network AND q.contract = c.contract AND q.reason = 'not_listed'
                 AND q.block_number BETWEEN span.low AND h.head_number) AS not_listed,
       coalesce(covered.reasons, '') AS reasons, coalesce(span.created_reasons, '') AS created_reasons, e.out_of_order,
       EXISTS (SELECT FROM projection.implicit_holdings i
               WHERE i.network = c.network AND i.contract = c.contract) AS implicit,
       concat_ws('-', c.partition, h.position, span.chain_position, s.version, counted.seq, e.out_of_order,
                 e.contradicted) AS version
FROM unnest((SELECT %(networks)s::text[]), (SELECT %(contracts)s::text[]), (SELECT %(partitions)s::integer[]))
     WITH ORDINALITY AS c (network, contract, partition, place)
LEFT JOIN projection.collection_stats s ON s.network = c.network AND s.contract = c.contract
LEFT JOIN projection.late_events k ON k.network = c.network AND k.contract = c.contract
CROSS JOIN LATERAL (SELECT max(m.next_seq) AS seq FROM projection.consumers m
                    WHERE m.consumer = 'project' AND m.partition = c.partition) counted
LEFT JOIN projection.heads h ON h.consumer = 'ledger' AND h.partition = c.partition AND h.network = c.network
LEFT JOIN projection.heads p ON p.consumer = 'project' AND p.partition = c.partition AND p.network = c.network
CROSS JOIN LATERAL (
    SELECT EXISTS (SELECT FROM projection.findings f
                   WHERE (f.network, f.contract) = (c.network, c.contract)
                     AND f.kind = 'nonconserving') AS contradicted,
           EXISTS (SELECT FROM projection.recounts r
                   WHERE r.network = c.network AND r.contract = c.contract) AS out_of_order
    OFFSET 0
) e
LEFT JOIN LATERAL (
    -- From the contract's creation, else from the network's start block. A creation that no root proves is not
    -- needed where everything was read since the start block.
    SELECT CASE WHEN w.whole THEN n.start_block ELSE coalesce(cr.number, n.start_block) END AS low, t.high,
           CASE WHEN NOT w.whole THEN cr.reasons END AS created_reasons, ch.position AS chain_position
    FROM projection.networks n
    LEFT JOIN projection.created cr ON cr.network = n.network AND cr.contract = c.contract
    LEFT JOIN projection.chain_heads ch ON ch.network = n.network
    CROSS JOIN LATERAL (SELECT least(h.head_number, ch.head_number) AS high) t
    CROSS JOIN LATERAL (
        SELECT coalesce(cr.reasons <> '' AND n.start_block <= cr.number AND (
            SELECT range_agg(int8range(g."from", g."to", '[]'))
                       @> int8range(least(n.start_block, t.high), t.high, '[]')
            FROM projection.coverage g
            WHERE g.network = n.network), false) AS whole
        OFFSET 0  -- once, not again wherever it is named
    ) w
    WHERE n.network = c.network
) span ON true
LEFT JOIN LATERAL (
    SELECT range_agg(int8range(g."from", g."to", '[]'))
               @> int8range(least(span.low, span.high), span.high, '[]') AS gapless,
           string_agg(DISTINCT (g.proof || ',' || g.reasons) COLLATE "C", ',')
               FILTER (WHERE g.proof <> 'receipts' OR g.reasons <> '') AS reasons
    FROM projection.coverage g
    WHERE g.network = c.network AND g."to" >= span.low AND g."from" <= span.high
) covered ON true
ORDER BY c.place;

-- name: collection_from_holdings
-- Counters of a collection that `project` has not reached yet.
SELECT max(standard) AS standard, count(DISTINCT account) AS owners, count(DISTINCT token_id) AS assets,
       sum(quantity) AS supply, min(block_number) FILTER (WHERE block_number >= 0) AS first_block,
       max(block_number) FILTER (WHERE block_number >= 0) AS last_block
FROM projection.ownership_view
WHERE network = %(network)s AND contract = %(contract)s;

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
