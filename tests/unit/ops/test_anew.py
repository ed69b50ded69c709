"""What old rows of the journal led to: the ledger's rule over one token's rows, against a plain recomputation."""

from hypothesis import given
from hypothesis import strategies as st

from ft.agents.ledger.journal import Led
from ft.ops.anew.journal import Row, differing, led_of

ACCOUNTS = ("0xa", "0xb", "0xc", "0x" + "0" * 40)


def row(seq: int, op: str, at: int, source: str, target: str) -> Row:
    return Row(
        network="n", contract="0xc", token_id="1", seq=seq, op=op, block_number=at, time=1000 + at, log_index=0,
        sub_index=0, standard="erc721", source=source, target=target, quantity="1", holder=None, holder_before=None,
        holder_block=None, holder_time=None,
    )  # fmt: skip


@st.composite
def histories(draw: st.DrawFn) -> list[Row]:
    """Events at any height, from and to anybody, and retractions of some that are live."""
    rows: list[Row] = []
    live: dict[int, Row] = {}
    for seq in range(1, draw(st.integers(1, 12)) + 1):
        undo: bool = draw(st.booleans())
        if live and undo:
            undone = live.pop(draw(st.sampled_from(sorted(live))))
            rows.append(undone._replace(seq=seq, op="revert"))
        else:
            at = draw(st.integers(0, 20).filter(lambda number: number not in live))
            source, target = draw(st.sampled_from(ACCOUNTS)), draw(st.sampled_from(ACCOUNTS))
            live[at] = row(seq, "apply", at, source, target)
            rows.append(live[at])
    return rows


@given(histories())
def test_each_row_says_what_is_so_after_it(rows: list[Row]) -> None:
    told = list(led_of(rows))

    live: dict[int, str] = {}
    given_to, before = "", None
    for one, led in zip(rows, told, strict=True):
        if one.op == "apply":
            live[one.block_number] = one.target
        else:
            del live[one.block_number]
            given_to = one.source
        top = max(live, default=-1)
        holder = live[top] if live else given_to
        said = (led.holder or one.target, led.holder_before or one.source)
        stands = (
            one.block_number if led.holder_block is None else led.holder_block,
            one.time if led.holder_time is None else led.holder_time,
        )
        assert said == (holder, one.source if before is None else before)
        assert stands == (top, 1000 + top if live else 0)
        before = holder


def test_a_token_that_only_moves_on_needs_nothing() -> None:
    rows = [
        row(1, "apply", 1, ACCOUNTS[3], "0xa"),
        row(2, "apply", 2, "0xa", "0xb"),
        row(3, "apply", 2 + 1, "0xb", "0xb"),
    ]

    assert list(differing(rows)) == []


def test_what_is_written_already_is_left_alone() -> None:
    rows = [row(1, "apply", 1, ACCOUNTS[3], "0xa"), row(2, "apply", 2, "0xc", "0xb")]

    [(found, led)] = differing(rows)

    assert (found.seq, led) == (2, Led(holder_before="0xa"))
    assert list(differing([rows[0], rows[1]._replace(holder_before="0xa")])) == []


def test_what_is_written_and_wrong_is_taken_away() -> None:
    rows = [row(1, "apply", 1, ACCOUNTS[3], "0xa")._replace(holder="0xb")]

    assert list(differing(rows)) == [(rows[0], Led())]
