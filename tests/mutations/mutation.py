"""What a mutation is, and the tests that different ones name."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

CHECKOUT: Final = Path(__file__).resolve().parents[2]

LOOP: Final = "tests/unit/streams/worker/test_hop.py"
TABLES: Final = "tests/unit/streams/worker/test_tables.py"
CONSUMER: Final = "tests/unit/streams/worker/test_consumer.py"
HOP: Final = "tests/unit/streams/worker/test_hop.py"
IDENTITY: Final = "tests/unit/streams/deployment/test_identity.py"
GUARD: Final = "tests/unit/streams/deployment/test_guard.py"
TURNS: Final = "tests/unit/streams/worker/test_turns.py"
CEILINGS: Final = "tests/unit/streams/worker/test_ceilings.py"
QUEUES: Final = "tests/unit/streams/worker/test_queues.py"
ROOM: Final = "tests/unit/streams/worker/test_room.py"
HOLDING: Final = "tests/integration/streams/worker/test_heads_beside.py"
PROGRESS: Final = "tests/unit/streams/worker/test_progress.py"
SCHEMA_IDS: Final = "tests/integration/streams/deployment/test_schema_ids.py"
REGISTRY_LOST: Final = "tests/integration/streams/deployment/test_registry_lost.py"
REGISTRY: Final = "tests/integration/streams/kafka/test_registry.py"
POSTING: Final = "tests/unit/agents/ledger/test_posting.py"
REPEATS: Final = "tests/unit/agents/ledger/test_repeats.py"
REPEATED_HASHES: Final = "tests/integration/agents/ledger/test_repeated_hashes.py"
CANONICAL: Final = "tests/unit/streams/worker/chain_reader/test_canonical.py"
EVM: Final = "tests/unit/agents/decode/test_evm.py"
FENCE: Final = "tests/integration/streams/worker/test_fence.py"
LEDGER: Final = "tests/integration/agents/ledger/test_exactly_once.py"
LEDGER_REORGS: Final = "tests/integration/agents/ledger/test_reorgs.py"
LEDGER_HOLDERS: Final = "tests/integration/agents/ledger/test_holders.py"
LEDGER_FINDINGS: Final = "tests/integration/agents/ledger/test_findings.py"
PROJECTION: Final = "tests/unit/agents/project/test_projection.py"
LEDGER_RECOUNT: Final = "tests/integration/agents/ledger/test_recount.py"
LEDGER_BARE: Final = "tests/integration/agents/ledger/test_bulk_months.py"
VERIFY: Final = "tests/integration/ops/verify/test_verify.py"
LEDGER_FINALITY: Final = "tests/integration/agents/ledger/test_finality.py"
NORMALIZE: Final = "tests/integration/agents/normalize/test_exactly_once.py"
NORMALIZE_ROOM: Final = "tests/integration/agents/normalize/test_room.py"
NORMALIZE_ALL: Final = "tests/integration/agents/normalize/test_normalize.py"
PUBLISHER: Final = "tests/integration/agents/publish/test_publisher.py"
PROJECT: Final = "tests/integration/agents/project/test_exactly_once.py"
PROJECT_HEADS: Final = "tests/integration/agents/project/test_ledger_heads.py"
PUBLISHED_HEADS: Final = "tests/unit/agents/publish/test_heads.py"
TAIL: Final = "tests/integration/streams/ingest/test_tail.py"
RANGE: Final = "tests/integration/streams/ingest/test_range.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """``old`` stands exactly once in the file at ``path``, and becomes ``new``; one of ``tests`` must turn red."""

    name: str
    path: str
    old: str
    new: str
    tests: tuple[str, ...]

    def mutated(self, text: str) -> str:
        """The file's text with the error in it. Raises ValueError where ``old`` is not there, or not alone."""
        found = text.count(self.old)
        if found != 1:
            raise ValueError(
                f"mutation {self.name}: {self.path}: expected its text once, found it {found} times: {self.old!r}. "
                "The code has changed: say in tests/mutations what the error looks like there now."
            )
        return text.replace(self.old, self.new)
