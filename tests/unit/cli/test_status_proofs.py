"""What ft status says of blocks that cannot be had, and of those that are less proven."""

from ft.cli.status_proofs import lacking_lines, lesser_lines, lost_lines, waiting_lines


def test_a_network_that_stands_still_is_named_with_its_block_and_what_the_providers_say() -> None:
    (line,) = waiting_lines([("polygon", 120, 340, "polygon, block 120: a.example said: [nothing]")])

    assert "polygon stands still: block 120 cannot be had since 340 s" in line
    assert "a.example said" in line


def test_what_is_less_proven_is_named_with_the_command_that_reads_it_anew() -> None:
    lines = list(lesser_lines([("polygon", 16, 16, "receipts, header", 2), ("polygon", 20, 29, "logs", 2)]))

    assert lines[0].startswith("polygon: block 16 is less proven (receipts, header)")
    assert "`ft replace polygon --from 20 --to 29 --rpc URL`" in lines[1]
    assert len(lines) == 2


def test_a_state_sync_without_a_receipt_is_named_with_its_block() -> None:
    lines = list(lacking_lines([("polygon", 32, 32), ("polygon", 48, 49)]))

    assert [line.split(";")[0] for line in lines] == [
        "polygon: block 32 lists a state sync whose receipt no provider has",
        "polygon: blocks 48 to 49 list a state sync whose receipt no provider has",
    ]


def test_many_ranges_are_counted() -> None:
    rows = [("a", at, at, "logs", 9) for at in range(0, 10, 2)] + [("b", 1, 1, "logs", 1)]

    assert [line for line in lesser_lines(rows) if "more such" in line] == ["a: … and 4 more such ranges"]


def test_a_raw_log_that_lost_its_beginning_says_where_it_begins() -> None:
    (line,) = lost_lines([("chain.polygon.raw", 12_345)])

    assert line.startswith("chain.polygon.raw begins at offset 12,345: what was read before was lost")
