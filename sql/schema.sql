-- The whole schema as `ft migrate` leaves it. Made by `make schema`; a test compares. Do not edit.

CREATE SCHEMA catalog;

CREATE SCHEMA ingest;

CREATE SCHEMA ledger;

CREATE SCHEMA market;

CREATE SCHEMA projection;

CREATE SCHEMA ref;

CREATE SCHEMA system;

CREATE FUNCTION ledger.ensure_hash_month(of_network text, at timestamp with time zone) RETURNS SETOF date
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
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

CREATE FUNCTION ledger.ensure_month(at timestamp with time zone, indexed boolean DEFAULT true) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
DECLARE
    first_day date := date_trunc('month', at AT TIME ZONE 'UTC')::date;
    name text := 'events_' || to_char(first_day, 'YYYYMM');
    low timestamptz := first_day::timestamp AT TIME ZONE 'UTC';
    high timestamptz := (first_day + interval '1 month') AT TIME ZONE 'UTC';
    behind text;
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
        FOR behind IN SELECT definition FROM ledger.month_indexes(first_day) LOOP
            EXECUTE 'CREATE INDEX ' || behind;
        END LOOP;
    END IF;
    INSERT INTO ledger.months (month, indexed) VALUES (first_day, ensure_month.indexed);
END
$$;

CREATE FUNCTION ledger.forget(first_day date, pages bigint, before timestamp with time zone, OUT went bigint, OUT more boolean) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $_$
DECLARE
    name text := 'events_' || to_char(first_day, 'YYYYMM');
    low bigint;
    high bigint;
BEGIN
    SELECT m.forgotten_pages INTO STRICT low FROM ledger.months m WHERE m.month = first_day FOR UPDATE;
    high := least(low + pages, pg_relation_size(format('ledger.%I', name)::regclass) / current_setting('block_size')::bigint);
    EXECUTE format($delete$
        WITH gone AS (
            DELETE FROM ledger.%I e USING system.publish_cursor c
            WHERE e.ctid >= %L::tid AND e.ctid < %L::tid AND e.op = 'finality' AND e.block_time < %L
              AND c.partition = e.partition AND e.seq < c.seq
            RETURNING e.partition, e.seq
        ), counted AS (
            INSERT INTO ledger.forgotten AS f (partition, rows, seqs, announced)
            SELECT partition, count(*), sum(seq), count(*) FROM gone GROUP BY partition
            ON CONFLICT (partition) DO UPDATE SET rows = f.rows + excluded.rows, seqs = f.seqs + excluded.seqs,
                announced = f.announced + excluded.announced
        )
        SELECT count(*) FROM gone $delete$,
        name, format('(%s,0)', low), format('(%s,0)', high), before) INTO went;
    UPDATE ledger.months m SET forgotten_pages = greatest(low, high) WHERE m.month = first_day;
    more := high >= low + pages;
END
$_$;

CREATE FUNCTION ledger.make_month(at timestamp with time zone) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
BEGIN
    PERFORM ledger.ensure_month(at, NOT EXISTS (
        SELECT FROM ingest.bulk b
        WHERE b.state IN ('filling', 'written')
          AND date_trunc('month', at AT TIME ZONE 'UTC')
              BETWEEN date_trunc('month', b.from_time AT TIME ZONE 'UTC') AND b.to_time AT TIME ZONE 'UTC'));
END
$$;

CREATE FUNCTION ledger.month_indexes(month date) RETURNS TABLE(name text, definition text)
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog'
    AS $$
    SELECT t.name || k.suffix, format('%I ON ledger.%I (%s)%s', t.name || k.suffix, t.name, k.columns, k.rows)
    FROM (SELECT 'events_' || to_char(month, 'YYYYMM') AS name) t
    CROSS JOIN (VALUES
        (1, '_token', 'network, contract, token_id, block_number', ''),
        (2, '_from', 'network, "from", block_number', ''),
        (3, '_to', 'network, "to", block_number', ''),
        (4, '_tx', 'network, tx_hash', ''),
        (5, '_block', 'network, block_number, log_index, sub_index', ''),
        (6, '_before', 'network, holder_before, block_number', ' WHERE holder_before IS NOT NULL')
    ) AS k (place, suffix, columns, rows)
    ORDER BY k.place
$$;

CREATE FUNCTION ledger.month_is_indexed(first_day date) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
DECLARE
    missing text;
BEGIN
    SELECT string_agg(i.name, ', ') INTO missing
    FROM ledger.month_indexes(first_day) i
    LEFT JOIN pg_index x ON x.indexrelid = to_regclass(format('ledger.%I', i.name))
    WHERE x.indisvalid IS NOT TRUE;
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION 'month %: expected its indexes, missing or invalid: %', first_day, missing;
    END IF;
    UPDATE ledger.months SET indexed = true WHERE month = first_day AND NOT indexed;
END
$$;

CREATE FUNCTION ledger.single_ids(of_network text, of_contract text) RETURNS TABLE(token_id numeric)
    LANGUAGE sql STABLE
    AS $$
    SELECT e.token_id
    FROM ledger.contract_kinds k
    JOIN ledger.normalized_events e ON (e.network, e.contract) = (k.network, k.contract)
    WHERE (k.network, k.contract) = (of_network, of_contract) AND k.single AND k.multi
      AND e.standard <> 'erc1155' AND NOT e.echo AND e.quantity > 0
    UNION
    SELECT l.token_id
    FROM (
        SELECT DISTINCT ON (e.token_id) e.token_id, e.op = 'revert' AND e.standard <> 'erc1155' AS undone
        FROM ledger.contract_kinds k
        JOIN ledger.events e ON (e.network, e.contract) = (k.network, k.contract)
        WHERE (k.network, k.contract) = (of_network, of_contract) AND k.single AND k.multi
          AND e.op IN ('apply', 'revert') AND NOT e.echo AND e.quantity > 0
        ORDER BY e.token_id, e.seq DESC
    ) l
    WHERE l.undone AND NOT EXISTS (
        SELECT FROM ledger.normalized_events n
        WHERE (n.network, n.contract, n.token_id) = (of_network, of_contract, l.token_id)
          AND NOT n.echo AND n.quantity > 0)
$$;

CREATE FUNCTION system.turn_outbox(wanted date, kept date) RETURNS SETOF text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
DECLARE
    name text := 'outbox_' || to_char(wanted, 'YYYYMMDD');
    old record;
    is_open boolean;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('system.outbox'));
    IF to_regclass(format('system.%I', name)) IS NULL THEN
        EXECUTE format('CREATE TABLE system.%I (LIKE system.outbox INCLUDING ALL)', name);
        EXECUTE format('ALTER TABLE system.outbox ATTACH PARTITION system.%I FOR VALUES FROM (%L) TO (%L)',
                       name, wanted, wanted + 1);
    END IF;
    FOR old IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'system.outbox'::regclass
          AND c.relname < 'outbox_' || to_char(kept, 'YYYYMMDD') AND c.relname <> name
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM system.%I o JOIN system.outbox_cursor c USING (topic, partition)
                        WHERE o.seq > c.announced)', old.relname) INTO is_open;
        IF NOT is_open THEN
            EXECUTE format('DROP TABLE system.%I', old.relname);
            RETURN NEXT old.relname;
        END IF;
    END LOOP;
END
$$;

CREATE TABLE catalog.assets (
    network text NOT NULL,
    contract text NOT NULL,
    token_id numeric(78,0) NOT NULL,
    uuid uuid NOT NULL,
    standard text NOT NULL,
    is_stub boolean DEFAULT true NOT NULL,
    first_seen timestamp with time zone NOT NULL
);

COMMENT ON TABLE catalog.assets IS 'Every token id that an event named: its uuid and when it was first seen. By the agent project.';

CREATE TABLE ingest.blocks (
    network text NOT NULL,
    number bigint NOT NULL,
    hash text NOT NULL,
    parent text NOT NULL,
    "time" timestamp with time zone NOT NULL,
    state text NOT NULL,
    final boolean DEFAULT false NOT NULL,
    digest text DEFAULT ''::text NOT NULL,
    proof text NOT NULL,
    raw_offset bigint NOT NULL,
    reasons text DEFAULT ''::text NOT NULL,
    CONSTRAINT blocks_state_check CHECK ((state = ANY (ARRAY['canonical'::text, 'reverted'::text])))
)
WITH (fillfactor='80');

COMMENT ON TABLE ingest.blocks IS 'The canonical chain as normalize has read it from the raw log; blocks that were taken back stay, with their state.';

CREATE TABLE ingest.bulk (
    id bigint NOT NULL,
    network text NOT NULL,
    "from" bigint NOT NULL,
    "to" bigint NOT NULL,
    from_time timestamp with time zone NOT NULL,
    to_time timestamp with time zone NOT NULL,
    raw_end bigint,
    state text DEFAULT 'filling'::text NOT NULL,
    abandoned boolean DEFAULT false NOT NULL,
    error text,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    seen_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT bulk_check CHECK ((("from" <= "to") AND (from_time <= to_time))),
    CONSTRAINT bulk_check1 CHECK (((state = 'filling'::text) = (raw_end IS NULL))),
    CONSTRAINT bulk_state_check CHECK ((state = ANY (ARRAY['filling'::text, 'written'::text, 'indexing'::text, 'done'::text])))
);

COMMENT ON TABLE ingest.bulk IS 'Jobs of ft ingest --bulk. While one is open nothing is announced, and months are made without the API''s indexes.';

ALTER TABLE ingest.bulk ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME ingest.bulk_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE ingest.coverage (
    network text NOT NULL,
    "from" bigint NOT NULL,
    "to" bigint NOT NULL,
    proof text NOT NULL,
    raw_offset bigint NOT NULL,
    reasons text DEFAULT ''::text NOT NULL,
    CONSTRAINT coverage_check CHECK (("from" <= "to"))
);

COMMENT ON TABLE ingest.coverage IS 'Unbroken stretches of block numbers that were read, each of one proof and its reasons.';

CREATE TABLE ingest.created (
    network text NOT NULL,
    contract text NOT NULL,
    number bigint NOT NULL,
    hash text NOT NULL,
    tx_hash text NOT NULL,
    reasons text DEFAULT ''::text NOT NULL,
    checked boolean DEFAULT true NOT NULL
);

COMMENT ON TABLE ingest.created IS 'The block whose receipt created a contract: where its full history begins.';

CREATE TABLE ingest.heads (
    network text NOT NULL,
    claim_offset bigint DEFAULT '-1'::integer NOT NULL,
    broken boolean DEFAULT false NOT NULL,
    head_number bigint DEFAULT '-1'::integer NOT NULL,
    head_hash text DEFAULT ''::text NOT NULL,
    head_time timestamp with time zone,
    safe bigint DEFAULT '-1'::integer NOT NULL,
    finalized bigint DEFAULT '-1'::integer NOT NULL,
    "position" bigint DEFAULT '-1'::integer NOT NULL,
    unfinal_from bigint,
    late_position bigint DEFAULT '-1'::integer NOT NULL
);

COMMENT ON TABLE ingest.heads IS 'Where the reading of each network''s raw log stands, and the network''s head.';

CREATE TABLE ingest.late (
    network text NOT NULL,
    "from" bigint NOT NULL,
    "to" bigint NOT NULL,
    raw_offset bigint NOT NULL,
    CONSTRAINT late_check CHECK (("from" <= "to"))
);

COMMENT ON TABLE ingest.late IS 'Block numbers at which a partition that has not read as far shows something else than coverage counts.';

CREATE TABLE ingest.leases (
    network text NOT NULL,
    claim_offset bigint NOT NULL,
    topic_id text NOT NULL,
    owner text NOT NULL,
    seen_at timestamp with time zone DEFAULT now() NOT NULL,
    refill boolean DEFAULT false NOT NULL
);

COMMENT ON TABLE ingest.leases IS 'Who may write a network''s unfinal blocks: the process with the newest claim in the raw log.';

CREATE TABLE ingest.quarantine (
    id bigint NOT NULL,
    network text NOT NULL,
    block_number bigint NOT NULL,
    block_hash text NOT NULL,
    contract text DEFAULT ''::text NOT NULL,
    tx_hash text DEFAULT ''::text NOT NULL,
    log_index integer DEFAULT '-1'::integer NOT NULL,
    topic0 text DEFAULT ''::text NOT NULL,
    reason text NOT NULL,
    error text NOT NULL,
    payload bytea NOT NULL,
    raw_offset bigint NOT NULL,
    state text DEFAULT 'open'::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT quarantine_state_check CHECK ((state = ANY (ARRAY['open'::text, 'reverted'::text, 'resolved'::text])))
);

COMMENT ON TABLE ingest.quarantine IS 'Logs, slices and blocks that could not be decoded or applied, kept whole: holes in coverage.';

ALTER TABLE ingest.quarantine ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME ingest.quarantine_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE ingest.tail (
    network text NOT NULL,
    height bigint NOT NULL,
    hash text NOT NULL,
    parent text NOT NULL,
    raw_offset bigint,
    final boolean DEFAULT false NOT NULL,
    proof text DEFAULT ''::text NOT NULL,
    reasons text DEFAULT ''::text NOT NULL,
    content text DEFAULT ''::text NOT NULL,
    logs bigint DEFAULT '-1'::integer NOT NULL
);

COMMENT ON TABLE ingest.tail IS 'Blocks above finality that a source has meant to append, written before the append.';

CREATE TABLE ingest.undecoded (
    network text NOT NULL,
    contract text NOT NULL,
    heights int8multirange NOT NULL
);

COMMENT ON TABLE ingest.undecoded IS 'What was covered before a contract came on the list: its movements are missing there until the blocks are read again.';

CREATE TABLE ledger.applied_blocks (
    consumer text NOT NULL,
    network text NOT NULL,
    block_hash text NOT NULL,
    partition integer NOT NULL,
    state text NOT NULL,
    number bigint NOT NULL,
    "time" timestamp with time zone NOT NULL,
    digest text NOT NULL,
    proof text NOT NULL,
    seq_from bigint NOT NULL,
    seq_to bigint NOT NULL,
    CONSTRAINT applied_blocks_state_check CHECK ((state = ANY (ARRAY['applied'::text, 'reverted'::text])))
)
WITH (fillfactor='90');

COMMENT ON TABLE ledger.applied_blocks IS 'One block''s slice in one partition: the unit that is applied once, and taken back once.';

CREATE TABLE ledger.events (
    partition integer NOT NULL,
    seq bigint NOT NULL,
    network text NOT NULL,
    block_number bigint NOT NULL,
    block_hash text NOT NULL,
    block_time timestamp with time zone NOT NULL,
    tx_hash text NOT NULL,
    tx_from text NOT NULL,
    contract text NOT NULL,
    topic0 text NOT NULL,
    n integer NOT NULL,
    sub_index integer NOT NULL,
    log_index integer NOT NULL,
    revision integer NOT NULL,
    op text NOT NULL,
    standard text NOT NULL,
    token_id numeric(78,0),
    "from" text NOT NULL,
    "to" text NOT NULL,
    operator text,
    quantity numeric(78,0),
    control jsonb,
    holder text,
    holder_before text,
    holder_block bigint,
    holder_time bigint,
    block_end boolean,
    echo boolean DEFAULT false NOT NULL
)
PARTITION BY RANGE (block_time);

COMMENT ON TABLE ledger.events IS 'The journal: one row an event that was applied or taken back, in the order of seq, by month of the block''s time.';

CREATE TABLE ledger.retracted (
    network text NOT NULL,
    tx_hash text NOT NULL,
    contract text NOT NULL,
    topic0 text NOT NULL,
    n integer NOT NULL,
    sub_index integer NOT NULL,
    revision integer NOT NULL,
    partition integer NOT NULL,
    seq bigint NOT NULL
);

COMMENT ON TABLE ledger.retracted IS 'One row a retraction, so that the same event''s return finds its next revision.';

CREATE VIEW ledger.normalized_event_keys AS
 SELECT ((((((((network || ':'::text) || tx_hash) || ':'::text) || contract) || ':'::text) || topic0) || ':'::text) || n) AS source_event_id,
    sub_index,
    partition,
    seq,
    revision,
    (EXISTS ( SELECT
           FROM ledger.retracted r
          WHERE (((r.network = e.network) AND (r.tx_hash = e.tx_hash) AND (r.contract = e.contract) AND (r.topic0 = e.topic0) AND (r.n = e.n) AND (r.sub_index = e.sub_index)) AND (r.revision > e.revision)))) AS is_reverted
   FROM ledger.events e
  WHERE (op = 'apply'::text);

CREATE VIEW ledger.applied_events AS
 SELECT 'ledger'::text AS consumer,
    source_event_id,
    sub_index,
    partition,
    seq
   FROM ledger.normalized_event_keys k
  WHERE (NOT is_reverted);

CREATE TABLE ledger.contract_kinds (
    network text NOT NULL,
    contract text NOT NULL,
    partition integer NOT NULL,
    single boolean NOT NULL,
    multi boolean NOT NULL,
    late_seq bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='80');

COMMENT ON TABLE ledger.contract_kinds IS 'Which holdings a contract''s events tell of: one holder a token, balances, or both side by side.';

CREATE TABLE ledger.copies (
    network text NOT NULL,
    partition integer NOT NULL,
    tx_hash text NOT NULL,
    copy integer NOT NULL,
    live boolean NOT NULL
);

COMMENT ON TABLE ledger.copies IS 'Transactions that were live twice, with every number that was given to a copy; 1: the hash as it is.';

CREATE TABLE ledger.covered_balances (
    network text NOT NULL,
    contract text NOT NULL,
    token_id numeric(78,0) NOT NULL,
    account text NOT NULL,
    quantity numeric NOT NULL
);

COMMENT ON TABLE ledger.covered_balances IS 'What accounts have of an id by its events of balances, while one account holds it alone.';

CREATE TABLE ledger.forgotten (
    partition integer NOT NULL,
    rows bigint NOT NULL,
    seqs numeric NOT NULL,
    announced bigint NOT NULL
);

COMMENT ON TABLE ledger.forgotten IS 'How many rows of kind finality, written by earlier versions, have gone from the journal.';

CREATE TABLE ledger.hash_months (
    network text NOT NULL,
    month date NOT NULL
);

COMMENT ON TABLE ledger.hash_months IS 'Months of the journal in which a network''s transactions are looked for by their hash.';

CREATE TABLE ledger.months (
    month date NOT NULL,
    indexed boolean NOT NULL,
    forgotten_pages bigint DEFAULT 0 NOT NULL
);

COMMENT ON TABLE ledger.months IS 'Which months of the journal exist, and whether the API''s indexes are on them.';

CREATE VIEW ledger.normalized_event_deltas AS
 SELECT e.partition,
    e.seq,
    e.network,
    e.contract,
    e.token_id,
    e.standard,
    e.block_number,
    e.block_time,
    e.tx_hash,
    e.topic0,
    e.n,
    e.sub_index,
    e.revision,
    e.op,
    side.account,
    ((
        CASE
            WHEN (e.op = 'revert'::text) THEN (- side.sign)
            ELSE side.sign
        END)::numeric * e.quantity) AS delta
   FROM (ledger.events e
     CROSS JOIN LATERAL ( VALUES (e."from",'-1'::integer), (e."to",1)) side(account, sign))
  WHERE ((e.op = ANY (ARRAY['apply'::text, 'revert'::text])) AND (NOT e.echo) AND (side.account <> ALL (ARRAY[''::text, 'addr_none'::text, '0x0000000000000000000000000000000000000000'::text])));

CREATE VIEW ledger.normalized_events AS
 SELECT partition,
    seq,
    network,
    block_number,
    block_hash,
    block_time,
    tx_hash,
    tx_from,
    contract,
    topic0,
    n,
    sub_index,
    log_index,
    revision,
    op,
    standard,
    token_id,
    "from",
    "to",
    operator,
    quantity,
    control,
    echo,
    holder_before
   FROM ledger.events e
  WHERE ((op = 'apply'::text) AND (NOT (EXISTS ( SELECT
           FROM ledger.retracted r
          WHERE (((r.network = e.network) AND (r.tx_hash = e.tx_hash) AND (r.contract = e.contract) AND (r.topic0 = e.topic0) AND (r.n = e.n) AND (r.sub_index = e.sub_index)) AND (r.revision > e.revision))))));

CREATE TABLE ledger.undated (
    network text NOT NULL,
    contract text NOT NULL,
    token_id numeric(78,0) NOT NULL,
    slot text NOT NULL
);

COMMENT ON TABLE ledger.undated IS 'Holdings of which the journal could not tell since when: they are dated once every month has its indexes.';

CREATE TABLE market.ownership_current (
    network text NOT NULL,
    contract text NOT NULL,
    token_id numeric(78,0) NOT NULL,
    slot text NOT NULL,
    account text NOT NULL,
    quantity numeric NOT NULL,
    since timestamp with time zone,
    block_number bigint NOT NULL,
    log_index integer NOT NULL,
    sub_index integer NOT NULL,
    standard text NOT NULL,
    implicit boolean DEFAULT false NOT NULL,
    event_time timestamp with time zone
)
WITH (fillfactor='80');

COMMENT ON TABLE market.ownership_current IS 'Who owns what now. One holder a token: one row, slot ''''. Balances: one row an asset and account, slot = account.';

CREATE TABLE projection.asset_cards (
    network text NOT NULL,
    contract text NOT NULL,
    token_id numeric(78,0) NOT NULL,
    standard text NOT NULL,
    supply numeric DEFAULT 0 NOT NULL,
    owners bigint DEFAULT 0 NOT NULL,
    transfers bigint DEFAULT 0 NOT NULL,
    last_block bigint DEFAULT '-1'::integer NOT NULL,
    last_time timestamp with time zone,
    version bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='80');

COMMENT ON TABLE projection.asset_cards IS 'What the API lists of an asset: supply, owners, transfers, last event.';

CREATE VIEW projection.assets AS
 SELECT network,
    contract,
    token_id,
    uuid,
    standard,
    is_stub,
    first_seen
   FROM catalog.assets;

CREATE VIEW projection.blocks AS
 SELECT network,
    number,
    hash,
    "time",
    raw_offset AS "position"
   FROM ingest.blocks
  WHERE (state = 'canonical'::text);

CREATE VIEW projection.bulk AS
 SELECT network,
    "from",
    "to",
    state,
    seen_at
   FROM ingest.bulk
  WHERE (state <> 'done'::text);

CREATE VIEW projection.chain_heads AS
 SELECT network,
    head_number,
    head_hash,
    head_time,
    safe,
    finalized,
    "position"
   FROM ingest.heads;

CREATE TABLE projection.collection_activity (
    network text NOT NULL,
    contract text NOT NULL,
    day date NOT NULL,
    transfers bigint DEFAULT 0 NOT NULL,
    mints bigint DEFAULT 0 NOT NULL,
    burns bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='50');

COMMENT ON TABLE projection.collection_activity IS 'Transfers, mints and burns of a collection by day.';

CREATE TABLE projection.collection_holders (
    network text NOT NULL,
    contract text NOT NULL,
    account text NOT NULL,
    holdings bigint NOT NULL
)
WITH (fillfactor='80');

COMMENT ON TABLE projection.collection_holders IS 'How many assets of a collection an account holds.';

CREATE TABLE projection.collection_stats (
    network text NOT NULL,
    contract text NOT NULL,
    standard text NOT NULL,
    owners bigint DEFAULT 0 NOT NULL,
    assets bigint DEFAULT 0 NOT NULL,
    supply numeric DEFAULT 0 NOT NULL,
    transfers bigint DEFAULT 0 NOT NULL,
    mints bigint DEFAULT 0 NOT NULL,
    burns bigint DEFAULT 0 NOT NULL,
    first_block bigint NOT NULL,
    last_block bigint NOT NULL,
    version bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='50');

COMMENT ON TABLE projection.collection_stats IS 'Counters of a collection.';

CREATE TABLE system.partition_owner (
    consumer text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    epoch bigint DEFAULT 0 NOT NULL,
    next_offset bigint DEFAULT 0 NOT NULL,
    next_seq bigint DEFAULT 1 NOT NULL,
    owner text DEFAULT ''::text NOT NULL,
    cluster_id text DEFAULT ''::text NOT NULL,
    topic_id text DEFAULT ''::text NOT NULL,
    claimed_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
)
WITH (fillfactor='50');

COMMENT ON TABLE system.partition_owner IS 'Exactly once: each consumer''s input offset and epoch, moved in the transaction of its effects.';

CREATE VIEW projection.consumers AS
 SELECT consumer,
    topic,
    partition,
    epoch,
    next_offset,
    next_seq,
    owner,
    updated_at
   FROM system.partition_owner;

CREATE VIEW projection.coverage AS
 SELECT network,
    "from",
    "to",
    proof,
    reasons
   FROM ingest.coverage;

CREATE VIEW projection.covered_balances AS
 SELECT network,
    contract,
    token_id,
    account,
    quantity
   FROM ledger.covered_balances;

CREATE VIEW projection.created AS
 SELECT network,
    contract,
    number,
    reasons
   FROM ingest.created;

CREATE TABLE system.dlq (
    id bigint NOT NULL,
    consumer text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    network text DEFAULT ''::text NOT NULL,
    reason text NOT NULL,
    error text NOT NULL,
    payload bytea NOT NULL,
    state text DEFAULT 'open'::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT dlq_state_check CHECK ((state = ANY (ARRAY['open'::text, 'replayed'::text, 'dropped'::text])))
);

COMMENT ON TABLE system.dlq IS 'Dead letters: records that a consumer refused, with the reason and the bytes.';

CREATE VIEW projection.dead_letters AS
 SELECT consumer,
    topic,
    reason,
    count(*) AS open,
    min(created_at) AS oldest
   FROM system.dlq
  WHERE (state = 'open'::text)
  GROUP BY consumer, topic, reason;

CREATE TABLE system.deployment (
    one boolean DEFAULT true NOT NULL,
    id uuid NOT NULL,
    epoch integer DEFAULT 0 NOT NULL,
    topic_prefix text NOT NULL,
    cluster_id text NOT NULL,
    announced boolean DEFAULT false NOT NULL,
    made_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT deployment_one_check CHECK (one)
);

COMMENT ON TABLE system.deployment IS 'What this deployment is: its id, its Kafka, its topics, its registry.';

CREATE TABLE system.settings (
    name text NOT NULL,
    value text NOT NULL
);

COMMENT ON TABLE system.settings IS 'What the first ft migrate chose for good, such as the number of partitions.';

CREATE VIEW projection.deployment AS
 SELECT id,
    epoch,
    topic_prefix,
    ( SELECT ((settings.value)::json ->> 'command'::text)
           FROM system.settings
          WHERE (settings.name = 'recovery'::text)) AS unfinished,
    cluster_id,
    announced
   FROM system.deployment;

CREATE TABLE system.failures (
    role text NOT NULL,
    what text NOT NULL,
    kind text NOT NULL,
    error text NOT NULL,
    process text NOT NULL,
    at timestamp with time zone[] NOT NULL
);

COMMENT ON TABLE system.failures IS 'How processes ended that ended by an error: a row a kind of error, with its last ten times.';

CREATE VIEW projection.failures AS
 SELECT f.role,
    f.what,
    f.kind,
    f.error,
    f.at[1] AS last_at,
    ( SELECT count(*) AS count
           FROM unnest(f.at) t(t)
          WHERE (t.t > (now() - '00:15:00'::interval))) AS lately,
    COALESCE((l.seen_at > (f.at[1] + '00:01:00'::interval)), false) AS settled,
    COALESCE((l.owner = f.process), false) AS of_last_follower
   FROM (system.failures f
     LEFT JOIN ingest.leases l ON (((f.role = 'ingest'::text) AND (l.network = f.what))));

CREATE TABLE system.findings (
    network text NOT NULL,
    contract text NOT NULL,
    token_id numeric(78,0) NOT NULL,
    kind text NOT NULL,
    detail jsonb NOT NULL,
    found_at timestamp with time zone DEFAULT now() NOT NULL,
    block_number bigint DEFAULT '-1'::integer NOT NULL,
    block_hash text DEFAULT ''::text NOT NULL
);

COMMENT ON TABLE system.findings IS 'Contradictions in a contract''s own events: a balance below zero, a transfer by somebody who does not hold.';

CREATE VIEW projection.findings AS
 SELECT network,
    contract,
    token_id,
    kind,
    detail,
    found_at
   FROM system.findings;

CREATE TABLE ref.networks (
    network text NOT NULL,
    family text NOT NULL,
    chain_id bigint,
    start_block bigint DEFAULT 0 NOT NULL,
    confirmed text NOT NULL,
    finalized text NOT NULL,
    settings jsonb DEFAULT '{}'::jsonb NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE ref.networks IS 'Networks that this deployment knows, with the settings that answers depend on.';

CREATE TABLE system.sync_cursors (
    job text NOT NULL,
    network text NOT NULL,
    next_height bigint NOT NULL,
    node_head bigint,
    node_time timestamp with time zone,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    waits_for bigint,
    waits_since timestamp with time zone,
    waits_error text
);

COMMENT ON TABLE system.sync_cursors IS 'How far each job of ft ingest has been acknowledged by Kafka, and what it waits for.';

CREATE VIEW projection.followers AS
 SELECT n.network,
    l.seen_at,
    c.waits_for,
    c.waits_since,
    (c.job IS NOT NULL) AS followed,
    COALESCE(h.broken, false) AS broken,
    h.head_time,
    COALESCE(((n.settings ->> 'block_time_s'::text))::double precision, (12)::double precision) AS block_time_s
   FROM (((ref.networks n
     LEFT JOIN system.sync_cursors c ON ((c.job = ('follow:'::text || n.network))))
     LEFT JOIN ingest.leases l ON ((l.network = n.network)))
     LEFT JOIN ingest.heads h ON ((h.network = n.network)));

CREATE TABLE system.generations (
    generation integer NOT NULL,
    parent integer NOT NULL,
    began_at bigint[] NOT NULL
);

COMMENT ON TABLE system.generations IS 'Generations of announced records: each restore and re-announcement begins one.';

CREATE VIEW projection.generations AS
 SELECT generation,
    parent,
    began_at
   FROM system.generations;

CREATE TABLE system.partition_head (
    consumer text NOT NULL,
    partition integer NOT NULL,
    network text NOT NULL,
    "position" bigint NOT NULL,
    head_number bigint DEFAULT '-1'::integer NOT NULL,
    head_hash text DEFAULT ''::text NOT NULL,
    head_time timestamp with time zone,
    safe bigint DEFAULT '-1'::integer NOT NULL,
    finalized bigint DEFAULT '-1'::integer NOT NULL,
    reorg_from bigint,
    reorg_to bigint,
    reverted_max bigint DEFAULT '-1'::integer NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    open_block bigint,
    told_safe bigint DEFAULT '-1'::integer NOT NULL,
    told_finalized bigint DEFAULT '-1'::integer NOT NULL,
    told_seq bigint DEFAULT 0 NOT NULL,
    after_seq bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='50');

COMMENT ON TABLE system.partition_head IS 'How far each consumer has read each network in each partition.';

CREATE VIEW projection.heads AS
 SELECT consumer,
    partition,
    network,
    "position",
    head_number,
    head_hash,
    head_time,
    safe,
    finalized,
    updated_at,
    open_block
   FROM system.partition_head;

CREATE TABLE projection.holdings (
    network text NOT NULL,
    contract text NOT NULL,
    token_id numeric(78,0) NOT NULL,
    slot text NOT NULL,
    account text NOT NULL,
    quantity numeric NOT NULL,
    block_number bigint NOT NULL,
    covered boolean DEFAULT false NOT NULL
)
WITH (fillfactor='80');

COMMENT ON TABLE projection.holdings IS 'The agent project''s own copy of who holds what, from ledger.ownership_changed alone.';

CREATE VIEW projection.implicit_holdings AS
 SELECT network,
    contract,
    token_id
   FROM market.ownership_current o
  WHERE (implicit AND (account <> ALL (ARRAY[''::text, 'addr_none'::text, '0x0000000000000000000000000000000000000000'::text])));

CREATE VIEW projection.ingest_jobs AS
 SELECT job,
    network,
    next_height,
    node_head,
    node_time,
    updated_at
   FROM system.sync_cursors;

CREATE VIEW projection.journal_ends AS
 SELECT partition,
    (next_seq - 1) AS seq
   FROM system.partition_owner
  WHERE (consumer = 'ledger'::text);

CREATE VIEW projection.late AS
 SELECT network,
    "from",
    "to",
    raw_offset AS "position"
   FROM ingest.late;

CREATE VIEW projection.late_events AS
 SELECT network,
    contract,
    late_seq
   FROM ledger.contract_kinds
  WHERE (late_seq > 0);

CREATE VIEW projection.months AS
 SELECT month,
    indexed
   FROM ledger.months;

CREATE VIEW projection.networks AS
 SELECT network,
    family,
    chain_id,
    start_block,
    confirmed,
    finalized
   FROM ref.networks;

CREATE VIEW projection.ownership_view AS
 SELECT network,
    contract,
    token_id,
    account,
    quantity,
    since,
    standard,
    block_number,
    log_index,
    sub_index,
    slot
   FROM market.ownership_current
  WHERE ((quantity > (0)::numeric) AND (account <> ALL (ARRAY[''::text, 'addr_none'::text, '0x0000000000000000000000000000000000000000'::text])));

CREATE VIEW projection.portfolio_assets AS
 SELECT o.network,
    o.account,
    o.contract,
    o.token_id,
    o.quantity,
    o.since,
    o.standard,
    o.block_number,
    a.uuid,
    COALESCE(a.is_stub, true) AS is_stub
   FROM (market.ownership_current o
     LEFT JOIN catalog.assets a USING (network, contract, token_id))
  WHERE ((o.quantity > (0)::numeric) AND (o.account <> ALL (ARRAY[''::text, 'addr_none'::text, '0x0000000000000000000000000000000000000000'::text])));

CREATE TABLE system.publish_cursor (
    partition integer NOT NULL,
    seq bigint DEFAULT 0 NOT NULL,
    ownership_seq bigint DEFAULT 0 NOT NULL,
    finality_seq bigint DEFAULT 0 NOT NULL,
    reorg_seq bigint DEFAULT 0 NOT NULL,
    created_seq bigint DEFAULT 0 NOT NULL,
    blocked text,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
)
WITH (fillfactor='50');

COMMENT ON TABLE system.publish_cursor IS 'How far the journal is announced, and the last seq announced on each topic.';

CREATE VIEW projection.publishing AS
 SELECT c.partition,
    c.seq,
    c.blocked,
    c.updated_at,
    GREATEST(((o.next_seq - 1) - c.seq), (0)::bigint) AS unpublished
   FROM (system.publish_cursor c
     JOIN system.partition_owner o ON (((o.consumer = 'ledger'::text) AND (o.partition = c.partition))));

CREATE VIEW projection.put_aside AS
 SELECT topic,
    partition,
    "offset"
   FROM system.dlq
  WHERE (consumer = 'project'::text);

CREATE VIEW projection.quarantined AS
 SELECT quarantine.network,
    quarantine.contract,
    quarantine.block_number,
    quarantine.tx_hash,
    quarantine.log_index,
    quarantine.reason,
    quarantine.error,
    quarantine.created_at
   FROM ingest.quarantine
  WHERE (quarantine.state = 'open'::text)
UNION ALL
 SELECT u.network,
    u.contract,
    (upper(r.r) - 1) AS block_number,
    ''::text AS tx_hash,
    '-1'::integer AS log_index,
    'not_listed'::text AS reason,
    'read before the contract was listed'::text AS error,
    NULL::timestamp with time zone AS created_at
   FROM ingest.undecoded u,
    LATERAL unnest(u.heights) r(r);

CREATE TABLE system.recounts (
    network text NOT NULL,
    contract text NOT NULL,
    partition integer NOT NULL,
    marked_seq bigint NOT NULL,
    counted_seq bigint DEFAULT 0 NOT NULL,
    marked_at timestamp with time zone DEFAULT now() NOT NULL,
    "position" bigint DEFAULT '-1'::integer NOT NULL
);

COMMENT ON TABLE system.recounts IS 'Contracts whose events were applied out of the chain''s order, until they are counted again.';

CREATE VIEW projection.recounts AS
 SELECT network,
    contract
   FROM system.recounts
  WHERE (marked_seq > counted_seq);

CREATE TABLE system.schemas (
    id integer NOT NULL,
    subject text NOT NULL,
    version integer NOT NULL,
    schema text NOT NULL,
    kept_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE system.schemas IS 'The Avro schemas that the registry gave ids out for: with them the log is read without it.';

CREATE VIEW projection.schemas AS
 SELECT id,
    subject,
    version,
    schema
   FROM system.schemas;

CREATE VIEW projection.settings AS
 SELECT name,
    value
   FROM system.settings;

CREATE VIEW projection.single_holdings AS
 SELECT network,
    contract,
    token_id,
    account,
    quantity,
    since,
    block_number
   FROM market.ownership_current o
  WHERE (slot = ''::text);

CREATE TABLE ref.token_standards (
    standard text NOT NULL,
    family text NOT NULL,
    holding text NOT NULL,
    title text NOT NULL,
    CONSTRAINT token_standards_holding_check CHECK ((holding = ANY (ARRAY['single'::text, 'multi'::text])))
);

COMMENT ON TABLE ref.token_standards IS 'The token standards, and how many may hold one token id of each.';

CREATE VIEW projection.token_standards AS
 SELECT standard,
    family,
    holding,
    title
   FROM ref.token_standards;

CREATE VIEW projection.topics_read AS
 SELECT DISTINCT partition_owner.topic,
    ''::text AS network,
    partition_owner.topic_id
   FROM system.partition_owner
  WHERE (partition_owner.topic_id <> ''::text)
UNION ALL
 SELECT ''::text AS topic,
    leases.network,
    leases.topic_id
   FROM ingest.leases
  WHERE (leases.topic_id <> ''::text);

CREATE VIEW projection.transfers AS
 SELECT partition,
    seq,
    network,
    block_number,
    block_hash,
    block_time,
    tx_hash,
    tx_from,
    contract,
    topic0,
    n,
    sub_index,
    log_index,
    revision,
    standard,
    token_id,
    "from",
    "to",
    operator,
    quantity,
    echo,
    holder_before
   FROM ledger.normalized_events;

CREATE TABLE system.workers (
    worker text NOT NULL,
    agents text NOT NULL,
    metrics_url text DEFAULT ''::text NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    seen_at timestamp with time zone DEFAULT now() NOT NULL,
    doing text
);

COMMENT ON TABLE system.workers IS 'Processes that were seen lately, with the agents that they run.';

CREATE VIEW projection.workers AS
 SELECT worker,
    agents,
    metrics_url,
    started_at,
    seen_at
   FROM system.workers;

CREATE TABLE ref.contracts (
    network text NOT NULL,
    contract text NOT NULL,
    layout text NOT NULL,
    name text DEFAULT ''::text NOT NULL,
    source text DEFAULT ''::text NOT NULL,
    in_force_from bigint
);

COMMENT ON TABLE ref.contracts IS 'Contracts older than the token standards, and from which raw offset on each is read by its layout.';

CREATE TABLE ref.marketplaces (
    network text NOT NULL,
    address text NOT NULL,
    name text NOT NULL
);

COMMENT ON TABLE ref.marketplaces IS 'Addresses of marketplaces with their names, from the networks'' configuration.';

ALTER TABLE system.dlq ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME system.dlq_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE system.migrations (
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE system.migrations IS 'Which migrations have run, with the digest of each.';

CREATE TABLE system.outbox (
    day date DEFAULT ((now() AT TIME ZONE 'UTC'::text))::date NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    seq bigint NOT NULL,
    value bytea NOT NULL
)
PARTITION BY RANGE (day);

COMMENT ON TABLE system.outbox IS 'What domains announce, written in the transaction of its effects; a table a day.';

CREATE TABLE system.outbox_cursor (
    topic text NOT NULL,
    partition integer NOT NULL,
    written bigint DEFAULT 0 NOT NULL,
    announced bigint DEFAULT 0 NOT NULL,
    announced_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE system.outbox_cursor IS 'Of each partition of a domain''s topics: how far it is written, and how far announced.';

CREATE TABLE system.recovery_cut (
    network text NOT NULL,
    number bigint NOT NULL,
    hash text NOT NULL
);

COMMENT ON TABLE system.recovery_cut IS 'What a recovery cuts from the chain; empty but for the time of its transaction.';

CREATE TABLE system.recovery_parts (
    network text NOT NULL,
    "from" bigint NOT NULL,
    low bigint,
    high bigint,
    proof text NOT NULL,
    raw_offset bigint NOT NULL,
    reasons text NOT NULL
);

COMMENT ON TABLE system.recovery_parts IS 'Parts of a recovery''s cut; empty but for the time of its transaction.';

CREATE TABLE system.topic_begins (
    topic text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL
);

COMMENT ON TABLE system.topic_begins IS 'Where the records of a topic begin that was announced anew or lost; no row: at offset 0.';

ALTER TABLE ONLY catalog.assets
    ADD CONSTRAINT assets_pkey PRIMARY KEY (network, contract, token_id);

ALTER TABLE ONLY catalog.assets
    ADD CONSTRAINT assets_uuid_key UNIQUE (uuid);

ALTER TABLE ONLY ingest.blocks
    ADD CONSTRAINT blocks_pkey PRIMARY KEY (network, number, hash);

ALTER TABLE ONLY ingest.bulk
    ADD CONSTRAINT bulk_pkey PRIMARY KEY (id);

ALTER TABLE ONLY ingest.coverage
    ADD CONSTRAINT coverage_pkey PRIMARY KEY (network, "from");

ALTER TABLE ONLY ingest.created
    ADD CONSTRAINT created_pkey PRIMARY KEY (network, contract);

ALTER TABLE ONLY ingest.heads
    ADD CONSTRAINT heads_pkey PRIMARY KEY (network);

ALTER TABLE ONLY ingest.late
    ADD CONSTRAINT late_pkey PRIMARY KEY (network, raw_offset, "from");

ALTER TABLE ONLY ingest.leases
    ADD CONSTRAINT leases_pkey PRIMARY KEY (network);

ALTER TABLE ONLY ingest.quarantine
    ADD CONSTRAINT quarantine_network_block_hash_contract_log_index_reason_key UNIQUE (network, block_hash, contract, log_index, reason);

ALTER TABLE ONLY ingest.quarantine
    ADD CONSTRAINT quarantine_pkey PRIMARY KEY (id);

ALTER TABLE ONLY ingest.tail
    ADD CONSTRAINT tail_pkey PRIMARY KEY (network, height);

ALTER TABLE ONLY ingest.undecoded
    ADD CONSTRAINT undecoded_pkey PRIMARY KEY (network, contract);

ALTER TABLE ONLY ledger.applied_blocks
    ADD CONSTRAINT applied_blocks_pkey PRIMARY KEY (consumer, network, block_hash, partition);

ALTER TABLE ONLY ledger.contract_kinds
    ADD CONSTRAINT contract_kinds_pkey PRIMARY KEY (network, contract);

ALTER TABLE ONLY ledger.copies
    ADD CONSTRAINT copies_pkey PRIMARY KEY (network, partition, tx_hash, copy);

ALTER TABLE ONLY ledger.covered_balances
    ADD CONSTRAINT covered_balances_pkey PRIMARY KEY (network, contract, token_id, account);

ALTER TABLE ONLY ledger.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (partition, seq, block_time);

ALTER TABLE ONLY ledger.forgotten
    ADD CONSTRAINT forgotten_pkey PRIMARY KEY (partition);

ALTER TABLE ONLY ledger.hash_months
    ADD CONSTRAINT hash_months_pkey PRIMARY KEY (network, month);

ALTER TABLE ONLY ledger.months
    ADD CONSTRAINT months_pkey PRIMARY KEY (month);

ALTER TABLE ONLY ledger.retracted
    ADD CONSTRAINT retracted_pkey PRIMARY KEY (network, tx_hash, contract, topic0, n, sub_index, revision);

ALTER TABLE ONLY ledger.undated
    ADD CONSTRAINT undated_pkey PRIMARY KEY (network, contract, token_id, slot);

ALTER TABLE ONLY market.ownership_current
    ADD CONSTRAINT ownership_current_pkey PRIMARY KEY (network, contract, token_id, slot);

ALTER TABLE ONLY projection.asset_cards
    ADD CONSTRAINT asset_cards_pkey PRIMARY KEY (network, contract, token_id);

ALTER TABLE ONLY projection.collection_activity
    ADD CONSTRAINT collection_activity_pkey PRIMARY KEY (network, contract, day);

ALTER TABLE ONLY projection.collection_holders
    ADD CONSTRAINT collection_holders_pkey PRIMARY KEY (network, contract, account);

ALTER TABLE ONLY projection.collection_stats
    ADD CONSTRAINT collection_stats_pkey PRIMARY KEY (network, contract);

ALTER TABLE ONLY projection.holdings
    ADD CONSTRAINT holdings_pkey PRIMARY KEY (network, contract, token_id, slot);

ALTER TABLE ONLY ref.contracts
    ADD CONSTRAINT contracts_pkey PRIMARY KEY (network, contract);

ALTER TABLE ONLY ref.marketplaces
    ADD CONSTRAINT marketplaces_pkey PRIMARY KEY (network, address);

ALTER TABLE ONLY ref.networks
    ADD CONSTRAINT networks_pkey PRIMARY KEY (network);

ALTER TABLE ONLY ref.token_standards
    ADD CONSTRAINT token_standards_pkey PRIMARY KEY (standard);

ALTER TABLE ONLY system.deployment
    ADD CONSTRAINT deployment_pkey PRIMARY KEY (one);

ALTER TABLE ONLY system.dlq
    ADD CONSTRAINT dlq_consumer_topic_partition_offset_reason_key UNIQUE (consumer, topic, partition, "offset", reason);

ALTER TABLE ONLY system.dlq
    ADD CONSTRAINT dlq_pkey PRIMARY KEY (id);

ALTER TABLE ONLY system.failures
    ADD CONSTRAINT failures_pkey PRIMARY KEY (role, what, kind);

ALTER TABLE ONLY system.findings
    ADD CONSTRAINT findings_pkey PRIMARY KEY (network, contract, token_id, kind);

ALTER TABLE ONLY system.generations
    ADD CONSTRAINT generations_pkey PRIMARY KEY (generation);

ALTER TABLE ONLY system.migrations
    ADD CONSTRAINT migrations_pkey PRIMARY KEY (name);

ALTER TABLE ONLY system.outbox_cursor
    ADD CONSTRAINT outbox_cursor_pkey PRIMARY KEY (topic, partition);

ALTER TABLE ONLY system.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (topic, partition, seq, day);

ALTER TABLE ONLY system.partition_head
    ADD CONSTRAINT partition_head_pkey PRIMARY KEY (consumer, partition, network);

ALTER TABLE ONLY system.partition_owner
    ADD CONSTRAINT partition_owner_pkey PRIMARY KEY (consumer, topic, partition);

ALTER TABLE ONLY system.publish_cursor
    ADD CONSTRAINT publish_cursor_pkey PRIMARY KEY (partition);

ALTER TABLE ONLY system.recounts
    ADD CONSTRAINT recounts_pkey PRIMARY KEY (network, contract);

ALTER TABLE ONLY system.schemas
    ADD CONSTRAINT schemas_pkey PRIMARY KEY (id, subject);

ALTER TABLE ONLY system.settings
    ADD CONSTRAINT settings_pkey PRIMARY KEY (name);

ALTER TABLE ONLY system.sync_cursors
    ADD CONSTRAINT sync_cursors_pkey PRIMARY KEY (job);

ALTER TABLE ONLY system.topic_begins
    ADD CONSTRAINT topic_begins_pkey PRIMARY KEY (topic, partition);

ALTER TABLE ONLY system.workers
    ADD CONSTRAINT workers_pkey PRIMARY KEY (worker);

CREATE UNIQUE INDEX blocks_canonical ON ingest.blocks USING btree (network, number) WHERE (state = 'canonical'::text);

CREATE INDEX created_block ON ingest.created USING btree (network, number);

CREATE INDEX created_unchecked ON ingest.created USING btree (network) WHERE (NOT checked);

CREATE INDEX quarantine_block ON ingest.quarantine USING btree (network, block_number);

CREATE INDEX quarantine_contract ON ingest.quarantine USING btree (network, contract);

CREATE INDEX copies_free ON ledger.copies USING btree (network, partition, tx_hash, copy) WHERE (NOT live);

CREATE INDEX ownership_account ON market.ownership_current USING btree (network, account, contract, token_id);

CREATE INDEX ownership_contract ON market.ownership_current USING btree (network, contract, account);

CREATE INDEX ownership_implicit ON market.ownership_current USING btree (network, contract) WHERE implicit;

CREATE INDEX recounts_marked ON system.recounts USING btree (marked_at) WHERE (marked_seq > counted_seq);

GRANT USAGE ON SCHEMA catalog TO ft_writer;

GRANT USAGE ON SCHEMA ingest TO ft_writer;

GRANT USAGE ON SCHEMA ledger TO ft_writer;

GRANT USAGE ON SCHEMA market TO ft_writer;

GRANT USAGE ON SCHEMA projection TO ft_writer;
GRANT USAGE ON SCHEMA projection TO ft_api;

GRANT USAGE ON SCHEMA ref TO ft_writer;

GRANT USAGE ON SCHEMA system TO ft_writer;

REVOKE ALL ON FUNCTION ledger.ensure_hash_month(of_network text, at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.ensure_hash_month(of_network text, at timestamp with time zone) TO ft_writer;

REVOKE ALL ON FUNCTION ledger.ensure_month(at timestamp with time zone, indexed boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.ensure_month(at timestamp with time zone, indexed boolean) TO ft_writer;

REVOKE ALL ON FUNCTION ledger.forget(first_day date, pages bigint, before timestamp with time zone, OUT went bigint, OUT more boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.forget(first_day date, pages bigint, before timestamp with time zone, OUT went bigint, OUT more boolean) TO ft_writer;

REVOKE ALL ON FUNCTION ledger.make_month(at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.make_month(at timestamp with time zone) TO ft_writer;

REVOKE ALL ON FUNCTION ledger.month_indexes(month date) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.month_indexes(month date) TO ft_writer;

REVOKE ALL ON FUNCTION ledger.month_is_indexed(first_day date) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.month_is_indexed(first_day date) TO ft_writer;

REVOKE ALL ON FUNCTION ledger.single_ids(of_network text, of_contract text) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.single_ids(of_network text, of_contract text) TO ft_writer;

REVOKE ALL ON FUNCTION system.turn_outbox(wanted date, kept date) FROM PUBLIC;
GRANT ALL ON FUNCTION system.turn_outbox(wanted date, kept date) TO ft_writer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE catalog.assets TO ft_writer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.blocks TO ft_writer;

GRANT SELECT,INSERT,UPDATE ON TABLE ingest.bulk TO ft_writer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.coverage TO ft_writer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.created TO ft_writer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.heads TO ft_writer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.late TO ft_writer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.leases TO ft_writer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.quarantine TO ft_writer;

GRANT USAGE ON SEQUENCE ingest.quarantine_id_seq TO ft_writer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.tail TO ft_writer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.undecoded TO ft_writer;

GRANT SELECT,INSERT,UPDATE ON TABLE ledger.applied_blocks TO ft_writer;

GRANT SELECT,INSERT ON TABLE ledger.events TO ft_writer;

GRANT SELECT,INSERT ON TABLE ledger.retracted TO ft_writer;

GRANT SELECT ON TABLE ledger.normalized_event_keys TO ft_writer;

GRANT SELECT ON TABLE ledger.applied_events TO ft_writer;

GRANT SELECT,INSERT,UPDATE ON TABLE ledger.contract_kinds TO ft_writer;

GRANT SELECT,INSERT,UPDATE ON TABLE ledger.copies TO ft_writer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ledger.covered_balances TO ft_writer;

GRANT SELECT ON TABLE ledger.forgotten TO ft_writer;

GRANT SELECT,DELETE ON TABLE ledger.hash_months TO ft_writer;

GRANT SELECT ON TABLE ledger.months TO ft_writer;

GRANT SELECT ON TABLE ledger.normalized_event_deltas TO ft_writer;

GRANT SELECT ON TABLE ledger.normalized_events TO ft_writer;

GRANT SELECT,INSERT,DELETE ON TABLE ledger.undated TO ft_writer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE market.ownership_current TO ft_writer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE projection.asset_cards TO ft_writer;
GRANT SELECT ON TABLE projection.asset_cards TO ft_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE projection.assets TO ft_writer;
GRANT SELECT ON TABLE projection.assets TO ft_api;

GRANT SELECT ON TABLE projection.blocks TO ft_api;
GRANT SELECT ON TABLE projection.blocks TO ft_writer;

GRANT SELECT ON TABLE projection.bulk TO ft_api;
GRANT SELECT ON TABLE projection.bulk TO ft_writer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE projection.chain_heads TO ft_writer;
GRANT SELECT ON TABLE projection.chain_heads TO ft_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE projection.collection_activity TO ft_writer;
GRANT SELECT ON TABLE projection.collection_activity TO ft_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE projection.collection_holders TO ft_writer;
GRANT SELECT ON TABLE projection.collection_holders TO ft_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE projection.collection_stats TO ft_writer;
GRANT SELECT ON TABLE projection.collection_stats TO ft_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE system.partition_owner TO ft_writer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE projection.consumers TO ft_writer;
GRANT SELECT ON TABLE projection.consumers TO ft_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE projection.coverage TO ft_writer;
GRANT SELECT ON TABLE projection.coverage TO ft_api;

GRANT SELECT ON TABLE projection.covered_balances TO ft_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE projection.created TO ft_writer;
GRANT SELECT ON TABLE projection.created TO ft_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE system.dlq TO ft_writer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE projection.dead_letters TO ft_writer;
GRANT SELECT ON TABLE projection.dead_letters TO ft_api;

GRANT SELECT,INSERT,UPDATE ON TABLE system.deployment TO ft_writer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE system.settings TO ft_writer;

GRANT SELECT ON TABLE projection.deployment TO ft_api;
GRANT SELECT ON TABLE projection.deployment TO ft_writer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE system.failures TO ft_writer;

GRANT SELECT ON TABLE projection.failures TO ft_api;
GRANT SELECT ON TABLE projection.failures TO ft_writer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE system.findings TO ft_writer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE projection.findings TO ft_writer;
GRANT SELECT ON TABLE projection.findings TO ft_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ref.networks TO ft_writer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE system.sync_cursors TO ft_writer;

GRANT SELECT ON TABLE projection.followers TO ft_api;
GRANT SELECT ON TABLE projection.followers TO ft_writer;

GRANT SELECT ON TABLE system.generations TO ft_writer;

GRANT SELECT ON TABLE projection.generations TO ft_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE system.partition_head TO ft_writer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE projection.heads TO ft_writer;
GRANT SELECT ON TABLE projection.heads TO ft_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE projection.holdings TO ft_writer;
GRANT SELECT ON TABLE projection.holdings TO ft_api;

GRANT SELECT ON TABLE projection.implicit_holdings TO ft_api;
GRANT SELECT ON TABLE projection.implicit_holdings TO ft_writer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE projection.ingest_jobs TO ft_writer;
GRANT SELECT ON TABLE projection.ingest_jobs TO ft_api;

GRANT SELECT ON TABLE projection.journal_ends TO ft_api;

GRANT SELECT ON TABLE projection.late TO ft_api;

GRANT SELECT ON TABLE projection.late_events TO ft_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE projection.months TO ft_writer;
GRANT SELECT ON TABLE projection.months TO ft_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE projection.networks TO ft_writer;
GRANT SELECT ON TABLE projection.networks TO ft_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE projection.ownership_view TO ft_writer;
GRANT SELECT ON TABLE projection.ownership_view TO ft_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE projection.portfolio_assets TO ft_writer;
GRANT SELECT ON TABLE projection.portfolio_assets TO ft_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE system.publish_cursor TO ft_writer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE projection.publishing TO ft_writer;
GRANT SELECT ON TABLE projection.publishing TO ft_api;

GRANT SELECT ON TABLE projection.put_aside TO ft_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE projection.quarantined TO ft_writer;
GRANT SELECT ON TABLE projection.quarantined TO ft_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE system.recounts TO ft_writer;

GRANT SELECT ON TABLE projection.recounts TO ft_api;
GRANT SELECT ON TABLE projection.recounts TO ft_writer;

GRANT SELECT,INSERT ON TABLE system.schemas TO ft_writer;

GRANT SELECT ON TABLE projection.schemas TO ft_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE projection.settings TO ft_writer;
GRANT SELECT ON TABLE projection.settings TO ft_api;

GRANT SELECT ON TABLE projection.single_holdings TO ft_api;
GRANT SELECT ON TABLE projection.single_holdings TO ft_writer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ref.token_standards TO ft_writer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE projection.token_standards TO ft_writer;
GRANT SELECT ON TABLE projection.token_standards TO ft_api;

GRANT SELECT ON TABLE projection.topics_read TO ft_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE projection.transfers TO ft_writer;
GRANT SELECT ON TABLE projection.transfers TO ft_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE system.workers TO ft_writer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE projection.workers TO ft_writer;
GRANT SELECT ON TABLE projection.workers TO ft_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ref.contracts TO ft_writer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ref.marketplaces TO ft_writer;

GRANT USAGE ON SEQUENCE system.dlq_id_seq TO ft_writer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE system.migrations TO ft_writer;

GRANT SELECT,INSERT ON TABLE system.outbox TO ft_writer;

GRANT SELECT,INSERT,UPDATE ON TABLE system.outbox_cursor TO ft_writer;

GRANT SELECT ON TABLE system.topic_begins TO ft_writer;
