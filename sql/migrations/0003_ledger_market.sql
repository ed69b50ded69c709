-- The journal (one appended row an event), what was applied, and who owns what now.
CREATE TABLE ledger.events (
    partition    integer NOT NULL,
    seq          bigint NOT NULL,               -- contiguous in the partition
    network      text NOT NULL,
    block_number bigint NOT NULL,
    block_hash   text NOT NULL,
    block_time   timestamptz NOT NULL,
    tx_hash      text NOT NULL,
    tx_from      text NOT NULL,                 -- sender of the transaction
    contract     text NOT NULL,
    topic0       text NOT NULL,
    n            integer NOT NULL,              -- among the transaction's logs of the same contract and topic0
    sub_index    integer NOT NULL,
    log_index    integer NOT NULL,
    revision     integer NOT NULL,
    op           text NOT NULL,                 -- apply | revert; control rows: finality | reorg
    standard     text NOT NULL,
    token_id     numeric(78, 0),
    "from"       text NOT NULL,
    "to"         text NOT NULL,
    operator     text,
    quantity     numeric(78, 0),
    control      jsonb,                         -- control rows: safe, finalized, position | from, to, depth
    PRIMARY KEY (partition, seq, block_time)
) PARTITION BY RANGE (block_time);

-- Which months of the journal exist, and whether the API's indexes are on them.
CREATE TABLE ledger.months (
    month   date PRIMARY KEY,
    indexed boolean NOT NULL
);

-- Makes the month that holds `at`, with the API's indexes unless told otherwise. Callers run it outside
-- of the batch's transaction. ATTACH takes a lock that readers and writers of the journal do not feel.
CREATE FUNCTION ledger.ensure_month(at timestamptz, indexed boolean DEFAULT true) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    first_day date := date_trunc('month', at AT TIME ZONE 'UTC')::date;
    name text := 'events_' || to_char(first_day, 'YYYYMM');
    low timestamptz := first_day::timestamp AT TIME ZONE 'UTC';
    high timestamptz := (first_day + interval '1 month') AT TIME ZONE 'UTC';
BEGIN
    IF at < '2009-01-01Z' OR at >= '2100-01-01Z' THEN
        RAISE EXCEPTION 'block time: expected 2009 to 2099, got %', at USING ERRCODE = 'datetime_field_overflow';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('ledger.months'));
    IF EXISTS (SELECT FROM ledger.months WHERE month = first_day) THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE ledger.%I (LIKE ledger.events INCLUDING DEFAULTS)', name);
    EXECUTE format('ALTER TABLE ledger.events ATTACH PARTITION ledger.%I FOR VALUES FROM (%L) TO (%L)', name, low, high);
    IF indexed THEN
        EXECUTE format('CREATE INDEX %I ON ledger.%I (network, contract, token_id, block_number)', name || '_token', name);
        EXECUTE format('CREATE INDEX %I ON ledger.%I (network, "from", block_number)', name || '_from', name);
        EXECUTE format('CREATE INDEX %I ON ledger.%I (network, "to", block_number)', name || '_to', name);
        EXECUTE format('CREATE INDEX %I ON ledger.%I (network, tx_hash)', name || '_tx', name);
        EXECUTE format('CREATE INDEX %I ON ledger.%I (network, block_number, log_index, sub_index)', name || '_block', name);
    END IF;
    INSERT INTO ledger.months (month, indexed) VALUES (first_day, ensure_month.indexed);
END
$$;

-- The unit of idempotency: one block's slice in one partition.
CREATE TABLE ledger.applied_blocks (
    consumer   text NOT NULL,
    network    text NOT NULL,
    block_hash text NOT NULL,
    partition  integer NOT NULL,
    state      text NOT NULL CHECK (state IN ('applied', 'reverted')),
    number     bigint NOT NULL,
    time       timestamptz NOT NULL,
    digest     text NOT NULL,
    proof      text NOT NULL,
    seq_from   bigint NOT NULL,
    seq_to     bigint NOT NULL,                 -- inclusive
    PRIMARY KEY (consumer, network, block_hash, partition)
) WITH (fillfactor = 90);

-- One row a retraction, so that the same event's return finds its next revision.
CREATE TABLE ledger.retracted (
    network   text NOT NULL,
    tx_hash   text NOT NULL,
    contract  text NOT NULL,
    topic0    text NOT NULL,
    n         integer NOT NULL,
    sub_index integer NOT NULL,
    revision  integer NOT NULL,                 -- of the retraction itself
    partition integer NOT NULL,
    seq       bigint NOT NULL,
    PRIMARY KEY (network, tx_hash, contract, topic0, n, sub_index, revision)
);

-- ERC-721 and the like: one row a token, slot ''. ERC-1155: one row an (asset, account), slot = account.
CREATE TABLE market.ownership_current (
    network      text NOT NULL,
    contract     text NOT NULL,
    token_id     numeric(78, 0) NOT NULL,
    slot         text NOT NULL,
    account      text NOT NULL,
    quantity     numeric NOT NULL,
    since        timestamptz,                   -- null where the journal cannot tell
    block_number bigint NOT NULL,               -- chain position the row stands on (single), or of the
    log_index    integer NOT NULL,              -- latest incoming event (multi)
    sub_index    integer NOT NULL,
    standard     text NOT NULL,
    returned     boolean NOT NULL DEFAULT false, -- given back by a retraction; stands just before that position
    PRIMARY KEY (network, contract, token_id, slot)
) WITH (fillfactor = 80);
CREATE INDEX ownership_account ON market.ownership_current (network, account, contract, token_id);

-- The rows in force: applied and not retracted since.
CREATE VIEW ledger.normalized_events AS
SELECT e.*
FROM ledger.events e
WHERE e.op = 'apply'
  AND NOT EXISTS (
      SELECT FROM ledger.retracted r
      WHERE (r.network, r.tx_hash, r.contract, r.topic0, r.n, r.sub_index)
          = (e.network, e.tx_hash, e.contract, e.topic0, e.n, e.sub_index)
        AND r.revision > e.revision
  );

-- Every event row as signed movements: -1 from, +1 to, reversed for a retraction; no account, no row.
CREATE VIEW ledger.normalized_event_deltas AS
SELECT e.partition, e.seq, e.network, e.contract, e.token_id, e.standard, e.block_number, e.block_time,
       e.tx_hash, e.topic0, e.n, e.sub_index, e.revision, e.op, side.account,
       CASE WHEN e.op = 'revert' THEN -side.sign ELSE side.sign END * e.quantity AS delta
FROM ledger.events e
CROSS JOIN LATERAL (VALUES (e."from", -1), (e."to", 1)) AS side (account, sign)
WHERE e.op IN ('apply', 'revert')
  AND side.account NOT IN ('', 'addr_none', '0x0000000000000000000000000000000000000000');

CREATE VIEW ledger.normalized_event_keys AS
SELECT e.network || ':' || e.tx_hash || ':' || e.contract || ':' || e.topic0 || ':' || e.n AS source_event_id,
       e.sub_index, e.partition, e.seq, e.revision,
       EXISTS (
           SELECT FROM ledger.retracted r
           WHERE (r.network, r.tx_hash, r.contract, r.topic0, r.n, r.sub_index)
               = (e.network, e.tx_hash, e.contract, e.topic0, e.n, e.sub_index)
             AND r.revision > e.revision
       ) AS is_reverted
FROM ledger.events e
WHERE e.op = 'apply';

CREATE VIEW ledger.applied_events AS
SELECT 'ledger'::text AS consumer, k.source_event_id, k.sub_index, k.partition, k.seq
FROM ledger.normalized_event_keys k
WHERE NOT k.is_reverted;
