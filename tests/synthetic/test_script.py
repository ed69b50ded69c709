"""The scripted chain is one that a source believes: proven blocks, reorgs above finality, the model at its end."""

from typing import Final

from ft.demo.replay import Chain as Replay
from ft.streams.sources.evm import proof
from tests.synthetic.script import DEPTH_MAX, FINAL_DEPTH, script

SEED: Final = 20260110


def test_every_block_of_a_script_proves_itself() -> None:
    blocks = script(seed=SEED, network="synthetic", events=1_000, reorgs=0, logs=10).recording.blocks

    for block_hash, recorded in blocks.items():
        block = proof.read_block(bytes(recorded.block))
        receipts = proof.read_receipts(bytes(recorded.receipts))
        assert block.hash == block_hash
        proof.verify_block_hash(block)
        proof.verify_receipts(block, receipts)
        proof.verify_logs(block, [log for receipt in receipts for log in receipt.logs])


def test_no_reorg_of_a_script_reaches_what_was_final_and_the_last_step_is_the_model() -> None:
    made = script(seed=SEED, network="synthetic", events=1_200, reorgs=6, logs=4)
    replay, depths = Replay(made.recording), list[int]()
    view = replay.view_at(0)
    for step in range(1, replay.steps):
        before, view = view, replay.view_at(step, view)
        undone = [height for height, known in before.canonical.items() if view.canonical.get(height) != known]
        depths += [len(undone)] if undone else []
        assert all(height > before.finalized for height in undone)

    assert depths == list(made.reorgs)
    assert (min(depths), max(depths), len(depths)) == (1, DEPTH_MAX, 6)
    assert view.canonical == {block.number: block.hash for block in made.chain.blocks}
    assert view.finalized == view.head - FINAL_DEPTH


def test_a_script_is_the_same_for_the_same_seed() -> None:
    first, again, other = (script(seed=s, network="synthetic", events=600, reorgs=2, logs=4) for s in (1, 1, 2))

    assert first.recording == again.recording
    assert first.chain.ownership == again.chain.ownership
    assert first.chain.blocks != other.chain.blocks
