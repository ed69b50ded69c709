"""What is lost, what is taken back, and who is told."""

from typing import Final

from tests.mutations.mutation import IDENTITY, LEDGER_HOLDERS, Mutation

GENERATIONS: Final = "tests/unit/streams/deployment/test_generations.py"
LOST_LOG: Final = "tests/integration/agents/ledger/test_lost_log.py"
LOST_TOPICS: Final = "tests/integration/streams/deployment/test_lost_topics.py"
HEADS: Final = "tests/unit/streams/worker/test_heads.py"
FORGOTTEN: Final = "tests/integration/ops/verify/test_forgotten.py"
FORGETS: Final = "sql/migrations/0037_forgotten.sql"

MUTATIONS: Final = (
    Mutation(
        name="a-topic-that-is-gone-is-no-loss",
        path="streams/deployment/identity.py",
        old="    _check_topics(found)  # 4\n",
        new="",
        tests=(IDENTITY,),
    ),
    Mutation(
        name="topics-that-nobody-claims-are-not-missed",
        path="streams/deployment/comparing.py",
        old="{*stored.read, *_unread(config, told)}",
        new="stored.read",
        tests=(LOST_TOPICS,),
    ),
    Mutation(
        name="topics-that-nobody-claims-are-not-looked-at-while-a-process-runs",
        path="streams/deployment/comparing.py",
        old="{topic, *read, *topics.unread} & there",
        new="{topic, *read} & there",
        tests=(LOST_TOPICS,),
    ),
    Mutation(
        name="a-topic-of-another-id-is-the-same",
        path="streams/deployment/identity.py",
        old="        if there.get(topic) != topic_id:\n",
        new="        if topic not in there:\n",
        tests=(IDENTITY,),
    ),
    Mutation(
        name="what-was-taken-back-holds",
        path="streams/deployment/generations.py",
        old="        return end is not None and seq > end\n",
        new="        return False\n",
        tests=(GENERATIONS,),
    ),
    Mutation(
        name="a-generation-holds-to-its-own-end",
        path="streams/deployment/generations.py",
        old="[*theirs.items(), *ours.items()] if",
        new="[*ours.items()] if",
        tests=(GENERATIONS,),
    ),
    Mutation(
        name="a-generation-that-nobody-knows-holds",
        path="streams/deployment/generations.py",
        old="        return 0 if ends is None else ends[partition]\n",
        new="        return None if ends is None else ends[partition]\n",
        tests=(GENERATIONS,),
    ),
    Mutation(
        name="what-normalize-had-read-was-applied",
        path="sql/recovery.sql",
        old=" AND b.raw_offset > applied.position;",
        new=" AND b.raw_offset < 0;",
        tests=(LOST_LOG,),
    ),
    Mutation(
        name="a-reorg-that-the-ledger-was-not-told-of-is-forgotten",
        path="sql/recovery.sql",
        old="(a.network, a.number, a.block_hash) AND b.state = 'canonical'\n",
        new="(a.network, a.number, a.block_hash)\n",
        tests=(LOST_LOG,),
    ),
    Mutation(
        name="a-range-goes-on-where-kafka-had-acknowledged-it",
        path="ft/ops/recovery/lost.py",
        old='    "pull_ranges",\n',
        new="",
        tests=(LOST_LOG,),
    ),
    Mutation(
        name="balances-of-which-no-event-is-left-are-forgotten",
        path="agents/ledger/singles.py",
        old="    if single and one.balances:\n",
        new="    if single and one.live.has_balances:\n",
        tests=(LEDGER_HOLDERS,),
    ),
    Mutation(
        name="the-head-is-that-of-the-branch-that-fell",
        path="streams/worker/heads.py",
        old=" or _is_of_another_branch(record, head):\n",
        new=":\n",
        tests=(HEADS,),
    ),
    Mutation(
        name="the-journal-forgets-what-is-not-announced",
        path=FORGETS,
        old=" AND e.seq < c.seq\n",
        new="\n",
        tests=(FORGOTTEN,),
    ),
    Mutation(
        name="what-the-journal-forgot-first-is-not-counted",
        path=FORGETS,
        old="seqs = f.seqs + excluded.seqs,",
        new="seqs = excluded.seqs,",
        tests=(FORGOTTEN,),
    ),
    Mutation(
        name="what-was-forgotten-was-announced-anew",
        path="sql/anew.sql",
        old="WITH gone AS (UPDATE ledger.forgotten SET announced = 0)\n",
        new="",
        tests=(FORGOTTEN,),
    ),
    Mutation(
        name="a-row-that-is-lost-besides-is-one-that-was-forgotten",
        path="sql/verify.sql",
        old="    WHERE (f.rows, f.seqs) IS DISTINCT FROM (coalesce(e.missing, 0), coalesce(e.missing_seqs, 0))\n",
        new="    WHERE false\n",
        tests=(FORGOTTEN,),
    ),
    Mutation(
        name="a-forgotten-row-shifts-what-is-announced-anew",
        path="agents/publish/publisher.py",
        old="    return _stretch_key(row), row[0] - place\n",
        new="    return _stretch_key(row), 0 * place\n",
        tests=("tests/unit/agents/publish/test_stretches.py",),
    ),
    Mutation(
        name="what-was-taken-back-was-no-block",
        path="ft/ops/recovery/lost.py",
        old='        conn.execute(sql["note_taken_back"])\n',
        new="",
        tests=(LOST_LOG,),
    ),
    Mutation(
        name="what-a-domain-announces-is-noted-before-the-broker-has-it",
        path="streams/worker/announcing.py",
        old="            await self._outbox.flush()  # 2\n"
        '            await conn.execute(sql["move"], place | {"seq": rows[-1][0]})\n',
        new='            await conn.execute(sql["move"], place | {"seq": rows[-1][0]})\n'
        "            await self._outbox.flush()  # 2\n",
        tests=("tests/integration/crash/test_domain.py",),
    ),
    Mutation(
        name="an-expected-block-that-is-final-by-now-keeps-no-row",
        path="streams/ingest/follower.py",
        old="if block.height > marks.finalized or block.height in expected}\n",
        new="if block.height > marks.finalized}\n",
        tests=("tests/integration/streams/ingest/test_follow.py",),
    ),
)
