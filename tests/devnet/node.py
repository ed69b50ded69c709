"""A running anvil: a real EVM node on a free loopback port, mined, reorganised and stopped by the test.

By default block times start at 2026-01-01 and go by 2 s whatever the clock says, so the same calls give the
same block hashes in every run.
"""

import json
import os
import re
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NewType, Self

import msgspec

from tests.devnet.packages import DevnetError, anvil_binary

TxHash = NewType("TxHash", str)
Address = NewType("Address", str)
"""Lower-case hex with 0x, as ft stores it."""

CHAIN_ID: Final = 31337
GENESIS_TIME: Final = 1767225600
"""2026-01-01T00:00:00Z, unix seconds."""
MNEMONIC: Final = "test test test test test test test test test test test junk"
_LISTENING: Final = re.compile(r"Listening on 127\.0\.0\.1:(\d+)")
_DEADLINE_S: Final = 30.0


class RpcError(DevnetError):
    """The node answered with an error."""


class _Reply(msgspec.Struct):
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reorg:
    """What :meth:`Anvil.reorg` did: heights ``ancestor + 1 .. ancestor + depth`` have other blocks now."""

    depth: int
    ancestor: int
    undone: tuple[str, ...]
    """Hashes of the blocks that are gone, lowest first."""
    blocks: tuple[str, ...]
    """Hashes of the blocks in their place, lowest first."""


class Anvil:
    """An anvil process, as a context manager.

    ``automine``: a block a transaction, at once (default); else blocks come by :meth:`mine` only.
    ``block_time_s``: a block every so many seconds by the real clock instead; overrides both.
    ``slots_in_an_epoch``: ``safe`` is that many blocks behind the head, ``finalized`` twice as many. Default 32.
    ``timestamp``: unix seconds of the genesis block; None is now. ``interval_s``: seconds between blocks;
    None is the clock. Raises DevnetError if anvil cannot be installed or does not answer.
    """

    def __init__(
        self,
        *,
        automine: bool = True,
        block_time_s: float | None = None,
        slots_in_an_epoch: int = 32,
        accounts: int = 40,
        timestamp: int | None = GENESIS_TIME,
        interval_s: int | None = 2,
    ) -> None:
        self.automine = automine and block_time_s is None
        self.block_time_s = block_time_s
        self._timestamp = None if block_time_s else timestamp
        self._interval_s = None if block_time_s else interval_s
        self._options = [
            f"--slots-in-an-epoch={slots_in_an_epoch}",
            f"--accounts={accounts}",
            *([f"--block-time={block_time_s:g}"] if block_time_s else []),
            *([] if self.automine or block_time_s else ["--no-mining"]),
            *([f"--timestamp={self._timestamp}"] if self._timestamp is not None else []),
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self._log: Path | None = None
        self.port = 0
        self.accounts: tuple[Address, ...] = ()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def rpc_url(self) -> str:
        """HTTP endpoint."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        """WebSocket endpoint (eth_subscribe)."""
        return f"ws://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Process id; raises DevnetError when it is not running."""
        if self._process is None:
            raise DevnetError("anvil: expected a running process; call start() or use it as a context manager.")
        return self._process.pid

    def start(self) -> None:
        """Start the process and wait until it answers."""
        fd, name = tempfile.mkstemp(prefix="anvil-", suffix=".log")
        self._log = Path(name)
        fixed = ["--port=0", f"--chain-id={CHAIN_ID}", f"--mnemonic={MNEMONIC}", "--hardfork=prague"]
        fixed += ["--gas-limit=100000000", "--order=fifo", "--no-request-size-limit"]
        with os.fdopen(fd, "wb") as log:
            self._process = subprocess.Popen(
                [str(anvil_binary()), *fixed, *self._options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            wait_until(self._found_port, "anvil to listen")
            self.accounts = tuple(Address(account.lower()) for account in self.rpc("eth_accounts"))
            if self._interval_s is not None:
                self.rpc("anvil_setBlockTimestampInterval", self._interval_s)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the process; nothing remains of the chain."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._log is not None:
            self._log.unlink(missing_ok=True)

    def rpc(self, method: str, *params: Any) -> Any:
        """The decoded result of one call. Raises RpcError for an error answer."""
        return msgspec.json.decode(self.rpc_text(method, *params))

    def rpc_text(self, method: str, *params: Any) -> bytes:
        """The result of one call as the node wrote it, byte for byte. Raises RpcError for an error answer."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(self.rpc_url, body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            reply = msgspec.json.decode(response.read(), type=_Reply)
        if reply.error is not None:
            raise RpcError(f"{method}: expected a result, got {reply.error}")
        return bytes(reply.result)

    def head(self) -> int:
        """Height of the latest block."""
        return int(self.rpc("eth_blockNumber"), 16)

    def block(self, at: int | str, *, full: bool = False) -> dict[str, Any]:
        """The block at a height, a tag or a hash. Raises DevnetError where there is none."""
        if isinstance(at, str) and len(at) == 66:
            found = self.rpc("eth_getBlockByHash", at, full)
        else:
            found = self.rpc("eth_getBlockByNumber", hex(at) if isinstance(at, int) else at, full)
        if found is None:
            raise DevnetError(f"anvil: expected a block at {at}, got none.")
        return dict(found)

    def block_hash(self, height: int) -> str:
        """Hash of the canonical block at a height."""
        return str(self.block(height)["hash"])

    def receipt(self, tx: TxHash) -> dict[str, Any] | None:
        """The receipt of a transaction of the canonical chain; None if it is not in a block (any more)."""
        found: dict[str, Any] | None = self.rpc("eth_getTransactionReceipt", tx)
        return found

    def mine(self, blocks: int = 1) -> int:
        """Mine so many blocks, the first with whatever waits in the pool; returns the new height."""
        self.rpc("anvil_mine", hex(blocks))
        return self.head()

    def set_automine(self, on: bool) -> None:
        """Turn the block a transaction on or off."""
        self.rpc("evm_setAutomine", on)
        self.automine = on

    def reorg(self, depth: int, txs: Sequence[tuple[TxHash, int]] = ()) -> Reorg:
        """Replace the newest ``depth`` blocks by as many others.

        ``txs``: transactions that come back, each with the position (0 is the lowest new block) of its block;
        they keep their hashes. All others are gone, and are not in the pool either; an account's later
        transaction cannot come back without its earlier ones (nonces).
        """
        head = self.head()
        if not 0 < depth <= head:
            raise DevnetError(f"reorg: expected a depth from 1 to {head}, got {depth}.")
        if bad := [at for _, at in txs if not 0 <= at < depth]:
            raise DevnetError(f"reorg: expected positions from 0 to {depth - 1}, got {bad}.")
        heights = range(head - depth + 1, head + 1)
        undone = tuple(self.block_hash(height) for height in heights)
        again = [[self.rpc("eth_getRawTransactionByHash", tx), at] for tx, at in txs]
        self.rpc("anvil_reorg", depth, again)
        blocks = tuple(self.block_hash(height) for height in heights)
        return Reorg(depth=depth, ancestor=head - depth, undone=undone, blocks=blocks)

    def _found_port(self) -> bool:
        assert self._process is not None
        assert self._log is not None
        text = self._log.read_text(errors="replace")
        if self._process.poll() is not None:
            raise DevnetError(f"anvil: expected it to run, got exit {self._process.returncode}: {text[-2000:]}")
        if (found := _LISTENING.search(text)) is None:
            return False
        self.port = int(found[1])
        try:
            return bool(self.rpc("eth_chainId") == hex(CHAIN_ID))
        except (urllib.error.URLError, OSError):
            return False


def wait_until(ready: Callable[[], bool], what: str, *, deadline_s: float = _DEADLINE_S) -> None:
    """Ask until it is so. Raises DevnetError after the deadline, with ``what`` was waited for."""
    until = time.monotonic() + deadline_s
    while not ready():
        if time.monotonic() > until:
            raise DevnetError(f"expected {what} within {deadline_s:g} s; it did not happen.")
        time.sleep(0.01)
