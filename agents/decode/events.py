"""raw -> normalized, the decoder's result: a block's NFT events as columns, what was quarantined, what was created."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ft.agents.decode.words import Movement


@dataclass(slots=True)
class Events:
    """NFT events in chain order, one list a field, all of the same length (``echo`` is empty where there is none).

    Columns and not objects: an append a field costs less than an object an event, and the normalized batch is
    columnar too. The source event is (network, tx_hash, contract, topic0, n); an event is that and sub_index.
    """

    tx_hash: list[str] = field(default_factory=list)
    tx_from: list[str] = field(default_factory=list)
    """The transaction's sender; the zero address for Polygon's state-sync and for a chain's own logs, which nobody
    sends."""
    contract: list[str] = field(default_factory=list)
    topic0: list[str] = field(default_factory=list)
    n: list[int] = field(default_factory=list)
    """Position among the transaction's logs of the same contract and topic0, from 0."""
    sub_index: list[int] = field(default_factory=list)
    """Position inside the log (batch, range), contiguous from 0."""
    log_index: list[int] = field(default_factory=list)
    """Position in the block, numbered by us over all of its logs from 0, in the order of transactions and of the logs
    in their receipts; changes when the transaction is included again elsewhere."""
    standard: list[str] = field(default_factory=list)
    """erc721, erc1155, erc404, cryptopunks or legacy721."""
    token_id: list[str] = field(default_factory=list)
    """Decimal, up to 256 bits."""
    from_account: list[str] = field(default_factory=list)
    to_account: list[str] = field(default_factory=list)
    operator: list[str | None] = field(default_factory=list)
    """Who moved it, where the event says so (ERC-1155)."""
    quantity: list[str] = field(default_factory=list)
    """Decimal, up to 256 bits; zero is possible with ERC-1155."""
    echo: list[bool] = field(default_factory=list)
    """Whether another event of the transaction tells the same movement and counts instead. Empty: none is."""

    def __len__(self) -> int:
        return len(self.tx_hash)

    def add(
        self,
        source: tuple[str, str, str],
        n: int,
        log_index: int,
        tx_from: str,
        standard: str,
        movements: Sequence[Movement],
    ) -> None:
        """Append one log's movements; ``source`` is its (tx_hash, contract, topic0)."""
        tx_hash, contract, topic0 = source
        if len(movements) == 1:
            token_id, from_account, to_account, operator, quantity = movements[0]
            self.tx_hash.append(tx_hash)
            self.tx_from.append(tx_from)
            self.contract.append(contract)
            self.topic0.append(topic0)
            self.n.append(n)
            self.sub_index.append(0)
            self.log_index.append(log_index)
            self.standard.append(standard)
            self.token_id.append(token_id)
            self.from_account.append(from_account)
            self.to_account.append(to_account)
            self.operator.append(operator)
            self.quantity.append(quantity)
        elif movements:
            count = len(movements)
            self.tx_hash.extend([tx_hash] * count)
            self.tx_from.extend([tx_from] * count)
            self.contract.extend([contract] * count)
            self.topic0.extend([topic0] * count)
            self.n.extend([n] * count)
            self.sub_index.extend(range(count))
            self.log_index.extend([log_index] * count)
            self.standard.extend([standard] * count)
            token_ids, from_accounts, to_accounts, operators, quantities = zip(*movements, strict=True)
            self.token_id.extend(token_ids)
            self.from_account.extend(from_accounts)
            self.to_account.extend(to_accounts)
            self.operator.extend(operators)
            self.quantity.extend(quantities)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A log with an NFT topic that could not be read as that event: a hole in coverage, not a stop."""

    contract: str
    tx_hash: str
    log_index: int
    topic0: str
    reason: str
    """What was expected and what came."""
    log: bytes
    """The log's JSON as the node gave it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedContract:
    """A contract whose creating transaction succeeded: from here on its history is gapless."""

    contract: str
    tx_hash: str
    reasons: tuple[str, ...] = ()
    """Why that rests on the provider's word, sorted; empty: it is proven."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedBlock:
    """All that the decoder makes of one block. Addresses and hashes are lower-case hex with 0x."""

    network: str
    number: int
    hash: str
    parent_hash: str
    time: int
    """Unix seconds."""
    senders: Mapping[str, str]
    """Transaction hash -> sender, as the receipts or the block's transactions say."""
    events: Events
    quarantined: tuple[Quarantined, ...]
    created: tuple[CreatedContract, ...]
