-- What the API compares with Kafka and the registry, as everything else does that runs (api/identity.py).
CREATE OR REPLACE VIEW projection.deployment AS
SELECT id, epoch, topic_prefix, (SELECT value::json ->> 'command' FROM system.settings WHERE name = 'recovery') AS unfinished,
       cluster_id, announced
FROM system.deployment;
CREATE VIEW projection.schemas AS SELECT id, subject, version, schema FROM system.schemas;
CREATE VIEW projection.generations AS SELECT generation, parent, began_at FROM system.generations;
CREATE VIEW projection.journal_ends AS
SELECT partition, next_seq - 1 AS seq FROM system.partition_owner WHERE consumer = 'ledger';
CREATE VIEW projection.put_aside AS SELECT topic, partition, "offset" FROM system.dlq WHERE consumer = 'project';
GRANT SELECT ON projection.schemas, projection.generations, projection.journal_ends, projection.put_aside TO ft_api;
