-- Contradictions: tokens whose events cannot all be true although all of them were read. The ledger writes them with
-- the events (agents/ledger/findings.py), a recount counts marked contracts again (agents/ledger/recount.py), and
-- `ft verify` judges both by the same rule.

-- name: histories
-- Whether each contract's whole history was read, up to what its partition has seen as the head; and whether that can
-- be told: normalize has committed as far as ``since``, and no block below the head was read that the partition at
-- ``position`` has not.
WITH asked AS (
    SELECT k.place, k.network, k.contract, k.head, k.position, coalesce(c.number, n.start_block, 0) AS low,
           least(k.head, h.head_number) AS high, h.position >= k.since AS committed,
           h.late_position <= k.position AS nothing_late
    FROM unnest(%(network)s::text[], %(contract)s::text[], %(head)s::bigint[], %(position)s::bigint[],
                %(since)s::bigint[]) WITH ORDINALITY AS k (network, contract, head, position, since, place)
    LEFT JOIN ingest.heads h ON h.network = k.network
    LEFT JOIN ref.networks n ON n.network = k.network
    LEFT JOIN ingest.created c ON (c.network, c.contract) = (k.network, k.contract)
), covered AS (
    SELECT g.network, range_agg(int8range(g."from", g."to", '[]'))
                      FILTER (WHERE NOT 'state_sync_missing' = ANY(string_to_array(g.reasons, ','))) AS heights
    FROM ingest.coverage g
    WHERE g.network IN (SELECT network FROM asked)
    GROUP BY g.network
)
SELECT CASE WHEN a.high >= a.low AND v.heights @> int8range(a.low, a.high, '[]')
            THEN NOT EXISTS (SELECT FROM ingest.quarantine q
                             WHERE q.network = a.network AND q.state = 'open' AND q.contract IN (a.contract, '')
                               AND q.block_number BETWEEN a.low AND a.head)
                 AND NOT EXISTS (SELECT FROM ingest.undecoded u
                                 WHERE (u.network, u.contract) = (a.network, a.contract)
                                   AND u.heights && int8range(a.low, a.high, '[]'))
            ELSE false END AS whole,
       coalesce(a.committed AND (a.nothing_late OR NOT EXISTS (
           SELECT FROM ingest.coverage g
           WHERE g.network = a.network AND g."to" >= a.low AND g."from" <= a.high AND g.raw_offset > a.position)),
           false) AS can_be_told
FROM asked a
LEFT JOIN covered v USING (network)
ORDER BY a.place;

-- name: negative
-- The balances of these tokens that are below zero, the lowest first.
SELECT k.network, k.contract, k.token_id::text, o.account, o.quantity::text
FROM unnest(%(network)s::text[], %(contract)s::text[], %(token_id)s::numeric[]) AS k (network, contract, token_id)
CROSS JOIN LATERAL (
    SELECT c.account, c.quantity FROM market.ownership_current c
    WHERE (c.network, c.contract, c.token_id) = (k.network, k.contract, k.token_id) AND c.slot <> '' AND c.quantity < 0
    ORDER BY c.quantity, c.account
    LIMIT 20) AS o
ORDER BY k.network, k.contract, k.token_id, o.quantity, o.account;

-- name: put
-- The first event that contradicts is what a finding falls with; the sums are those of the last. A row that stays as it
-- is is written too: a recount that began before does not delete it then.
INSERT INTO system.findings AS f (network, contract, token_id, kind, detail, block_number, block_hash)
SELECT network, contract, token_id, 'nonconserving', detail, block_number, block_hash
FROM unnest(%(network)s::text[], %(contract)s::text[], %(token_id)s::numeric[], %(detail)s::jsonb[],
            %(block_number)s::bigint[], %(block_hash)s::text[])
     AS k (network, contract, token_id, detail, block_number, block_hash)
ON CONFLICT (network, contract, token_id, kind) DO UPDATE
SET detail = CASE WHEN f.block_hash = '' OR (f.detail ? 'sums' AND excluded.detail ? 'sums') THEN excluded.detail
                  ELSE f.detail END,
    block_number = CASE WHEN f.block_hash = '' THEN excluded.block_number ELSE f.block_number END,
    block_hash = CASE WHEN f.block_hash = '' THEN excluded.block_hash ELSE f.block_hash END;

-- name: fall
-- Findings whose block is retracted. Returns their contracts: other events may still contradict.
DELETE FROM system.findings f
USING unnest(%(network)s::text[], %(contract)s::text[], %(token_id)s::numeric[], %(block_hash)s::text[])
      AS k (network, contract, token_id, block_hash)
WHERE (f.network, f.contract, f.token_id) = (k.network, k.contract, k.token_id) AND f.kind = 'nonconserving'
  AND f.block_hash IN (k.block_hash, '')
RETURNING f.network, f.contract;

-- name: mark
-- Contracts to be counted again. One that is marked, and whose history was not read whole, is left as it is: its recount
-- has not begun, and begins only after every transaction that saw it so (agents/ledger/recount.py).
INSERT INTO system.recounts AS r (network, contract, partition, marked_seq, position)
SELECT k.network, k.contract, k.partition, k.seq, k.position
FROM unnest(%(network)s::text[], %(contract)s::text[], %(partition)s::int[], %(seq)s::bigint[], %(position)s::bigint[],
            %(whole)s::bool[]) AS k (network, contract, partition, seq, position, whole)
WHERE k.whole OR NOT EXISTS (
    SELECT FROM system.recounts m
    WHERE (m.network, m.contract) = (k.network, k.contract) AND m.marked_seq > m.counted_seq)
ON CONFLICT (network, contract) DO UPDATE
SET marked_seq = excluded.marked_seq, position = excluded.position, partition = excluded.partition, marked_at = now();

-- name: marked
-- Contracts to be counted again, the longest marked first, and how far their partition has come. None while a month has
-- no indexes: the journal cannot be read by contract.
SELECT r.network, r.contract, r.partition, r.marked_seq, p.head_number, p.position, r.position
FROM system.recounts r
JOIN system.partition_head p ON p.consumer = 'ledger' AND (p.partition, p.network) = (r.partition, r.network)
WHERE r.marked_seq > r.counted_seq AND NOT EXISTS (SELECT FROM ledger.months m WHERE NOT m.indexed)
ORDER BY r.marked_at;

-- name: still_marked
-- The same of some contracts.
SELECT r.network, r.contract, r.partition, r.marked_seq, p.head_number, p.position, r.position
FROM unnest(%(network)s::text[], %(contract)s::text[]) AS k (network, contract)
JOIN system.recounts r USING (network, contract)
JOIN system.partition_head p ON p.consumer = 'ledger' AND (p.partition, p.network) = (r.partition, r.network)
WHERE r.marked_seq > r.counted_seq;

-- name: contracts
-- The same of every contract that the ledger knows, marked or not.
SELECT c.network, c.contract, c.partition, coalesce(r.marked_seq, 0), p.head_number, p.position,
       CASE WHEN r.marked_seq > r.counted_seq THEN r.position ELSE -1 END
FROM (SELECT DISTINCT network, contract, partition FROM ledger.events WHERE op = 'apply') c
JOIN system.partition_head p ON p.consumer = 'ledger' AND (p.partition, p.network) = (c.partition, c.network)
LEFT JOIN system.recounts r ON (r.network, r.contract) = (c.network, c.contract);

-- name: found_contracts
-- Contracts that have findings.
SELECT DISTINCT network, contract FROM system.findings WHERE kind = 'nonconserving';

-- name: hold
-- Whether nobody else recounts: this session does now, until it lets go or ends.
SELECT pg_try_advisory_lock(%(lock)s);

-- name: let_go
-- Another worker may.
SELECT pg_advisory_unlock(%(lock)s);

-- name: make_room
-- What a recount has found, in the session that writes it afterwards: contradictions, findings that are none any more,
-- rows of single holdings that say another time than the journal, and what the journal says of holdings that could not
-- be dated.
CREATE TEMP TABLE IF NOT EXISTS contradicting (
    network text, contract text, token_id numeric, partition integer, detail jsonb, block_number bigint,
    block_hash text);
CREATE TEMP TABLE IF NOT EXISTS healing (network text, contract text, token_id numeric, version text);
CREATE TEMP TABLE IF NOT EXISTS dating (
    network text, contract text, token_id numeric, account text, block_number bigint, log_index integer,
    sub_index integer, since timestamptz, said timestamptz);
CREATE TEMP TABLE IF NOT EXISTS telling (
    network text, contract text, token_id numeric, slot text, version text, since timestamptz, block_number bigint,
    log_index integer, sub_index integer);

-- name: clear_room
TRUNCATE contradicting, healing, dating;

-- name: keep_contradicting
-- Of these contracts, each token whose live events cannot all be true in the order of the chain, with the first event
-- that contradicts. Single holding: it is minted while somebody has it, or leaves somebody who does not have it.
-- Balances: one falls below zero, by the event that last brought it there, whether it comes back or not.
INSERT INTO contradicting (network, contract, token_id, partition, detail, block_number, block_hash)
WITH asked AS (
    SELECT * FROM unnest(%(network)s::text[], %(contract)s::text[], %(partition)s::int[]) AS k (network, contract, partition)
), mixed AS (
    SELECT a.network, a.contract, i.token_id
    FROM asked a CROSS JOIN LATERAL ledger.single_ids(a.network, a.contract) i
), live AS (
    SELECT e.network, e.contract, e.token_id, e."from", e."to", e.quantity, e.block_number, e.block_hash, e.log_index,
           e.sub_index, e."from" = ANY(%(nobody)s::text[]) AS minted, e."to" = ANY(%(nobody)s::text[]) AS burned,
           e.standard = ANY(%(single)s::text[]) OR (e.network, e.contract, e.token_id) IN (SELECT * FROM mixed) AS single
    FROM asked JOIN ledger.normalized_events e USING (network, contract)
    WHERE NOT e.echo AND e.quantity > 0
), walked AS (
    SELECT l.*, lag(l."to") OVER w AS holder, coalesce(lag(l.burned) OVER w, true) AS free
    FROM live l WHERE l.single
    WINDOW w AS (PARTITION BY l.network, l.contract, l.token_id ORDER BY l.block_number, l.log_index, l.sub_index)
), misled AS (
    SELECT DISTINCT ON (network, contract, token_id) network, contract, token_id,
           jsonb_build_object(
               'reason', CASE WHEN NOT minted AND holder IS NULL THEN 'moved before it was minted'
                              WHEN minted AND NOT free THEN 'minted while held'
                              WHEN NOT minted AND holder <> "from" THEN 'from does not hold it'
                              ELSE 'more than one' END,
               'holder', CASE WHEN NOT free THEN holder END, 'from', "from", 'to', "to") AS detail,
           block_number, block_hash
    FROM walked
    WHERE CASE WHEN minted THEN NOT free ELSE holder IS DISTINCT FROM "from" END OR quantity <> 1
    ORDER BY network, contract, token_id, block_number, log_index, sub_index
), moved AS (
    SELECT l.network, l.contract, l.token_id, l.block_number, l.block_hash, l.log_index, l.sub_index, side.account,
           side.sign * l.quantity AS quantity
    FROM live l
    CROSS JOIN LATERAL (VALUES (l."from", -1, l.minted), (l."to", 1, l.burned)) AS side (account, sign, nobody)
    WHERE NOT l.single AND NOT side.nobody AND l."from" <> l."to"
), running AS (
    SELECT m.*, sum(m.quantity) OVER w AS balance
    FROM moved m
    WINDOW w AS (PARTITION BY m.network, m.contract, m.token_id, m.account
                 ORDER BY m.block_number, m.log_index, m.sub_index)
), negative AS (
    SELECT network, contract, token_id, account,
           CASE WHEN sum(quantity) < 0 THEN sum(quantity) ELSE min(balance) END AS quantity
    FROM running GROUP BY network, contract, token_id, account HAVING min(balance) < 0
), fallen AS (
    SELECT DISTINCT ON (network, contract, token_id, account) network, contract, token_id, account, block_number,
           block_hash, log_index, sub_index
    FROM running
    WHERE balance < 0 AND balance >= quantity
    ORDER BY network, contract, token_id, account, block_number DESC, log_index DESC, sub_index DESC
), overdrawn AS (
    SELECT n.network, n.contract, n.token_id,
           jsonb_build_object(
               'reason', 'negative sum',
               'sums', (array_agg(jsonb_build_object('account', n.account, 'quantity', n.quantity::text)
                                  ORDER BY n.quantity, n.account))[1:20]) AS detail,
           (array_agg(f.block_number ORDER BY f.block_number, f.log_index, f.sub_index))[1] AS block_number,
           (array_agg(f.block_hash ORDER BY f.block_number, f.log_index, f.sub_index))[1] AS block_hash
    FROM negative n JOIN fallen f USING (network, contract, token_id, account)
    GROUP BY n.network, n.contract, n.token_id
)
SELECT k.network, k.contract, f.token_id, k.partition, f.detail, f.block_number, f.block_hash
FROM asked k
JOIN (
    SELECT network, contract, token_id, detail, block_number, block_hash FROM misled
    UNION ALL
    SELECT o.network, o.contract, o.token_id, o.detail, o.block_number, o.block_hash
    FROM overdrawn o LEFT JOIN misled m USING (network, contract, token_id)
    WHERE m.detail IS NULL
) f USING (network, contract);

-- name: keep_healing
-- Findings of these contracts that were not found again. ``version`` changes whenever the row is written.
INSERT INTO healing (network, contract, token_id, version)
SELECT f.network, f.contract, f.token_id, f.xmin::text
FROM unnest(%(network)s::text[], %(contract)s::text[]) AS k (network, contract)
JOIN system.findings f USING (network, contract)
WHERE f.kind = 'nonconserving' AND NOT EXISTS (
    SELECT FROM contradicting c WHERE (c.network, c.contract, c.token_id) = (f.network, f.contract, f.token_id));

-- name: keep_dating
-- Since when the accounts have the single tokens of these contracts: the first event of the last unbroken run of those
-- to the account. Only where the row stands on the same event and says something else.
INSERT INTO dating (network, contract, token_id, account, block_number, log_index, sub_index, since, said)
WITH asked AS (
    SELECT * FROM unnest(%(network)s::text[], %(contract)s::text[]) AS k (network, contract)
), mixed AS (
    SELECT a.network, a.contract, i.token_id
    FROM asked a CROSS JOIN LATERAL ledger.single_ids(a.network, a.contract) i
), runs AS (
    SELECT e.network, e.contract, e.token_id, e."to", e.block_time, e.block_number, e.log_index, e.sub_index,
           lag(e."to") OVER w AS before, lead(e.block_number) OVER w AS next
    FROM asked JOIN ledger.normalized_events e USING (network, contract)
    WHERE NOT e.echo AND e.quantity > 0
      AND (e.standard = ANY(%(single)s::text[]) OR (e.network, e.contract, e.token_id) IN (SELECT * FROM mixed))
    WINDOW w AS (PARTITION BY e.network, e.contract, e.token_id ORDER BY e.block_number, e.log_index, e.sub_index)
), told AS (
    SELECT network, contract, token_id, max("to") FILTER (WHERE next IS NULL) AS account,
           max(block_number) FILTER (WHERE next IS NULL) AS block_number,
           max(log_index) FILTER (WHERE next IS NULL) AS log_index,
           max(sub_index) FILTER (WHERE next IS NULL) AS sub_index,
           max(block_time) FILTER (WHERE before IS DISTINCT FROM "to") AS since
    FROM runs GROUP BY network, contract, token_id
)
SELECT t.network, t.contract, t.token_id, t.account, t.block_number, t.log_index, t.sub_index, t.since, o.since
FROM told t
JOIN market.ownership_current o
    ON (o.network, o.contract, o.token_id, o.slot) = (t.network, t.contract, t.token_id, '')
   AND (o.account, o.block_number, o.log_index, o.sub_index) = (t.account, t.block_number, t.log_index, t.sub_index)
WHERE o.since IS DISTINCT FROM t.since AND NOT t.account = ANY(%(nobody)s::text[]);

-- name: kept
-- What contradicts, for people.
SELECT network, contract, token_id::text, detail FROM contradicting ORDER BY network, contract, token_id;

-- name: lock_partitions
-- While the rows are held no transaction of the ledger is under way in these partitions.
SELECT o.partition
FROM system.partition_owner o
WHERE o.consumer = 'ledger' AND o.partition = ANY(%(partitions)s::int[])
ORDER BY o.partition
FOR UPDATE;

-- name: lock_all_partitions
-- The same of every partition.
SELECT o.partition FROM system.partition_owner o WHERE o.consumer = 'ledger' ORDER BY o.partition FOR UPDATE;

-- name: write_contradicting
-- Some of them, as long as their block counts. Returns how many were taken.
WITH taken AS (
    DELETE FROM contradicting
    WHERE ctid = ANY(ARRAY(SELECT ctid FROM contradicting LIMIT %(most)s)) RETURNING *
), written AS (
    INSERT INTO system.findings AS f (network, contract, token_id, kind, detail, block_number, block_hash)
    SELECT s.network, s.contract, s.token_id, 'nonconserving', s.detail, s.block_number, s.block_hash
    FROM taken s
    WHERE EXISTS (
        SELECT FROM ledger.applied_blocks a
        WHERE a.consumer = 'ledger' AND (a.network, a.block_hash) = (s.network, s.block_hash)
          AND a.partition = s.partition AND a.state = 'applied')
    ON CONFLICT (network, contract, token_id, kind) DO UPDATE
    SET detail = excluded.detail, block_number = excluded.block_number, block_hash = excluded.block_hash
    WHERE (f.detail, f.block_number, f.block_hash)
          IS DISTINCT FROM (excluded.detail, excluded.block_number, excluded.block_hash)
)
SELECT count(*) FROM taken;

-- name: write_healing
-- Some of them, as long as nobody has written them anew. Returns how many were taken, and how many were deleted.
WITH taken AS (
    DELETE FROM healing WHERE ctid = ANY(ARRAY(SELECT ctid FROM healing LIMIT %(most)s)) RETURNING *
), healed AS (
    DELETE FROM system.findings f USING taken s
    WHERE (f.network, f.contract, f.token_id) = (s.network, s.contract, s.token_id) AND f.kind = 'nonconserving'
      AND f.xmin::text = s.version
    RETURNING 1
)
SELECT (SELECT count(*) FROM taken), (SELECT count(*) FROM healed);

-- name: write_dating
-- Some of them, as long as the row stands on the same event and says the same. Returns how many were taken.
WITH taken AS (
    DELETE FROM dating WHERE ctid = ANY(ARRAY(SELECT ctid FROM dating LIMIT %(most)s)) RETURNING *
), dated AS (
    UPDATE market.ownership_current o SET since = s.since FROM taken s
    WHERE (o.network, o.contract, o.token_id, o.slot) = (s.network, s.contract, s.token_id, '')
      AND (o.account, o.block_number, o.log_index, o.sub_index) = (s.account, s.block_number, s.log_index, s.sub_index)
      AND o.since IS NOT DISTINCT FROM s.said
)
SELECT count(*) FROM taken;

-- name: counted
-- A mark that came meanwhile stands.
UPDATE system.recounts r SET counted_seq = k.seq
FROM unnest(%(network)s::text[], %(contract)s::text[], %(seq)s::bigint[]) AS k (network, contract, seq)
WHERE (r.network, r.contract) = (k.network, k.contract) AND r.counted_seq < k.seq;

-- name: has_undated
-- Whether holdings wait to be dated, and no month does to be indexed.
SELECT EXISTS (SELECT FROM ledger.undated) AND NOT EXISTS (SELECT FROM ledger.months m WHERE NOT m.indexed);

-- name: clear_telling
TRUNCATE telling;

-- name: keep_telling
-- What the journal says of some of them: since when, and which event they stand on. By the rules of `single_since` and
-- `multi_far` (ledger.sql). ``version`` changes whenever the row is written; null: it is gone.
INSERT INTO telling (network, contract, token_id, slot, version, since, block_number, log_index, sub_index)
SELECT u.network, u.contract, u.token_id, u.slot, o.version, coalesce(one.since, many.since),
       CASE WHEN u.slot = '' THEN o.block_number ELSE coalesce(many.position[1], -1) END,
       CASE WHEN u.slot = '' THEN o.log_index ELSE coalesce(many.position[2], -1)::integer END,
       CASE WHEN u.slot = '' THEN o.sub_index ELSE coalesce(many.position[3], -1)::integer END
FROM (SELECT * FROM ledger.undated LIMIT %(most)s) AS u
LEFT JOIN (SELECT c.*, c.xmin::text AS version FROM market.ownership_current c) AS o
    USING (network, contract, token_id, slot)
LEFT JOIN LATERAL (
    SELECT l.block_time AS since
    FROM ledger.normalized_events l
    LEFT JOIN (
        SELECT t.block_number, t.log_index, t.sub_index
        FROM ledger.normalized_events t
        WHERE (t.network, t.contract, t.token_id) = (u.network, u.contract, u.token_id) AND t."to" <> o.account
          AND NOT t.echo AND t.quantity > 0
        ORDER BY 1 DESC, 2 DESC, 3 DESC
        LIMIT 1) AS gave ON true
    WHERE u.slot = '' AND NOT o.implicit
      AND (l.network, l.contract, l.token_id) = (u.network, u.contract, u.token_id) AND NOT l.echo AND l.quantity > 0
      AND (gave.block_number IS NULL
           OR (l.block_number, l.log_index, l.sub_index) > (gave.block_number, gave.log_index, gave.sub_index))
    ORDER BY l.block_number, l.log_index, l.sub_index
    LIMIT 1) AS one ON true
LEFT JOIN LATERAL (
    SELECT max(e.block_time) FILTER (WHERE e."to" = u.slot) AS since,
           max(ARRAY[e.block_number, e.log_index, e.sub_index]) AS position
    FROM ledger.normalized_events e
    WHERE u.slot <> '' AND (e.network, e.contract, e.token_id) = (u.network, u.contract, u.token_id)
      AND u.slot IN (e."from", e."to") AND e."from" <> e."to" AND NOT e.echo AND e.quantity > 0) AS many ON true;

-- name: write_telling
-- As long as nobody has written the row since; the others wait on.
WITH dated AS (
    UPDATE market.ownership_current o
    SET since = s.since, block_number = s.block_number, log_index = s.log_index, sub_index = s.sub_index
    FROM telling s
    WHERE (o.network, o.contract, o.token_id, o.slot) = (s.network, s.contract, s.token_id, s.slot)
      AND o.xmin::text = s.version
    RETURNING o.network, o.contract, o.token_id, o.slot
)
DELETE FROM ledger.undated u
USING telling s
LEFT JOIN dated d USING (network, contract, token_id, slot)
WHERE (u.network, u.contract, u.token_id, u.slot) = (s.network, s.contract, s.token_id, s.slot)
  AND (d.slot IS NOT NULL OR s.version IS NULL);
