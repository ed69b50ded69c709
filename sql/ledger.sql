-- name: standings
-- How far the partitions have read each network, once a claim.
SELECT partition, network, position, head_number, head_hash, extract(epoch FROM head_time)::bigint, safe, finalized,
       reorg_from, reorg_to, reverted_max, told_safe, told_finalized
FROM system.partition_head
WHERE consumer = 'ledger' AND partition = ANY(%(partitions)s::int[]);

-- name: slices
-- Which of a batch's slices are applied. LIMIT 1 keeps it a look-up a key, whatever is believed of the table's size.
SELECT a.partition, a.network, a.block_hash, a.state = 'applied', a.number, extract(epoch FROM a.time)::bigint,
       a.digest, a.proof, a.seq_from, a.seq_to
FROM unnest(%(partition)s::int[], %(network)s::text[], %(block_hash)s::text[]) AS k (partition, network, block_hash)
CROSS JOIN LATERAL (
    SELECT * FROM ledger.applied_blocks b
    WHERE b.consumer = 'ledger'
      AND (b.network, b.block_hash, b.partition) = (k.network, k.block_hash, k.partition)
    LIMIT 1
) AS a;

-- name: slice_rows
-- The journal rows of one slice, by seq; the block's time picks the month.
SELECT tx_hash, tx_from, contract, topic0, n, sub_index, log_index, standard, token_id::text, "from", "to", operator,
       quantity::text, echo, revision
FROM ledger.events
WHERE partition = %(partition)s AND seq BETWEEN %(seq_from)s AND %(seq_to)s AND block_time = to_timestamp(%(time)s)
  AND op = 'apply'
ORDER BY seq;

-- name: retracted
-- The highest retracted revision of the events of these transactions: normally none.
SELECT r.network, r.tx_hash, r.contract, r.topic0, r.n, r.sub_index, r.revision
FROM unnest(%(network)s::text[], %(tx_hash)s::text[]) AS k (network, tx_hash)
CROSS JOIN LATERAL (
    SELECT f.network, f.tx_hash, f.contract, f.topic0, f.n, f.sub_index, max(f.revision) AS revision
    FROM ledger.retracted f
    WHERE (f.network, f.tx_hash) = (k.network, k.tx_hash)
    GROUP BY 1, 2, 3, 4, 5, 6
) AS r;

-- name: repeating
-- Which networks' transaction hashes may come twice, once a claim: those that do not say the contrary.
SELECT network, settings -> 'transaction_hashes_repeat' IS DISTINCT FROM 'false'::jsonb FROM ref.networks;

-- name: forget_hash_months
-- Of networks that say the contrary: nothing is asked there, so nothing keeps these up.
DELETE FROM ledger.hash_months h USING ref.networks n
WHERE n.network = h.network AND n.settings -> 'transaction_hashes_repeat' = 'false'::jsonb;

-- name: hash_months
-- Months in which transactions are looked for by their hash, once a claim.
SELECT network, month FROM ledger.hash_months;

-- name: ensure_hash_month
-- One more of them, in a transaction of its own.
SELECT ledger.ensure_hash_month(%(network)s, make_timestamptz(%(year)s, %(month)s, 1, 0, 0, 0, 'UTC'));

-- name: plain_live
-- Which of these transactions are live under the hash as it is: a look-up each, in every month of the range.
SELECT k.partition, k.tx_hash
FROM unnest(%(partition)s::int[], %(tx_hash)s::text[]) AS k (partition, tx_hash)
CROSS JOIN LATERAL (
    SELECT FROM ledger.normalized_events e
    WHERE e.network = %(network)s AND e.tx_hash = k.tx_hash AND e.partition = k.partition
      AND e.block_time >= %(since)s AND e.block_time < %(until)s
    LIMIT 1) AS f;

-- name: copied
-- Where transactions have been live twice, once a claim.
SELECT h.partition, h.network
FROM system.partition_head h
WHERE h.consumer = 'ledger' AND h.partition = ANY(%(partitions)s::int[])
  AND EXISTS (SELECT FROM ledger.copies c WHERE (c.network, c.partition) = (h.network, h.partition));

-- name: copies
-- Those of these transactions that have been live twice: whether they are so as they are, the highest number that was
-- given, and the lowest numbers that are free, as many as it says.
SELECT k.partition, k.network, k.tx_hash, coalesce(plain.live, false), given.top, free.numbers
FROM unnest(%(partition)s::int[], %(network)s::text[], %(tx_hash)s::text[], %(most)s::int[])
     AS k (partition, network, tx_hash, most)
CROSS JOIN LATERAL (
    SELECT c.copy AS top FROM ledger.copies c
    WHERE (c.network, c.partition, c.tx_hash) = (k.network, k.partition, k.tx_hash)
    ORDER BY c.copy DESC LIMIT 1) AS given
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(f.copy ORDER BY f.copy), '{}') AS numbers
    FROM (SELECT c.copy FROM ledger.copies c
          WHERE (c.network, c.partition, c.tx_hash) = (k.network, k.partition, k.tx_hash) AND NOT c.live AND c.copy > 1
          ORDER BY c.copy LIMIT k.most) AS f) AS free
LEFT JOIN ledger.copies plain
    ON (plain.network, plain.partition, plain.tx_hash, plain.copy) = (k.network, k.partition, k.tx_hash, 1);

-- name: put_copies
-- Normally none.
INSERT INTO ledger.copies (partition, network, tx_hash, copy, live)
SELECT * FROM unnest(%(partition)s::int[], %(network)s::text[], %(tx_hash)s::text[], %(copy)s::int[], %(live)s::bool[])
ON CONFLICT (network, partition, tx_hash, copy) DO UPDATE SET live = excluded.live;

-- name: unfinal
-- The slices above finality, newest first, for the cache of live transactions; months are few, their block index is used.
-- A month without it is not read: of its blocks, those are found that normalize has noted.
SELECT DISTINCT ON (k.number, k.hash) k.number, k.hash, a.seq_from, a.seq_to, extract(epoch FROM a.time)::bigint
FROM (
    SELECT e.block_number AS number, e.block_hash AS hash
    FROM ledger.events e
    WHERE e.network = %(network)s AND e.block_number >= %(unfinal_from)s AND e.partition = %(partition)s
      AND e.op = 'apply'
      AND e.block_time >= coalesce(
          (SELECT (max(m.month) + interval '1 month') AT TIME ZONE 'UTC' FROM ledger.months m WHERE NOT m.indexed),
          '-infinity')
    UNION ALL
    SELECT b.number, b.hash
    FROM ingest.blocks b
    WHERE b.network = %(network)s AND b.number >= %(unfinal_from)s
      AND EXISTS (SELECT FROM ledger.months m WHERE NOT m.indexed)
) AS k
JOIN ledger.applied_blocks a
  ON a.consumer = 'ledger' AND a.network = %(network)s AND a.block_hash = k.hash AND a.partition = %(partition)s
WHERE a.state = 'applied';

-- name: unsettled
-- Blocks with events above a height, by partition, once a claim; whether some month is not read because it has no indexes.
SELECT DISTINCT e.partition, e.block_number
FROM ledger.events e
WHERE e.network = %(network)s AND e.block_number > %(above)s AND e.partition = ANY(%(partitions)s::int[])
  AND e.op = 'apply'
  AND e.block_time >= coalesce(
      (SELECT (max(m.month) + interval '1 month') AT TIME ZONE 'UTC' FROM ledger.months m WHERE NOT m.indexed),
      '-infinity');

-- name: has_bare_months
SELECT EXISTS (SELECT FROM ledger.months WHERE NOT indexed);

-- name: lock_claims
-- First of all: a zombie, or a second delivery, waits here and then finds that its claim no longer fits.
SELECT o.partition, o.epoch, o.next_offset, o.next_seq
FROM system.partition_owner o
WHERE o.consumer = 'ledger' AND o.topic = %(topic)s AND o.partition = ANY(%(partitions)s::int[])
ORDER BY o.partition
FOR UPDATE;

-- name: ensure_month
-- A month of the journal in a transaction of its own, with the API's indexes unless a bulk backfill fills it.
SELECT ledger.make_month(make_timestamptz(%(year)s, %(month)s, 1, 0, 0, 0, 'UTC'));

-- name: put_slices
-- A slice is applied again after it was reverted: its newest seq range counts.
INSERT INTO ledger.applied_blocks AS a
    (consumer, network, block_hash, partition, state, number, time, digest, proof, seq_from, seq_to)
SELECT 'ledger', network, block_hash, partition, CASE WHEN applied THEN 'applied' ELSE 'reverted' END, number,
       to_timestamp(time), digest, proof, seq_from, seq_to
FROM unnest(%(network)s::text[], %(block_hash)s::text[], %(partition)s::int[], %(applied)s::bool[],
            %(number)s::bigint[], %(time)s::bigint[], %(digest)s::text[], %(proof)s::text[], %(seq_from)s::bigint[],
            %(seq_to)s::bigint[])
     AS k (network, block_hash, partition, applied, number, time, digest, proof, seq_from, seq_to)
ON CONFLICT (consumer, network, block_hash, partition) DO UPDATE
SET state = excluded.state, number = excluded.number, time = excluded.time, digest = excluded.digest,
    proof = excluded.proof, seq_from = excluded.seq_from, seq_to = excluded.seq_to;

-- name: put_retracted
-- Two retractions of one revision cannot be: a repeat of a broken history is no reason to stop.
INSERT INTO ledger.retracted (network, tx_hash, contract, topic0, n, sub_index, revision, partition, seq)
SELECT * FROM unnest(%(network)s::text[], %(tx_hash)s::text[], %(contract)s::text[], %(topic0)s::text[], %(n)s::int[],
                     %(sub_index)s::int[], %(revision)s::int[], %(partition)s::int[], %(seq)s::bigint[])
ON CONFLICT DO NOTHING;

-- name: put_standings
-- Copied from the records of the batch.
INSERT INTO system.partition_head AS h
    (consumer, partition, network, position, head_number, head_hash, head_time, safe, finalized,
     reorg_from, reorg_to, reverted_max, told_safe, told_finalized)
SELECT 'ledger', partition, network, position, head_number, head_hash, to_timestamp(head_time), safe, finalized,
       reorg_from, reorg_to, reverted_max, told_safe, told_finalized
FROM unnest(%(partition)s::int[], %(network)s::text[], %(position)s::bigint[], %(head_number)s::bigint[],
            %(head_hash)s::text[], %(head_time)s::bigint[], %(safe)s::bigint[], %(finalized)s::bigint[],
            %(reorg_from)s::bigint[], %(reorg_to)s::bigint[],
            %(reverted_max)s::bigint[], %(told_safe)s::bigint[], %(told_finalized)s::bigint[])
     AS k (partition, network, position, head_number, head_hash, head_time, safe, finalized,
           reorg_from, reorg_to, reverted_max, told_safe, told_finalized)
ON CONFLICT (consumer, partition, network) DO UPDATE
SET position = excluded.position, head_number = excluded.head_number, head_hash = excluded.head_hash,
    head_time = excluded.head_time, safe = excluded.safe, finalized = excluded.finalized,
    reorg_from = excluded.reorg_from, reorg_to = excluded.reorg_to,
    reverted_max = excluded.reverted_max, told_safe = excluded.told_safe, told_finalized = excluded.told_finalized,
    updated_at = now();

-- name: single_latest
-- One row a token, by an event later than what it stands on; returns, a row for each and in their order, who had the
-- token, and whether implicitly: null where nothing was known of it. ``joins``: the account got it by the first of the batch's events already,
-- so that it has had it for longer where it is whom the row names.
INSERT INTO market.ownership_current AS o
    (network, contract, token_id, slot, account, quantity, since, event_time, block_number, log_index, sub_index, standard)
SELECT network, contract, token_id, '', account, 1, to_timestamp(since), to_timestamp(event_time), block_number, log_index,
       sub_index, standard
FROM unnest(%(network)s::text[], %(contract)s::text[], %(token_id)s::numeric[], %(account)s::text[],
            %(since)s::bigint[], %(event_time)s::bigint[], %(block_number)s::bigint[], %(log_index)s::int[],
            %(sub_index)s::int[], %(standard)s::text[])
     AS k (network, contract, token_id, account, since, event_time, block_number, log_index, sub_index, standard)
ON CONFLICT (network, contract, token_id, slot) DO UPDATE
SET account = excluded.account, event_time = excluded.event_time, block_number = excluded.block_number,
    since = CASE WHEN %(joins)s::boolean AND o.account = excluded.account AND NOT o.implicit THEN o.since
                 ELSE excluded.since END,
    log_index = excluded.log_index, sub_index = excluded.sub_index, standard = excluded.standard, implicit = false
WHERE (excluded.block_number, excluded.log_index, excluded.sub_index) > (o.block_number, o.log_index, o.sub_index)
RETURNING old.account, old.implicit;

-- name: single_held
-- The rows of tokens that are walked.
SELECT o.network, o.contract, o.token_id::text, o.account, o.block_number, o.log_index, o.sub_index,
       extract(epoch FROM o.event_time)::bigint, extract(epoch FROM o.since)::bigint, o.standard, o.implicit
FROM unnest(%(network)s::text[], %(contract)s::text[], %(token_id)s::numeric[]) AS k (network, contract, token_id)
CROSS JOIN LATERAL (
    SELECT * FROM market.ownership_current c
    WHERE (c.network, c.contract, c.token_id, c.slot) = (k.network, k.contract, k.token_id, '')
    LIMIT 1
) AS o;

-- name: single_live
-- The live events of tokens, from the greatest down, as many of each as it says, in the months behind the last bare one;
-- or of those of standards that say that one account holds the token (told).
SELECT k.network, k.contract, k.token_id::text, k.told, f.block_number, f.log_index, f.sub_index, f."to",
       extract(epoch FROM f.block_time)::bigint, f.standard
FROM unnest(%(network)s::text[], %(contract)s::text[], %(token_id)s::numeric[], %(most)s::int[], %(told)s::bool[])
     AS k (network, contract, token_id, most, told)
CROSS JOIN LATERAL (
    SELECT e.block_number, e.log_index, e.sub_index, e."to", e.block_time, e.standard
    FROM ledger.normalized_events e
    WHERE e.network = k.network AND e.contract = k.contract AND e.token_id = k.token_id
      AND NOT e.echo AND e.quantity > 0 AND (NOT k.told OR e.standard = ANY(%(single)s::text[]))
      AND e.block_time >= coalesce(
          (SELECT (max(m.month) + interval '1 month') AT TIME ZONE 'UTC' FROM ledger.months m WHERE NOT m.indexed),
          '-infinity')
    ORDER BY e.block_number DESC, e.log_index DESC, e.sub_index DESC
    LIMIT k.most) AS f;

-- name: bare_until
-- The end of the last month without the API's indexes; null: there is none.
SELECT (max(m.month) + interval '1 month') AT TIME ZONE 'UTC' FROM ledger.months m WHERE NOT m.indexed;

-- name: scan_live
-- The same in the months before, which have no index: all of them are read, once, for all the tokens together.
SELECT e.network, e.contract, e.token_id::text, e.block_number, e.log_index, e.sub_index, e."to",
       extract(epoch FROM e.block_time)::bigint, e.standard
FROM ledger.normalized_events e
JOIN unnest(%(network)s::text[], %(contract)s::text[], %(token_id)s::numeric[]) AS k (network, contract, token_id)
    USING (network, contract, token_id)
WHERE NOT e.echo AND e.quantity > 0 AND e.block_time < %(until)s;

-- name: single_walked
-- Rows that the rule has gone through event by event.
INSERT INTO market.ownership_current AS o
    (network, contract, token_id, slot, account, quantity, since, event_time, block_number, log_index, sub_index, standard,
     implicit)
SELECT network, contract, token_id, '', account, 1, to_timestamp(since), to_timestamp(event_time), block_number, log_index,
       sub_index, standard, implicit
FROM unnest(%(network)s::text[], %(contract)s::text[], %(token_id)s::numeric[], %(account)s::text[],
            %(since)s::bigint[], %(event_time)s::bigint[], %(block_number)s::bigint[], %(log_index)s::int[],
            %(sub_index)s::int[], %(standard)s::text[], %(implicit)s::bool[])
     AS k (network, contract, token_id, account, since, event_time, block_number, log_index, sub_index, standard, implicit)
ON CONFLICT (network, contract, token_id, slot) DO UPDATE
SET account = excluded.account, since = excluded.since, event_time = excluded.event_time,
    block_number = excluded.block_number, log_index = excluded.log_index, sub_index = excluded.sub_index,
    standard = excluded.standard, implicit = excluded.implicit;

-- name: single_since
-- Since when an account has the token: its first live event after the last one that gave it to another. Months behind
-- the last bare one tell; where the event may lie in one before, nothing is known until it has indexes.
WITH dated AS (
    UPDATE market.ownership_current o
    SET since = (
        WITH live AS NOT MATERIALIZED (
            SELECT e."to", e.block_time, e.block_number, e.log_index, e.sub_index
            FROM ledger.normalized_events e
            WHERE e.network = o.network AND e.contract = o.contract AND e.token_id = o.token_id
              AND NOT e.echo AND e.quantity > 0
              AND e.block_time >= coalesce(
                  (SELECT (max(m.month) + interval '1 month') AT TIME ZONE 'UTC' FROM ledger.months m WHERE NOT m.indexed),
                  '-infinity')
        )
        SELECT l.block_time
        FROM live l
        LEFT JOIN (SELECT t.block_number, t.log_index, t.sub_index FROM live t WHERE t."to" <> o.account
                   ORDER BY 1 DESC, 2 DESC, 3 DESC LIMIT 1) AS gave ON true
        WHERE CASE WHEN gave.block_number IS NULL THEN NOT EXISTS (SELECT FROM ledger.months m WHERE NOT m.indexed)
                   ELSE (l.block_number, l.log_index, l.sub_index) > (gave.block_number, gave.log_index, gave.sub_index) END
        ORDER BY l.block_number, l.log_index, l.sub_index
        LIMIT 1)
    FROM unnest(%(network)s::text[], %(contract)s::text[], %(token_id)s::numeric[]) AS k (network, contract, token_id)
    WHERE (o.network, o.contract, o.token_id, o.slot) = (k.network, k.contract, k.token_id, '')
    RETURNING o.network, o.contract, o.token_id, o.since
)
INSERT INTO ledger.undated (network, contract, token_id, slot)
SELECT network, contract, token_id, '' FROM dated
WHERE since IS NULL AND EXISTS (SELECT FROM ledger.months m WHERE NOT m.indexed)
ON CONFLICT DO NOTHING;

-- name: kinds
-- Which holdings these contracts' events told of before.
SELECT k.network, k.contract, s.single, s.multi
FROM unnest(%(network)s::text[], %(contract)s::text[]) AS k (network, contract)
CROSS JOIN LATERAL (
    SELECT c.single, c.multi FROM ledger.contract_kinds c
    WHERE (c.network, c.contract) = (k.network, k.contract)
    LIMIT 1) AS s;

-- name: put_kinds
-- Contracts that are met for the first time, or tell of the other holding for the first time.
INSERT INTO ledger.contract_kinds AS c (network, contract, partition, single, multi)
SELECT * FROM unnest(%(network)s::text[], %(contract)s::text[], %(partition)s::int[], %(single)s::bool[],
                     %(multi)s::bool[])
ON CONFLICT (network, contract) DO UPDATE SET single = excluded.single, multi = excluded.multi;

-- name: put_late_seqs
-- Until `project` has come to these rows, its counters of the contracts are those of no block.
UPDATE ledger.contract_kinds c SET late_seq = k.seq
FROM unnest(%(network)s::text[], %(contract)s::text[], %(seq)s::bigint[]) AS k (network, contract, seq)
WHERE (c.network, c.contract) = (k.network, k.contract);

-- name: cover
-- Balances of tokens that turn out to have one holder are put aside.
WITH gone AS (
    DELETE FROM market.ownership_current c
    USING unnest(%(network)s::text[], %(contract)s::text[], %(token_id)s::numeric[]) AS k (network, contract, token_id)
    WHERE (c.network, c.contract, c.token_id) = (k.network, k.contract, k.token_id) AND c.slot <> ''
    RETURNING c.network, c.contract, c.token_id, c.account, c.quantity
)
INSERT INTO ledger.covered_balances (network, contract, token_id, account, quantity)
SELECT * FROM gone
ON CONFLICT (network, contract, token_id, account) DO UPDATE SET quantity = excluded.quantity;

-- name: uncover
-- The other way round: they count again. What they stand on is for `multi_stand` to say. Returns them.
WITH gone AS (
    DELETE FROM market.ownership_current c
    USING unnest(%(network)s::text[], %(contract)s::text[], %(token_id)s::numeric[]) AS k (network, contract, token_id)
    WHERE (c.network, c.contract, c.token_id, c.slot) = (k.network, k.contract, k.token_id, '')
), back AS (
    DELETE FROM ledger.covered_balances c
    USING unnest(%(network)s::text[], %(contract)s::text[], %(token_id)s::numeric[]) AS k (network, contract, token_id)
    WHERE (c.network, c.contract, c.token_id) = (k.network, k.contract, k.token_id)
    RETURNING c.network, c.contract, c.token_id, c.account, c.quantity
)
INSERT INTO market.ownership_current AS o
    (network, contract, token_id, slot, account, quantity, block_number, log_index, sub_index, standard)
SELECT network, contract, token_id, account, account, quantity, -1, -1, -1, 'erc1155' FROM back
ON CONFLICT (network, contract, token_id, slot) DO UPDATE SET quantity = excluded.quantity
RETURNING o.network, o.contract, o.token_id::text, o.account;

-- name: covered_net
-- Balances that are put aside, by their difference.
INSERT INTO ledger.covered_balances AS c (network, contract, token_id, account, quantity)
SELECT * FROM unnest(%(network)s::text[], %(contract)s::text[], %(token_id)s::numeric[], %(account)s::text[],
                     %(quantity)s::numeric[])
ON CONFLICT (network, contract, token_id, account) DO UPDATE SET quantity = c.quantity + excluded.quantity;

-- name: multi_net
-- Balances by their difference; a row below or at zero is hidden, not deleted. It stands on the newest event of the
-- balance, and its account has had it since the newest that came in. Returns, in their order, which are below zero or
-- were before, how much each was, and the event that it stood on.
INSERT INTO market.ownership_current AS o
    (network, contract, token_id, slot, account, quantity, since, block_number, log_index, sub_index, standard)
SELECT network, contract, token_id, account, account, quantity, to_timestamp(since), block_number, log_index, sub_index,
       standard
FROM unnest(%(network)s::text[], %(contract)s::text[], %(token_id)s::numeric[], %(account)s::text[],
            %(quantity)s::numeric[], %(since)s::bigint[], %(block_number)s::bigint[], %(log_index)s::int[],
            %(sub_index)s::int[], %(standard)s::text[])
     AS k (network, contract, token_id, account, quantity, since, block_number, log_index, sub_index, standard)
ON CONFLICT (network, contract, token_id, slot) DO UPDATE
SET quantity = o.quantity + excluded.quantity,
    standard = excluded.standard,
    since = greatest(o.since, excluded.since),
    block_number = CASE WHEN (excluded.block_number, excluded.log_index, excluded.sub_index) > (o.block_number, o.log_index, o.sub_index)
        THEN excluded.block_number ELSE o.block_number END,
    log_index = CASE WHEN (excluded.block_number, excluded.log_index, excluded.sub_index) > (o.block_number, o.log_index, o.sub_index)
        THEN excluded.log_index ELSE o.log_index END,
    sub_index = CASE WHEN (excluded.block_number, excluded.log_index, excluded.sub_index) > (o.block_number, o.log_index, o.sub_index)
        THEN excluded.sub_index ELSE o.sub_index END
RETURNING o.quantity < 0 OR old.quantity < 0, old.quantity::text, old.block_number, old.log_index, old.sub_index;

-- name: multi_positions
-- What these balances stand on now, and since when they have been had.
SELECT o.network, o.contract, o.token_id::text, o.account, o.block_number, o.log_index, o.sub_index,
       extract(epoch FROM o.since)::bigint
FROM unnest(%(network)s::text[], %(contract)s::text[], %(token_id)s::numeric[], %(account)s::text[])
     AS k (network, contract, token_id, account)
CROSS JOIN LATERAL (
    SELECT * FROM market.ownership_current c
    WHERE (c.network, c.contract, c.token_id, c.slot) = (k.network, k.contract, k.token_id, k.account)
    LIMIT 1
) AS o;

-- name: multi_near
-- The newest events of balances among the newest of their accounts, those that came in and those that went out by
-- themselves: which, when (seconds), whether all of the account's were looked at, and down to which block they were. Most
-- accounts have few events, while an id may have millions.
SELECT k.n, came.found, extract(epoch FROM came.since)::bigint, came.whole, came.lowest, went.found, went.whole, went.lowest
FROM unnest(%(network)s::text[], %(contract)s::text[], %(token_id)s::numeric[], %(account)s::text[])
     WITH ORDINALITY AS k (network, contract, token_id, account, n)
CROSS JOIN LATERAL (
    SELECT max(w.place) FILTER (WHERE w.own) AS found, max(w.block_time) FILTER (WHERE w.own) AS since,
           count(*) < %(most)s AS whole, min(w.place[1]) AS lowest
    FROM (SELECT ARRAY[e.block_number, e.log_index, e.sub_index] AS place, e.block_time,
                 (e.contract, e.token_id) = (k.contract, k.token_id) AND e."from" <> e."to" AND NOT e.echo AND e.quantity > 0
                     AS own
          FROM ledger.normalized_events e
          WHERE e.network = k.network AND e."to" = k.account AND e.block_time >= coalesce(
                (SELECT (max(m.month) + interval '1 month') AT TIME ZONE 'UTC' FROM ledger.months m WHERE NOT m.indexed),
                '-infinity')
          ORDER BY e.block_number DESC LIMIT %(most)s) AS w) AS came
CROSS JOIN LATERAL (
    SELECT max(w.place) FILTER (WHERE w.own) AS found, count(*) < %(most)s AS whole, min(w.place[1]) AS lowest
    FROM (SELECT ARRAY[e.block_number, e.log_index, e.sub_index] AS place,
                 (e.contract, e.token_id) = (k.contract, k.token_id) AND e."from" <> e."to" AND NOT e.echo AND e.quantity > 0
                     AS own
          FROM ledger.normalized_events e
          WHERE e.network = k.network AND e."from" = k.account AND e.block_time >= coalesce(
                (SELECT (max(m.month) + interval '1 month') AT TIME ZONE 'UTC' FROM ledger.months m WHERE NOT m.indexed),
                '-infinity')
          ORDER BY e.block_number DESC LIMIT %(most)s) AS w) AS went;

-- name: multi_far
-- The same, by all events of the tokens: each is read once, for all balances together. -1: there is none.
WITH asked AS (
    SELECT * FROM unnest(%(network)s::text[], %(contract)s::text[], %(token_id)s::numeric[], %(account)s::text[])
         WITH ORDINALITY AS k (network, contract, token_id, account, n)
), moved AS (
    SELECT t.network, t.contract, t.token_id, s.account, s.came, e.block_time,
           ARRAY[e.block_number, e.log_index, e.sub_index] AS place
    FROM (SELECT DISTINCT network, contract, token_id FROM asked) AS t
    JOIN ledger.normalized_events e
        ON (e.network, e.contract, e.token_id) = (t.network, t.contract, t.token_id)
    CROSS JOIN LATERAL (VALUES (e."from", false), (e."to", true)) AS s (account, came)
    WHERE e."from" <> e."to" AND NOT e.echo AND e.quantity > 0 AND e.block_time >= coalesce(
                (SELECT (max(m.month) + interval '1 month') AT TIME ZONE 'UTC' FROM ledger.months m WHERE NOT m.indexed),
                '-infinity')
)
SELECT k.n, coalesce(extract(epoch FROM max(m.block_time) FILTER (WHERE m.came))::bigint, -1),
       coalesce(max(m.place), ARRAY[-1, -1, -1])
FROM asked k LEFT JOIN moved m USING (network, contract, token_id, account)
GROUP BY k.n;

-- name: multi_stand
-- Balances stand on these events; -1: on none, and nobody knows since when. Returns the contracts of those that may stand
-- on an event of a month that is not indexed.
WITH dated AS (
    UPDATE market.ownership_current o
    SET since = to_timestamp(nullif(k.since, -1)), block_number = k.block_number, log_index = k.log_index,
        sub_index = k.sub_index
    FROM unnest(%(network)s::text[], %(contract)s::text[], %(token_id)s::numeric[], %(account)s::text[],
                %(since)s::bigint[], %(block_number)s::bigint[], %(log_index)s::int[], %(sub_index)s::int[])
         AS k (network, contract, token_id, account, since, block_number, log_index, sub_index)
    WHERE (o.network, o.contract, o.token_id, o.slot) = (k.network, k.contract, k.token_id, k.account)
    RETURNING o.network, o.contract, o.token_id, o.slot, o.since, o.block_number
)
INSERT INTO ledger.undated AS u (network, contract, token_id, slot)
SELECT network, contract, token_id, slot FROM dated
WHERE (since IS NULL OR block_number < 0) AND EXISTS (SELECT FROM ledger.months m WHERE NOT m.indexed)
ON CONFLICT DO NOTHING
RETURNING u.network, u.contract;

-- name: put_dead
-- What cannot be read does not stop the partition.
INSERT INTO system.dlq (consumer, topic, partition, "offset", network, reason, error, payload)
VALUES ('ledger', %(topic)s, %(partition)s, %(offset)s, %(network)s, %(reason)s, %(error)s, %(payload)s)
ON CONFLICT DO NOTHING;

-- name: put_quarantine
-- A slice that cannot be applied: a hole in coverage; the same slice in another partition is the same hole.
INSERT INTO ingest.quarantine
    (network, block_number, block_hash, contract, reason, error, payload, raw_offset)
VALUES (%(network)s, %(block_number)s, %(block_hash)s, %(contract)s, %(reason)s, %(error)s, %(payload)s,
        %(position)s)
ON CONFLICT (network, block_hash, contract, log_index, reason) DO UPDATE
SET state = 'open', error = excluded.error, payload = excluded.payload, raw_offset = excluded.raw_offset;

-- name: close_quarantine
-- The block is gone; normalize may have read its revert before the ledger met the slice.
UPDATE ingest.quarantine q
SET state = 'reverted'
FROM unnest(%(network)s::text[], %(block_number)s::bigint[], %(block_hash)s::text[], %(position)s::bigint[])
     AS k (network, block_number, block_hash, position)
WHERE (q.network, q.block_number, q.block_hash) = (k.network, k.block_number, k.block_hash)
  AND q.state = 'open' AND q.raw_offset < k.position;
