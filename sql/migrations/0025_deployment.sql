-- What this deployment is, written by the first `ft migrate` here and on the topic system.deployment (streams/deployment.py).
CREATE TABLE system.deployment (
    one          boolean PRIMARY KEY DEFAULT true CHECK (one),
    id           uuid NOT NULL,
    epoch        integer NOT NULL DEFAULT 0,        -- rises with every restore
    topic_prefix text NOT NULL,
    cluster_id   text NOT NULL,                     -- of the Kafka that its topics are in
    announced    boolean NOT NULL DEFAULT false,    -- whether the topic has said so
    made_at      timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT, UPDATE ON system.deployment TO ft_writer;
