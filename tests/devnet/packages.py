"""What the devnet is made of, from npm: anvil, contract packages and the Solidity compiler, by a lock file.

Anvil for platforms that the lock
file does not hold comes by the same exact version, checked against the registry's own checksum only.
"""

import hashlib
import json
import platform
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from ft.errors import FtError
from tests import npm

ANVIL_VERSION: Final = "1.7.1"
_HERE: Final = Path(__file__).resolve().parent
_OPENZEPPELIN: Final = "@openzeppelin/contracts/build/contracts"
_SEAPORT: Final = "@opensea/seaport-js/src/artifacts/seaport/contracts"
ARTIFACTS: Final = {
    "ERC721": f"{_OPENZEPPELIN}/ERC721PresetMinterPauserAutoId.json",
    "ERC1155": f"{_OPENZEPPELIN}/ERC1155PresetMinterPauser.json",
    "ERC20": f"{_OPENZEPPELIN}/ERC20PresetMinterPauser.json",
    "Seaport": f"{_SEAPORT}/Seaport.sol/Seaport.json",
    "ConduitController": f"{_SEAPORT}/conduit/ConduitController.sol/LocalConduitController.json",
}
"""Contracts that come with bytecode; the others are compiled from solidity/."""


class DevnetError(FtError):
    """The local test chain cannot be installed, started or driven; the message says which."""


@dataclass(frozen=True, slots=True)
class Platform:
    """A platform of anvil, in npm's words."""

    os: str
    cpu: str

    @classmethod
    def here(cls) -> "Platform":
        """This machine. Raises DevnetError where it is none of them."""
        system = {"linux": "linux", "darwin": "darwin"}.get(sys.platform)
        machine = platform.machine().lower()
        cpu = {"x86_64": "amd64", "amd64": "amd64", "arm64": "arm64", "aarch64": "arm64"}.get(machine)
        if system is None or cpu is None:
            raise DevnetError(f"anvil: expected Linux or macOS on x86-64 or arm64, got {sys.platform}, {machine}.")
        return cls(system, cpu)

    @property
    def package(self) -> str:
        """The npm package that holds anvil for this platform."""
        return f"@foundry-rs/anvil-{self.os}-{self.cpu}"


@cache
def modules() -> Path:
    """The node_modules folder, installed on first use. Raises NpmFailed."""
    return npm.modules(_HERE / "npm", _with_anvil)


def anvil_binary() -> Path:
    """The anvil executable of this platform, installed on first use."""
    return modules() / Platform.here().package / "bin" / "anvil"


@cache
def bytecode(contract: str) -> bytes:
    """Creation code of a contract: a name of ARTIFACTS, or a file of solidity/ without its suffix."""
    if contract in ARTIFACTS:
        artifact = json.loads((modules() / ARTIFACTS[contract]).read_text())
        return bytes.fromhex(artifact["bytecode"].removeprefix("0x"))
    return _compiled()[contract]


def _with_anvil(part: Path) -> None:
    package = Platform.here().package
    if not (part / "node_modules" / package).is_dir():
        npm.npm(part, "install", "--no-save", f"{package}@{ANVIL_VERSION}")


@cache
def _compiled() -> dict[str, bytes]:
    """Every contract of solidity/, compiled by solc-js; kept beside the packages under the digest of its input."""
    request = json.dumps(_compiler_input(), sort_keys=True)
    stored = modules().parent / f"solc-{hashlib.sha256(request.encode()).hexdigest()[:16]}.json"
    if not stored.is_file():
        part = stored.with_suffix(f".{id(request)}.part")
        part.write_text(json.dumps(_compile(request)))
        part.rename(stored)
    return {name: bytes.fromhex(code) for name, code in json.loads(stored.read_text()).items()}


def _compile(request: str) -> dict[str, str]:
    script = modules() / "solc" / "solc.js"
    done = subprocess.run(
        [npm.node(), str(script), "--standard-json"], input=request, capture_output=True, text=True, timeout=300
    )
    answer = _json_of(done.stdout)
    errors = [error["formattedMessage"] for error in answer.get("errors", ()) if error["severity"] == "error"]
    if done.returncode != 0 or errors or "contracts" not in answer:
        raise DevnetError(f"solc: expected bytecode, got exit {done.returncode}: {errors or done.stderr[-2000:]}")
    files: dict[str, Any] = answer["contracts"]
    return {path.stem: files[path.name][path.stem]["evm"]["bytecode"]["object"] for path in _sources()}


def _json_of(text: str) -> dict[str, Any]:
    """The compiler prints a line about its callbacks before the JSON."""
    start = text.find("{")
    answer: dict[str, Any] = json.loads(text[start:]) if start >= 0 else {}
    return answer


def _sources() -> list[Path]:
    return sorted((_HERE / "solidity").glob("*.sol"))


def _compiler_input() -> dict[str, Any]:
    library = ("erc721a/contracts/ERC721A.sol", "erc721a/contracts/IERC721A.sol")
    texts = {path.name: path.read_text() for path in _sources()}
    texts.update({name: (modules() / name).read_text() for name in library})
    return {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in texts.items()},
        "settings": {
            "evmVersion": "shanghai",
            "optimizer": {"enabled": True, "runs": 200},
            "metadata": {"bytecodeHash": "none", "appendCBOR": False},
            "outputSelection": {"*": {"*": ["evm.bytecode.object"]}},
        },
    }
