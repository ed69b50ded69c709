-- The API's reads: one asset, one collection, and how far and how surely they are known.

-- name: partitions
-- Chosen at the first migration; an asset's partition follows from it.
SELECT value::integer AS partitions FROM projection.settings WHERE name = 'partitions';

-- name: head
-- How far one partition has read one network.
SELECT network, partition, position, head_number, head_hash, head_time, safe, finalized
FROM projection.heads
WHERE consumer = %(consumer)s AND partition = %(partition)s AND network = %(network)s;

-- name: heads
-- The same for all partitions of some networks; the caller lets the one with the lowest position speak.
SELECT network, partition, position, head_number, head_hash, head_time, safe, finalized
FROM projection.heads
WHERE consumer = %(consumer)s AND network = ANY(%(networks)s::text[]);

-- name: networks
-- Every network that is configured.
SELECT network, family, chain_id, start_block, confirmed, finalized FROM projection.networks ORDER BY network;

-- name: asset_by_uuid
-- A uuid is no more than another spelling of the natural key.
SELECT network, contract, token_id FROM projection.assets WHERE uuid = %(uuid)s::uuid;

-- name: assets
-- Everything about some assets in one statement, hence of one snapshot. Holders beyond 1000 are not
-- added up: supply and owners come from the card then. `version` moves with whatever can change the answer.
-- The arrays hide in subselects so that their lengths sway no plan: the generic one is kept, and saves 2 ms.
SELECT k.network, k.contract, k.token_id, a.uuid, coalesce(a.is_stub, true) AS is_stub,
       coalesce(held.standard, a.standard, c.standard) AS standard,
       CASE WHEN held.holders > 1000 THEN coalesce(c.owners, held.holders) ELSE held.holders END AS owners,
       CASE WHEN held.holders > 1000 THEN coalesce(c.supply, held.supply) ELSE held.supply END AS supply,
       held.account, held.quantity, held.since, held.block_number,
       greatest(c.last_time, held.last_since) AS updated_at,
       coalesce(c.transfers, 0) AS transfers,
       CASE WHEN EXISTS (SELECT FROM projection.findings f
                         WHERE (f.network, f.contract, f.token_id) = (k.network, k.contract, k.token_id)
                           AND f.kind = 'nonconserving') THEN 'nonconserving'
            WHEN covered.gapless IS NOT TRUE THEN 'partial_history'
            WHEN EXISTS (SELECT FROM projection.quarantined q
                         WHERE q.network = k.network AND q.contract IN (k.contract, '')
                           AND q.block_number BETWEEN span.low AND h.head_number) THEN 'partial_history'
            WHEN covered.unproven THEN 'unproven'
            ELSE 'proven' END AS integrity,
       h.partition, h.position, h.head_number, h.head_hash, h.head_time, h.safe, h.finalized,
       concat_ws('-', k.partition, h.position, span.chain_position,
                 (SELECT max(s.next_seq) FROM projection.consumers s
                  WHERE s.consumer = 'project' AND s.partition = k.partition),
                 (SELECT count(*) FROM projection.findings f
                  WHERE (f.network, f.contract) = (k.network, k.contract))) AS version
FROM unnest((SELECT %(networks)s::text[]), (SELECT %(contracts)s::text[]), (SELECT %(token_ids)s::numeric[]),
            (SELECT %(partitions)s::integer[]))
     WITH ORDINALITY AS k (network, contract, token_id, partition, place)
LEFT JOIN projection.heads h
       ON h.consumer = 'ledger' AND h.partition = k.partition AND h.network = k.network
LEFT JOIN projection.assets a ON (a.network, a.contract, a.token_id) = (k.network, k.contract, k.token_id)
LEFT JOIN projection.asset_cards c ON (c.network, c.contract, c.token_id) = (k.network, k.contract, k.token_id)
CROSS JOIN LATERAL (
    SELECT count(*) AS holders, coalesce(sum(o.quantity), 0) AS supply, min(o.account) AS account,
           min(o.quantity) AS quantity, min(o.since) AS since, max(o.since) AS last_since,
           max(o.block_number) AS block_number, max(o.standard) AS standard
    FROM (SELECT v.account, v.quantity, v.since, v.block_number, v.standard
          FROM projection.ownership_view v
          WHERE v.network = k.network AND v.contract = k.contract AND v.token_id = k.token_id
          LIMIT 1001) o
) held
LEFT JOIN LATERAL (
    SELECT coalesce(cr.number, n.start_block) AS low, least(h.head_number, ch.head_number) AS high,
           ch.position AS chain_position
    FROM projection.networks n
    LEFT JOIN projection.created cr ON cr.network = n.network AND cr.contract = k.contract
    LEFT JOIN projection.chain_heads ch ON ch.network = n.network
    WHERE n.network = k.network
) span ON true
LEFT JOIN LATERAL (
    SELECT range_agg(int8range(g."from", g."to", '[]'))
               @> int8range(least(span.low, span.high), span.high, '[]') AS gapless,
           bool_or(g.proof <> 'receipts') AS unproven
    FROM projection.coverage g
    WHERE g.network = k.network AND g."to" >= span.low AND g."from" <= span.high
) covered ON true
ORDER BY k.place;

-- name: asset_version
-- The same `version` without the rest: what a conditional request costs.
SELECT concat_ws('-', %(partition)s::integer, h.position, ch.position,
                 (SELECT max(s.next_seq) FROM projection.consumers s
                  WHERE s.consumer = 'project' AND s.partition = %(partition)s),
                 (SELECT count(*) FROM projection.findings f
                  WHERE f.network = %(network)s AND f.contract = %(contract)s)) AS version
FROM (SELECT %(network)s::text AS network) k
LEFT JOIN projection.heads h
       ON h.consumer = 'ledger' AND h.partition = %(partition)s AND h.network = k.network
LEFT JOIN projection.chain_heads ch ON ch.network = k.network;

-- name: asset_is_live
-- Whether any event of the asset is in force: a mint that a reorg took back leaves none.
SELECT EXISTS (
    SELECT FROM projection.transfers t
    WHERE t.network = %(network)s AND t.contract = %(contract)s AND t.token_id = %(token_id)s::numeric
) AS live;

-- name: collection
-- Counters as `project` keeps them, with its head; and whether the ledger knows a holding.
SELECT s.standard, s.owners, s.assets, s.supply, s.transfers, s.mints, s.burns, s.first_block, s.last_block,
       EXISTS (SELECT FROM projection.ownership_view o
               WHERE o.network = k.network AND o.contract = k.contract) AS held,
       h.network, h.partition, h.position, h.head_number, h.head_hash, h.head_time, h.safe, h.finalized,
       CASE WHEN EXISTS (SELECT FROM projection.findings f
                         WHERE (f.network, f.contract) = (k.network, k.contract)
                           AND f.kind = 'nonconserving') THEN 'nonconserving'
            WHEN covered.gapless IS NOT TRUE THEN 'partial_history'
            WHEN EXISTS (SELECT FROM projection.quarantined q
                         WHERE q.network = k.network AND q.contract IN (k.contract, '')
                           AND q.block_number BETWEEN span.low AND h.head_number) THEN 'partial_history'
            WHEN covered.unproven THEN 'unproven'
            ELSE 'proven' END AS integrity,
       concat_ws('-', k.partition, h.position, span.chain_position, s.version,
                 (SELECT max(e.next_seq) FROM projection.consumers e
                  WHERE e.consumer = 'project' AND e.partition = k.partition),
                 (SELECT count(*) FROM projection.findings f
                  WHERE (f.network, f.contract) = (k.network, k.contract))) AS version
FROM (SELECT %(network)s::text AS network, %(contract)s::text AS contract, %(partition)s::integer AS partition) k
LEFT JOIN projection.collection_stats s ON s.network = k.network AND s.contract = k.contract
LEFT JOIN LATERAL (
    -- Where project has not come yet, the ledger's own head speaks.
    SELECT p.* FROM projection.heads p
    WHERE p.consumer IN ('project', 'ledger') AND p.partition = k.partition AND p.network = k.network
    ORDER BY (p.consumer = 'project') = (s.network IS NOT NULL) DESC
    LIMIT 1
) h ON true
LEFT JOIN LATERAL (
    SELECT coalesce(cr.number, n.start_block) AS low, least(h.head_number, ch.head_number) AS high,
           ch.position AS chain_position
    FROM projection.networks n
    LEFT JOIN projection.created cr ON cr.network = n.network AND cr.contract = k.contract
    LEFT JOIN projection.chain_heads ch ON ch.network = n.network
    WHERE n.network = k.network
) span ON true
LEFT JOIN LATERAL (
    SELECT range_agg(int8range(g."from", g."to", '[]'))
               @> int8range(least(span.low, span.high), span.high, '[]') AS gapless,
           bool_or(g.proof <> 'receipts') AS unproven
    FROM projection.coverage g
    WHERE g.network = k.network AND g."to" >= span.low AND g."from" <= span.high
) covered ON true;

-- name: collection_from_holdings
-- Counters of a collection that `project` has not reached yet.
SELECT max(standard) AS standard, count(DISTINCT account) AS owners, count(DISTINCT token_id) AS assets,
       sum(quantity) AS supply, min(block_number) AS first_block, max(block_number) AS last_block
FROM projection.ownership_view
WHERE network = %(network)s AND contract = %(contract)s;
