"""``/schema``: OpenAPI 3.1 as JSON, and as one page of HTML that loads nothing from anywhere."""

import re
from html import escape
from typing import Any, Final

from litestar import MediaType, Request, Response, Router, get
from litestar.openapi.spec import OpenAPI, OpenAPIResponse, OpenAPIType, Operation, Parameter, Reference, Schema
from msgspec import Raw, json

from ft.api.http.examples import illustrate

_MEDIA_TYPE: Final = "application/vnd.oai.openapi+json"
_SCHEMAS: Final = "#/components/schemas/"
_GENERIC: Final = re.compile(r"(\w+)_(?:\w+[.])*(\w+?)(?:Answer)?_\Z")
_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "code{background:#f2f2f2;padding:.1em .3em;border-radius:3px}"
    "pre{background:#f2f2f2;padding:.5rem;white-space:pre-wrap;overflow-wrap:anywhere}"
    "h2{margin-top:2.5rem;border-top:1px solid #ddd;"
    "padding-top:1rem}table{border-collapse:collapse}td{padding:.2rem .8rem .2rem 0;vertical-align:top}"
    "@media(max-width:40rem){body{margin:1rem auto}h2{overflow-wrap:anywhere}table{display:block;overflow-x:auto}}"
)


@get(["/", "/openapi.json"], include_in_schema=False)
async def document(request: Request[Any, Any, Any]) -> Response[bytes]:
    """JSON, unless a browser asks for the bare path."""
    schema = request.app.openapi_schema.to_schema()
    wants_page = "text/html" in request.headers.get("accept", "") and not request.url.path.endswith(".json")
    if wants_page:
        return Response(_page(schema).encode(), media_type=MediaType.HTML)
    return Response(json.encode(schema), media_type=_MEDIA_TYPE)


def amend(schema: OpenAPI) -> None:
    """Takes back what the framework says of every path: a 400 of its own, that parameters may be null, and names of
    shapes that are those of modules; and adds the examples."""
    for item in (schema.paths or {}).values():
        operation = item.get
        if operation is None:
            continue
        refused = (operation.responses or {}).get("400")
        if operation.responses and isinstance(refused, OpenAPIResponse) and MediaType.JSON in (refused.content or {}):
            del operation.responses["400"]
        for parameter in operation.parameters or []:
            if isinstance(parameter, Parameter) and isinstance(parameter.schema, Schema):
                _present(parameter.schema)
        _rename_answers(operation)
        illustrate(operation)
    if schema.components.schemas:
        named = {_named(name): shape for name, shape in schema.components.schemas.items()}
        schema.components.schemas = dict(sorted(named.items()))


def _named(shape: str) -> str:
    """`Page_ft.api.answers.Transfer_` -> `TransferPage`."""
    return _GENERIC.sub(r"\2\1", shape)


def _rename_answers(operation: Operation) -> None:
    """Pages are answers and part of nothing: only answers refer to them."""
    for response in (operation.responses or {}).values():
        for content in ((response.content or {}) if isinstance(response, OpenAPIResponse) else {}).values():
            if isinstance(content.schema, Reference):
                content.schema = Reference(_SCHEMAS + _named(content.schema.ref.removeprefix(_SCHEMAS)))


def _present(schema: Schema) -> None:
    """A parameter is there or it is not: no schema of one is null, by its type or by its words."""
    some = [each for each in schema.one_of or [] if isinstance(each, Schema) and each.type != OpenAPIType.NULL]
    if len(some) == 1:
        schema.one_of, schema.type = None, some[0].type
    if schema.enum is not None:
        schema.enum = [each for each in schema.enum if each is not None]
    if isinstance(schema.type, list):
        kinds = [each for each in schema.type if each != OpenAPIType.NULL]
        schema.type = kinds[0] if len(kinds) == 1 else kinds


router: Final = Router("/schema", route_handlers=[document])


def _page(schema: dict[str, Any]) -> str:
    operations = [
        _operation(method, path, operation)
        for path, item in schema["paths"].items()
        for method, operation in item.items()
        if isinstance(operation, dict)
    ]
    info, shapes = schema["info"], schema["components"]["schemas"]
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width, initial-scale=1'>"
        f"<title>{escape(info['title'])} API</title>"
        f"<style>{_STYLE}</style><h1>{escape(info['title'])} API {escape(info['version'])}</h1>"
        f"<p>{_text(info.get('description', ''))}</p>"
        '<p>For programs: <a href="/schema/openapi.json"><code>/schema/openapi.json</code></a> (OpenAPI 3.1).</p>'
        f"{''.join(operations)}{''.join(_shape(*each) for each in sorted(shapes.items()))}</html>"
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    parameters = "".join(
        f"<tr><td><code>{escape(each['name'])}</code><td>{escape(each['in'])}<td>{_text(each.get('description', ''))}"
        f"{_such_as(each)}"
        for each in operation.get("parameters", [])
    )
    responses = "".join(
        f"<tr><td><code>{escape(status)}</code><td>{_content(answer)}<td>{_text(answer.get('description', ''))}"
        f"{_example(answer)}"
        for status, answer in operation.get("responses", {}).items()
    )
    return (
        f"<h2><code>{escape(method.upper())} {escape(path)}</code></h2>"
        f"<p><b>{escape(operation.get('summary', ''))}.</b> {_text(operation.get('description', ''))}</p>"
        f"<table>{parameters}</table><h3>Answers</h3><table>{responses}</table>"
    )


def _content(answer: dict[str, Any]) -> str:
    """What an answer holds, where that is a shape."""
    return "".join(_kind(each.get("schema", {})) for each in answer.get("content", {}).values())


def _such_as(parameter: dict[str, Any]) -> str:
    return f" Such as <code>{escape(str(parameter['example']))}</code>." if "example" in parameter else ""


def _example(answer: dict[str, Any]) -> str:
    """One that was answered, folded up."""
    shown = [each["example"] for each in answer.get("content", {}).values() if "example" in each]
    return "".join(
        f"<details><summary>Example</summary><pre>{escape(_laid_out(each))}</pre></details>" for each in shown
    )


def _laid_out(example: Raw) -> str:
    value = json.decode(example)
    return value if isinstance(value, str) else json.format(json.encode(value)).decode()


def _shape(name: str, schema: dict[str, Any]) -> str:
    """The fields of one shape that answers have."""
    fields = "".join(
        f"<tr><td><code>{escape(field)}</code><td>{_kind(each)}<td>{_text(each.get('description', ''))}"
        for field, each in schema.get("properties", {}).items()
    )
    head = f"<h2 id='{escape(name)}'>{escape(name)}</h2><p>{_text(schema.get('description', ''))}</p>"
    return f"{head}<table>{fields}</table>"


def _kind(schema: dict[str, Any]) -> str:
    """What a value is, in a few words: another shape, one of some, a list of such, a type."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rsplit("/", 1)[-1])
        return f"<a href='#{name}'>{name}</a>"
    if alternatives := schema.get("oneOf") or schema.get("anyOf"):
        return " or ".join(_kind(each) for each in alternatives)
    if "enum" in schema:
        return " or ".join(f"<code>{escape(str(each))}</code>" for each in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    kinds = schema.get("type", "")
    return escape(" or ".join(kinds) if isinstance(kinds, list) else schema.get("format", kinds))


def _text(text: str) -> str:
    """Escaped, with `code` as code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))
