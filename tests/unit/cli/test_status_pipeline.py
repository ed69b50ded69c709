"""What ft status says of the pipeline, from rows as Postgres gives them."""

from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO

from rich.console import Console

from ft.cli.status_pipeline import Status, lines

EMPTY = Status(networks=[], consumers=[], outbox=[], dead_letters=[], workers=[], ends={})
NETWORK = ("polygon", 120, 110, 100, 3, 101, 1, 20, 120, 120, 118, False, 0, 0, 0)


def printed(status: Status) -> str:
    out = StringIO()
    console = Console(file=out, width=300)
    for line in lines(status):
        console.print(line)
    return out.getvalue()


def row_of(status: Status, word: str) -> list[str]:
    return next(line.split() for line in printed(status).splitlines() if line.startswith(word))


def test_an_empty_pipeline_says_what_to_do_next() -> None:
    said = printed(EMPTY)

    assert "No block was read yet: `ft ingest --help` shows how." in said
    assert "no worker runs: faust -A ft worker" in said


def test_a_network_shows_its_marks_and_who_is_behind() -> None:
    row = row_of(replace(EMPTY, networks=[NETWORK]), "polygon")

    assert row == ["polygon", "120", "110", "100", "3", "s", "20-120", "0", "120", "118", "(-2)", "0", "0"]


def test_holes_stand_beside_coverage_and_apart_from_what_is_quarantined() -> None:
    spoiled = (*NETWORK[:12], 7, 5, 3)

    headings = row_of(replace(EMPTY, networks=[spoiled]), "network")
    row = row_of(replace(EMPTY, networks=[spoiled]), "polygon")

    shown = {heading: row[at + (at > 4) + (at > 8)] for at, heading in enumerate(headings)}
    assert headings[5:7] == ["covered", "holes"]
    assert (shown["holes"], shown["quarantined"], shown["findings"]) == ("7", "5", "3")


def test_coverage_with_gaps_is_counted() -> None:
    gappy = (*NETWORK[:5], 90, 2, *NETWORK[7:])

    assert "90 of 20-120, 2 stretches" in printed(replace(EMPTY, networks=[gappy]))


def test_the_lag_of_each_partition_is_the_end_of_its_log_less_the_next_offset() -> None:
    consumers = [("ledger", "t", partition, 10, "a:1:2") for partition in range(3)]
    status = replace(EMPTY, consumers=consumers, ends={("t", 0): 10, ("t", 1): 15, ("t", 2): 11})

    assert row_of(status, "ledger") == ["ledger", "t", "1", "6", "0", "5", "1"]


def test_an_end_that_kafka_did_not_tell_is_not_guessed() -> None:
    status = replace(EMPTY, consumers=[("ledger", "t", 0, 10, ""), ("ledger", "t", 1, 10, "")], ends={("t", 0): 12})

    assert row_of(status, "ledger") == ["ledger", "t", "0", "?", "2", "?"]


def test_what_waits_for_somebody_is_listed() -> None:
    status = replace(
        EMPTY,
        outbox=[(0, 0, None), (1, 7, "refused: too large")],
        dead_letters=[("project", "unknown_kind", 2, datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC))],
        workers=[("host:1:2", "ledger", "http://127.0.0.1:9", 4, "reads months without indexes")],
    )

    said = printed(status)

    assert "publisher: 7 rows wait (a partition: 0 7)" in said
    assert "publisher: partition 1 waits for `ft dlq replay`: refused: too large" in said
    assert "dead letters: 2 of project, unknown_kind, since 2024-01-02 03:04:05 UTC" in said
    assert "worker host:1:2: ledger http://127.0.0.1:9 (seen 4 s ago)" in said
    assert "it reads months without indexes; the ledger's partitions of this worker wait meanwhile" in said
