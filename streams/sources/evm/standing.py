"""Source, EVM: logs that are fewer than the header's filter has bits for, and since when each provider says the same.

Some chains put more into the filter than into the logs; a node that is late answers fewer for a while. They look the
same. Fewer are believed once a provider has given the same answer for a while, or a second provider has given it; never
while anybody has given more. A provider that gives now these and now those has given both; what nobody has given again
for five minutes stands in the way of nothing. Pure but for the clock, which is passed in.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

from ft.streams.sources.limits import Clock

STANDS_S: Final = 30.0
"""Between the first time that a provider gives an answer and a later one that is believed."""
FORGOTTEN_S: Final = 300.0
"""Until an answer with more logs, whose provider is away, is forgotten: no network stands still for it."""
_BLOCKS_MAX: Final = 16_384
"""Enough for blocks that are not final for hours: each is asked for again now and then."""
_ANSWERS_MAX: Final = 16
"""Of one block."""


@dataclass(slots=True)
class _Answer:
    logs: int
    since: float
    last: float


_Answers: TypeAlias = dict[tuple[str, str], _Answer]
"""By provider and digest of the logs."""


class Standing:
    """By block hash, of the blocks that were asked for last."""

    def __init__(self, clock: Clock, stands_s: float | None = None) -> None:
        """``stands_s``: default STANDS_S."""
        self._clock = clock
        self._stands_s = STANDS_S if stands_s is None else stands_s
        self._known: dict[str, _Answers] = {}

    def note(self, block_hash: str, provider: str, digest: str, logs: int) -> None:
        """What a provider says now of a block's logs."""
        answers, now = self._known.setdefault(block_hash, {}), self._clock()
        if len(self._known) > _BLOCKS_MAX:
            del self._known[next(iter(self._known))]
        answers.setdefault((provider, digest), _Answer(logs, now, now)).last = now
        if len(answers) > _ANSWERS_MAX:
            del answers[min(answers, key=lambda key: answers[key].last)]

    def believes(self, block_hash: str, provider: str, digest: str) -> bool:
        """Whether what the provider says now is believed."""
        answers = self._known.get(block_hash, {})
        return (provider, digest) in answers and self._stands(provider, digest, answers)

    def waits(self, block_hash: str) -> bool:
        """Whether answers about this block are known, and none of them would be believed now."""
        answers = self._known.get(block_hash, {})
        return bool(answers) and not any(self._stands(*key, answers) for key in answers)

    def _stands(self, provider: str, digest: str, answers: _Answers) -> bool:
        now, answer = self._clock(), answers[provider, digest]
        if any(each.logs > answer.logs and now - each.last < FORGOTTEN_S for each in answers.values()):
            return False
        same = sum(known == digest for _, known in answers)
        return same > 1 or now - answer.since >= self._stands_s
