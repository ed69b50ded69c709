-- Which announced records hold (streams/deployment/generations.py).

-- name: knows_generations
-- Whether the database is of a version that has them.
SELECT to_regclass('system.generations') IS NOT NULL;

-- name: present
-- No row: a deployment that has no name yet.
SELECT epoch FROM system.deployment;

-- name: origins
-- What each generation went on from.
SELECT generation, parent, began_at FROM system.generations;
