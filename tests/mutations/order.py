"""What is acknowledged, noted or moved before it is safe."""

from typing import Final

from tests.mutations.mutation import LEDGER, LOOP, NORMALIZE, PUBLISHED_HEADS, PUBLISHER, RANGE, Mutation

MUTATIONS: Final = (
    Mutation(
        name="acknowledge-before-commit",
        path="streams/worker/hop.py",
        old="                done, left = await handle(events, hop, claims)\n",
        new="                for event in events:\n                    await stream.ack(event)\n"
        "                done, left = await handle(events, hop, claims)\n",
        tests=(LOOP,),
    ),
    Mutation(
        name="acknowledge-what-was-dropped",
        path="streams/worker/hop.py",
        old="    return claim is not None and event.message.offset < claim.next_offset",
        new="    return claim is not None",
        tests=(LOOP,),
    ),
    Mutation(
        name="normalize-commits-before-acknowledgement",
        path="streams/worker/chain_reader/hop.py",
        old="        await sender.acknowledged()  # 3\n",
        new="",
        tests=(NORMALIZE,),
    ),
    Mutation(
        name="publisher-cursor-before-acknowledgement",
        path="agents/publish/publisher.py",
        old="            await self._flush()\n            if sum(",
        new="            await self._move(places, before)\n            await self._flush()\n            if sum(",
        tests=(PUBLISHER,),
    ),
    Mutation(
        name="publisher-does-not-wait-for-acknowledgement",
        path="agents/publish/publisher.py",
        old="        if self._outbox is not None:\n            await self._outbox.flush()\n",
        new="        return\n",
        tests=(PUBLISHER,),
    ),
    Mutation(
        name="a-head-before-its-rows-are-acknowledged",
        path="agents/publish/publisher.py",
        old="            await self._flush()\n            if sum(",
        new="            if sum(",
        tests=(PUBLISHER,),
    ),
    Mutation(
        name="rows-beyond-what-the-ledger-has-said",
        path="agents/publish/publisher.py",
        old="        before = min(before, place.claim.next_seq)",
        new="        before = min(before, 2**62)",
        tests=(PUBLISHER,),
    ),
    Mutation(
        name="marks-from-before-the-rows",
        path="agents/publish/publisher.py",
        old="        rows = await self._next(place)\n"
        "        return rows, await self._marks(place.claim.partition) if rows else {}\n",
        new="        marks = await self._marks(place.claim.partition)\n        return await self._next(place), marks\n",
        tests=(PUBLISHER,),
    ),
    Mutation(
        name="a-head-is-remembered-by-another-claim",
        path="agents/publish/heads.py",
        old="if head.after == seq and head.claimed == now]",
        new="if head.after == seq]",
        tests=(PUBLISHED_HEADS,),
    ),
    Mutation(
        name="range-cursor-before-acknowledgement",
        path="streams/ingest/backfill.py",
        old='            await self._raw.acknowledged()\n        with self._progress.waits.on("postgres"):',
        new='            pass\n        with self._progress.waits.on("postgres"):',
        tests=(RANGE,),
    ),
    Mutation(
        name="tail-without-acknowledgement",
        path="streams/ingest/follower.py",
        old="            await self._raw.acknowledged()\n            await self._watch.clear_up_to",
        new="            await self._watch.clear_up_to",
        tests=(RANGE,),
    ),
    Mutation(
        name="normalize-rocksdb-before-commit",
        path="streams/worker/chain_reader/hop.py",
        old="        await self._writer.commit(write)  # 4\n",
        new="        if self._dedup is not None:\n            self._dedup.take(unit, claim)\n"
        "        await self._writer.commit(write)  # 4\n",
        tests=(NORMALIZE,),
    ),
    Mutation(
        name="ledger-rocksdb-before-commit",
        path="agents/ledger/hop.py",
        old="        self.posting, self.owned = posting, owned\n        return self._moves(posting.next_seq)\n",
        new="        self.posting, self.owned = posting, owned\n"
        "        self._ledger._cache.learn(posting, self.claims, owned.kinds.met)\n"
        "        return self._moves(posting.next_seq)\n",
        tests=(LEDGER,),
    ),
    Mutation(
        name="ledger-announces-before-commit",
        path="agents/ledger/hop.py",
        old="        self.posting, self.owned = posting, owned\n        return self._moves(posting.next_seq)\n",
        new="        self.posting, self.owned = posting, owned\n        if self._ledger._publisher is not None:\n"
        "            self._ledger._publisher.offer(owned.stretches)\n"
        "        return self._moves(posting.next_seq)\n",
        tests=(LEDGER,),
    ),
)
