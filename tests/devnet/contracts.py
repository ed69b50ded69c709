"""Real contracts on the devnet, to deploy and to call: OpenZeppelin ERC-721, 1155 and 20, ERC721A, two small odd ones.

    with Anvil() as node:
        devnet = Devnet(node)
        alice, bob = devnet.accounts[:2]
        apes = devnet.erc721()
        token = apes.mint(alice)
        apes.transfer(alice, bob, token)
        assert apes.owner_of(token) == bob

Every sending method returns the transaction's hash. A transaction that fails raises DevnetError: at once where
each is mined at once, at :meth:`Devnet.seal` where blocks are mined by hand.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from eth_abi.abi import decode, encode
from eth_abi.grammar import TupleType, parse
from eth_utils.crypto import keccak

from tests.devnet.node import Address, Anvil, RpcError, TxHash, wait_until
from tests.devnet.packages import DevnetError, bytecode

ZERO: Final = Address("0x" + "00" * 20)
_MINTER_ROLE: Final = keccak(text="MINTER_ROLE")
_FEES: Final = {"maxFeePerGas": hex(100 * 10**9), "maxPriorityFeePerGas": hex(10**9)}
_GAS: Final = 15_000_000
"""Limit of every transaction: ERC721A may look 2,000 slots back for an owner."""


def call_data(signature: str, *arguments: Any) -> bytes:
    """ABI-encoded call of ``name(type,...)``."""
    return keccak(text=signature)[:4] + encode(_types(signature), arguments)


@cache
def _types(signature: str) -> list[str]:
    arguments = signature[signature.index("(") :]
    if arguments == "()":
        return []
    inputs = parse(arguments)
    assert isinstance(inputs, TupleType)
    return [component.to_type_str() for component in inputs.components]


class Devnet:
    """Sends and reads on one node. ``accounts`` are the node's unlocked, funded accounts, in a fixed order."""

    def __init__(self, node: Anvil) -> None:
        self.node = node
        self.accounts = node.accounts
        self._waiting: list[TxHash] = []

    def send(self, sender: Address, to: Address | None, data: bytes = b"", *, value: int = 0) -> TxHash:
        """Send a transaction from an unlocked account; ``value`` in wei. Raises DevnetError if it fails."""
        request = {"from": sender, "data": "0x" + data.hex(), "value": hex(value), "gas": hex(_GAS), **_FEES}
        if to is not None:
            request["to"] = to
        tx = TxHash(self.node.rpc("eth_sendTransaction", request))
        if self.node.automine:
            self.wait(tx)
        else:
            self._waiting.append(tx)
        return tx

    def call(self, to: Address, signature: str, *arguments: Any, returns: str, block: int | str = "latest") -> Any:
        """The one value that a view function returns, addresses in lower case. Raises RpcError if it reverts."""
        request = {"to": to, "data": "0x" + call_data(signature, *arguments).hex()}
        answer = self.node.rpc("eth_call", request, hex(block) if isinstance(block, int) else block)
        (value,) = decode([returns], bytes.fromhex(answer[2:]))
        return Address(value.lower()) if returns == "address" else value

    def wait(self, tx: TxHash) -> dict[str, Any]:
        """The receipt, once the transaction is in a block. Raises DevnetError if it failed or does not come."""
        wait_until(lambda: self.node.receipt(tx) is not None, f"transaction {tx} to be mined")
        receipt = self.node.receipt(tx)
        if receipt is None or receipt["status"] != "0x1":
            status = receipt and receipt["status"]
            raise DevnetError(f"transaction {tx}: expected status 0x1, got {status}: the contract reverted it.")
        return receipt

    def seal(self) -> int:
        """Mine one block with everything that waits; returns its height. Raises DevnetError if a transaction failed."""
        waiting, self._waiting = self._waiting, []
        height = self.node.mine()
        for tx in waiting:
            if int(self.wait(tx)["blockNumber"], 16) != height:
                raise DevnetError(f"transaction {tx}: expected it in block {height}.")
        return height

    @contextlib.contextmanager
    def block(self) -> Iterator[None]:
        """Everything sent inside goes, in this order, into one block, mined at the end."""
        before = self.node.automine
        self.node.set_automine(False)
        try:
            yield
            self.seal()
        finally:
            self.node.set_automine(before)

    def deploy(self, contract: str, constructor: str = "()", *arguments: Any, sender: Address | None = None) -> Address:
        """Create a contract (see packages.bytecode); mines a block. Returns its address."""
        code = bytecode(contract) + encode(_types(constructor), arguments)
        tx = self.send(sender or self.accounts[0], None, code)
        if not self.node.automine and self.node.block_time_s is None:
            self.seal()
        return Address(self.wait(tx)["contractAddress"].lower())

    def erc721(self, name: str = "Apes", symbol: str = "APE") -> "Erc721":
        """A new OpenZeppelin ERC-721; token ids count from 0. The first account may mint."""
        uri = f"ipfs://{name.lower()}/"
        return Erc721(self, self.deploy("ERC721", "(string,string,string)", name, symbol, uri))

    def erc1155(self, uri: str = "ipfs://items/{id}") -> "Erc1155":
        """A new OpenZeppelin ERC-1155. The first account may mint."""
        return Erc1155(self, self.deploy("ERC1155", "(string)", uri))

    def erc721a(self, owner: Address, quantity: int) -> "Erc721A":
        """A new ERC721A whose tokens 0 to quantity - 1 are minted to ``owner`` by ERC-2309 (at most 5,000)."""
        return Erc721A(self, self.deploy("Drop", "(address,uint256)", owner, quantity))

    def erc20(self) -> "Erc20":
        """A new OpenZeppelin ERC-20: its Transfer has the topic of ERC-721's. The first account may mint."""
        return Erc20(self, self.deploy("ERC20", "(string,string)", "Coin", "COIN"))

    def emitter(self) -> "Emitter":
        """A new contract that emits any log."""
        return Emitter(self, self.deploy("Emitter"))

    def switch(self) -> "Switch":
        """A new contract that passes calls on to the contract it points at."""
        return Switch(self, self.deploy("Switch"))


@dataclass(frozen=True, slots=True)
class Contract:
    """A deployed contract."""

    devnet: Devnet
    address: Address

    def transact(self, sender: Address, signature: str, *arguments: Any, value: int = 0) -> TxHash:
        """Call a function in a transaction; ``value`` in wei."""
        return self.devnet.send(sender, self.address, call_data(signature, *arguments), value=value)

    def read(self, signature: str, *arguments: Any, returns: str) -> Any:
        """Call a view function at the latest block."""
        return self.devnet.call(self.address, signature, *arguments, returns=returns)

    @property
    def _minter(self) -> Address:
        return self.devnet.accounts[0]


class _Approvable(Contract):
    __slots__ = ()

    def approve_all(self, owner: Address, operator: Address, approved: bool = True) -> TxHash:
        """setApprovalForAll."""
        return self.transact(owner, "setApprovalForAll(address,bool)", operator, approved)


class _Collection(_Approvable):
    """What ERC-721 and ERC721A share."""

    __slots__ = ()

    def transfer(self, sender: Address, to: Address, token: int, *, operator: Address | None = None) -> TxHash:
        """transferFrom; ``operator`` (default: the sender) sends the transaction."""
        return self.transact(operator or sender, "transferFrom(address,address,uint256)", sender, to, token)

    def safe_transfer(self, sender: Address, to: Address, token: int) -> TxHash:
        """safeTransferFrom: a receiving contract must accept it."""
        return self.transact(sender, "safeTransferFrom(address,address,uint256)", sender, to, token)

    def approve(self, owner: Address, spender: Address, token: int) -> TxHash:
        """approve, for one token."""
        return self.transact(owner, "approve(address,uint256)", spender, token)

    def burn(self, owner: Address, token: int) -> TxHash:
        """Burn a token of the owner's."""
        return self.transact(owner, "burn(uint256)", token)

    def owner_of(self, token: int) -> Address | None:
        """The owner now; None if the token is burnt or was never minted."""
        try:
            return Address(self.read("ownerOf(uint256)", token, returns="address"))
        except RpcError:
            return None

    def balance_of(self, account: Address) -> int:
        """How many tokens the account has."""
        return int(self.read("balanceOf(address)", account, returns="uint256"))

    def total_supply(self) -> int:
        """Tokens minted and not burnt."""
        return int(self.read("totalSupply()", returns="uint256"))


class Erc721(_Collection):
    """OpenZeppelin's ERC721PresetMinterPauserAutoId."""

    __slots__ = ()

    def mint(self, to: Address, *, minter: Address | None = None) -> TxHash:
        """Mint the next id: 0, 1, 2, ... in the order of the chain."""
        return self.transact(minter or self._minter, "mint(address)", to)

    def grant_minter(self, account: Address) -> TxHash:
        """Let another account or contract mint."""
        return self.transact(self._minter, "grantRole(bytes32,address)", _MINTER_ROLE, account)


class Erc721A(_Collection):
    """ERC721A, its first run minted by ERC-2309 (solidity/Drop.sol)."""

    __slots__ = ()

    def mint(self, to: Address, quantity: int) -> TxHash:
        """Mint the next ids, a Transfer each. Anybody may."""
        return self.transact(self._minter, "mint(address,uint256)", to, quantity)


class Erc1155(_Approvable):
    """OpenZeppelin's ERC1155PresetMinterPauser. Batches may be empty, repeat ids and hold zero amounts."""

    __slots__ = ()

    def mint(self, to: Address, token: int, amount: int) -> TxHash:
        """TransferSingle from zero."""
        return self.transact(self._minter, "mint(address,uint256,uint256,bytes)", to, token, amount, b"")

    def mint_batch(self, to: Address, tokens: Sequence[int], amounts: Sequence[int]) -> TxHash:
        """TransferBatch from zero."""
        signature = "mintBatch(address,uint256[],uint256[],bytes)"
        return self.transact(self._minter, signature, to, tokens, amounts, b"")

    def transfer(
        self, sender: Address, to: Address, token: int, amount: int, *, operator: Address | None = None
    ) -> TxHash:
        """TransferSingle; ``operator`` (default: the sender) sends the transaction."""
        signature = "safeTransferFrom(address,address,uint256,uint256,bytes)"
        return self.transact(operator or sender, signature, sender, to, token, amount, b"")

    def batch_transfer(self, sender: Address, to: Address, tokens: Sequence[int], amounts: Sequence[int]) -> TxHash:
        """TransferBatch."""
        signature = "safeBatchTransferFrom(address,address,uint256[],uint256[],bytes)"
        return self.transact(sender, signature, sender, to, tokens, amounts, b"")

    def burn(self, owner: Address, token: int, amount: int) -> TxHash:
        """TransferSingle to zero."""
        return self.transact(owner, "burn(address,uint256,uint256)", owner, token, amount)

    def burn_batch(self, owner: Address, tokens: Sequence[int], amounts: Sequence[int]) -> TxHash:
        """TransferBatch to zero."""
        return self.transact(owner, "burnBatch(address,uint256[],uint256[])", owner, tokens, amounts)

    def grant_minter(self, account: Address) -> TxHash:
        """Let another account or contract mint."""
        return self.transact(self._minter, "grantRole(bytes32,address)", _MINTER_ROLE, account)

    def balance_of(self, account: Address, token: int) -> int:
        """How many of one token the account has."""
        return int(self.read("balanceOf(address,uint256)", account, token, returns="uint256"))

    def balances_of(self, accounts: Sequence[Address], token: int) -> dict[Address, int]:
        """Balances above zero of one token."""
        signature = "balanceOfBatch(address[],uint256[])"
        amounts = self.read(signature, accounts, [token] * len(accounts), returns="uint256[]")
        return {account: amount for account, amount in zip(accounts, amounts, strict=True) if amount}


class Erc20(Contract):
    """OpenZeppelin's ERC20PresetMinterPauser."""

    __slots__ = ()

    def mint(self, to: Address, amount: int) -> TxHash:
        """Mint."""
        return self.transact(self._minter, "mint(address,uint256)", to, amount)

    def transfer(self, sender: Address, to: Address, amount: int) -> TxHash:
        """Transfer with three topics."""
        return self.transact(sender, "transfer(address,uint256)", to, amount)


class Emitter(Contract):
    """Emits any log (solidity/Emitter.sol)."""

    __slots__ = ()

    def emit(self, topics: Sequence[bytes], data: bytes = b"", *, sender: Address | None = None) -> TxHash:
        """One log with at most four topics of 32 bytes."""
        return self.transact(sender or self._minter, "emitLog(bytes32[],bytes)", topics, data)


class Switch(Contract):
    """Passes calls on (solidity/Switch.sol): its transactions can mean another contract after a reorg."""

    __slots__ = ()

    def point(self, to: Address, *, sender: Address | None = None) -> TxHash:
        """Choose the contract that :meth:`pass_on` calls from now on."""
        return self.transact(sender or self._minter, "point(address)", to)

    def pass_on(self, signature: str, *arguments: Any, sender: Address | None = None) -> TxHash:
        """Call a function of the contract it points at, as the Switch."""
        return self.transact(sender or self._minter, "pass(bytes)", call_data(signature, *arguments))
