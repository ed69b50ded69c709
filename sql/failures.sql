-- How processes ended that ended by an error (streams/deployment/failures.py).

-- name: note
-- One more of its kind; ten times are kept.
INSERT INTO system.failures AS f (role, what, kind, error, process, at)
VALUES (%(role)s, %(what)s, %(kind)s, %(error)s, %(process)s, ARRAY[now()])
ON CONFLICT (role, what, kind) DO UPDATE
SET error = excluded.error, process = excluded.process, at = (excluded.at || f.at)[1:10];
