"""Where the nodes of a network are named: on the command line, in a file, in the environment, in the network's file.

A provider's URL often holds a key, so it is shown by nobody, neither here nor in a message: a command line is read by
every user of a machine, a file or an environment is not.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from ft.access.node_urls import PREFIX, node_url, split
from ft.errors import ConfigError
from ft.networks import Network


def variable(network: str) -> str:
    """The environment variable that names a network's nodes: ``FT_RPC_POLYGON_AMOY`` of ``polygon-amoy``."""
    return PREFIX + network.upper().replace("-", "_")


def read_file(file: Path) -> tuple[str, ...]:
    """The URLs in a file, one a line, in the order of preference; empty lines and those that begin with # are skipped.

    Raises ConfigError for a file that cannot be read, that has none, or a line that is no URL.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8 text"
        raise ConfigError(
            f"--rpc-file: {file} cannot be read ({why}): expected a file with a node's URL a line"
        ) from exc
    numbered = [(number, line.strip()) for number, line in enumerate(lines, 1)]
    urls = [(f"{file}, line {number}", line) for number, line in numbered if line and not line.startswith("#")]
    if not urls:
        raise ConfigError(f"--rpc-file: {file}: expected a node's URL a line, got none")
    return tuple(node_url(url, where) for where, url in urls)


def providers_of(
    network: Network, given: Sequence[str], file: Path | None, environ: Mapping[str, str]
) -> tuple[str, ...]:
    """The network's nodes, in the order of preference: those of the command line, then those of the file; where there
    are neither, the environment's, else the network's own ``rpc_urls``; may be none.

    ``environ``: as :func:`from_environment` has read it. Raises ConfigError.
    """
    urls = (*(node_url(url, "--rpc") for url in given), *(read_file(file) if file is not None else ()))
    name = variable(network.slug)
    return urls or split(environ.get(name, ""), name) or network.rpc_urls


def require_http(network: Network, urls: Sequence[str]) -> tuple[str, ...]:
    """Those that can be asked: the others (ws, wss) only tell of new heads. Raises ConfigError where there is none."""
    http = tuple(url for url in urls if url.startswith(("http://", "https://")))
    if not http:
        got = f"{len(urls)} that only tell of new heads (ws, wss)" if urls else "none"
        raise ConfigError(
            f"{network.slug}: expected at least one http(s) provider, got {got}. Set {variable(network.slug)}, give "
            "--rpc-file or --rpc, or name rpc_urls of the network in the file that FT_NETWORKS names."
        )
    return http


def require_known(environ: Mapping[str, str], networks: Collection[str]) -> None:
    """Raises ConfigError for a variable that names nodes of no network: it would be read by nobody."""
    names = {variable(network) for network in networks}
    if unknown := sorted(set(environ) - names):
        raise ConfigError(
            f"{', '.join(unknown)}: expected {PREFIX} and a network in capitals ({', '.join(sorted(names))}), "
            "which this is not. Correct it, or name the network in the file that FT_NETWORKS names."
        )
