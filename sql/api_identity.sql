-- What the API's database says of the deployment that it is of (api/status/identity.py).

-- name: deployment
-- No row: it names none yet.
SELECT id::text, epoch, topic_prefix, cluster_id, announced, coalesce(unfinished, '') FROM projection.deployment;

-- name: topics_read
-- Topics that were read, and raw topics that were written above finality (by their network), each with its id.
SELECT topic, network, topic_id FROM projection.topics_read;

-- name: schemas
-- Under the ids that its records were written with.
SELECT id, subject, version, schema FROM projection.schemas ORDER BY id, subject;

-- name: journal_ends
-- The last row of each partition's journal.
SELECT partition, seq FROM projection.journal_ends;

-- name: put_aside
-- Places of records in the topic of changes that nobody took for an announcement.
SELECT partition, "offset" FROM projection.put_aside WHERE topic = %(topic)s;

-- name: generations
-- What each generation went on from.
SELECT generation, parent, began_at FROM projection.generations;
