"""A synthetic EVM chain from a seed: blocks of logs as a node's JSON, with reorgs on demand.

Transactions carry two logs each; one block in twenty creates a contract besides. ERC-721 contracts and ERC-1155
contracts alternate 3 to 1. Every move is possible at its moment, so the model conserves; a reorg re-includes some of
the undone transactions, in another order.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Final

from ft.schemas.events import RawBlock, RawPart
from tests.synthetic.creation import creates, creation, transactions_root
from tests.synthetic.model import ZERO, Move, Ownership

TRANSFER: Final = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
TRANSFER_SINGLE: Final = "0xc3d58168c5ae7397731d063d5bbf3d657854427343f4c083240f7aacaa2d0f62"
GENESIS_TIME: Final = 1_704_067_200  # 2024-01-01
BLOOM: Final = "0x" + "0" * 512
TX_LOGS: Final = 2


@dataclass(frozen=True, slots=True)
class Tx:
    """One transaction: its hash survives re-inclusion, its place does not."""

    hash: str
    sender: str
    moves: tuple[Move, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """One block of the synthetic chain."""

    number: int
    hash: str
    parent_hash: str
    time: int
    txs: tuple[Tx, ...]

    @property
    def moves(self) -> list[Move]:
        return [move for tx in self.txs for move in tx.moves]


@dataclass
class Chain:
    """Grows block by block; ``ownership`` is the model at its head."""

    seed: int
    network: str = "synthetic"
    contracts: int = 200
    accounts: int = 100_000
    logs: int = 100
    start: int = 1
    block_time_s: int = 2
    hash_of: "Callable[[Block], str] | None" = None
    """A block's true hash; None: one from the seed, that no header makes."""
    ownership: Ownership = field(default_factory=Ownership)
    blocks: list[Block] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)
        self._tokens: dict[str, list[int]] = {}
        self._holders: dict[str, list[tuple[int, str]]] = {}
        self._minted: dict[str, int] = {}
        self._serial = 0
        self._pending: list[Tx] = []

    def grow(self) -> Block:
        """Append one block of ``logs`` logs, undone transactions first where they are still possible."""
        number = self.start + len(self.blocks)
        parent = self.blocks[-1].hash if self.blocks else self._hash("genesis")
        txs: list[Tx] = []
        while len(txs) * TX_LOGS < self.logs:
            tx = self._again() or self._fresh()
            self.ownership.apply(tx.moves)
            txs.append(tx)
        self._serial += 1
        block = Block(
            number=number,
            hash=self._hash(f"block-{number}-{self._serial}"),
            parent_hash=parent,
            time=GENESIS_TIME + number * self.block_time_s,
            txs=tuple(txs),
        )
        if self.hash_of is not None:
            block = replace(block, hash=self.hash_of(block))
        self.blocks.append(block)
        return block

    def undo(self, depth: int) -> list[Block]:
        """Take the ``depth`` highest blocks off, newest first; about half of their transactions will come again."""
        undone = [self.blocks.pop() for _ in range(depth)]
        for block in undone:
            for tx in reversed(block.txs):
                self.ownership.undo(tx.moves)
        again = [tx for block in reversed(undone) for tx in block.txs if self._random.random() < 0.5]
        self._random.shuffle(again)
        self._pending = again
        return undone

    def _again(self) -> Tx | None:
        while self._pending:
            tx = self._pending.pop()
            trial: list[Move] = []
            for move in tx.moves:
                if not self.ownership.holds(move):
                    break
                self.ownership.apply([move])
                trial.append(move)
            self.ownership.undo(trial)
            if len(trial) == len(tx.moves):
                return tx
        return None

    def _fresh(self) -> Tx:
        moves: list[Move] = []
        for _ in range(TX_LOGS):
            move = self._move()
            self.ownership.apply([move])
            moves.append(move)
        self.ownership.undo(moves)
        self._serial += 1
        return Tx(hash=self._hash(f"tx-{self._serial}"), sender=self._account(), moves=tuple(moves))

    def _move(self) -> Move:
        index = self._random.randrange(self.contracts)
        contract = address("c", index)
        return self._multi(contract) if index % 4 == 3 else self._single(contract)

    def _single(self, contract: str) -> Move:
        tokens = self._tokens.setdefault(contract, [])
        if tokens and self._random.random() > 0.3:
            token = self._random.choice(tokens)
            owner = self._owner(contract, token)
            if owner is not None:
                target = ZERO if self._random.random() < 0.05 else self._account()
                return self._moved(contract, "erc721", token, owner, target, 1)
        token = self._minted[contract] = self._minted.get(contract, 0) + 1
        tokens.append(token)
        return self._moved(contract, "erc721", token, ZERO, self._account(), 1)

    def _multi(self, contract: str) -> Move:
        holders = self._holders.setdefault(contract, [])
        if holders and self._random.random() > 0.3:
            token, account = self._random.choice(holders)
            held = self.ownership.balances[(contract, token, account)]
            if held > 0:
                target = ZERO if self._random.random() < 0.05 else self._account()
                quantity = self._random.randint(1, held)
                holders.append((token, target))
                return Move(contract, "erc1155", token, account, target, quantity)
        token, account = self._random.randrange(50), self._account()
        holders.append((token, account))
        return Move(contract, "erc1155", token, ZERO, account, self._random.randint(1, 100))

    def _moved(self, contract: str, standard: str, token: int, source: str, target: str, quantity: int) -> Move:
        self._owners.setdefault((contract, token), []).append(target)
        return Move(contract, standard, token, source, target, quantity)

    _owners: dict[tuple[str, int], list[str]] = field(default_factory=dict)

    def _owner(self, contract: str, token: int) -> str | None:
        """Who of those that ever held the token holds it now."""
        for account in reversed(self._owners.get((contract, token), [])):
            if self.ownership.balances.get((contract, token, account), 0) > 0:
                return account
        return None

    def _account(self) -> str:
        return address("a", self._random.randrange(self.accounts))

    def _hash(self, text: str) -> str:
        return "0x" + hashlib.sha256(f"{self.seed}-{text}".encode()).hexdigest()


def address(kind: str, index: int) -> str:
    """A well-formed address that is the same for every seed."""
    return "0x" + hashlib.sha256(f"{kind}{index}".encode()).hexdigest()[:40]


def append(block: Block, network: str, *, lease: int = 0, finalized: int = -1, **fields: object) -> RawBlock:
    """The block as its raw ``append`` record; final on arrival where ``finalized`` reaches it."""
    parts = [
        RawPart(name="block", encoding="json", bytes=block_json(block)),
        RawPart(name="receipts", encoding="json", bytes=receipts_json(block)),
    ]
    values: dict[str, object] = {"proof": "receipts", "provider": "synthetic", "parts": parts} | fields
    return RawBlock(
        network=network,
        op="append",
        lease=lease,
        height=block.number,
        hash=block.hash,
        parent_hash=block.parent_hash,
        time=block.time,
        finalized=finalized,
        safe=finalized,
        **values,  # type: ignore[arg-type]
    )


def block_json(block: Block) -> bytes:
    """What eth_getBlockByNumber(number, true) would answer, as far as ft reads it; its transactionsRoot is true."""
    transactions: list[dict[str, Any]] = [
        {
            "hash": tx.hash,
            "from": tx.sender,
            "to": tx.moves[0].contract,
            "transactionIndex": hex(i),
            "value": "0x0",
            "input": "0x",
        }
        for i, tx in enumerate(block.txs)
    ]
    if creates(block.number):
        transactions.append(creation(block.number)[0] | {"transactionIndex": hex(len(block.txs))})
    head = {
        "number": hex(block.number),
        "hash": block.hash,
        "parentHash": block.parent_hash,
        "timestamp": hex(block.time),
        "transactionsRoot": transactions_root(transactions),
    }
    return json.dumps(head | {"logsBloom": BLOOM, "transactions": transactions}).encode()


def receipts_json(block: Block) -> bytes:
    """What eth_getBlockReceipts would answer."""
    receipts, log_index = [], 0
    for i, tx in enumerate(block.txs):
        logs = []
        for move in tx.moves:
            logs.append(_log(block, tx, i, log_index, move))
            log_index += 1
        receipts.append(
            {
                "transactionHash": tx.hash,
                "transactionIndex": hex(i),
                "blockHash": block.hash,
                "blockNumber": hex(block.number),
                "from": tx.sender,
                "to": tx.moves[0].contract,
                "contractAddress": None,
                "cumulativeGasUsed": hex(50_000 * (i + 1)),
                "gasUsed": hex(50_000),
                "status": "0x1",
                "type": "0x2",
                "logsBloom": BLOOM,
                "logs": logs,
            }
        )
    if creates(block.number):
        receipts.append(
            creation(block.number)[1]
            | {
                "transactionIndex": hex(len(block.txs)),
                "blockHash": block.hash,
                "blockNumber": hex(block.number),
                "cumulativeGasUsed": hex(50_000 * (len(block.txs) + 1)),
                "gasUsed": hex(50_000),
                "logsBloom": BLOOM,
            }
        )
    return json.dumps(receipts).encode()


def _log(block: Block, tx: Tx, tx_index: int, log_index: int, move: Move) -> dict[str, object]:
    if move.standard == "erc721":
        topics = [TRANSFER, _word(move.source), _word(move.target), _number(move.token_id)]
        data = "0x"
    else:
        operator = move.target if move.source == ZERO else move.source
        topics = [TRANSFER_SINGLE, _word(operator), _word(move.source), _word(move.target)]
        data = _number(move.token_id) + _number(move.quantity)[2:]
    return {
        "address": move.contract,
        "topics": topics,
        "data": data,
        "blockNumber": hex(block.number),
        "blockHash": block.hash,
        "transactionHash": tx.hash,
        "transactionIndex": hex(tx_index),
        "logIndex": hex(log_index),
        "removed": False,
    }


def _word(account: str) -> str:
    return "0x" + account[2:].rjust(64, "0")


def _number(value: int) -> str:
    return f"0x{value:064x}"
