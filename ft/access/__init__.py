"""How ft logs in: to Kafka, Postgres and the registry; certificates, tokens, URLs that hold a key."""
