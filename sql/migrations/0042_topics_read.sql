-- Which topics were read or written, for the API: whether Kafka has those very ones still.
CREATE VIEW projection.topics_read AS
SELECT DISTINCT topic, '' AS network, topic_id FROM system.partition_owner WHERE topic_id <> ''
UNION ALL
SELECT '' AS topic, network, topic_id FROM ingest.leases WHERE topic_id <> '';
GRANT SELECT ON projection.topics_read TO ft_api;
