"""A ledger written by hand: what the pipeline would leave in the tables that the API's views read."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from ft.schemas import ids
from ft.schemas.families import EVM_ZERO

NETWORK = "polygon"
START = datetime(2024, 5, 1, tzinfo=UTC)
ZERO = EVM_ZERO
PARTITIONS = 8
TOPIC0 = "0x" + "dd" * 32


def address(number: int) -> str:
    """A valid account or contract."""
    return f"0x{number:040x}"


def block_hash(number: int) -> str:
    return f"0x{number:064x}"


def block_time(number: int) -> datetime:
    """Two seconds a block."""
    return START + timedelta(seconds=2 * number)


@dataclass
class World:
    """Writes rows with the owner's rights, every call committed."""

    url: str
    conn: psycopg.Connection[Any] = field(init=False)
    seqs: dict[int, int] = field(default_factory=dict)
    partitions: int = PARTITIONS

    def __post_init__(self) -> None:
        self.conn = psycopg.connect(self.url, autocommit=True)
        self.run("SELECT ledger.ensure_month(%s)", START)

    def run(self, statement: str, *values: Any) -> list[Any]:
        cursor = self.conn.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []

    def partition(self, contract: str, network: str = NETWORK) -> int:
        return ids.partition_of(f"{network}:{contract}", self.partitions)

    def heads(
        self, number: int, *, safe: int = -1, finalized: int = -1, network: str = NETWORK, position: int | None = None
    ) -> None:
        """Every partition of ledger and project, and the folded chain, at one head."""
        for consumer in ("ledger", "project"):
            for partition in range(self.partitions):
                self.head(consumer, partition, number, safe, finalized, network, position)
        self.run(
            "INSERT INTO ingest.heads (network, head_number, head_hash, head_time, safe, finalized, position)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (network) DO UPDATE SET"
            " head_number = excluded.head_number, head_hash = excluded.head_hash, head_time = excluded.head_time,"
            " safe = excluded.safe, finalized = excluded.finalized, position = excluded.position",
            network, number, block_hash(number), block_time(number), safe, finalized, number,
        )  # fmt: skip

    def head(
        self,
        consumer: str,
        partition: int,
        number: int,
        safe: int = -1,
        finalized: int = -1,
        network: str = NETWORK,
        position: int | None = None,
        open_block: int | None = None,
    ) -> None:
        """One partition's head; its position is the height unless it is named."""
        self.run(
            "INSERT INTO system.partition_head (consumer, partition, network, position, head_number, head_hash,"
            " head_time, safe, finalized, open_block) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (consumer, partition, network) DO UPDATE SET position = excluded.position,"
            " head_number = excluded.head_number, head_hash = excluded.head_hash, head_time = excluded.head_time,"
            " safe = excluded.safe, finalized = excluded.finalized, open_block = excluded.open_block",
            consumer, partition, network, number if position is None else position, number, block_hash(number),
            block_time(number), safe, finalized, open_block,
        )  # fmt: skip

    def covered(
        self, first: int, last: int, proof: str = "receipts", network: str = NETWORK, reasons: str = ""
    ) -> None:
        self.run(
            'INSERT INTO ingest.coverage (network, "from", "to", proof, reasons, raw_offset)'
            " VALUES (%s, %s, %s, %s, %s, 1)",
            network, first, last, proof, reasons,
        )  # fmt: skip

    def blocks(self, first: int, last: int, network: str = NETWORK) -> None:
        """Canonical blocks, as normalize keeps them."""
        for number in range(first, last + 1):
            self.run(
                "INSERT INTO ingest.blocks (network, number, hash, parent, time, state, proof, raw_offset)"
                " VALUES (%s, %s, %s, %s, %s, 'canonical', 'receipts', %s)",
                network, number, block_hash(number), block_hash(number - 1), block_time(number), number,
            )  # fmt: skip

    def late(self, first: int, last: int, position: int) -> None:
        """Records up to ``position`` changed these heights, below the head that the chain had."""
        self.run(
            'INSERT INTO ingest.late (network, "from", "to", raw_offset) VALUES (%s, %s, %s, %s)',
            NETWORK, first, last, position,
        )  # fmt: skip

    def written_late(self, contract: str, seq: int) -> None:
        """The last event of the contract that came below the ledger's head has this seq in the journal."""
        self.run(
            "INSERT INTO ledger.contract_kinds (network, contract, partition, single, multi, late_seq)"
            " VALUES (%s, %s, %s, true, false, %s) ON CONFLICT (network, contract) DO UPDATE"
            " SET late_seq = excluded.late_seq",
            NETWORK, contract, self.partition(contract), seq,
        )  # fmt: skip

    def projected(self, contract: str, next_seq: int) -> None:
        """`project` has read the journal's rows below ``next_seq`` of the contract's partition."""
        self.run(
            "INSERT INTO system.partition_owner (consumer, topic, partition, next_seq)"
            " VALUES ('project', 'ledger.ownership_changed', %s, %s)"
            " ON CONFLICT (consumer, topic, partition) DO UPDATE SET next_seq = excluded.next_seq",
            self.partition(contract), next_seq,
        )  # fmt: skip

    def created(self, contract: str, number: int, reasons: str = "") -> None:
        self.run(
            "INSERT INTO ingest.created (network, contract, number, hash, tx_hash, reasons)"
            " VALUES (%s, %s, %s, %s, '0x', %s)",
            NETWORK, contract, number, block_hash(number), reasons,
        )  # fmt: skip

    def out_of_order(self, contract: str, counted_seq: int = 0) -> None:
        """An event, seq 5, was applied below a row of the contract; a recount has looked up to ``counted_seq``."""
        self.run(
            "INSERT INTO system.recounts (network, contract, partition, marked_seq, counted_seq)"
            " VALUES (%s, %s, %s, 5, %s)",
            NETWORK, contract, self.partition(contract), counted_seq,
        )  # fmt: skip

    def event(
        self,
        contract: str,
        token: int,
        source: str,
        target: str,
        block: int,
        *,
        log_index: int = 0,
        sub_index: int = 0,
        quantity: int = 1,
        standard: str = "erc721",
        network: str = NETWORK,
        op: str = "apply",
        revision: int = 1,
        partition: int | None = None,
        fork: str = "",
        echo: bool = False,
        holder_before: str | None = None,
    ) -> None:
        """One row of the journal."""
        place = self.partition(contract, network) if partition is None else partition
        seq = self.seqs[place] = self.seqs.get(place, 0) + 1
        tx_hash = f"0x{fork}{block:x}".ljust(60, "0") + f"{log_index:06x}"
        self.run(
            "INSERT INTO ledger.events (partition, seq, network, block_number, block_hash, block_time, tx_hash,"
            " tx_from, contract, topic0, n, sub_index, log_index, revision, op, standard, token_id, \"from\", \"to\","
            " operator, quantity, echo, holder_before)"
            " VALUES (%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s)",
            place, seq, network, block, block_hash(block), block_time(block), tx_hash, source, contract, TOPIC0, 0,
            sub_index, log_index, revision, op, standard, token, source, target, None, quantity, echo, holder_before,
        )  # fmt: skip
        if op == "revert":
            self.run(
                "INSERT INTO ledger.retracted (network, tx_hash, contract, topic0, n, sub_index, revision, partition,"
                " seq) VALUES (%s, %s, %s, %s, 0, %s, %s, %s, %s)",
                network, tx_hash, contract, TOPIC0, sub_index, revision, place, seq,
            )  # fmt: skip

    def owns(
        self,
        contract: str,
        token: int,
        account: str,
        block: int,
        *,
        quantity: int = 1,
        standard: str = "erc721",
        network: str = NETWORK,
        since: datetime | None = None,
        single: bool | None = None,
    ) -> None:
        """One row of current ownership, held since its block unless told otherwise; ERC-721 tokens have one holder."""
        slot = "" if (standard != "erc1155" if single is None else single) else account
        self.run(
            "INSERT INTO market.ownership_current (network, contract, token_id, slot, account, quantity, since,"
            " block_number, log_index, sub_index, standard) VALUES (%s,%s,%s,%s,%s,%s,%s,%s,0,0,%s)"
            " ON CONFLICT (network, contract, token_id, slot) DO UPDATE SET account = excluded.account,"
            " quantity = excluded.quantity, since = excluded.since, block_number = excluded.block_number",
            network, contract, token, slot, account, quantity, since or block_time(block), block, standard,
        )  # fmt: skip

    def put_aside(self, contract: str, token: int, account: str, quantity: int) -> None:
        """A balance of an id that one account holds."""
        self.run(
            "INSERT INTO ledger.covered_balances (network, contract, token_id, account, quantity)"
            " VALUES (%s, %s, %s, %s, %s)",
            NETWORK, contract, token, account, quantity,
        )  # fmt: skip

    def mint(self, contract: str, token: int, account: str, block: int, **more: Any) -> None:
        """A mint in the journal and in the current ownership."""
        places = {name: more[name] for name in ("quantity", "standard", "network") if name in more}
        self.event(contract, token, ZERO, account, block, **more)
        self.owns(contract, token, account, block, **places)

    def carded(self, contract: str, token: int, block: int, **counters: int) -> None:
        """An asset's card, as `project` keeps it: the newest event that it knows is of ``block``."""
        self.run(
            "INSERT INTO projection.asset_cards (network, contract, token_id, standard, supply, owners, transfers,"
            " last_block, last_time) VALUES (%s, %s, %s, 'erc1155', %s, %s, %s, %s, %s)",
            NETWORK, contract, token, counters.get("supply", 0), counters.get("owners", 0),
            counters.get("transfers", 0), block, block_time(block),
        )  # fmt: skip

    def catalogued(self, contract: str, token: int, standard: str = "erc721") -> str:
        """The asset in the catalog; returns its uuid."""
        uuid = str(ids.asset_uuid(ids.asset_id(NETWORK, contract, str(token))))
        self.run(
            "INSERT INTO catalog.assets (network, contract, token_id, uuid, standard, first_seen)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            NETWORK, contract, token, uuid, standard, START,
        )  # fmt: skip
        return uuid

    def counted(self, contract: str, **counters: int) -> None:
        """A collection's counters, as `project` keeps them."""
        names = {"owners": 0, "assets": 0, "supply": 0, "transfers": 0, "mints": 0, "burns": 0} | counters
        self.run(
            "INSERT INTO projection.collection_stats (network, contract, standard, owners, assets, supply, transfers,"
            " mints, burns, first_block, last_block) VALUES (%s, %s, 'erc721', %s, %s, %s, %s, %s, %s, %s, %s)",
            NETWORK, contract, names["owners"], names["assets"], names["supply"], names["transfers"], names["mints"],
            names["burns"], names.get("first_block", 1), names.get("last_block", 1),
        )  # fmt: skip

    def quarantined(self, block: int, contract: str = "", state: str = "open") -> None:
        self.run(
            "INSERT INTO ingest.quarantine (network, block_number, block_hash, contract, reason, error, payload,"
            " raw_offset, state) VALUES (%s, %s, %s, %s, 'test', 'test', '', 1, %s)",
            NETWORK, block, block_hash(block), contract, state,
        )  # fmt: skip

    def read_unlisted(self, first: int, last: int, contract: str) -> None:
        """Blocks that were read before the contract was listed."""
        self.run(
            "INSERT INTO ingest.undecoded (network, contract, heights)"
            " VALUES (%s, %s, int8multirange(int8range(%s, %s)))",
            NETWORK, contract, first, last + 1,
        )  # fmt: skip

    def finding(self, contract: str, token: int) -> None:
        self.run(
            "INSERT INTO system.findings (network, contract, token_id, kind, detail)"
            " VALUES (%s, %s, %s, 'nonconserving', '{}')",
            NETWORK, contract, token,
        )  # fmt: skip
