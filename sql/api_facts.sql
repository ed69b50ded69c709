-- The API's reads: one asset, one collection, and how far and how surely they are known.

-- name: partitions
-- Chosen at the first migration; an asset's partition follows from it.
SELECT value::integer AS partitions FROM projection.settings WHERE name = 'partitions';

-- name: head
-- How far one partition has read one network: blocks as a whole. Amid a block (open_block) that is the one before it.
SELECT network, partition, position, least(head_number, open_block - 1) AS head_number,
       CASE WHEN open_block <= head_number THEN '' ELSE head_hash END AS head_hash,
       CASE WHEN open_block <= head_number THEN NULL ELSE head_time END AS head_time, safe, finalized
FROM projection.heads
WHERE consumer = %(consumer)s AND partition = %(partition)s AND network = %(network)s;

-- name: heads
-- The same for all partitions of some networks; the caller lets the one with the lowest position speak.
SELECT network, partition, position, least(head_number, open_block - 1) AS head_number,
       CASE WHEN open_block <= head_number THEN '' ELSE head_hash END AS head_hash,
       CASE WHEN open_block <= head_number THEN NULL ELSE head_time END AS head_time, safe, finalized
FROM projection.heads
WHERE consumer = %(consumer)s AND network = ANY(%(networks)s::text[]);

-- name: networks
-- Every network that is configured.
SELECT network, family, chain_id, start_block, confirmed, finalized FROM projection.networks ORDER BY network;

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
