-- What the API may read, and who may do what.
CREATE VIEW projection.ownership_view AS
SELECT network, contract, token_id, account, quantity, since, standard, block_number, log_index, sub_index
FROM market.ownership_current
WHERE quantity > 0
  AND account NOT IN ('', 'addr_none', '0x0000000000000000000000000000000000000000');

CREATE VIEW projection.portfolio_assets AS
SELECT o.network, o.account, o.contract, o.token_id, o.quantity, o.since, o.standard, o.block_number,
       a.uuid, coalesce(a.is_stub, true) AS is_stub
FROM market.ownership_current o
LEFT JOIN catalog.assets a USING (network, contract, token_id)
WHERE o.quantity > 0
  AND o.account NOT IN ('', 'addr_none', '0x0000000000000000000000000000000000000000');

CREATE VIEW projection.transfers AS
SELECT partition, seq, network, block_number, block_hash, block_time, tx_hash, tx_from, contract, topic0, n,
       sub_index, log_index, revision, standard, token_id, "from", "to", operator, quantity
FROM ledger.normalized_events;

CREATE VIEW projection.months AS SELECT month, indexed FROM ledger.months;
CREATE VIEW projection.assets AS SELECT network, contract, token_id, uuid, standard, is_stub, first_seen FROM catalog.assets;
CREATE VIEW projection.networks AS SELECT network, family, chain_id, start_block, confirmed, finalized FROM ref.networks;
CREATE VIEW projection.token_standards AS SELECT standard, family, holding, title FROM ref.token_standards;
CREATE VIEW projection.settings AS SELECT name, value FROM system.settings;

CREATE VIEW projection.heads AS
SELECT consumer, partition, network, position, head_number, head_hash, head_time, safe, finalized, updated_at
FROM system.partition_head;

CREATE VIEW projection.chain_heads AS
SELECT network, head_number, head_hash, head_time, safe, finalized, position FROM ingest.heads;

CREATE VIEW projection.coverage AS SELECT network, "from", "to", proof FROM ingest.coverage;
CREATE VIEW projection.created AS SELECT network, contract, number FROM ingest.created;

-- Holes: what is quarantined on a block that still counts.
CREATE VIEW projection.quarantined AS
SELECT network, contract, block_number, tx_hash, log_index, reason, error, created_at
FROM ingest.quarantine
WHERE state = 'open';

CREATE VIEW projection.findings AS SELECT network, contract, token_id, kind, detail, found_at FROM system.findings;

CREATE VIEW projection.consumers AS
SELECT consumer, topic, partition, epoch, next_offset, next_seq, owner, updated_at FROM system.partition_owner;

CREATE VIEW projection.publishing AS
SELECT c.partition, c.seq, c.blocked, c.updated_at, greatest(o.next_seq - 1 - c.seq, 0) AS unpublished
FROM system.publish_cursor c
JOIN system.partition_owner o ON o.consumer = 'ledger' AND o.partition = c.partition;

CREATE VIEW projection.dead_letters AS
SELECT consumer, topic, reason, count(*) AS open, min(created_at) AS oldest
FROM system.dlq WHERE state = 'open' GROUP BY consumer, topic, reason;

CREATE VIEW projection.ingest_jobs AS
SELECT job, network, next_height, node_head, node_time, updated_at FROM system.sync_cursors;

CREATE VIEW projection.workers AS SELECT worker, agents, metrics_url, started_at, seen_at FROM system.workers;

GRANT USAGE ON SCHEMA ref, ingest, ledger, catalog, market, projection, system TO ft_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ref, ingest, catalog, market, projection, system TO ft_writer;
GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO ft_writer;
GRANT INSERT ON ledger.events, ledger.applied_blocks, ledger.retracted TO ft_writer;
GRANT UPDATE ON ledger.applied_blocks TO ft_writer;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA system, ingest TO ft_writer;
REVOKE EXECUTE ON FUNCTION ledger.ensure_month(timestamptz, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.ensure_month(timestamptz, boolean) TO ft_writer;

GRANT USAGE ON SCHEMA projection TO ft_api;
GRANT SELECT ON ALL TABLES IN SCHEMA projection TO ft_api;
