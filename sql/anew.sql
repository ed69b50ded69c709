-- A journal from before holders: they are written in, and all of it is announced anew (ft/ops/anew/).

-- name: live
-- Processes that were at work lately, and write. One that stops in order, or notes how it ended,
-- leaves nothing; one that was killed is there for a minute.
SELECT 'worker ' || worker FROM system.workers WHERE seen_at > now() - interval '1 minute'
UNION ALL
SELECT concat('ft ingest ', network, ' --follow (', owner, ')') FROM ingest.leases WHERE seen_at > now() - interval '1 minute'
UNION ALL
SELECT concat('ft ingest ', network, ' --from ', "from", ' --to ', "to", ' --bulk') FROM ingest.bulk
WHERE state = 'filling' AND seen_at > now() - interval '1 minute'
UNION ALL
SELECT concat('ft ingest (', job, ')') FROM system.sync_cursors
WHERE starts_with(job, 'range:') AND updated_at > now() - interval '15 seconds'
ORDER BY 1;

-- name: has_journal
-- Whether there is anything that was announced without holders.
SELECT EXISTS (SELECT FROM ledger.events);

-- name: state
-- How far it is; no row: done, or nothing to do.
SELECT value FROM system.settings WHERE name = 'holders';

-- name: put_state
-- The next step, or how far the one in hand is.
UPDATE system.settings SET value = %(value)s WHERE name = 'holders';

-- name: finish
-- Workers may start.
DELETE FROM system.settings WHERE name = 'holders';

-- name: only_one
-- Held as long as the connection.
SELECT pg_try_advisory_lock(hashtext('ft migrate holders ' || current_database()));

-- name: journal_ends
-- How many rows each partition of the journal has.
SELECT partition, greatest(max(next_seq) - 1, 0) FROM system.partition_owner WHERE consumer = 'ledger'
GROUP BY partition ORDER BY partition;

-- name: plan
-- A sort of millions of rows, on a connection that waits for nobody.
SELECT set_config('work_mem', '256MB', false), set_config('jit', 'off', false), set_config('timezone', 'UTC', false);

-- name: plan_updates
-- A few thousand rows by their key must not be a look at all the months.
SELECT set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
       set_config('enable_mergejoin', 'off', true);

-- name: odd_rows
-- The rows of a partition's single tokens of which some row does not say itself who had the token before, or has it after:
-- it was retracted, came below an earlier one, or is from somebody else. An id of which balances' events tell too has all
-- its rows here. Each token's rows follow each other, by seq.
SELECT network, contract, token_id::text, seq, op, block_number, extract(epoch FROM block_time)::bigint, log_index,
       sub_index, standard, "from", "to", quantity, holder, holder_before, holder_block, holder_time
FROM (
    SELECT each.*, bool_or(odd) OVER (PARTITION BY network, contract, token_id) AS of_odd_token
    FROM (
        SELECT e.network, e.contract, e.token_id, e.seq, e.op, e.block_number, e.block_time, e.log_index, e.sub_index,
               e.standard, e."from", e."to", e.holder, e.holder_before, e.holder_block, e.holder_time,
               e.quantity::text, e.op = 'revert' OR NOT e.standard = ANY(%(single)s::text[])
                   OR e."from" <> lag(e."to") OVER w
                   OR (e.block_number, e.log_index, e.sub_index)
                      <= (lag(e.block_number) OVER w, lag(e.log_index) OVER w, lag(e.sub_index) OVER w) AS odd,
               bool_or(e.standard = ANY(%(single)s::text[])) OVER (
                   PARTITION BY e.network, e.contract, e.token_id) AS single
        FROM ledger.events e
        LEFT JOIN ledger.contract_kinds k USING (network, contract)
        WHERE e.partition = %(partition)s AND e.op IN ('apply', 'revert') AND NOT e.echo AND e.quantity > 0
          AND (e.standard = ANY(%(single)s::text[]) OR (k.single AND k.multi))
          AND (e.network, e.contract, e.token_id)
              > (%(network)s::text, %(contract)s::text, %(token_id)s::numeric)
        WINDOW w AS (PARTITION BY e.network, e.contract, e.token_id ORDER BY e.seq)
    ) AS each
    WHERE single
) AS told
WHERE of_odd_token
ORDER BY network, contract, token_id, seq;

-- name: write_led
-- What rows led to, where they do not say so.
UPDATE ledger.events e
SET holder = k.holder, holder_before = k.holder_before, holder_block = k.holder_block, holder_time = k.holder_time
FROM unnest(%(seq)s::bigint[], %(time)s::bigint[], %(holder)s::text[], %(holder_before)s::text[],
            %(holder_block)s::bigint[], %(holder_time)s::bigint[])
     AS k (seq, time, holder, holder_before, holder_block, holder_time)
WHERE e.partition = %(partition)s AND e.seq = k.seq AND e.block_time = to_timestamp(k.time);

-- name: singles
-- The holdings of a partition's single tokens, by the rule of verify.sql: written where they differ, and those that no
-- event tells of are deleted. Returns how many of each.
WITH said AS (
    SELECT DISTINCT network, contract FROM ledger.events WHERE partition = %(partition)s AND op = 'apply'
), mixed AS (
    SELECT k.network, k.contract, i.token_id
    FROM ledger.contract_kinds k CROSS JOIN LATERAL ledger.single_ids(k.network, k.contract) i
    WHERE k.partition = %(partition)s AND k.single AND k.multi
), retracted AS (
    SELECT network, tx_hash, contract, topic0, n, sub_index, max(revision) AS revision
    FROM ledger.retracted GROUP BY network, tx_hash, contract, topic0, n, sub_index
), moves AS MATERIALIZED (
    SELECT e.network, e.contract, e.token_id, e.seq, e."from", e."to", e.standard, e.block_number, e.log_index,
           e.sub_index, e.block_time, e.op = 'apply' AND coalesce(r.revision, 0) <= e.revision AS live, e.op = 'revert' AS undone
    FROM ledger.events e
    LEFT JOIN retracted r USING (network, tx_hash, contract, topic0, n, sub_index)
    LEFT JOIN ledger.contract_kinds k USING (network, contract)
    WHERE e.partition = %(partition)s AND e.op IN ('apply', 'revert') AND NOT e.echo AND e.quantity > 0
      AND CASE WHEN k.single AND k.multi THEN (e.network, e.contract, e.token_id) IN (SELECT * FROM mixed)
               ELSE e.standard = ANY(%(single)s::text[]) END
), runs AS (
    SELECT m.*, lag(m."to") OVER w AS before, lead(m.block_number) OVER w IS NULL AS last
    FROM moves m WHERE m.live
    WINDOW w AS (PARTITION BY m.network, m.contract, m.token_id ORDER BY m.block_number, m.log_index, m.sub_index)
), live AS (
    SELECT network, contract, token_id, max("to") FILTER (WHERE last) AS account,
           max(block_time) FILTER (WHERE before IS DISTINCT FROM "to") AS since,
           max(block_time) FILTER (WHERE last) AS event_time, max(block_number) FILTER (WHERE last) AS block_number,
           max(log_index) FILTER (WHERE last) AS log_index, max(sub_index) FILTER (WHERE last) AS sub_index,
           max(standard) FILTER (WHERE last) AS standard
    FROM runs GROUP BY network, contract, token_id
), undone AS (
    SELECT DISTINCT ON (network, contract, token_id) network, contract, token_id, "from" AS account, standard
    FROM moves WHERE undone
    ORDER BY network, contract, token_id, seq DESC
), expected AS MATERIALIZED (
    SELECT *, false AS implicit FROM live
    UNION ALL
    SELECT u.network, u.contract, u.token_id, u.account, NULL, NULL, -1, -1, -1, u.standard, true
    FROM undone u LEFT JOIN live l USING (network, contract, token_id)
    WHERE l.account IS NULL
), put AS (
    INSERT INTO market.ownership_current AS o
        (network, contract, token_id, slot, account, quantity, since, event_time, block_number, log_index, sub_index,
         standard, implicit)
    SELECT network, contract, token_id, '', account, 1, since, event_time, block_number, log_index, sub_index, standard,
           implicit
    FROM expected
    ON CONFLICT (network, contract, token_id, slot) DO UPDATE
    SET account = excluded.account, quantity = excluded.quantity, since = excluded.since,
        event_time = excluded.event_time, block_number = excluded.block_number, log_index = excluded.log_index,
        sub_index = excluded.sub_index, standard = excluded.standard, implicit = excluded.implicit
    WHERE (o.account, o.quantity, o.since, o.event_time, o.block_number, o.log_index, o.sub_index, o.standard, o.implicit)
          IS DISTINCT FROM (excluded.account, excluded.quantity, excluded.since, excluded.event_time,
                            excluded.block_number, excluded.log_index, excluded.sub_index, excluded.standard,
                            excluded.implicit)
    RETURNING 1
), gone AS (
    DELETE FROM market.ownership_current o
    USING said s
    WHERE (o.network, o.contract) = (s.network, s.contract) AND o.slot = ''
      AND NOT EXISTS (SELECT FROM expected x
                      WHERE (x.network, x.contract, x.token_id) = (o.network, o.contract, o.token_id))
    RETURNING 1
)
SELECT (SELECT count(*) FROM put), (SELECT count(*) FROM gone);

-- name: multis
-- The same of its balances: sums of what came in and went out, which stand on the newest live event of the balance, and
-- are had since the newest of those that came in.
WITH said AS (
    SELECT DISTINCT network, contract FROM ledger.events WHERE partition = %(partition)s AND op = 'apply'
), mixed AS (
    SELECT k.network, k.contract, i.token_id
    FROM ledger.contract_kinds k CROSS JOIN LATERAL ledger.single_ids(k.network, k.contract) i
    WHERE k.partition = %(partition)s AND k.single AND k.multi
), retracted AS (
    SELECT network, tx_hash, contract, topic0, n, sub_index, max(revision) AS revision
    FROM ledger.retracted GROUP BY network, tx_hash, contract, topic0, n, sub_index
), sums AS (
    SELECT e.network, e.contract, e.token_id, side.account,
           sum(CASE WHEN e.op = 'revert' THEN -side.sign ELSE side.sign END * e.quantity) AS quantity,
           max(e.block_time) FILTER (WHERE l.live AND side.sign > 0) AS since,
           max(ARRAY[e.block_number, e.log_index, e.sub_index]) FILTER (WHERE l.live) AS position,
           max(e.standard) AS standard
    FROM ledger.events e
    LEFT JOIN retracted r USING (network, tx_hash, contract, topic0, n, sub_index)
    CROSS JOIN LATERAL (SELECT e.op = 'apply' AND coalesce(r.revision, 0) <= e.revision AS live) AS l
    CROSS JOIN LATERAL (VALUES (e."from", -1), (e."to", 1)) AS side (account, sign)
    WHERE e.partition = %(partition)s AND e.op IN ('apply', 'revert') AND NOT e.echo AND e.quantity > 0
      AND e."from" <> e."to" AND NOT e.standard = ANY(%(single)s::text[])
      AND NOT side.account = ANY(%(nobody)s::text[])
      AND (e.network, e.contract, e.token_id) NOT IN (SELECT * FROM mixed)
    GROUP BY e.network, e.contract, e.token_id, side.account
), expected AS MATERIALIZED (
    SELECT network, contract, token_id, account, quantity, since, coalesce(position[1], -1) AS block_number,
           coalesce(position[2], -1)::integer AS log_index, coalesce(position[3], -1)::integer AS sub_index, standard
    FROM sums
), put AS (
    INSERT INTO market.ownership_current AS o
        (network, contract, token_id, slot, account, quantity, since, block_number, log_index, sub_index, standard)
    SELECT network, contract, token_id, account, account, quantity, since, block_number, log_index, sub_index, standard
    FROM expected
    ON CONFLICT (network, contract, token_id, slot) DO UPDATE
    SET account = excluded.account, quantity = excluded.quantity, since = excluded.since,
        block_number = excluded.block_number, log_index = excluded.log_index, sub_index = excluded.sub_index,
        standard = excluded.standard
    WHERE (o.account, o.quantity, o.since, o.block_number, o.log_index, o.sub_index, o.standard)
          IS DISTINCT FROM (excluded.account, excluded.quantity, excluded.since, excluded.block_number,
                            excluded.log_index, excluded.sub_index, excluded.standard)
    RETURNING 1
), gone AS (
    DELETE FROM market.ownership_current o
    USING said s
    WHERE (o.network, o.contract) = (s.network, s.contract) AND o.slot <> ''
      AND NOT EXISTS (SELECT FROM expected x
                      WHERE (x.network, x.contract, x.token_id, x.account) = (o.network, o.contract, o.token_id, o.slot))
    RETURNING 1
)
SELECT (SELECT count(*) FROM put), (SELECT count(*) FROM gone);

-- name: covered
-- The balances that are put aside, as one account holds the id.
INSERT INTO ledger.covered_balances (network, contract, token_id, account, quantity)
SELECT e.network, e.contract, e.token_id, side.account,
       sum(CASE WHEN e.op = 'revert' THEN -side.sign ELSE side.sign END * e.quantity)
FROM ledger.contract_kinds k
CROSS JOIN LATERAL ledger.single_ids(k.network, k.contract) i
JOIN ledger.events e ON (e.network, e.contract, e.token_id) = (k.network, k.contract, i.token_id)
CROSS JOIN LATERAL (VALUES (e."from", -1), (e."to", 1)) AS side (account, sign)
WHERE k.partition = %(partition)s AND k.single AND k.multi AND e.op IN ('apply', 'revert') AND NOT e.echo
  AND e.quantity > 0 AND e."from" <> e."to" AND NOT e.standard = ANY(%(single)s::text[])
  AND NOT side.account = ANY(%(nobody)s::text[])
GROUP BY e.network, e.contract, e.token_id, side.account
ON CONFLICT (network, contract, token_id, account) DO UPDATE SET quantity = excluded.quantity;

-- name: put_begins
-- What stands below was deleted.
INSERT INTO system.topic_begins (topic, partition, "offset")
SELECT * FROM unnest(%(topic)s::text[], %(partition)s::int[], %(offset)s::bigint[])
ON CONFLICT (topic, partition) DO UPDATE SET "offset" = excluded."offset";

-- name: reset_cursors
-- The journal is announced from its first row on; a partition that waited tries its row again.
WITH gone AS (UPDATE ledger.forgotten SET announced = 0)
UPDATE system.publish_cursor
SET seq = 0, ownership_seq = 0, finality_seq = 0, reorg_seq = 0, created_seq = 0, blocked = NULL, updated_at = now();

-- name: settle_letters
-- What the publisher could not send is sent again; what project could not read stands in the topic no more.
UPDATE system.dlq SET state = CASE consumer WHEN 'publisher' THEN 'replayed' ELSE 'dropped' END
WHERE state = 'open' AND (consumer = 'publisher' OR (consumer = 'project' AND topic = %(changed)s));

-- name: has_projections
-- Whether project has ever run: without it the API speaks from the ledger.
SELECT EXISTS (SELECT FROM system.partition_owner WHERE consumer = 'project' AND topic = %(changed)s);

-- name: put_fences
-- Project reads from where the records begin. What its tables hold already, it drops by seq.
INSERT INTO system.partition_owner AS o (consumer, topic, partition, next_offset, next_seq)
SELECT 'project', b.topic, b.partition, b."offset", CASE WHEN %(projected)s THEN coalesce(e.last_seq, 0) ELSE 0 END + 1
FROM system.topic_begins b
LEFT JOIN (
    SELECT partition, max(seq) AS last_seq FROM ledger.events WHERE op <> 'reorg' AND NOT echo GROUP BY partition
) AS e USING (partition)
WHERE b.topic = %(changed)s
ON CONFLICT (consumer, topic, partition) DO UPDATE
SET next_offset = excluded.next_offset, next_seq = excluded.next_seq, updated_at = now();
