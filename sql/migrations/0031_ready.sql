-- What the API compares with its own settings: a deployment has one prefix.
CREATE VIEW projection.deployment AS SELECT id, epoch, topic_prefix FROM system.deployment;
GRANT SELECT ON projection.deployment TO ft_api, ft_writer;
