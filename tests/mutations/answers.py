"""What the API says of the tables: how sure, how final, of which block."""

from typing import Final

from tests.mutations.mutation import Mutation

_FINALITY: Final = ("tests/integration/api/test_finality.py",)
_STANDING: Final = ("tests/unit/api/integrity/test_standing.py",)
_INTEGRITY: Final = ("tests/unit/api/integrity/test_judging.py",)
_LATE: Final = ("tests/integration/api/test_integrity.py",)
_PAST: Final = ("tests/integration/api/test_now_and_then.py",)

MUTATIONS: Final = (
    Mutation(
        name="debits-without-finality",
        path="api/collections/views.py",
        old="max(row.block_number, (found.debits or {}).get(row.account, row.block_number))",
        new="row.block_number",
        tests=_FINALITY,
    ),
    Mutation(
        name="debits-by-the-name-in-the-event",
        path="sql/api_collections.sql",
        old="t.holder_before = ANY(",
        new='t."from" = ANY(',
        tests=_FINALITY,
    ),
    Mutation(
        name="nothing-is-told-of-unindexed-debits",
        path="api/collections/lookups.py",
        old="    except RangeNotIndexed:\n        return None\n",
        new="    except RangeNotIndexed:\n        return {}\n",
        tests=_FINALITY,
    ),
    Mutation(
        name="an-inferred-holder-is-final",
        path="api/http/freshness.py",
        old="    if head is None or block_number is None or block_number < 0:\n",
        new="    if head is None or block_number is None:\n",
        tests=("tests/unit/api/http/test_freshness.py",),
    ),
    Mutation(
        name="counters-amid-a-block-are-shown",
        path="api/integrity/standing.py",
        old="    return row.open_block is not None and last_block is not None and last_block >= row.open_block\n",
        new="    return False\n",
        tests=_STANDING,
    ),
    Mutation(
        name="what-was-written-late-is-taken-for-counted",
        path="api/integrity/standing.py",
        old="    if row.uncounted:\n        return True\n",
        new="",
        tests=_STANDING,
    ),
    Mutation(
        name="project-is-level-without-what-was-written-late",
        path="api/integrity/standing.py",
        old=" and not row.uncounted",
        new="",
        tests=_STANDING,
    ),
    Mutation(
        name="late-blocks-count-before-they-are-applied",
        path="sql/api_assets.sql",
        old="               WHERE l.network = c.network AND l.position > h.position\n                 AND l.",
        new="               WHERE l.network = c.network AND l.position < -1\n                 AND l.",
        tests=_LATE,
    ),
    Mutation(
        name="late-blocks-below-a-creation-count",
        path="sql/api_collections.sql",
        old="           WHERE l.network = c.network AND l.position > h.position\n"
        '             AND l."to" >= span.low AND',
        new="           WHERE l.network = c.network AND l.position > h.position\n             AND",
        tests=_LATE,
    ),
    Mutation(
        name="the-record-that-project-reads-next-is-counted",
        path="sql/api_collections.sql",
        old="coalesce(k.late_seq >= coalesce(counted.seq, 1), false)",
        new="coalesce(k.late_seq > coalesce(counted.seq, 1), false)",
        tests=("tests/integration/api/test_collections.py",),
    ),
    Mutation(
        name="equal-heights-are-level",
        path="api/integrity/standing.py",
        old="(row.counted_number, row.counted_hash) == (row.head_number, row.head_hash)",
        new="row.counted_number == row.head_number",
        tests=_STANDING,
    ),
    Mutation(
        name="a-collection-waits-for-one-of-two",
        path="api/http/min_block.py",
        old="        return min(known, key=lambda head: head.head_number)",
        new="        return max(known, key=lambda head: head.head_number)",
        tests=("tests/unit/api/http/test_min_block.py",),
    ),
    Mutation(
        name="a-stretch-with-reasons-is-proven",
        path="api/integrity/judging.py",
        old='    told = frozenset(f"{grounds.reasons},{grounds.created_reasons}".split(",")) - _PROVEN\n',
        new='    told = frozenset({"logs", "none"} & set(grounds.reasons.split(",")))\n',
        tests=_INTEGRITY,
    ),
    Mutation(
        name="a-contradicting-contract-leaves-its-tokens-proven",
        path="api/integrity/judging.py",
        old='        "contract_contradicts": grounds.contract_contradicts,\n',
        new="",
        tests=_INTEGRITY,
    ),
    Mutation(
        name="an-unproven-creation-starts-proven-history",
        path="api/integrity/judging.py",
        old='f"{grounds.reasons},{grounds.created_reasons}"',
        new="grounds.reasons",
        tests=_INTEGRITY,
    ),
    Mutation(
        name="an-echo-counts-in-the-past",
        path="sql/api_assets.sql",
        old='AND t.block_number <= %(number)s AND t.quantity > 0 AND NOT t.echo AND t."to" <> w.account\n',
        new='AND t.block_number <= %(number)s AND t.quantity > 0 AND t."to" <> w.account\n',
        tests=_PAST,
    ),
    Mutation(
        name="a-transfer-of-nothing-acquires",
        path="sql/api_assets.sql",
        old='AND t.quantity > 0 AND t."from" <> t."to" AND NOT t.echo\n',
        new='AND t."from" <> t."to" AND NOT t.echo\n',
        tests=_PAST,
    ),
    Mutation(
        name="since-the-last-transfer-to-oneself",
        path="sql/api_assets.sql",
        old="ORDER BY t.block_number, t.log_index, t.sub_index\n    LIMIT 1\n)\nSELECT w.account",
        new="ORDER BY t.block_number DESC, t.log_index DESC, t.sub_index DESC\n    LIMIT 1\n)\nSELECT w.account",
        tests=_PAST,
    ),
)
