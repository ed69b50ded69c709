-- What `ft verify` proves of the topics (ft/ops/verify/subscriber.py): a subscriber that read them from their first record on
-- comes to what the ledger holds. The temporary table is the subscriber's; rows are added a partition at a time.

-- name: make_subscribed
-- What the subscriber says: one row a holding, as in market.ownership_current.
CREATE TEMP TABLE IF NOT EXISTS subscribed (
    network text, contract text, token_id numeric, slot text, account text, quantity numeric,
    block_number bigint
)

-- name: forget_subscribed
-- Those of an earlier run on this connection.
TRUNCATE subscribed

-- name: put_subscribed
-- The holdings of one partition.
COPY subscribed (network, contract, token_id, slot, account, quantity, block_number) FROM STDIN

-- name: cursors
-- How far each partition is announced, on each topic.
SELECT partition, ownership_seq, finality_seq, reorg_seq, created_seq FROM system.publish_cursor ORDER BY partition

-- name: announceable
-- What the journal holds as far as it is announced, by the topic where it must be.
SELECT c.partition,
       count(*) FILTER (WHERE e.op IN ('apply', 'revert', 'finality') AND NOT e.echo)
           + coalesce((SELECT f.announced FROM ledger.forgotten f WHERE f.partition = c.partition), 0) AS ownership_changed,
       NULL::bigint AS finality,  -- heads are no rows, and go after a day
       count(*) FILTER (WHERE e.op = 'reorg') AS reorg_detected,
       count(*) FILTER (WHERE e.op IN ('apply', 'revert') AND NOT e.echo AND e.quantity > 0
                        AND e."from" = ANY(%(nobody)s::text[]) AND NOT e."to" = ANY(%(nobody)s::text[])) AS asset_created
FROM system.publish_cursor c
JOIN ledger.events e ON e.partition = c.partition AND e.seq <= c.seq
GROUP BY c.partition

-- name: unannounced
-- Journal rows that the publisher has not announced.
SELECT count(*) FROM ledger.events e
LEFT JOIN system.publish_cursor c USING (partition)
WHERE e.seq > coalesce(c.seq, 0)

-- name: subscriber_facts
-- The subscriber's holdings.
SELECT count(*) FROM subscribed

-- name: subscriber
-- The subscriber holds what the ledger holds, but for tokens with events that are not announced yet.
WITH later AS (
    SELECT DISTINCT e.network, e.contract, e.token_id
    FROM ledger.events e
    LEFT JOIN system.publish_cursor c USING (partition)
    WHERE e.op IN ('apply', 'revert') AND e.seq > coalesce(c.seq, 0)
), compared AS (
    SELECT network, contract, token_id, slot,
           CASE WHEN l.account IS NULL THEN 'no holding'
                WHEN slot = '' THEN format('%%s by block %%s', l.account, l.block_number)
                ELSE l.quantity::text END AS expected,
           CASE WHEN s.account IS NULL THEN 'no holding'
                WHEN slot = '' THEN format('%%s by block %%s', s.account, s.block_number)
                ELSE s.quantity::text END AS got,
           coalesce(l.quantity, 0) = 0 AND coalesce(s.quantity, 0) = 0 AS nothing
    FROM market.ownership_current l
    FULL JOIN subscribed s USING (network, contract, token_id, slot)
)
SELECT format('%%s:%%s:%%s %%s', c.network, c.contract, c.token_id, c.slot), c.expected, c.got, count(*) OVER ()
FROM compared c
LEFT JOIN later USING (network, contract, token_id)
WHERE c.expected <> c.got AND NOT c.nothing AND later.network IS NULL
ORDER BY 1 LIMIT %(most)s
