"""What is taken twice, or by somebody who does not own it any more."""

from typing import Final

from tests.mutations.mutation import (
    FENCE,
    LEDGER,
    LOOP,
    POSTING,
    PROJECT,
    PUBLISHER,
    TABLES,
    TAIL,
    Mutation,
)

_FENCE = "  AND epoch = %(epoch)s AND next_offset = %(from_offset)s AND next_seq = %(from_seq)s;"
_SETTLE = (
    "            await self._give_up(conn)\n            await self._settle(moves, cause=exc)\n            return\n"
)

MUTATIONS: Final = (
    Mutation(
        name="no-position-check",
        path="agents/ledger/posting.py",
        old="        if step.position <= partition_head.position:\n            return\n",
        new="",
        tests=(POSTING, LEDGER),
    ),
    Mutation(
        name="position-check-lets-the-same-pass",
        path="agents/ledger/posting.py",
        old="        if step.position <= partition_head.position:\n",
        new="        if step.position < partition_head.position:\n",
        tests=(POSTING, LEDGER),
    ),
    Mutation(
        name="no-offset-filter",
        path="streams/worker/hop.py",
        old="        if message.offset < next_offset:\n            continue\n",
        new="",
        tests=(LOOP,),
    ),
    Mutation(
        name="offsets-begin-at-the-first-record",
        path="streams/worker/hop.py",
        old="    fresh, next_offset = [], claim.next_offset\n",
        new="    fresh, next_offset = [], min(message.offset for message in messages)\n",
        tests=(LOOP,),
    ),
    Mutation(
        name="no-seq-check-in-project",
        path="streams/worker/subscriber.py",
        old="            if said.seq is None or said.seq <= last_seq:\n",
        new="            if said.seq is None:\n",
        tests=(PROJECT,),
    ),
    Mutation(
        name="seq-check-of-project-lets-the-same-pass",
        path="streams/worker/subscriber.py",
        old="            if said.seq is None or said.seq <= last_seq:\n",
        new="            if said.seq is None or said.seq < last_seq:\n",
        tests=(PROJECT,),
    ),
    Mutation(
        name="no-epoch-in-the-fence",
        path="sql/fence.sql",
        old=_FENCE,
        new="  AND next_offset = %(from_offset)s AND next_seq = %(from_seq)s;",
        tests=(FENCE,),
    ),
    Mutation(
        name="a-later-epoch-passes-the-fence",
        path="sql/fence.sql",
        old=_FENCE,
        new="  AND epoch >= %(epoch)s AND next_offset = %(from_offset)s AND next_seq = %(from_seq)s;",
        tests=(FENCE,),
    ),
    Mutation(
        name="no-offset-in-the-fence",
        path="sql/fence.sql",
        old=_FENCE,
        new="  AND epoch = %(epoch)s AND next_seq = %(from_seq)s;",
        tests=(FENCE,),
    ),
    Mutation(
        name="no-seq-in-the-fence",
        path="sql/fence.sql",
        old=_FENCE,
        new="  AND epoch = %(epoch)s AND next_offset = %(from_offset)s;",
        tests=(FENCE,),
    ),
    Mutation(
        name="a-claim-raises-no-epoch",
        path="sql/fence.sql",
        old="epoch + CASE WHEN owner = %(owner)s THEN 0 ELSE 1 END",
        new="epoch",
        tests=(FENCE,),
    ),
    Mutation(
        name="effects-without-a-fence",
        path="streams/worker/fence.py",
        old="            await move_fence(conn, moves)\n",
        new="",
        tests=(FENCE,),
    ),
    Mutation(
        name="a-fence-that-did-not-move-is-none",
        path="streams/worker/fence.py",
        old="        if cursor.rowcount != 1:\n            held = move.claim\n",
        new="        if cursor.rowcount < 0:\n            held = move.claim\n",
        tests=(FENCE,),
    ),
    Mutation(
        name="a-lost-reply-is-a-failure",
        path="streams/worker/fence.py",
        old=_SETTLE,
        new="            await self._give_up(conn)\n            raise translated(exc) from exc\n",
        tests=(FENCE, LEDGER),
    ),
    Mutation(
        name="a-lost-reply-is-a-success",
        path="streams/worker/fence.py",
        old=_SETTLE,
        new="            await self._give_up(conn)\n            _apply(moves)\n            return\n",
        tests=(FENCE, LEDGER),
    ),
    Mutation(
        name="ledger-reads-under-another-epoch",
        path="agents/ledger/reads.py",
        old="(claim.epoch, claim.next_offset, claim.next_seq)",
        new="(found.get(partition, (0,))[0], claim.next_offset, claim.next_seq)",
        tests=(LEDGER,),
    ),
    Mutation(
        name="publisher-moves-its-cursor-under-any-epoch",
        path="sql/publish.sql",
        old=" AND o.partition = k.partition AND o.epoch = k.epoch)",
        new=" AND o.partition = k.partition)",
        tests=(PUBLISHER,),
    ),
    Mutation(
        name="publisher-blocks-under-any-epoch",
        path="sql/publish.sql",
        old=" AND o.partition = %(partition)s AND o.epoch = %(epoch)s)",
        new=" AND o.partition = %(partition)s)",
        tests=(PUBLISHER,),
    ),
    Mutation(
        name="publisher-moves-its-cursor-from-anywhere",
        path="sql/publish.sql",
        old="WHERE c.partition = k.partition AND c.seq = k.seq_before\n",
        new="WHERE c.partition = k.partition\n",
        tests=(PUBLISHER,),
    ),
    Mutation(
        name="a-table-fits-every-claim",
        path="streams/worker/tables.py",
        old="        return self.get([_STAMP]).get(_STAMP) == stamp(claim)\n",
        new="        return self.get([_STAMP]).get(_STAMP) is not None\n",
        tests=(TABLES,),
    ),
    Mutation(
        name="a-stamp-without-epoch",
        path="streams/worker/tables.py",
        old='f"{claim.topic_id} {claim.epoch} {claim.next_offset}"',
        new='f"{claim.topic_id} {claim.next_offset}"',
        tests=(TABLES,),
    ),
    Mutation(
        name="a-stamp-without-offset",
        path="streams/worker/tables.py",
        old='f"{claim.topic_id} {claim.epoch} {claim.next_offset}"',
        new='f"{claim.topic_id} {claim.epoch}"',
        tests=(TABLES,),
    ),
    Mutation(
        name="a-source-writes-under-any-claim",
        path="sql/ingest.sql",
        old="WHERE network = %(network)s AND claim_offset = %(claim)s AND topic_id = %(topic_id)s;\n\n-- name: let_go",
        new="WHERE network = %(network)s AND topic_id = %(topic_id)s;\n\n-- name: let_go",
        tests=(TAIL,),
    ),
)
