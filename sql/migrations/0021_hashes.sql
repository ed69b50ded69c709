-- One transaction hash in two live blocks: what tells them apart (agents/ledger/repeats.py).

-- Months of the journal in which a network's transactions are looked for by their hash. Each has its index for that,
-- also while a bulk backfill fills it without the others. Networks whose hashes do not come twice are not in here.
CREATE TABLE ledger.hash_months (
    network text NOT NULL,
    month   date NOT NULL,
    PRIMARY KEY (network, month)
);

-- Transactions that have been live twice: every number that was given, 1 for the hash as it is.
CREATE TABLE ledger.copies (
    network   text NOT NULL,
    partition integer NOT NULL,
    tx_hash   text NOT NULL,                    -- without a number
    copy      integer NOT NULL,
    live      boolean NOT NULL,                 -- false: retracted; the next of these takes the lowest of such numbers
    PRIMARY KEY (network, partition, tx_hash, copy)
);
CREATE INDEX copies_free ON ledger.copies (network, partition, tx_hash, copy) WHERE NOT live;

GRANT SELECT, DELETE ON ledger.hash_months TO ft_writer;
GRANT SELECT, INSERT, UPDATE ON ledger.copies TO ft_writer;

-- Sees to it that hashes of a network are looked for in the month that holds `at`, and returns the months it added: all
-- there are, where the ledger has read the network already without looking. Callers run it outside of the batch's
-- transaction. An index that is just being built, or was cut off, is its builder's; the caller tries again.
CREATE FUNCTION ledger.ensure_hash_month(of_network text, at timestamptz) RETURNS SETOF date
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    this date := date_trunc('month', at AT TIME ZONE 'UTC')::date;
    every boolean := NOT EXISTS (SELECT FROM ledger.hash_months h WHERE h.network = of_network)
        AND EXISTS (SELECT FROM ledger.applied_blocks a WHERE a.consumer = 'ledger' AND a.network = of_network);
    missing record;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('ledger.months'));
    FOR missing IN
        SELECT m.month, i.name, i.definition, x.indisvalid AS valid
        FROM ledger.months m
        CROSS JOIN LATERAL ledger.month_indexes(m.month) i
        LEFT JOIN pg_index x ON x.indexrelid = to_regclass(format('ledger.%I', i.name))
        WHERE (m.month = this OR every) AND i.name LIKE '%\_tx'
          AND NOT EXISTS (SELECT FROM ledger.hash_months h WHERE h.network = of_network AND h.month = m.month)
        ORDER BY m.month
    LOOP
        IF missing.valid IS NULL THEN
            EXECUTE 'CREATE INDEX ' || missing.definition;
        ELSIF NOT missing.valid THEN
            RAISE EXCEPTION 'index %: expected a valid one, got one that is being built; try again', missing.name
                USING ERRCODE = 'lock_not_available';
        END IF;
        INSERT INTO ledger.hash_months (network, month) VALUES (of_network, missing.month);
        RETURN NEXT missing.month;
    END LOOP;
END
$$;

REVOKE EXECUTE ON FUNCTION ledger.ensure_hash_month(text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.ensure_hash_month(text, timestamptz) TO ft_writer;

-- Rows of before: where an id is live twice and nothing of its transaction was ever retracted, all but the first block
-- get their number. Networks that are built in and whose hashes do not come twice are not looked at.
WITH twice AS (
    SELECT DISTINCT d.network, d.partition, d.tx_hash
    FROM (
        SELECT e.network, e.partition, e.tx_hash
        FROM ledger.events e
        WHERE e.op = 'apply' AND e.network NOT IN ('arbitrum', 'base', 'devnet', 'ethereum', 'polygon')
          AND EXISTS (SELECT FROM system.partition_head h
                      WHERE h.network NOT IN ('arbitrum', 'base', 'devnet', 'ethereum', 'polygon'))
        GROUP BY e.network, e.partition, e.tx_hash, e.contract, e.topic0, e.n, e.sub_index, e.revision
        HAVING count(*) > 1
    ) d
    WHERE NOT EXISTS (SELECT FROM ledger.retracted r WHERE (r.network, r.tx_hash) = (d.network, d.tx_hash))
), numbered AS (
    SELECT e.network, e.partition, e.tx_hash, e.block_hash,
           row_number() OVER (PARTITION BY e.network, e.partition, e.tx_hash ORDER BY min(e.seq)) AS copy
    FROM ledger.events e JOIN twice USING (network, partition, tx_hash)
    WHERE e.op = 'apply'
    GROUP BY e.network, e.partition, e.tx_hash, e.block_hash
), noted AS (
    INSERT INTO ledger.copies (network, partition, tx_hash, copy, live)
    SELECT network, partition, tx_hash, copy, true FROM numbered
)
UPDATE ledger.events e SET tx_hash = e.tx_hash || '~' || n.copy
FROM numbered n
WHERE n.copy > 1 AND e.op = 'apply'
  AND (e.network, e.partition, e.tx_hash, e.block_hash) = (n.network, n.partition, n.tx_hash, n.block_hash);
