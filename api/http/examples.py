"""Examples of the OpenAPI document: what the API of `ft demo` answered (tests/devnet/examples.py writes them anew)."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final

from litestar.openapi.spec import OpenAPIResponse, Operation, Parameter
from msgspec import Raw, Struct, json


class Examples(Struct, frozen=True, kw_only=True):
    """Values of parameters by name, and answers by operation and status: raw, for the framework leaves out nulls."""

    parameters: Mapping[str, Any]
    answers: Mapping[str, Mapping[str, Raw]]


EXAMPLES: Final = json.decode(files("ft.api.http").joinpath("examples.json").read_bytes(), type=Examples)


def illustrate(operation: Operation) -> None:
    """Put the examples where the document has their place: an answer has one, and most parameters."""
    for parameter in operation.parameters or []:
        if isinstance(parameter, Parameter):
            parameter.example = EXAMPLES.parameters.get(parameter.name)
    answers = EXAMPLES.answers.get(operation.operation_id or "", {})
    for status, response in (operation.responses or {}).items():
        if isinstance(response, OpenAPIResponse):
            for content in (response.content or {}).values():
                content.example = answers.get(status)
