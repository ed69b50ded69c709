-- How processes ended that ended by an error (streams/deployment/failures.py).

-- name: note
-- One more of its kind; ten times are kept. A worker that says how it ended is not waited for.
WITH gone AS (DELETE FROM system.workers WHERE %(role)s = 'worker' AND worker = %(process)s)
INSERT INTO system.failures AS f (role, what, kind, error, process, at)
VALUES (%(role)s, %(what)s, %(kind)s, %(error)s, %(process)s, ARRAY[now()])
ON CONFLICT (role, what, kind) DO UPDATE
SET error = excluded.error, process = excluded.process, at = (excluded.at || f.at)[1:10];
