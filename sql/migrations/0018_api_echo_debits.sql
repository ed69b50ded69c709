-- What the API reads of the journal beside 0005: whether an event is the echo of another, and who lost the token by it.
CREATE OR REPLACE VIEW ledger.normalized_events AS
SELECT e.partition, e.seq, e.network, e.block_number, e.block_hash, e.block_time, e.tx_hash, e.tx_from, e.contract,
       e.topic0, e.n, e.sub_index, e.log_index, e.revision, e.op, e.standard, e.token_id, e."from", e."to", e.operator,
       e.quantity, e.control, e.echo, e.holder_before
FROM ledger.events e
WHERE e.op = 'apply'
  AND NOT EXISTS (
      SELECT FROM ledger.retracted r
      WHERE (r.network, r.tx_hash, r.contract, r.topic0, r.n, r.sub_index)
          = (e.network, e.tx_hash, e.contract, e.topic0, e.n, e.sub_index)
        AND r.revision > e.revision
  );

CREATE OR REPLACE VIEW projection.transfers AS
SELECT partition, seq, network, block_number, block_hash, block_time, tx_hash, tx_from, contract, topic0, n,
       sub_index, log_index, revision, standard, token_id, "from", "to", operator, quantity, echo, holder_before
FROM ledger.normalized_events;

-- The row of a token that has one holder, also where that is nobody (burned).
CREATE VIEW projection.single_holdings AS
SELECT network, contract, token_id, account, quantity, since, block_number
FROM market.ownership_current
WHERE slot = '';
GRANT SELECT ON projection.single_holdings TO ft_api;

-- One more index a month: who lost a token by an event that names another as sender. Such events are few.
CREATE OR REPLACE FUNCTION ledger.month_indexes(month date) RETURNS TABLE (name text, definition text)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
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

DO $$
DECLARE
    definition text;
BEGIN
    FOR definition IN
        SELECT i.definition
        FROM ledger.months m
        CROSS JOIN LATERAL ledger.month_indexes(m.month) i
        WHERE m.indexed AND i.name LIKE '%\_before'
    LOOP
        EXECUTE 'CREATE INDEX ' || definition;
    END LOOP;
END
$$;
