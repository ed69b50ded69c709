-- The API's pages of transfers: live events by chain position, partition and seq (a total order), from behind a
-- key that is one end of all keys on the first page.

-- name: page
-- Newest first. What narrows it stands in place of "true" (api/transfers/page_query.py), so that each filter has its own plan.
SELECT t.*
FROM projection.transfers t
WHERE t.network = %(network)s AND true
  AND t.block_number BETWEEN %(block_from)s AND %(block_to)s
  AND (t.block_number, t.log_index, t.sub_index, t.partition, t.seq) < (%(block_number)s, %(log_index)s, %(sub_index)s, %(partition)s, %(seq)s)
ORDER BY t.block_number DESC, t.log_index DESC, t.sub_index DESC, t.partition DESC, t.seq DESC
LIMIT %(rows)s;

-- name: bare_months
-- Months without the API's indexes that may hold blocks of a range (-1: open end), and the times between the bare months
-- before and behind it; no row where every month is indexed.
SELECT coalesce(array_agg(to_char(m.month, 'YYYY-MM') ORDER BY m.month)
                    FILTER (WHERE m.month + interval '1 month' > s.low AND m.month <= s.high), '{}') AS months,
       coalesce(max(m.month + interval '1 month') FILTER (WHERE m.month + interval '1 month' <= s.low) || ' UTC',
                '-infinity') AS time_from,
       coalesce(min(m.month) FILTER (WHERE m.month > s.high) || ' UTC', 'infinity') AS time_to
FROM projection.months m
CROSS JOIN (
    SELECT CASE WHEN %(block_from)s::bigint < 0 THEN '-infinity' ELSE coalesce((
               SELECT b.time AT TIME ZONE 'UTC' FROM projection.blocks b
               WHERE b.network = %(network)s AND b.number >= %(block_from)s
               ORDER BY b.number
               LIMIT 1), '-infinity') END AS low,
           CASE WHEN %(block_to)s::bigint < 0 THEN 'infinity' ELSE coalesce((
               SELECT b.time AT TIME ZONE 'UTC' FROM projection.blocks b
               WHERE b.network = %(network)s AND b.number <= %(block_to)s
               ORDER BY b.number DESC
               LIMIT 1), 'infinity') END AS high
) s
WHERE NOT m.indexed
GROUP BY s.low, s.high;
