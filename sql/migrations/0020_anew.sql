-- A journal that has rows from before holders (0011) gets them by `ft migrate`, which then has all of it announced anew.

-- Where the records of a topic begin that are announced since; no row: at offset 0.
CREATE TABLE system.topic_begins (
    topic     text NOT NULL,
    partition integer NOT NULL,
    "offset"  bigint NOT NULL,
    PRIMARY KEY (topic, partition)
);

GRANT SELECT ON system.topic_begins TO ft_writer;

-- How far that is (agents/anew/state.py); no row: it is done, or there was nothing to do.
INSERT INTO system.settings (name, value)
SELECT 'holders', '{"step": "journal"}' WHERE EXISTS (SELECT FROM ledger.events);
