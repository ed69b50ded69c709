"""Which announced records hold, whatever was restored to whatever state."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from ft.streams.deployment.generations import ONLY_ONE, Generations

PARTITIONS = 2


@dataclass
class Database:
    """What a copy of it would know."""

    generations: Generations = field(default_factory=Generations)
    journal: tuple[tuple[tuple[int, int], ...], ...] = ((),) * PARTITIONS
    """By partition, the rows in force: (generation in which it was given out, seq)."""


@given(st.data())
def test_a_record_holds_iff_the_row_that_it_announced_is_still_in_the_journal(data: st.DataObject) -> None:
    now, copies, announced = Database(), [Database()], set[tuple[int, int, int]]()
    told = Generations()
    for _ in range(data.draw(st.integers(1, 6))):
        grown = []
        for partition, rows in enumerate(now.journal):
            more = data.draw(st.integers(0, 3))
            new = tuple((now.generations.present, len(rows) + at) for at in range(1, more + 1))
            announced |= {(generation, partition, seq) for generation, seq in new}
            grown.append((*rows, *new))
        now = Database(now.generations, tuple(grown))
        copies.append(now)
        if data.draw(st.booleans()):  # restored to some state that there ever was
            older = data.draw(st.sampled_from(copies))
            told = older.generations.next(told, [len(rows) for rows in older.journal])
            now = Database(told, older.journal)

    for generation, partition, seq in announced:
        is_of_the_present = (generation, seq) in now.journal[partition]
        assert now.generations.is_void(generation, partition, seq) != is_of_the_present


def test_what_the_topic_says_is_what_the_database_says() -> None:
    made = Generations().next(ONLY_ONE, [5, 9]).next(ONLY_ONE, [7, 3])

    said = Generations.said(made.present, made.to_say())

    assert said == made
    assert [made.holds_to(0, p) for p in range(PARTITIONS)] == [5, 3]
    assert [made.holds_to(1, p) for p in range(PARTITIONS)] == [7, 3]
    assert made.holds_to(2, 0) is None


def test_a_generation_that_was_lost_with_kafka_and_the_database_holds_nothing() -> None:
    lost = Generations().next(ONLY_ONE, [5, 9])

    again = Generations().next(ONLY_ONE, [4, 4], at_least=1_000)

    assert again.present == 1_000
    assert again.is_void(lost.present, 0, 1)
    assert [again.holds_to(0, p) for p in range(PARTITIONS)] == [4, 4]
