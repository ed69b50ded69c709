-- What the journal forgets (agents/ledger/forgetting.py).

-- name: months
-- Months that ended a day ago, of which pages were not gone through yet; those without indexes are filled still.
SELECT m.month
FROM ledger.months m
WHERE m.indexed AND (m.month + interval '1 month') AT TIME ZONE 'UTC' < now() - interval '1 day'
  AND m.forgotten_pages < pg_relation_size(to_regclass(format('ledger.events_%%s', to_char(m.month, 'YYYYMM'))))
                          / current_setting('block_size')::bigint
ORDER BY m.month;

-- name: forget
-- The next pages of one of them.
SELECT went, more FROM ledger.forget(%(month)s, %(pages)s, now() - interval '1 day');
