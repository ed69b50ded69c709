"""Kafka and the schema registry, as everything else uses them: no Faust in here, and no database."""
