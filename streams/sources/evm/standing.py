"""Source, EVM: logs that are fewer than the header's filter has bits for, and since when each provider says the same.

Some chains put more into the filter than into the logs; a node that is late answers fewer for a while. They look the
same. Fewer are believed once the answer has stood for a while, or a second provider has given it; never while anybody
has given more. Pure but for the clock, which is passed in.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from ft.streams.sources.evm.limits import Clock

STANDS_S: Final = 30.0
"""How long one provider must give the same answer."""
_BLOCKS_MAX: Final = 512


@dataclass(frozen=True, slots=True)
class _Answer:
    digest: str
    logs: int
    since: float


class Standing:
    """By block hash and provider, of the blocks that were asked for last."""

    def __init__(self, clock: Clock, stands_s: float | None = None) -> None:
        """``stands_s``: default STANDS_S."""
        self._clock = clock
        self._stands_s = STANDS_S if stands_s is None else stands_s
        self._known: dict[str, dict[str, _Answer]] = {}

    def settled(self, block_hash: str, provider: str, digest: str, logs: int) -> bool:
        """Note what a provider says, and whether it is to be believed now."""
        answers = self._known.setdefault(block_hash, {})
        if len(self._known) > _BLOCKS_MAX:
            del self._known[next(iter(self._known))]
        before = answers.get(provider)
        if before is None or before.digest != digest:
            answers[provider] = before = _Answer(digest, logs, self._clock())
        return self._stands(before, answers.values())

    def waits(self, block_hash: str) -> bool:
        """Whether answers about this block are known, and none of them would be believed now."""
        answers = self._known.get(block_hash, {}).values()
        return bool(answers) and not any(self._stands(each, answers) for each in answers)

    def _stands(self, answer: _Answer, answers: Collection[_Answer]) -> bool:
        if any(each.logs > answer.logs for each in answers):
            return False
        same = sum(each.digest == answer.digest for each in answers)
        return same > 1 or self._clock() - answer.since >= self._stands_s
