-- Rows of kind finality said where a partition stands, once a second and network in earlier versions: they tell of no
-- event. They go once they are announced and a day old; what went is counted, so that the journal is still proved whole.
CREATE TABLE ledger.forgotten (
    partition integer PRIMARY KEY,
    rows      bigint NOT NULL,                  -- how many went
    seqs      numeric NOT NULL,                 -- the sum of their seqs
    announced bigint NOT NULL                   -- those of them that ledger.ownership_changed has, as it is announced now
);
GRANT SELECT ON ledger.forgotten TO ft_writer;

-- Pages of the month that were gone through; what is written later is at most one such row an event, and lies behind.
ALTER TABLE ledger.months ADD COLUMN forgotten_pages bigint NOT NULL DEFAULT 0;

-- Deletes such rows of a month in so many pages from where the last call ended. Returns how many went, and whether pages
-- are left. The last row of a partition's journal stays, and what is not announced yet.
CREATE FUNCTION ledger.forget(first_day date, pages bigint, before timestamptz, OUT went bigint, OUT more boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
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
$$;
REVOKE ALL ON FUNCTION ledger.forget(date, bigint, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.forget(date, bigint, timestamptz) TO ft_writer;
