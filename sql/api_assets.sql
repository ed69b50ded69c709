-- The API's reads of one asset: itself, and who holds it now or held it once.

-- name: asset_by_uuid
-- A uuid is no more than another spelling of the natural key.
SELECT network, contract, token_id FROM projection.assets WHERE uuid = %(uuid)s::uuid;

-- name: assets
-- Everything about some assets in one statement, hence of one snapshot; what their contracts rest on (coverage, findings)
-- is asked once a contract, and judged by the caller. Holders beyond 1000 are not added up: supply and owners come from
-- the card then, which is of the block that `project` has reached (counted_*). `version` moves with whatever can change
-- the answer. The arrays hide in subselects so that their lengths sway no plan: the generic one is kept, and saves 2 ms.
WITH asked AS MATERIALIZED (
    SELECT k.*
    FROM unnest((SELECT %(networks)s::text[]), (SELECT %(contracts)s::text[]), (SELECT %(token_ids)s::numeric[]),
                (SELECT %(partitions)s::integer[]))
         WITH ORDINALITY AS k (network, contract, token_id, partition, place)
), grounds AS MATERIALIZED (
    SELECT c.network, c.contract, c.partition, h.position, h.head_number, h.head_hash, h.head_time, h.safe, h.finalized,
           least(p.head_number, p.open_block - 1) AS counted_number,
           CASE WHEN p.open_block <= p.head_number THEN '' ELSE p.head_hash END AS counted_hash,
           CASE WHEN p.open_block <= p.head_number THEN NULL ELSE p.head_time END AS counted_time,
           p.safe AS counted_safe, p.finalized AS counted_finalized, p.open_block,
           span.chain_position, coalesce(covered.reasons, '') AS reasons,
           -- What is covered, and applied there: of what came late, the partition may show another state.
           coalesce(covered.gapless, false) AND NOT EXISTS (
               SELECT FROM projection.late l
               WHERE l.network = c.network AND l.position > h.position
                 AND l."to" >= span.low AND l."from" <= h.head_number) AS gapless,
           coalesce(span.created_reasons, '') AS created_reasons,
           EXISTS (SELECT FROM projection.quarantined q
                   WHERE q.network = c.network AND q.contract IN (c.contract, '') AND q.reason <> 'not_listed'
                     AND q.block_number BETWEEN span.low AND h.head_number) AS quarantined,
           EXISTS (SELECT FROM projection.quarantined q
                   WHERE q.network = c.network AND q.contract = c.contract AND q.reason = 'not_listed'
                     AND q.block_number BETWEEN span.low AND h.head_number) AS not_listed,
           EXISTS (SELECT FROM projection.recounts r
                   WHERE r.network = c.network AND r.contract = c.contract) AS out_of_order,
           counted.seq AS counted_seq, coalesce(e.late_seq >= coalesce(counted.seq, 1), false) AS uncounted
    FROM (SELECT DISTINCT a.network, a.contract, a.partition FROM asked a) c
    LEFT JOIN projection.late_events e ON (e.network, e.contract) = (c.network, c.contract)
    CROSS JOIN LATERAL (SELECT max(s.next_seq) AS seq FROM projection.consumers s
                        WHERE s.consumer = 'project' AND s.partition = c.partition) counted
    LEFT JOIN projection.heads h
           ON h.consumer = 'ledger' AND h.partition = c.partition AND h.network = c.network
    LEFT JOIN projection.heads p
           ON p.consumer = 'project' AND p.partition = c.partition AND p.network = c.network
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
)
SELECT k.network, k.contract, k.token_id, a.uuid, coalesce(a.is_stub, true) AS is_stub,
       coalesce(held.standard, a.standard, c.standard) AS standard,
       CASE WHEN held.holders > 1000 THEN coalesce(c.owners, held.holders) ELSE held.holders END AS owners,
       CASE WHEN held.holders > 1000 THEN coalesce(c.supply, held.supply) ELSE held.supply END AS supply,
       held.account, held.quantity, held.since, held.block_number,
       -- Of the newest block that the holdings rest on. Who gave all away leaves no holding: the card knows of them.
       coalesce((SELECT b.time FROM projection.blocks b
                 WHERE b.network = k.network AND b.number = coalesce(one.block_number, held.block_number)),
                one.since, held.last_since) AS held_time,
       CASE WHEN one.network IS NULL THEN c.last_time END AS card_time, held.holders > 1000 AS counted,
       c.last_block AS card_block, coalesce(c.transfers, 0) AS transfers,
       f.contradicted, f.contract_contradicts, g.gapless, g.quarantined, g.not_listed, g.reasons, g.created_reasons, g.out_of_order,
       coalesce(one.block_number < 0 AND held.holders > 0, false) AS implicit,
       g.partition, g.position, g.head_number, g.head_hash, g.head_time, g.safe, g.finalized,
       g.counted_number, g.counted_hash, g.counted_time, g.counted_safe, g.counted_finalized, g.open_block,
       g.uncounted,
       concat_ws('-', g.partition, g.position, g.chain_position, g.counted_seq, g.out_of_order, f.contradicted,
                 f.contract_contradicts) AS version
FROM asked k
JOIN grounds g ON (g.network, g.contract) = (k.network, k.contract)
LEFT JOIN projection.assets a ON (a.network, a.contract, a.token_id) = (k.network, k.contract, k.token_id)
LEFT JOIN projection.asset_cards c ON (c.network, c.contract, c.token_id) = (k.network, k.contract, k.token_id)
LEFT JOIN projection.single_holdings one
       ON (one.network, one.contract, one.token_id) = (k.network, k.contract, k.token_id)
CROSS JOIN LATERAL (
    -- One row at most is looked at for each: a contract that is no NFT's may have a finding for every token id.
    SELECT EXISTS (SELECT FROM projection.findings f
                   WHERE (f.network, f.contract, f.token_id) = (k.network, k.contract, k.token_id)
                     AND f.kind = 'nonconserving') AS contradicted,
           EXISTS (SELECT FROM projection.findings f
                   WHERE (f.network, f.contract) = (k.network, k.contract) AND f.token_id <> k.token_id
                     AND f.kind = 'nonconserving') AS contract_contradicts
    OFFSET 0
) f
CROSS JOIN LATERAL (
    SELECT count(*) AS holders, coalesce(sum(o.quantity), 0) AS supply, min(o.account) AS account,
           min(o.quantity) AS quantity, min(o.since) AS since, max(o.since) AS last_since,
           max(o.block_number) AS block_number, max(o.standard) AS standard
    FROM (SELECT v.account, v.quantity, v.since, v.block_number, v.standard
          FROM projection.ownership_view v
          WHERE v.network = k.network AND v.contract = k.contract AND v.token_id = k.token_id
          LIMIT 1001) o
) held
ORDER BY k.place;

-- name: asset_version
-- The same `version` without the rest: what a conditional request costs.
SELECT concat_ws('-', k.partition, h.position, ch.position,
                 (SELECT max(s.next_seq) FROM projection.consumers s
                  WHERE s.consumer = 'project' AND s.partition = k.partition),
                 EXISTS (SELECT FROM projection.recounts r
                         WHERE r.network = k.network AND r.contract = k.contract),
                 EXISTS (SELECT FROM projection.findings f
                         WHERE (f.network, f.contract, f.token_id) = (k.network, k.contract, k.token_id)
                           AND f.kind = 'nonconserving'),
                 EXISTS (SELECT FROM projection.findings f
                         WHERE (f.network, f.contract) = (k.network, k.contract) AND f.token_id <> k.token_id
                           AND f.kind = 'nonconserving')) AS version
FROM (SELECT %(network)s::text AS network, %(contract)s::text AS contract, %(token_id)s::numeric AS token_id,
             %(partition)s::integer AS partition) k
LEFT JOIN projection.heads h
       ON h.consumer = 'ledger' AND h.partition = k.partition AND h.network = k.network
LEFT JOIN projection.chain_heads ch ON ch.network = k.network;

-- name: asset_is_live
-- Whether any event of the asset is in force: a mint that a reorg took back leaves none.
SELECT EXISTS (
    SELECT FROM projection.transfers t
    WHERE t.network = %(network)s AND t.contract = %(contract)s AND t.token_id = %(token_id)s::numeric
) AS live;

-- name: asset_owners
-- Who holds an asset: at most one row where a token has one holder (slot ''), else one an account.
SELECT o.account, o.quantity, o.since, o.block_number, o.slot
FROM projection.ownership_view o
WHERE o.network = %(network)s AND o.contract = %(contract)s AND o.token_id = %(token_id)s::numeric
  AND (%(after)s::text IS NULL OR o.slot > %(after)s)
ORDER BY o.slot
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
