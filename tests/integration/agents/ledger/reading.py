"""What normalize leaves beside its records: how much of the chain was read."""

import psycopg

from ft.config import Config
from tests.integration.agents.ledger.harness import NETWORK, Block, LedgerHarness, Log, rows

FINDINGS = "SELECT token_id, detail, block_number, block_hash FROM system.findings ORDER BY contract, token_id"
MARKS = "SELECT contract FROM projection.recounts ORDER BY contract"


def normalized(
    config: Config,
    log: Log,
    *ranges: tuple[int, int],
    position: int | None = None,
    late: int = -1,
    reasons: str = "",
    network: str = NETWORK,
) -> None:
    """Normalize has committed the log up to ``position`` (default: all of it), and these ranges are read.

    Default: from block 1, where the network's history starts, to the head. ``late``: where a block came below the head.
    """
    head = log.chain[-1] if log.chain else Block(-1)
    at = log.position - 1 if position is None else position
    with psycopg.connect(config.postgres) as conn:
        conn.execute(
            "INSERT INTO ref.networks (network, family, start_block, confirmed, finalized)"
            " VALUES (%s, 'evm', 1, 'depth', 'depth') ON CONFLICT DO NOTHING",
            (network,),
        )
        conn.execute(
            "INSERT INTO ingest.heads (network, head_number, head_hash, position, late_position)"
            " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (network) DO UPDATE SET head_number = excluded.head_number,"
            " head_hash = excluded.head_hash, position = excluded.position, late_position = excluded.late_position",
            (network, head.number, head.hash, at, late),
        )
        conn.execute("DELETE FROM ingest.coverage")
        conn.cursor().executemany(
            'INSERT INTO ingest.coverage (network, "from", "to", proof, reasons, raw_offset)'
            " VALUES (%s, %s, %s, 'receipts', %s, %s)",
            [(network, low, high, reasons, at) for low, high in ranges or [(1, max(1, head.number))]],
        )


async def read_whole(config: Config, ledger: LedgerHarness, log: Log) -> None:
    """The ledger reads everything, after normalize has committed all of it."""
    normalized(config, log)
    await ledger.read(log)


def findings(config: Config) -> dict[int, tuple[str, int]]:
    """Token -> reason, and number of the block that the finding falls with."""
    return {int(token): (detail["reason"], number) for token, detail, number, _ in rows(config, FINDINGS)}


def marked(config: Config) -> list[str]:
    """The contracts whose order is not known."""
    return [row[0] for row in rows(config, MARKS)]
