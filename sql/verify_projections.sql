-- What `ft verify` proves of the projections: a recount from the journal as far as project has read, and from its own
-- holdings. The same form as verify.sql.

-- name: holdings_facts
-- The subscriber's holdings.
SELECT count(*) FROM projection.holdings

-- name: holdings
-- The subscriber holds what the ledger holds, but for tokens whose last events it has not read. What balances are
-- put aside, while one account holds the id, is covered there.
WITH ledgers AS (
    SELECT network, contract, token_id, slot, account, quantity, block_number, false AS covered
    FROM market.ownership_current
    UNION ALL
    SELECT network, contract, token_id, account, account, quantity, -1, true FROM ledger.covered_balances
), unread AS (
    SELECT DISTINCT e.network, e.contract, e.token_id
    FROM ledger.events e
    LEFT JOIN system.partition_owner o ON o.consumer = 'project' AND o.topic = %(changed)s AND o.partition = e.partition
    WHERE e.op IN ('apply', 'revert') AND e.seq >= coalesce(o.next_seq, 1)
), compared AS (
    SELECT network, contract, token_id, slot || CASE WHEN covered THEN ', under one holder' ELSE '' END AS slot,
           CASE WHEN l.account IS NULL THEN 'no holding'
                WHEN slot = '' THEN format('%%s by block %%s', l.account, l.block_number)
                ELSE l.quantity::text END AS expected,
           CASE WHEN p.account IS NULL THEN 'no holding'
                WHEN slot = '' THEN format('%%s by block %%s', p.account, p.block_number)
                ELSE p.quantity::text END AS got,
           coalesce(l.quantity, 0) = 0 AND coalesce(p.quantity, 0) = 0 AS nothing
    FROM ledgers l
    FULL JOIN projection.holdings p USING (network, contract, token_id, slot, covered)
)
SELECT format('%%s:%%s:%%s %%s', c.network, c.contract, c.token_id, c.slot), c.expected, c.got, count(*) OVER ()
FROM compared c
LEFT JOIN unread u USING (network, contract, token_id)
WHERE c.expected <> c.got AND NOT c.nothing AND u.network IS NULL
ORDER BY 1 LIMIT %(most)s

-- name: cards_facts
-- Asset cards.
SELECT count(*) FROM projection.asset_cards

-- name: cards
-- Supply and owners count the subscriber's holdings; the rest counts the journal as far as the subscriber has read.
WITH told AS (
    SELECT e.network, e.contract, e.token_id, sum(CASE e.op WHEN 'apply' THEN 1 ELSE -1 END) AS transfers,
           max(e.block_number) AS last_block, max(e.block_time) AS last_time, max(e.seq) AS version,
           substr(max(lpad(e.seq::text, 20, '0') || e.standard), 21) AS standard
    FROM ledger.events e
    JOIN system.partition_owner o ON o.consumer = 'project' AND o.topic = %(changed)s AND o.partition = e.partition
    WHERE e.op IN ('apply', 'revert') AND e.seq < o.next_seq AND NOT e.echo AND e.quantity > 0
      AND NOT (e."from" = ANY(%(nobody)s::text[]) AND e."to" = ANY(%(nobody)s::text[]))
    GROUP BY e.network, e.contract, e.token_id
), held AS (
    SELECT network, contract, token_id, sum(quantity) AS supply, count(*) AS owners
    FROM projection.holdings
    WHERE quantity > 0 AND NOT covered AND NOT account = ANY(%(nobody)s::text[])
    GROUP BY network, contract, token_id
), expected AS (
    SELECT network, contract, token_id, t.standard, coalesce(h.supply, 0) AS supply, coalesce(h.owners, 0) AS owners,
           coalesce(t.transfers, 0) AS transfers, t.last_block, t.last_time, t.version
    FROM told t FULL JOIN held h USING (network, contract, token_id)
)
SELECT format('%%s:%%s:%%s', network, contract, token_id),
       CASE WHEN e.supply IS NULL THEN 'no card'
            ELSE format('%%s, supply %%s, owners %%s, transfers %%s, last block %%s at %%s, version %%s', e.standard, e.supply,
                        e.owners, e.transfers, e.last_block, e.last_time, e.version) END,
       CASE WHEN c.supply IS NULL THEN 'no card'
            ELSE format('%%s, supply %%s, owners %%s, transfers %%s, last block %%s at %%s, version %%s', c.standard, c.supply,
                        c.owners, c.transfers, c.last_block, c.last_time, c.version) END,
       count(*) OVER ()
FROM expected e
FULL JOIN projection.asset_cards c USING (network, contract, token_id)
WHERE (e.standard, e.supply, e.owners, e.transfers, e.last_block, e.last_time, e.version)
      IS DISTINCT FROM (c.standard, c.supply, c.owners, c.transfers, c.last_block, c.last_time, c.version)
ORDER BY 1 LIMIT %(most)s

-- name: holders_facts
-- Accounts that hold something of a collection.
SELECT count(*) FROM projection.collection_holders WHERE holdings > 0

-- name: holders
-- As many holdings an account as there are visible rows.
WITH held AS (
    SELECT network, contract, account, count(*) AS holdings
    FROM projection.holdings
    WHERE quantity > 0 AND NOT covered AND NOT account = ANY(%(nobody)s::text[])
    GROUP BY network, contract, account
)
SELECT format('%%s of %%s:%%s', account, network, contract), coalesce(e.holdings, 0)::text,
       coalesce(h.holdings::text, 'none'), count(*) OVER ()
FROM held e
FULL JOIN projection.collection_holders h USING (network, contract, account)
WHERE coalesce(e.holdings, 0) <> coalesce(h.holdings, 0)
ORDER BY 1 LIMIT %(most)s

-- name: stats_facts
-- Collections.
SELECT count(*) FROM projection.collection_stats

-- name: stats
-- Owners, assets and supply count the subscriber's holdings; the rest counts the journal as far as it has read.
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
        JOIN system.partition_owner o ON o.consumer = 'project' AND o.topic = %(changed)s AND o.partition = e.partition
        WHERE e.op IN ('apply', 'revert') AND e.seq < o.next_seq AND NOT e.echo AND e.quantity > 0
          AND NOT (e."from" = ANY(%(nobody)s::text[]) AND e."to" = ANY(%(nobody)s::text[]))
    ) AS read
    GROUP BY network, contract
), held AS (
    SELECT network, contract, count(DISTINCT account) AS owners, count(DISTINCT token_id) AS assets, sum(quantity) AS supply
    FROM projection.holdings
    WHERE quantity > 0 AND NOT covered AND NOT account = ANY(%(nobody)s::text[])
    GROUP BY network, contract
), expected AS (
    SELECT network, contract, t.standard, coalesce(h.owners, 0) AS owners, coalesce(h.assets, 0) AS assets,
           coalesce(h.supply, 0) AS supply, t.transfers, t.mints, t.burns, t.first_block, t.last_block, t.version
    FROM told t FULL JOIN held h USING (network, contract)
), compared AS (
    SELECT network, contract,
           CASE WHEN e.owners IS NULL THEN 'no row'
                ELSE format('%%s, owners %%s, assets %%s, supply %%s, %%s transfers %%s mints %%s burns, blocks %%s to %%s, version %%s',
                            e.standard, e.owners, e.assets, e.supply, e.transfers, e.mints, e.burns, e.first_block,
                            e.last_block, e.version) END AS expected,
           CASE WHEN s.owners IS NULL THEN 'no row'
                ELSE format('%%s, owners %%s, assets %%s, supply %%s, %%s transfers %%s mints %%s burns, blocks %%s to %%s, version %%s',
                            s.standard, s.owners, s.assets, s.supply, s.transfers, s.mints, s.burns, s.first_block,
                            s.last_block, s.version) END AS got
    FROM expected e FULL JOIN projection.collection_stats s USING (network, contract)
)
SELECT format('%%s:%%s', network, contract), expected, got, count(*) OVER ()
FROM compared WHERE expected <> got ORDER BY 1 LIMIT %(most)s

-- name: activity_facts
-- Days with something on them.
SELECT count(*) FROM projection.collection_activity WHERE (transfers, mints, burns) <> (0, 0, 0)

-- name: activity
-- Live events by kind and UTC day, as far as the subscriber has read.
WITH told AS (
    SELECT network, contract, day,
           coalesce(sum(sign) FILTER (WHERE minted = burned), 0) AS transfers,
           coalesce(sum(sign) FILTER (WHERE minted AND NOT burned), 0) AS mints,
           coalesce(sum(sign) FILTER (WHERE burned AND NOT minted), 0) AS burns
    FROM (
        SELECT e.network, e.contract, (e.block_time AT TIME ZONE 'UTC')::date AS day,
               CASE e.op WHEN 'apply' THEN 1 ELSE -1 END AS sign, e."from" = ANY(%(nobody)s::text[]) AS minted,
               e."to" = ANY(%(nobody)s::text[]) AS burned
        FROM ledger.events e
        JOIN system.partition_owner o ON o.consumer = 'project' AND o.topic = %(changed)s AND o.partition = e.partition
        WHERE e.op IN ('apply', 'revert') AND e.seq < o.next_seq AND NOT e.echo AND e.quantity > 0
          AND NOT (e."from" = ANY(%(nobody)s::text[]) AND e."to" = ANY(%(nobody)s::text[]))
    ) AS read
    GROUP BY network, contract, day
), compared AS (
    SELECT network, contract, day,
           format('%%s transfers %%s mints %%s burns', coalesce(t.transfers, 0), coalesce(t.mints, 0), coalesce(t.burns, 0))
               AS expected,
           format('%%s transfers %%s mints %%s burns', coalesce(a.transfers, 0), coalesce(a.mints, 0), coalesce(a.burns, 0))
               AS got
    FROM told t FULL JOIN projection.collection_activity a USING (network, contract, day)
)
SELECT format('%%s:%%s on %%s', network, contract, day), expected, got, count(*) OVER ()
FROM compared WHERE expected <> got ORDER BY 1 LIMIT %(most)s

-- name: assets_facts
-- Assets in the catalog.
SELECT count(*) FROM catalog.assets

-- name: assets
-- Every asset that the subscriber has read of, since the time of its oldest block.
WITH told AS (
    SELECT e.network, e.contract, e.token_id, min(e.block_time) AS first_seen
    FROM ledger.events e
    JOIN system.partition_owner o ON o.consumer = 'project' AND o.topic = %(changed)s AND o.partition = e.partition
    WHERE e.op IN ('apply', 'revert') AND e.seq < o.next_seq AND NOT e.echo AND e.quantity > 0
      AND NOT (e."from" = ANY(%(nobody)s::text[]) AND e."to" = ANY(%(nobody)s::text[]))
    GROUP BY e.network, e.contract, e.token_id
)
SELECT format('%%s:%%s:%%s', network, contract, token_id), coalesce('since ' || t.first_seen, 'no asset'),
       coalesce('since ' || a.first_seen, 'no asset'), count(*) OVER ()
FROM told t
FULL JOIN catalog.assets a USING (network, contract, token_id)
WHERE t.first_seen IS DISTINCT FROM a.first_seen
ORDER BY 1 LIMIT %(most)s

-- name: uuids
-- Every asset with its uuid, which only Python can compute.
SELECT network, contract, token_id::text, uuid FROM catalog.assets

-- name: heads_facts
-- Heads that project keeps.
SELECT count(*) FROM system.partition_head WHERE consumer = 'project'

-- name: heads
-- Marks are those of the head that the ledger was last said to have, where nothing was read since; else they are no older
-- than the last record of kind finality that was read, and no newer than what the ledger has read.
WITH place AS (
    SELECT partition, next_seq - 1 AS seq FROM system.partition_owner WHERE consumer = 'project' AND topic = %(changed)s
), kept AS (
    SELECT partition, network, safe, finalized, position FROM system.partition_head WHERE consumer = 'project'
), said AS (
    SELECT h.partition, h.network, h.safe, h.finalized, h.position
    FROM system.partition_head h JOIN place p ON p.partition = h.partition AND p.seq = h.after_seq
    WHERE h.consumer = 'heads'
), marked AS (
    SELECT DISTINCT ON (e.partition, e.network) e.partition, e.network, (e.control->>'safe')::bigint AS safe,
           (e.control->>'finalized')::bigint AS finalized, (e.control->>'position')::bigint AS position
    FROM ledger.events e JOIN place p USING (partition)
    WHERE e.op = 'finality' AND e.seq <= p.seq
    ORDER BY e.partition, e.network, e.seq DESC
), found AS (
    SELECT partition, network, 'the marks that the ledger was last said to have' AS rule, s.safe, s.finalized, s.position
    FROM said s JOIN kept k USING (partition, network)
    WHERE (k.safe, k.finalized, k.position) IS DISTINCT FROM (s.safe, s.finalized, s.position)
    UNION ALL
    SELECT partition, network, 'no marks before', m.safe, m.finalized, m.position
    FROM marked m LEFT JOIN kept k USING (partition, network)
    WHERE k.position IS NULL OR k.position < m.position
          OR (k.position = m.position AND (k.safe, k.finalized) IS DISTINCT FROM (m.safe, m.finalized))
    UNION ALL
    SELECT partition, network, 'no marks beyond', l.safe, l.finalized, l.position
    FROM kept k JOIN system.partition_head l USING (partition, network)
    WHERE l.consumer = 'ledger' AND k.position > l.position
)
SELECT format('%%s in partition %%s', network, partition),
       format('%%s: safe %%s, finalized %%s, position %%s', rule, found.safe, found.finalized, found.position),
       coalesce(format('safe %%s, finalized %%s, position %%s', k.safe, k.finalized, k.position), 'no head'),
       count(*) OVER ()
FROM found LEFT JOIN kept k USING (partition, network)
ORDER BY 1, 2 LIMIT %(most)s
