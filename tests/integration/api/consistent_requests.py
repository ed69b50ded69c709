"""Hooks of schemathesis, which schemathesis.toml names: what the OpenAPI document cannot say, because one parameter
decides what another may be.

A request that is generated as a right one is made consistent; one that is wrong on purpose stays as it is.
"""

import re
from typing import Any, Final
from urllib.parse import unquote

import schemathesis
from schemathesis import Case, GenerationMode, HookContext

from tests.integration.api.world import NETWORK

_ADDRESSES: Final = ("contract", "account", "sender", "receiver")
_MIN_BLOCK: Final = "X-Min-Block"
_CHECKED: Final = re.compile(r"(?:^|:)[A-Za-z0-9_+/-]{48}\Z")


@schemathesis.hook
def filter_case(context: HookContext, case: Case[Any]) -> bool:
    """Leave out addresses of TON in their 48 characters: they end with a checksum."""
    values = [*map(str, (case.query or {}).values()), *_in_path(case)]
    return _is_wrong(case) or not any(map(_CHECKED.search, values))


@schemathesis.hook
def map_case(context: HookContext, case: Case[Any]) -> Case[Any]:
    """One network, asset and moment, ranges in order; and no cursor, which belongs to the page before."""
    if _is_wrong(case):
        return case
    query = case.query or {}
    query.pop("cursor", None)
    if "at_block" in query:
        query.pop("at_time", None)
    if {"block_from", "block_to"} <= query.keys():
        query["block_from"], query["block_to"] = sorted((query["block_from"], query["block_to"]), key=int)
    if {"time_from", "time_to"} <= query.keys():
        query["time_to"] = query["time_from"]  # their order is not that of their texts: each may have another offset
    if case.path == "/api/v1/transfers" and "asset" not in query:
        query.setdefault("network", next(filter(None, map(_network_of, map(query.get, _ADDRESSES))), NETWORK))
    on = _of_one_network(query, _in_path(case))
    if case.headers and _MIN_BLOCK in case.headers:
        if on == NETWORK:
            case.headers[_MIN_BLOCK] = f"{on}:1"
        else:
            del case.headers[_MIN_BLOCK]  # two seconds would be waited for a block that does not come
    case.query = query
    return case


def _in_path(case: Case[Any]) -> list[str]:
    """Values of the path, as the API reads them."""
    return [unquote(str(value)) for value in (case.path_parameters or {}).values()]


def _of_one_network(query: dict[str, Any], ids: list[str]) -> str | None:
    """Which network the request is about; what is about another one goes."""
    on = next(filter(None, map(_network_of, ids)), None)
    if on is not None or not all(map(_is_evm, ids)):
        query.pop("network", None)
    if "asset" in query:
        query.pop("contract", None)
        on = query.get("network", on) or _network_of(query["asset"])
        if _network_of(query["asset"]) != on:
            del query["asset"]
    on = query.get("network", on)
    for name in _ADDRESSES:
        named = _network_of(query.get(name))
        on = on or named
        if named not in (None, on) or (named is None and on is not None and not _is_evm(query.get(name, "0x"))):
            del query[name]
    return on


def _network_of(value: object) -> str | None:
    """That an id or an address names."""
    prefix, colon, _ = str(value).partition(":")
    return prefix if colon and prefix[:1].isalpha() else None


def _is_evm(value: object) -> bool:
    """Whether an address is written as on most networks; the others' forms are not those of one that is named."""
    return str(value).lower().startswith("0x")


def _is_wrong(case: Case[Any]) -> bool:
    return case.meta is not None and case.meta.generation.mode != GenerationMode.POSITIVE
