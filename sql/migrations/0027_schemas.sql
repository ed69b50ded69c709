-- The schemas that the registry gave ids out for: whoever has them reads the log without it (streams/schema_ids.py).
CREATE TABLE system.schemas (
    id      integer NOT NULL,
    subject text NOT NULL,
    version integer NOT NULL,                       -- of the subject
    schema  text NOT NULL,                          -- as it was registered
    kept_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, subject)
);
GRANT SELECT, INSERT ON system.schemas TO ft_writer;
