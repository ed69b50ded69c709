-- Backfills in bulk: their months are filled without the API's indexes, which are built afterwards.

-- One row a job. While one is open the publisher is held back, and a month within its time that the journal does not
-- have yet is made without the API's indexes.
CREATE TABLE ingest.bulk (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    network     text NOT NULL,
    "from"      bigint NOT NULL,
    "to"        bigint NOT NULL,
    from_time   timestamptz NOT NULL,           -- of the first and of the last block
    to_time     timestamptz NOT NULL,
    raw_end     bigint,                         -- raw offset behind which nothing of the job lies; null while it is filled
    state       text NOT NULL DEFAULT 'filling' CHECK (state IN ('filling', 'written', 'indexing', 'done')),
    abandoned   boolean NOT NULL DEFAULT false, -- closed before all of it was written
    error       text,                           -- why its indexes cannot be built; null: they can
    started_at  timestamptz NOT NULL DEFAULT now(),
    seen_at     timestamptz NOT NULL DEFAULT now(), -- of the process that fills it
    finished_at timestamptz,
    CHECK ("from" <= "to" AND from_time <= to_time),
    CHECK ((state = 'filling') = (raw_end IS NULL))
);

GRANT SELECT, INSERT, UPDATE ON ingest.bulk TO ft_writer;

-- The indexes that the API needs on a month of the journal: name, and what stands behind CREATE INDEX [CONCURRENTLY].
CREATE FUNCTION ledger.month_indexes(month date) RETURNS TABLE (name text, definition text)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
    SELECT t.name || k.suffix, format('%I ON ledger.%I (%s)', t.name || k.suffix, t.name, k.columns)
    FROM (SELECT 'events_' || to_char(month, 'YYYYMM') AS name) t
    CROSS JOIN (VALUES
        (1, '_token', 'network, contract, token_id, block_number'),
        (2, '_from', 'network, "from", block_number'),
        (3, '_to', 'network, "to", block_number'),
        (4, '_tx', 'network, tx_hash'),
        (5, '_block', 'network, block_number, log_index, sub_index')
    ) AS k (place, suffix, columns)
    ORDER BY k.place
$$;

-- As before (0003), with the indexes named in one place.
CREATE OR REPLACE FUNCTION ledger.ensure_month(at timestamptz, indexed boolean DEFAULT true) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
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

-- The same, without the API's indexes iff a job whose blocks may still come reaches into that month.
CREATE FUNCTION ledger.make_month(at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    PERFORM ledger.ensure_month(at, NOT EXISTS (
        SELECT FROM ingest.bulk b
        WHERE b.state IN ('filling', 'written')
          AND date_trunc('month', at AT TIME ZONE 'UTC')
              BETWEEN date_trunc('month', b.from_time AT TIME ZONE 'UTC') AND b.to_time AT TIME ZONE 'UTC'));
END
$$;

-- Says that the API may read a month: only once every index is there and valid.
CREATE FUNCTION ledger.month_is_indexed(first_day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
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

REVOKE EXECUTE ON FUNCTION ledger.month_indexes(date), ledger.make_month(timestamptz), ledger.month_is_indexed(date)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.month_indexes(date), ledger.make_month(timestamptz), ledger.month_is_indexed(date)
    TO ft_writer;
