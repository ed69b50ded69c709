"""The synthetic chain as normalized records, and what the ledger must hold at its head."""

from collections import Counter
from random import Random
from typing import Any

from ft.config import Config
from ft.schemas.events import NormalizedBatch
from ft.schemas.families import EVM_ZERO
from ft.schemas.ids import partition_of
from tests.integration.agents.ledger.harness import NETWORK, Log, rows
from tests.synthetic.chain import TRANSFER, TRANSFER_SINGLE, Block, Chain

_FIELDS = (
    "tx_hash", "tx_from", "contract", "topic0", "n", "sub_index", "log_index", "standard", "token_id", "from_account",
    "to_account", "operator", "quantity",
)  # fmt: skip


class Feed:
    """Writes a chain's steps to a log, by partition, as normalize does."""

    def __init__(self, chain: Chain, log: Log) -> None:
        self.chain = chain
        self.log = log
        self.finalized = -1

    def grow(self) -> None:
        block = self.chain.grow()
        slices = slices_of(block, self.log.partitions)
        for partition in range(self.log.partitions):
            events = slices.get(partition)
            self._send(partition, "append" if events else "watermark", block if events else None, events or {})
        self.log.position += 1

    def undo(self, depth: int) -> None:
        for index in range(depth):
            (block,) = self.chain.undo(1) if index == 0 else self._undo_more()
            for partition in range(self.log.partitions):
                self._send(partition, "revert", block, {"reason": "reorg"})
            self.log.position += 1

    def live(self, seed: int, steps: int, deepest: int = 5, kept: int = 1) -> None:
        """Grow, with a reorg now and then, some right after another; the lowest ``kept`` blocks are never undone."""
        random = Random(seed)
        for _ in range(steps):
            self.grow()
            while random.random() < 0.25:
                self.undo(min(random.randint(1, deepest), len(self.chain.blocks) - kept))
                for _ in range(random.randint(0, 2)):
                    self.grow()

    def _undo_more(self) -> list[Block]:
        kept = self.chain._pending
        undone = self.chain.undo(1)
        self.chain._pending = kept + self.chain._pending
        return undone

    def _send(self, partition: int, op: str, block: Block | None, fields: dict[str, Any]) -> None:
        head = self.chain.blocks[-1] if self.chain.blocks else None
        values: dict[str, Any] = {
            "head_number": head.number if head else -1, "head_hash": head.hash if head else "",
            "head_time": head.time if head else 0, "safe": self.finalized, "finalized": self.finalized,
        } | fields  # fmt: skip
        if block is not None:
            values |= {"block_number": block.number, "block_hash": block.hash, "block_time": block.time}
        self.log.send(
            NormalizedBatch(network=NETWORK, op=op, position=self.log.position, partition=partition, **values)
        )


def slices_of(block: Block, partitions: int) -> dict[int, dict[str, Any]]:
    """Partition -> columns of its events."""
    found: dict[int, dict[str, Any]] = {}
    log_index = 0
    for tx in block.txs:
        counts: Counter[tuple[str, str]] = Counter()
        for move in tx.moves:
            topic0 = TRANSFER if move.standard == "erc721" else TRANSFER_SINGLE
            partition = partition_of(f"{NETWORK}:{move.contract}", partitions)
            columns = found.setdefault(partition, {name: [] for name in _FIELDS} | {"proof": "receipts"})
            row = (
                tx.hash, tx.sender, move.contract, topic0, counts[move.contract, topic0], 0, log_index, move.standard,
                str(move.token_id), move.source, move.target, None, str(move.quantity),
            )  # fmt: skip
            for name, value in zip(_FIELDS, row, strict=True):
                columns[name].append(value)
            counts[move.contract, topic0] += 1
            log_index += 1
    return found


OWNERSHIP = (
    "SELECT network, contract, token_id, slot, account, quantity, extract(epoch FROM since)::bigint, block_number,"
    " log_index, sub_index, standard FROM market.ownership_current"
    f" WHERE quantity > 0 AND account <> '{EVM_ZERO}' ORDER BY 1, 2, 3, 4"
)
JOURNAL = (
    "SELECT partition, network, block_number, block_hash, tx_hash, contract, n, log_index, revision, op, token_id,"
    " \"from\", \"to\", quantity FROM ledger.events WHERE op IN ('apply', 'revert') ORDER BY partition, seq"
)
LIVE = (
    'SELECT contract, token_id, standard, "from", "to", extract(epoch FROM block_time)::bigint, block_number, log_index'
    " FROM ledger.normalized_events WHERE quantity > 0 ORDER BY block_number, log_index, sub_index"
)

Key = tuple[str, Any, str]
"""contract, token id, slot"""


def recounted(config: Config) -> dict[Key, tuple[str, int, int, int]]:
    """Account, since when, block and log_index that each holding stands on, from the live events in their order."""
    held: dict[Key, tuple[str, int, int, int]] = {}
    for contract, token, standard, source, target, time, block, log_index in rows(config, LIVE):
        if standard != "erc1155":
            account, since, *_ = held.get((contract, token, ""), ("", 0))
            held[contract, token, ""] = (target, since if account == target else time, block, log_index)
            continue
        for account in {source, target} if source != target else ():
            before = held.get((contract, token, account), (account, 0, 0, 0))
            held[contract, token, account] = (account, time if account == target else before[1], block, log_index)
    return held


def check(config: Config, chain: Chain) -> None:
    """Ownership is the model's, the sum of the deltas, and what the live events say; the journal is sound."""
    held = {(c, int(t), a): int(q) for _, c, t, _, a, q, *_ in rows(config, OWNERSHIP)}
    assert held == dict(chain.ownership.held)
    sums = rows(
        config,
        "SELECT contract, token_id, account, sum(delta) FROM ledger.normalized_event_deltas GROUP BY 1, 2, 3"
        " HAVING sum(delta) <> 0",
    )
    assert {(c, int(t), a): int(q) for c, t, a, q in sums} == held
    said = recounted(config)
    stands = {(c, t, s): (a, since, b, i) for _, c, t, s, a, _, since, b, i, *_ in rows(config, OWNERSHIP)}
    wrong = [(key, said.get(key), row) for key, row in stands.items() if said.get(key) != row]
    assert not wrong, wrong[:3]
    assert rows(
        config,
        "SELECT tx_hash, contract, topic0, n, sub_index FROM ledger.normalized_events GROUP BY 1, 2, 3, 4, 5"
        " HAVING count(*) > 1",
    ) == []  # fmt: skip
    assert rows(
        config, "SELECT partition FROM ledger.events GROUP BY partition HAVING max(seq) <> count(*) OR min(seq) <> 1"
    ) == []  # fmt: skip
    assert rows(
        config,
        "SELECT o.partition FROM system.partition_owner o JOIN (SELECT partition, max(seq) AS last FROM ledger.events"
        " GROUP BY 1) e USING (partition) WHERE consumer = 'ledger' AND next_seq <> last + 1",
    ) == []  # fmt: skip
