"""The stretches of heights that were read."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ft.streams.worker.chain_reader.coverage import Coverage, Stretch

PROVEN = st.sampled_from([("receipts", ""), ("logs", ""), ("logs", "bloom_superset"), ("receipts", "header"), None])
CHANGES = st.lists(st.tuples(st.integers(0, 12), PROVEN), max_size=40)


@given(CHANGES, CHANGES)
def test_coverage_is_what_was_covered_in_the_fewest_stretches(
    before: list[tuple[int, tuple[str, str] | None]], after: list[tuple[int, tuple[str, str] | None]]
) -> None:
    model: dict[int, tuple[str, str]] = {}
    stored: dict[int, Stretch] = {}
    for changes in (before, after):
        coverage = Coverage(stored.values())
        for offset, (height, proven) in enumerate(changes):
            model.pop(height, None)
            if proven is None:
                coverage.cut(height, offset)
            else:
                coverage.add(height, proven[0], offset, proven[1])
                model[height] = proven
        gone, written = coverage.changes()
        for low in gone:
            del stored[low]
        stored.update({stretch.low: stretch for stretch in written})

    covered = {height: (s.proof, s.reasons) for s in stored.values() for height in range(s.low, s.high + 1)}
    assert covered == model
    ordered = sorted(stored.values(), key=lambda s: s.low)
    assert not any(a.high + 1 == b.low and a.proves(b.proof, b.reasons) for a, b in pairwise(ordered))
