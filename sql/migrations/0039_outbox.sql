-- What domains announce: written in the transaction of its effects, sent in the order of seq afterwards
-- (streams/worker/announcing.py). Rows are only added; those of a day go together, once all of them are announced.
CREATE TABLE system.outbox (
    day       date NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')::date,
    topic     text NOT NULL,                    -- without prefix
    partition integer NOT NULL,
    seq       bigint NOT NULL,                  -- from 1, without a gap
    value     bytea NOT NULL,                   -- the record as it is sent, frame included
    PRIMARY KEY (topic, partition, seq, day)
) PARTITION BY RANGE (day);

-- Of each partition of a domain's topics: how far it is written, and how far that is announced.
CREATE TABLE system.outbox_cursor (
    topic     text NOT NULL,
    partition integer NOT NULL,
    written   bigint NOT NULL DEFAULT 0,        -- seq of the last row
    announced bigint NOT NULL DEFAULT 0,        -- the same of what the broker has
    announced_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, partition)
);

GRANT SELECT, INSERT ON system.outbox TO ft_writer;
GRANT SELECT, INSERT, UPDATE ON system.outbox_cursor TO ft_writer;

-- Makes the table of a day, and drops those of days before `kept` all of whose rows are announced. Returns what was
-- dropped. Nobody waits for it for long: a table is attached under a lock that lets others write.
CREATE FUNCTION system.turn_outbox(wanted date, kept date) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
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
REVOKE ALL ON FUNCTION system.turn_outbox(date, date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION system.turn_outbox(date, date) TO ft_writer;
