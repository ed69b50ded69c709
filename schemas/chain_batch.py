"""The Avro schema of what a chain reader sends: the envelope of ``ledger.normalized``, and its own events. Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ft.schemas.codec import schema_text


def batch_schema(name: str, event: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One block's events for one partition, or a control record, as ``ledger.normalized`` has them.

    ``name``: of the record. ``event``: the fields of one event.
    """
    whole = json.loads(schema_text("normalized_batch"))
    envelope = [field for field in whole["fields"] if not isinstance(field["type"], dict)]
    items = {"type": "record", "name": f"{name}Event", "fields": list(event)}
    events = {"name": "events", "type": {"type": "array", "items": items}, "default": []}
    return {
        "type": "record",
        "name": name,
        "namespace": whole["namespace"],
        "doc": "One block's events for one partition, or a control record.",
        "fields": [*envelope, events],
    }
