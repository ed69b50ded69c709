-- name: clusters
-- The Kafka clusters that this deployment's offsets were counted in: one, or none yet.
SELECT DISTINCT cluster_id FROM system.partition_owner
WHERE cluster_id <> '' AND starts_with(topic, %(prefix)s);

-- name: journal_ends
-- The last row of each partition's journal, committed.
SELECT partition, next_seq - 1 FROM system.partition_owner WHERE consumer = 'ledger';

-- name: refused_by_project
-- Places of records in the topic of changes that nobody took for an announcement.
SELECT partition, "offset" FROM system.dlq WHERE consumer = 'project' AND topic = %(topic)s;

-- name: begins
-- Where a topic's records begin, of partitions that were announced anew; the others' begin at offset 0.
SELECT partition, "offset" FROM system.topic_begins WHERE topic = %(topic)s;
