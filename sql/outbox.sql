-- What domains announce (streams/worker/announcing.py).

-- name: turn
-- The tables of today and tomorrow are there; what is older than a week and announced goes.
SELECT system.turn_outbox((now() AT TIME ZONE 'UTC')::date + d, (now() AT TIME ZONE 'UTC')::date - 7)
FROM generate_series(0, 1) AS d;

-- name: number
-- The next seqs of a partition: its row stays locked until the transaction ends, so that they are committed in order.
INSERT INTO system.outbox_cursor AS c (topic, partition, written) VALUES (%(topic)s, %(partition)s, %(count)s)
ON CONFLICT (topic, partition) DO UPDATE SET written = c.written + excluded.written
RETURNING written;

-- name: add
-- One record.
INSERT INTO system.outbox (topic, partition, seq, value) VALUES (%(topic)s, %(partition)s, %(seq)s, %(value)s);

-- name: waiting
-- Partitions among these of which something is not announced yet.
SELECT topic, partition, announced, written - announced FROM system.outbox_cursor
WHERE topic = ANY(%(topics)s::text[]) AND partition = ANY(%(partitions)s::int[]) AND written > announced
ORDER BY topic, partition;

-- name: rows
-- What follows in one of them.
SELECT seq, value FROM system.outbox
WHERE topic = %(topic)s AND partition = %(partition)s AND seq > %(after)s
ORDER BY seq LIMIT %(rows_max)s;

-- name: move
-- The broker has them. Another process may have announced more meanwhile.
UPDATE system.outbox_cursor SET announced = %(seq)s, announced_at = now()
WHERE topic = %(topic)s AND partition = %(partition)s AND announced < %(seq)s;
