"""Networks are configuration: the built-in ones (networks.toml) and those of the file that ``FT_NETWORKS`` names."""

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from ft.access.node_urls import node_url
from ft.contracts import Contract, read_contracts
from ft.errors import ConfigError

FAMILIES: Final = ("evm", "ton")
TAGS: Final = ("safe", "finalized", "latest")
_SLUG: Final = re.compile(r"[a-z][a-z0-9-]{0,31}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How one finality mark is found: by the node's tag where it answers one, else so many blocks below its head."""

    tag: str | None
    """``safe``, ``finalized`` or ``latest``; None: never asked, depth rules."""
    depth: int
    """Blocks below the node's head; used where there is no tag or the node does not answer it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """One chain, and how to read it."""

    slug: str
    family: str
    chain_id: int | None
    rpc_urls: tuple[str, ...] = ()
    """Providers in the order of preference; http(s):// for requests, ws(s):// for new heads."""
    confirmed: Mark
    finalized: Mark
    start_block: int = 0
    """First height that full coverage needs."""
    block_time_s: float = 12.0
    """Usual seconds between blocks: how often a follower asks where nothing pushes."""
    proof: str = "receipts"
    """``receipts``: receiptsRoot is recomputed. ``logs``: this chain's root is not Ethereum's, logsBloom is checked."""
    logs_window: int = 1
    """Blocks that one eth_getLogs of the fallback may span; 1 asks by block hash."""
    state_sync: bool = False
    """Whether blocks carry a receipt outside of receiptsRoot (Polygon's state sync)."""
    requests_per_s: float | None = None
    """Requests a second that one provider is asked at most; 0: no limit; None: no limit on loopback, else 50."""
    batch_max: int = 20
    """JSON-RPC requests in one HTTP request, at most; 1 turns batches off."""
    transaction_hashes_repeat: bool = True
    """Whether one transaction hash may stand in two live blocks: ids are then looked for before they are given out."""
    marketplaces: Mapping[str, str] = field(default_factory=dict)
    """Address -> name."""
    contracts: Mapping[str, Contract] = field(default_factory=dict)
    """Address (lower case) -> how a contract older than the token standards logs its movements."""


def load_networks(networks_file: Path | None = None) -> dict[str, Network]:
    """Every known network by slug. Raises ConfigError naming file, network and key of what cannot be read.

    The shipped list of old contracts belongs to a chain, not to a slug: a network of the file gets the list of the
    built-in network of its chain id, and its own entries stand above it.
    """
    found = _parse(tomllib.loads((files("ft") / "networks.toml").read_text()), "networks.toml")
    if networks_file is None:
        return found
    shipped = {network.chain_id: network.contracts for network in found.values()}
    for slug, network in _parse(_read(networks_file), str(networks_file)).items():
        known = {} if network.chain_id is None else shipped.get(network.chain_id, {})
        found[slug] = replace(network, contracts={**known, **network.contracts})
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except OSError as exc:
        raise ConfigError(f"FT_NETWORKS: expected a readable TOML file, got {path}: {exc.strerror}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigError(f"FT_NETWORKS: {path} is not TOML: {exc}") from exc


def _parse(document: Mapping[str, Any], source: str) -> dict[str, Network]:
    """Accepts ``[[networks]]`` with a slug each, or one table a network: ``[networks.<slug>]`` or ``[<slug>]``."""
    listed = document.get("networks", document)
    if isinstance(listed, list):
        tables = [(str(table.get("slug", "")), table) for table in listed]
    else:
        tables = [(str(slug), table) for slug, table in listed.items()]
    networks = [_network(slug, table, source) for slug, table in tables]
    return {network.slug: network for network in networks}


def _network(slug: str, table: object, source: str) -> Network:
    where = f"{source}: network {slug!r}"
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where}: expected a table, got {table!r}")
    slug = str(table.get("slug", slug))
    if not _SLUG.match(slug):
        raise ConfigError(
            f"{where}: slug: expected at most 32 lower-case letters, digits and dashes, a letter first, got {slug!r}"
        )
    known = set(Network.__dataclass_fields__) | {"finality", "name"}
    if unknown := set(table) - known:
        raise ConfigError(f"{where}: expected the keys {', '.join(sorted(known))}, got {', '.join(sorted(unknown))}")
    family = table.get("family", "evm")
    if family not in FAMILIES:
        raise ConfigError(f"{where}: family: expected one of {', '.join(FAMILIES)}, got {family!r}")
    confirmed, finalized = _marks(_typed(table, "finality", (Mapping,), {}, where), where)
    return Network(
        slug=slug,
        family=family,
        chain_id=_typed(table, "chain_id", (int,), None, where),
        rpc_urls=_urls(table.get("rpc_urls", ()), where),
        confirmed=confirmed,
        finalized=finalized,
        start_block=_typed(table, "start_block", (int,), 0, where),
        block_time_s=float(_above_zero(table, "block_time_s", (int, float), 12.0, where)),
        proof=_one_of(table, "proof", "receipts", ("receipts", "logs"), where),
        logs_window=_above_zero(table, "logs_window", (int,), 1, where),
        state_sync=_typed(table, "state_sync", (bool,), False, where),
        requests_per_s=_typed(table, "requests_per_s", (int, float), None, where),
        batch_max=_above_zero(table, "batch_max", (int,), 20, where),
        transaction_hashes_repeat=_typed(table, "transaction_hashes_repeat", (bool,), True, where),
        marketplaces=_marketplaces(table.get("marketplaces", {}), where),
        contracts=read_contracts(table.get("contracts", {}), where),
    )


def _marks(finality: Mapping[str, Any], where: str) -> tuple[Mark, Mark]:
    """Confirmed and finalized. What is final is confirmed, so the latter lies at least as deep."""
    finalized = _mark(finality, "finalized", "finalized", 64, where)
    confirmed = _mark(finality, "confirmed", "safe", min(12, finalized.depth), where)
    if confirmed.depth > finalized.depth:
        raise ConfigError(
            f"{where}: finality: expected confirmed no deeper than finalized, which is {finalized.depth} blocks below "
            f"the head, got {confirmed.depth}: lower confirmed (or confirmed_depth), or raise finalized (or "
            "finalized_depth)"
        )
    return confirmed, finalized


def _mark(finality: Mapping[str, Any], name: str, tag: str, depth: int, where: str) -> Mark:
    """``confirmed = "safe"`` asks the tag, ``confirmed = 16`` counts blocks, ``confirmed_depth`` is the fallback."""
    value = finality.get(name, tag)
    fallback = _typed(finality, f"{name}_depth", (int,), depth, where)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return Mark(tag=None, depth=value)
    if value == "depth":
        return Mark(tag=None, depth=fallback)
    if value in TAGS:
        return Mark(tag=value, depth=fallback)
    raise ConfigError(f"{where}: finality.{name}: expected a depth, or one of {', '.join(TAGS)}, depth; got {value!r}")


def _urls(value: object, where: str) -> tuple[str, ...]:
    urls = [value] if isinstance(value, str) else value
    if not isinstance(urls, list | tuple) or not all(isinstance(url, str) for url in urls):
        raise ConfigError(f"{where}: rpc_urls: expected a list of URLs, got {type(value).__name__}")
    return tuple(node_url(url, f"{where}: rpc_urls, number {number}") for number, url in enumerate(urls, 1))


def _marketplaces(value: object, where: str) -> dict[str, str]:
    if isinstance(value, Mapping):
        return {str(address).lower(): str(name) for address, name in value.items()}
    if not isinstance(value, list):
        raise ConfigError(f"{where}: marketplaces: expected a table address = name or a list, got {value!r}")
    found = {}
    for item in value:
        address, name = (item.get("address"), item.get("name", "")) if isinstance(item, Mapping) else (item, "")
        if not isinstance(address, str):
            raise ConfigError(f"{where}: marketplaces: expected addresses, got {item!r}")
        found[address.lower()] = str(name) or address.lower()
    return found


def _typed(table: Mapping[str, Any], key: str, kinds: tuple[type, ...], default: Any, where: str) -> Any:
    value = table.get(key, default)
    if value is default:
        return value
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        wanted = " or ".join(kind.__name__ for kind in kinds)
        raise ConfigError(f"{where}: {key}: expected {wanted}, got {value!r}")
    if isinstance(value, int | float) and not isinstance(value, bool) and value < 0:
        raise ConfigError(f"{where}: {key}: expected a number of at least 0, got {value!r}")
    return value


def _above_zero(table: Mapping[str, Any], key: str, kinds: tuple[type, ...], default: Any, where: str) -> Any:
    value = _typed(table, key, kinds, default, where)
    if not 0 < value < math.inf:
        raise ConfigError(f"{where}: {key}: expected a number above 0, got {value!r}")
    return value


def _one_of(table: Mapping[str, Any], key: str, default: str, allowed: tuple[str, ...], where: str) -> str:
    value = table.get(key, default)
    if value not in allowed:
        raise ConfigError(f"{where}: {key}: expected one of {', '.join(allowed)}, got {value!r}")
    return str(value)
