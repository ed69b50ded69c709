"""What a node of the synthetic chain shows, step by step: blocks at the head, reorgs as deep as finality allows.

The chain and the recording come from a seed; :mod:`tests.synthetic.node` serves the recording as a process.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from ft.demo.recording import Recording, Step
from tests.synthetic.chain import Chain
from tests.synthetic.sealed import Sealer

CHAIN_ID: Final = 31337
FINAL_DEPTH: Final = 80
"""So many blocks below the highest head that was shown are final; no reorg is deeper."""
SAFE_DEPTH: Final = 70
DEPTH_MAX: Final = 64


@dataclass(frozen=True)
class Script:
    """A chain at its end, and how a node got there."""

    seed: int
    chain: Chain
    recording: Recording
    reorgs: tuple[int, ...]
    """Depth of each, in their order."""

    @property
    def known(self) -> int:
        """Height of the head at the first step."""
        return self.recording.steps[0].head

    @property
    def known_final(self) -> int:
        """Highest final block at the first step."""
        return self.recording.steps[0].finalized


def script(
    *, seed: int, network: str, events: int, reorgs: int, logs: int = 50, contracts: int = 200, known: float = 0.4
) -> Script:
    """A chain of ``events`` events; the share ``known`` is there at the first step, the reorgs are in the rest.

    Their depths are 1, 64, and others between, small ones more often. A step is a block more, or a reorg.
    """
    random = Random(seed)
    sealer = Sealer()
    chain = Chain(seed=seed, network=network, logs=logs, contracts=contracts, hash_of=sealer)
    blocks = events // logs
    first = max(int(blocks * known), FINAL_DEPTH + 10)
    assert first < blocks, f"expected more than {first} blocks, got {blocks}"
    depths = _depths(random, reorgs)
    due = sorted(random.randrange(first + 1, blocks) for _ in depths)
    for _ in range(first):
        chain.grow()
    steps = [_step(chain, first)]
    done: list[int] = []
    while len(chain.blocks) < blocks:
        if len(done) < len(due) and len(chain.blocks) >= due[len(done)]:
            depth = depths[len(done)]
            chain.undo(depth)
            for _ in range(depth + 1):
                chain.grow()
            steps.append(_step(chain, depth + 1))
            done.append(depth)
        else:
            chain.grow()
            steps.append(_step(chain, 1))
    recording = Recording(note=f"synthetic, seed {seed}", chain_id=CHAIN_ID, steps=steps, blocks=sealer.blocks)
    return Script(seed, chain, recording, tuple(done))


def _depths(random: Random, reorgs: int) -> Sequence[int]:
    """As many as are asked for: the least and the greatest, then log-uniform."""
    depths = [1, DEPTH_MAX, *(int(DEPTH_MAX ** random.random()) for _ in range(reorgs))][:reorgs]
    random.shuffle(depths)
    return depths


def _step(chain: Chain, newest: int) -> Step:
    head = chain.blocks[-1].number
    return Step(
        head=head,
        safe=max(chain.start, head - SAFE_DEPTH),
        finalized=max(chain.start, head - FINAL_DEPTH),
        chain={block.number: block.hash for block in chain.blocks[-newest:]},
    )
