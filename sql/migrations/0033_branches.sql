-- Which raw record a block came with: a partition that has not got so far is of another branch at its height.
CREATE OR REPLACE VIEW projection.blocks AS
SELECT network, number, hash, time, raw_offset AS position FROM ingest.blocks WHERE state = 'canonical';

-- What accounts had of ids that another account holds alone now.
CREATE VIEW projection.covered_balances AS SELECT network, contract, token_id, account, quantity FROM ledger.covered_balances;
GRANT SELECT ON projection.covered_balances TO ft_api;

-- What the API says of a database amid a restore: which command goes on with it.
CREATE OR REPLACE VIEW projection.deployment AS
SELECT id, epoch, topic_prefix, (SELECT value::json ->> 'command' FROM system.settings WHERE name = 'recovery') AS unfinished
FROM system.deployment;
