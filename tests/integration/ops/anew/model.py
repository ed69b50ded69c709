"""What each row of a journal led to, and who holds what in the end, recomputed from scratch after each row."""

from dataclasses import dataclass, field
from typing import Any

from ft.config import Config
from tests.integration.ops.anew.before import rows

ROWS = (
    'SELECT partition, seq, op, network, contract, token_id, block_number, log_index, sub_index, "from", "to",'
    " extract(epoch FROM block_time)::bigint, standard, holder, holder_before, holder_block, holder_time"
    " FROM ledger.events WHERE op IN ('apply', 'revert') AND quantity > 0 ORDER BY partition, seq"
)


@dataclass
class Model:
    """By (partition, seq): holder, holder before, block and time that it stands on."""

    written: dict[tuple[int, int], tuple[Any, ...]] = field(default_factory=dict)
    """As the rows say, what they leave out filled in."""
    expected: dict[tuple[int, int], tuple[Any, ...]] = field(default_factory=dict)
    holdings: dict[tuple[str, Any], tuple[str, int, bool]] = field(default_factory=dict)
    """(contract, token id) -> account, block number, whether no live event tells of it."""

    @classmethod
    def of(cls, config: Config) -> "Model":
        model = cls()
        live: dict[Any, dict[tuple[int, int, int], tuple[str, int]]] = {}
        given: dict[Any, str] = {}
        for row in rows(config, ROWS):
            partition, seq, op, network, contract, token, number, log, sub, source, target, time, standard, *said = row
            key, position = (network, contract, token), (number, log, sub)
            if standard != "erc721" and key not in live:  # a balance
                assert said == [None] * 4
                continue
            events = live.setdefault(key, {})
            before = _holder(events, given.get(key))
            if op == "apply":
                events[position] = (target, time)
            else:
                events.pop(position, None)
                given[key] = source
            account, block, at = _holder(events, given.get(key))
            was = source if before[0] is None else before[0]
            model.expected[partition, seq] = (account, was, block, at)
            fallback = (target, source, number, time)
            model.written[partition, seq] = tuple(f if s is None else s for s, f in zip(said, fallback, strict=True))
            model.holdings[contract, token] = (account, block, not events)
        return model


def _holder(events: dict[tuple[int, int, int], tuple[str, int]], given: str | None) -> tuple[Any, int, int]:
    if not events:
        return given, -1, 0
    top = max(events)
    return events[top][0], top[0], events[top][1]
