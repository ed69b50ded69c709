-- What `ft verify` proves (ft/ops/verify/run.py). A query named <check>_facts counts what the check looked at; the query
-- <check> lists differences: what, expected, got, and how many there are in all. Set-based: hash joins and sorts.

-- name: ahead
-- What each partition's project has not read: events beyond its next seq.
SELECT count(*)
FROM ledger.events e
LEFT JOIN system.partition_owner o ON o.consumer = 'project' AND o.topic = %(changed)s AND o.partition = e.partition
WHERE e.op IN ('apply', 'revert') AND e.seq >= coalesce(o.next_seq, 1)

-- name: journal_facts
-- Rows and partitions of the journal.
SELECT count(*), count(DISTINCT partition) FROM ledger.events

-- name: forgotten
-- Rows that the journal has had and does not keep.
SELECT coalesce(sum(rows), 0)::bigint FROM ledger.forgotten

-- name: journal
-- seq is 1, 2, 3, ... in each partition, across months, up to the owner's next seq; of a partition that has forgotten
-- rows, as many are missing as went, and their seqs have the same sum.
WITH numbered AS (
    SELECT partition, seq, lag(seq, 1, 0::bigint) OVER (PARTITION BY partition ORDER BY seq) AS before
    FROM ledger.events
), ends AS (
    SELECT partition, max(seq) AS seq, max(seq) - count(*) AS missing,
           max(seq)::numeric * (max(seq) + 1) / 2 - sum(seq) AS missing_seqs
    FROM ledger.events GROUP BY partition
), found AS (
    SELECT format('partition %%s, seq %%s', partition, seq) AS what, format('seq %%s', before + 1) AS expected,
           format('seq %%s', seq) AS got
    FROM numbered
    WHERE seq <> before + 1 AND (seq = before OR partition NOT IN (SELECT partition FROM ledger.forgotten))
    UNION ALL
    SELECT format('partition %%s, rows that are missing', partition),
           format('%%s, whose seqs have the sum %%s, as ledger.forgotten says', f.rows, f.seqs),
           format('%%s, whose seqs have the sum %%s', coalesce(e.missing, 0), coalesce(trim_scale(e.missing_seqs), 0))
    FROM ledger.forgotten f LEFT JOIN ends e USING (partition)
    WHERE (f.rows, f.seqs) IS DISTINCT FROM (coalesce(e.missing, 0), coalesce(e.missing_seqs, 0))
    UNION ALL
    SELECT format('partition %%s, last seq', coalesce(o.partition, e.partition)),
           format('%%s, by partition_owner', coalesce(o.next_seq, 1) - 1), coalesce(e.seq, 0)::text
    FROM ends e
    FULL JOIN (SELECT * FROM system.partition_owner WHERE consumer = 'ledger' AND topic = %(normalized)s) o
        USING (partition)
    WHERE coalesce(o.next_seq, 1) - 1 <> coalesce(e.seq, 0)
)
SELECT what, expected, got, count(*) OVER () FROM found ORDER BY what LIMIT %(most)s

-- name: ids_facts
-- Live events and retractions.
SELECT count(*) FILTER (WHERE op = 'apply') - count(*) FILTER (WHERE op = 'revert'),
       count(*) FILTER (WHERE op = 'revert')
FROM ledger.events

-- name: ids
-- An event id is applied, reverted, applied, ... with revisions 1, 2, 3, ...; a retraction repeats what it retracts.
WITH several AS (
    SELECT network, tx_hash, contract, topic0, n, sub_index
    FROM ledger.events
    WHERE op IN ('apply', 'revert')
    GROUP BY network, tx_hash, contract, topic0, n, sub_index
    HAVING count(*) > 1 OR max(revision) <> 1 OR max(op) <> 'apply'
), told AS (
    SELECT e.*, row_number() OVER w AS nth,
           lag((e.block_number, e.block_hash, e.log_index, e."from", e."to", e.quantity, e.token_id)) OVER w AS before,
           (e.block_number, e.block_hash, e.log_index, e."from", e."to", e.quantity, e.token_id) AS now
    FROM ledger.events e
    JOIN several USING (network, tx_hash, contract, topic0, n, sub_index)
    WHERE e.op IN ('apply', 'revert')
    WINDOW w AS (PARTITION BY e.network, e.tx_hash, e.contract, e.topic0, e.n, e.sub_index ORDER BY e.partition, e.seq)
)
SELECT format('event %%s:%%s:%%s:%%s:%%s/%%s (partition %%s, seq %%s)', network, tx_hash, contract, topic0, n, sub_index,
              partition, seq),
       CASE WHEN nth %% 2 = 1 THEN format('apply, revision %%s', nth)
            ELSE format('revert, revision %%s, of what it retracts %%s', nth, before) END,
       format('%%s, revision %%s %%s', op, revision, now), count(*) OVER ()
FROM told
WHERE revision <> nth OR op <> CASE WHEN nth %% 2 = 1 THEN 'apply' ELSE 'revert' END
   OR (nth %% 2 = 0 AND now IS DISTINCT FROM before)
ORDER BY partition, seq LIMIT %(most)s

-- name: retracted_facts
-- Rows of ledger.retracted.
SELECT count(*) FROM ledger.retracted

-- name: retracted
-- ledger.retracted names exactly the retractions of the journal.
SELECT format('retraction of %%s:%%s:%%s:%%s:%%s/%%s, revision %%s', network, tx_hash, contract, topic0, n, sub_index,
              revision),
       coalesce(format('partition %%s, seq %%s', e.partition, e.seq), 'no retraction in the journal'),
       CASE WHEN r.seq IS NULL THEN 'none' ELSE format('partition %%s, seq %%s', r.partition, r.seq) END,
       count(*) OVER ()
FROM (SELECT * FROM ledger.events WHERE op = 'revert') e
FULL JOIN ledger.retracted r USING (network, tx_hash, contract, topic0, n, sub_index, revision)
WHERE (e.partition, e.seq) IS DISTINCT FROM (r.partition, r.seq)
ORDER BY 1 LIMIT %(most)s

-- name: copies_facts
-- Transactions whose hash has been live in two blocks, and copies of them that are live now.
SELECT count(DISTINCT (network, partition, tx_hash)), count(*) FILTER (WHERE live AND copy > 1) FROM ledger.copies

-- name: copies
-- Of a transaction whose hash was live twice, each copy is known to be live exactly if the journal has it so.
WITH live AS (
    SELECT DISTINCT e.network, e.partition, split_part(e.tx_hash, '~', 1) AS tx_hash,
           coalesce(nullif(split_part(e.tx_hash, '~', 2), ''), '1')::integer AS copy
    FROM ledger.normalized_events e
    WHERE position('~' IN e.tx_hash) > 0
       OR (e.network, e.partition, e.tx_hash) IN (SELECT network, partition, tx_hash FROM ledger.copies)
)
SELECT format('transaction %%s:%%s, copy %%s (partition %%s)', network, tx_hash, copy, partition),
       CASE WHEN l IS NULL THEN 'not live' ELSE 'live' END,
       CASE c.live WHEN true THEN 'live' WHEN false THEN 'not live' ELSE 'no row of it' END, count(*) OVER ()
FROM live l
FULL JOIN ledger.copies c USING (network, partition, tx_hash, copy)
WHERE (l IS NOT NULL) <> coalesce(c.live, false)
ORDER BY 1 LIMIT %(most)s

-- name: slices_facts
-- Slices, and those of them in force.
SELECT count(*), count(*) FILTER (WHERE state = 'applied') FROM ledger.applied_blocks WHERE consumer = 'ledger'

-- name: slices
-- A slice's seq range holds its rows and only them; applied slices are live, reverted ones are retracted whole.
WITH rows AS (
    SELECT partition, network, block_hash, seq, op, block_number, block_time
    FROM ledger.events WHERE op IN ('apply', 'revert')
), counted AS (
    SELECT coalesce(a.partition, e.partition) AS partition, coalesce(a.network, e.network) AS network,
           coalesce(a.block_hash, e.block_hash) AS block_hash, a.state, a.seq_from, a.seq_to,
           count(e.seq) FILTER (WHERE e.op = 'apply' AND e.seq BETWEEN a.seq_from AND a.seq_to
                                AND e.block_number = a.number AND e.block_time = a.time) AS in_range,
           count(e.seq) FILTER (WHERE e.op = 'apply') - count(e.seq) FILTER (WHERE e.op = 'revert') AS live
    FROM (SELECT * FROM ledger.applied_blocks WHERE consumer = 'ledger') a
    FULL JOIN rows e ON (e.partition, e.network, e.block_hash) = (a.partition, a.network, a.block_hash)
    GROUP BY 1, 2, 3, a.state, a.seq_from, a.seq_to
)
SELECT format('slice of %%s block %%s in partition %%s', network, block_hash, partition),
       CASE WHEN state IS NULL THEN 'a row of applied_blocks'
            ELSE format('%%s: %%s rows in seq %%s to %%s, %%s live', state, seq_to - seq_from + 1, seq_from, seq_to,
                        CASE WHEN state = 'applied' THEN seq_to - seq_from + 1 ELSE 0 END) END,
       format('%%s rows there, %%s live', in_range, live), count(*) OVER ()
FROM counted
WHERE state IS NULL OR in_range <> seq_to - seq_from + 1
   OR live <> CASE WHEN state = 'applied' THEN seq_to - seq_from + 1 ELSE 0 END
ORDER BY 1 LIMIT %(most)s

-- name: chain_facts
-- Canonical and reverted blocks.
SELECT count(*) FILTER (WHERE state = 'canonical'), count(*) FILTER (WHERE state = 'reverted') FROM ingest.blocks

-- name: chain
-- Canonical blocks are linked; the head is the highest of them, finalized the highest final one.
WITH tops AS (
    SELECT network, max(number) AS number, coalesce(max(number) FILTER (WHERE final), -1) AS final
    FROM ingest.blocks WHERE state = 'canonical' GROUP BY network
), found AS (
    SELECT format('%%s block %%s %%s', child.network, child.number, child.hash) AS what,
           format('parent %%s', parent.hash) AS expected, format('parent %%s', child.parent) AS got
    FROM ingest.blocks child
    JOIN ingest.blocks parent ON parent.network = child.network AND parent.number = child.number - 1
         AND parent.state = 'canonical'
    WHERE child.state = 'canonical' AND child.parent <> parent.hash
    UNION ALL
    SELECT format('head of %%s', network),
           format('block %%s, final to %%s', coalesce(t.number, -1), coalesce(t.final, -1)),
           format('block %%s, final to %%s', h.head_number, h.finalized)
    FROM ingest.heads h LEFT JOIN tops t USING (network)
    WHERE (h.head_number, h.finalized) <> (coalesce(t.number, -1), coalesce(t.final, -1))
)
SELECT what, expected, got, count(*) OVER () FROM found ORDER BY what LIMIT %(most)s

-- name: blocks_facts
-- Partitions' positions that are at normalize's, and those that are not: the latter cannot be compared block by block.
SELECT count(*) FILTER (WHERE p.position = h.position), count(*) FILTER (WHERE p.position <> h.position)
FROM system.partition_head p JOIN ingest.heads h USING (network)
WHERE p.consumer = 'ledger'

-- name: blocks
-- Where the ledger has read as far as normalize: slices of canonical blocks are applied, of reverted ones reverted,
-- and the partition's head is the network's.
WITH level AS (
    SELECT p.partition, p.network, p.head_number, p.head_hash, p.safe, p.finalized, h.head_number AS number,
           h.head_hash AS hash, h.safe AS chain_safe, h.finalized AS chain_finalized
    FROM system.partition_head p JOIN ingest.heads h USING (network)
    WHERE p.consumer = 'ledger' AND p.position = h.position
), found AS (
    SELECT format('slice of %%s block %%s %%s in partition %%s', a.network, a.number, a.block_hash, a.partition) AS what,
           coalesce(CASE b.state WHEN 'canonical' THEN 'applied' ELSE 'reverted' END, 'a row of ingest.blocks')
               AS expected, a.state AS got
    FROM ledger.applied_blocks a
    JOIN level USING (partition, network)
    LEFT JOIN ingest.blocks b ON (b.network, b.number, b.hash) = (a.network, a.number, a.block_hash)
    WHERE a.consumer = 'ledger'
      AND a.state IS DISTINCT FROM CASE b.state WHEN 'canonical' THEN 'applied' WHEN 'reverted' THEN 'reverted' END
    UNION ALL
    SELECT format('head of %%s in partition %%s', network, partition),
           format('block %%s %%s, safe %%s, finalized %%s', number, hash, chain_safe, chain_finalized),
           format('block %%s %%s, safe %%s, finalized %%s', head_number, head_hash, safe, finalized)
    FROM level
    WHERE (head_number, head_hash, safe, finalized) IS DISTINCT FROM (number, hash, chain_safe, chain_finalized)
)
SELECT what, expected, got, count(*) OVER () FROM found ORDER BY what LIMIT %(most)s

-- name: singles_facts
-- Single holdings, and those of which no live event tells.
SELECT count(*), count(*) FILTER (WHERE implicit) FROM market.ownership_current WHERE slot = ''

-- name: singles
-- A token is with `to` of the live event with the greatest chain position, since the first event of the last unbroken run
-- of those to that account. Where no live event is left it is with the `from` of its latest retraction, implicitly.
-- What moves it may be of a balance's standard too, where the contract tells of both.
WITH mixed AS (
    SELECT k.network, k.contract, i.token_id
    FROM ledger.contract_kinds k CROSS JOIN LATERAL ledger.single_ids(k.network, k.contract) i
    WHERE k.single AND k.multi
), moves AS (
    SELECT e.*
    FROM ledger.events e
    LEFT JOIN ledger.contract_kinds k USING (network, contract)
    WHERE e.op IN ('apply', 'revert') AND NOT e.echo AND e.quantity > 0
      AND CASE WHEN k.single AND k.multi THEN (e.network, e.contract, e.token_id) IN (SELECT * FROM mixed)
               ELSE e.standard = ANY(%(single)s::text[]) END
), runs AS (
    SELECT e.network, e.contract, e.token_id, e."to", e.block_time, e.block_number, e.log_index, e.sub_index,
           lag(e."to") OVER w AS before, lead(e.block_number) OVER w AS next
    FROM moves e
    WHERE e.op = 'apply'
      AND NOT EXISTS (
          SELECT FROM ledger.retracted r
          WHERE (r.network, r.tx_hash, r.contract, r.topic0, r.n, r.sub_index)
              = (e.network, e.tx_hash, e.contract, e.topic0, e.n, e.sub_index) AND r.revision > e.revision)
    WINDOW w AS (PARTITION BY e.network, e.contract, e.token_id ORDER BY e.block_number, e.log_index, e.sub_index)
), live AS (
    SELECT network, contract, token_id, max("to") FILTER (WHERE next IS NULL) AS account,
           max(block_number) FILTER (WHERE next IS NULL) AS block_number,
           max(log_index) FILTER (WHERE next IS NULL) AS log_index,
           max(sub_index) FILTER (WHERE next IS NULL) AS sub_index,
           max(block_time) FILTER (WHERE next IS NULL) AS event_time,
           max(block_time) FILTER (WHERE before IS DISTINCT FROM "to") AS since, false AS implicit
    FROM runs GROUP BY network, contract, token_id
), undone AS (
    SELECT DISTINCT ON (network, contract, token_id) network, contract, token_id, "from" AS account
    FROM moves WHERE op = 'revert'
    ORDER BY network, contract, token_id, seq DESC
), expected AS (
    SELECT * FROM live
    UNION ALL
    SELECT network, contract, token_id, u.account, -1, -1, -1, NULL, NULL, true
    FROM undone u LEFT JOIN live l USING (network, contract, token_id)
    WHERE l.account IS NULL
), held AS (
    SELECT o.*, u.slot IS NOT NULL AS undated
    FROM market.ownership_current o LEFT JOIN ledger.undated u USING (network, contract, token_id, slot)
    WHERE o.slot = ''
)
SELECT format('%%s:%%s:%%s', network, contract, token_id),
       CASE WHEN x.account IS NULL THEN 'no holding'
            ELSE format('%%s at %%s/%%s/%%s since %%s', x.account, x.block_number, x.log_index, x.sub_index, x.since) END,
       CASE WHEN h.account IS NULL THEN 'no holding'
            ELSE format('%%s at %%s/%%s/%%s since %%s', h.account, h.block_number, h.log_index, h.sub_index, h.since) END,
       count(*) OVER ()
FROM expected x
FULL JOIN held h USING (network, contract, token_id)
WHERE (h.account, h.block_number, h.log_index, h.sub_index, h.quantity, h.event_time, h.implicit)
      IS DISTINCT FROM (x.account, x.block_number, x.log_index, x.sub_index, 1::numeric, x.event_time, x.implicit)
   OR (h.since IS DISTINCT FROM x.since AND NOT h.undated AND NOT h.account = ANY(%(nobody)s::text[]))
ORDER BY 1 LIMIT %(most)s

-- name: multis_facts
-- Multi holdings.
SELECT count(*) FROM market.ownership_current WHERE slot <> ''

-- name: multis
-- An account holds the sum of what came in and went out; of ids that one account holds it is put aside. What counts
-- stands on the newest live event, in or out, and is had since the newest of those that came in.
WITH mixed AS (
    SELECT k.network, k.contract, i.token_id
    FROM ledger.contract_kinds k CROSS JOIN LATERAL ledger.single_ids(k.network, k.contract) i
    WHERE k.single AND k.multi
), retracted AS (
    SELECT network, tx_hash, contract, topic0, n, sub_index, max(revision) AS revision
    FROM ledger.retracted GROUP BY network, tx_hash, contract, topic0, n, sub_index
), sums AS (
    SELECT e.network, e.contract, e.token_id, side.account AS slot,
           (e.network, e.contract, e.token_id) IN (SELECT * FROM mixed) AS covered,
           sum(CASE WHEN e.op = 'revert' THEN -side.sign ELSE side.sign END * e.quantity) AS quantity,
           max(e.block_time) FILTER (WHERE l.live AND side.sign > 0) AS since,
           max(ARRAY[e.block_number, e.log_index, e.sub_index]) FILTER (WHERE l.live) AS position
    FROM ledger.events e
    LEFT JOIN retracted r USING (network, tx_hash, contract, topic0, n, sub_index)
    CROSS JOIN LATERAL (
        SELECT e.op = 'apply' AND coalesce(r.revision, 0) <= e.revision AND e."from" <> e."to" AND e.quantity > 0 AS live
    ) AS l
    CROSS JOIN LATERAL (VALUES (e."from", -1), (e."to", 1)) AS side (account, sign)
    WHERE e.op IN ('apply', 'revert') AND NOT e.standard = ANY(%(single)s::text[]) AND NOT e.echo
      AND NOT side.account = ANY(%(nobody)s::text[])
    GROUP BY e.network, e.contract, e.token_id, side.account
), held AS (
    SELECT network, contract, token_id, slot, false AS covered, o.account, o.quantity, o.since,
           ARRAY[o.block_number, o.log_index, o.sub_index] AS position, o.quantity > 0 AND u.network IS NULL AS dated
    FROM market.ownership_current o LEFT JOIN ledger.undated u USING (network, contract, token_id, slot)
    WHERE slot <> ''
    UNION ALL
    SELECT network, contract, token_id, account, true, account, quantity, NULL, NULL, false FROM ledger.covered_balances
)
SELECT format('%%s:%%s:%%s of %%s%%s', network, contract, token_id, slot, CASE WHEN covered THEN ', put aside' END),
       concat(coalesce(s.quantity, 0), CASE WHEN h.dated THEN format(' at %%s since %%s', s.position, s.since) END),
       concat(coalesce(h.quantity::text, 'no holding'),
              CASE WHEN h.dated THEN format(' at %%s since %%s', h.position, h.since) END),
       count(*) OVER ()
FROM sums s
FULL JOIN held h USING (network, contract, token_id, slot, covered)
WHERE coalesce(s.quantity, 0) <> coalesce(h.quantity, 0) OR h.account <> slot
   OR (h.dated AND (s.position, s.since) IS DISTINCT FROM (h.position, h.since))
ORDER BY 1 LIMIT %(most)s

-- name: stretches_facts
-- Stretches of coverage, and the heights in them.
SELECT count(*), coalesce(sum("to" - "from" + 1), 0)::bigint FROM ingest.coverage

-- name: stretches
-- Coverage says what was read: every canonical block lies in a stretch of its proof and reasons, and a stretch has no
-- other heights.
WITH placed AS (
    SELECT b.network, b.number, concat_ws(', ', b.proof, nullif(b.reasons, '')) AS proof, c."from",
           c.proof || coalesce(', ' || nullif(c.reasons, ''), '') AS covered_as
    FROM ingest.blocks b
    LEFT JOIN LATERAL (
        SELECT * FROM ingest.coverage c
        WHERE c.network = b.network AND c."from" <= b.number ORDER BY c."from" DESC LIMIT 1
    ) c ON c."to" >= b.number
    WHERE b.state = 'canonical'
), counted AS (
    SELECT network, "from", count(*) AS blocks FROM placed WHERE "from" IS NOT NULL GROUP BY network, "from"
), found AS (
    SELECT format('%%s block %%s', network, number) AS what, format('coverage with proof %%s', proof) AS expected,
           coalesce('coverage with proof ' || covered_as, 'no coverage') AS got
    FROM placed WHERE proof IS DISTINCT FROM covered_as
    UNION ALL
    SELECT format('%%s blocks %%s to %%s', c.network, c."from", c."to"),
           format('%%s canonical blocks', c."to" - c."from" + 1), coalesce(k.blocks, 0)::text
    FROM ingest.coverage c LEFT JOIN counted k USING (network, "from")
    WHERE coalesce(k.blocks, 0) <> c."to" - c."from" + 1
)
SELECT what, expected, got, count(*) OVER () FROM found ORDER BY what LIMIT %(most)s

-- name: holes
-- Heights that were not read, from each network's start block to its head: no error, but no full coverage either.
WITH missing AS (
    SELECT n.network, unnest(
        int8multirange(int8range(n.start_block, greatest(h.head_number, n.start_block - 1), '[]'))
        - coalesce((SELECT range_agg(int8range("from", "to", '[]')) FROM ingest.coverage c WHERE c.network = n.network),
                   '{}'::int8multirange)) AS heights
    FROM ref.networks n JOIN ingest.heads h USING (network)
    WHERE h.head_number >= 0
)
SELECT network, lower(heights), upper(heights) - 1, count(*) OVER (PARTITION BY network)
FROM missing ORDER BY network, lower(heights)

-- name: weak
-- Stretches of which something stands on a provider's word, and which so are not proven.
SELECT network, "from", "to", concat_ws(', ', proof, nullif(reasons, ''))
FROM ingest.coverage WHERE proof <> 'receipts' OR reasons <> '' ORDER BY network, "from"

-- name: undated
-- Holdings whose place and time the journal does not tell yet.
SELECT count(*) FROM ledger.undated

-- name: quarantined
-- Entries on blocks that count.
SELECT network, count(*), count(DISTINCT contract) FROM ingest.quarantine WHERE state = 'open' GROUP BY network ORDER BY 1
