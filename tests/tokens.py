"""Unsigned tokens (RFC 7519, 6): what Kafka's own validator for development takes."""

import base64
import json


def jwt(**claims: object) -> str:
    """A token with these claims and no signature."""
    return f"{_part({'alg': 'none'})}.{_part(claims)}."


def _part(content: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")
