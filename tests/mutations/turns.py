"""Whoever waits for others without need, and who is ended for it."""

from typing import Final

from tests.mutations.mutation import (
    CEILINGS,
    CONSUMER,
    HOLDING,
    HOP,
    IDENTITY,
    NORMALIZE_ROOM,
    PROGRESS,
    QUEUES,
    REGISTRY,
    ROOM,
    TURNS,
    Mutation,
)

_FULL: Final = "            if free.setdefault(tp.topic, room(tp)) <= 0 or pieces >= PIECES_MAX:\n"

MUTATIONS: Final = (
    Mutation(
        name="one-partition-is-read-to-its-end",
        path="streams/turns.py",
        old="                turns.served(tp)\n",
        new="",
        tests=(TURNS,),
    ),
    Mutation(
        name="a-full-queue-keeps-others-waiting",
        path="streams/turns.py",
        old=_FULL + "                continue\n",
        new=_FULL + "                return found\n",
        tests=(TURNS,),
    ),
    Mutation(
        name="a-turn-that-is-too-long-keeps-others-waiting",
        path="streams/app.py",
        old="        channel.maxsize = 2 * bundles + most_of_a_turn(bundle)\n",
        new="        channel.maxsize = 2 * bundles\n",
        tests=(QUEUES,),
    ),
    Mutation(
        name="small-bundles-are-handed-to-an-agent-at-work",
        path="streams/turns.py",
        old="    wanted = {tp for tp in active if tp.topic in served}\n",
        new="    wanted = active\n",
        tests=(TURNS,),
    ),
    Mutation(
        name="a-backlog-keeps-small-partitions-waiting",
        path="streams/turns.py",
        old="    wanted = {tp for tp in active if tp.topic in served}\n",
        new="    wanted = {tp for tp in active if hungry(tp.topic) or _unread(fetcher, tp) >= records_max(tp)}\n",
        tests=(TURNS,),
    ),
    Mutation(
        name="a-starved-partition-ends-the-worker",
        path="streams/progress.py",
        old="if now - moved[claim.consumer, claim.topic] >= self._patience_s]",
        new="]",
        tests=(PROGRESS,),
    ),
    Mutation(
        name="a-backlog-is-read-however-far-the-ledger-is",
        path="streams/ceilings.py",
        old="        if not stages.ledger:\n            return UNBOUNDED\n",
        new="        if stages.ledger:\n            return UNBOUNDED\n",
        tests=(CEILINGS,),
    ),
    Mutation(
        name="a-backlog-is-held-back-for-nobody",
        path="streams/holding.py",
        old="        is_alone = not any(heads - {raw.network} for raw in paced)\n",
        new="        is_alone = False\n",
        tests=(HOLDING,),
    ),
    Mutation(
        name="a-head-behind-a-backlog-is-not-seen",
        path="streams/holding.py",
        old="        return (stages.followed | self._heads.moving()) - ",
        new="        return stages.followed - ",
        tests=(HOLDING,),
    ),
    Mutation(
        name="a-block-counts-as-one-whatever-it-holds",
        path="streams/room.py",
        old="            self.sent += events\n",
        new="            self.sent += 1\n",
        tests=(ROOM,),
    ),
    Mutation(
        name="a-few-heavy-blocks-are-no-backlog",
        path="streams/ceilings.py",
        old="    return is_behind(raw) or room.before_ledger + unread * room.events_a_record >= EVENTS_MIN\n",
        new="    return is_behind(raw) or room.before_ledger + unread >= EVENTS_MIN\n",
        tests=(CEILINGS,),
    ),
    Mutation(
        name="what-has-no-room-is-sent",
        path="agents/normalize/hop.py",
        old="                    return taken\n",
        new="                    continue\n",
        tests=(NORMALIZE_ROOM,),
    ),
    Mutation(
        name="a-retraction-takes-no-room",
        path="agents/normalize/fold.py",
        old="        return REVERT_EVENTS if isinstance(outcome, Reverted) else self.harvest.events - before\n",
        new="        return self.harvest.events - before\n",
        tests=(NORMALIZE_ROOM,),
    ),
    Mutation(
        name="a-dead-project-stops-backlogs",
        path="streams/ceilings.py",
        old="        if now - self._projected[1] > ALIVE_S:\n",
        new="        if now - self._projected[1] > ALIVE_S and self._project is None:\n",
        tests=(CEILINGS,),
    ),
    Mutation(
        name="what-was-taken-before-a-rebalance-comes-after-it",
        path="streams/consumer.py",
        old="            if not self.flow_active or cut.taken != self._assignments:\n",
        new="            if not self.flow_active:\n",
        tests=(CONSUMER,),
    ),
    Mutation(
        name="a-rebalance-leaves-the-flow-on",
        path="streams/consumer.py",
        old="        self.stop_flow()\n",
        new="",
        tests=(CONSUMER,),
    ),
    Mutation(
        name="a-gathered-batch-outlives-a-rebalance",
        path="streams/hop.py",
        old="            events, left = [event for event in [*left, *taken] if current(event)], ()\n",
        new="            events, left = [*left, *taken], ()\n",
        tests=(HOP,),
    ),
    Mutation(
        name="a-silent-topic-is-a-new-deployment",
        path="streams/identity.py",
        old="        if not found.announced:\n",
        new="        if True:\n",
        tests=(IDENTITY,),
    ),
    Mutation(
        name="any-prefix-may-have-the-database",
        path="streams/identity.py",
        old="    _check_prefix(found)  # 1\n",
        new="",
        tests=(IDENTITY,),
    ),
    Mutation(
        name="schemas-before-their-level",
        path="streams/registry.py",
        old="                self._set_right(subject)  # 1\n                known = self._known_id(subject, schema)\n",
        new="                known = self._known_id(subject, schema)\n                if known is None:\n"
        "                    known = int(self._client.register_schema(subject, schema))\n"
        "                    self._set_right(subject)\n",
        tests=(REGISTRY,),
    ),
    Mutation(
        name="what-the-registry-keeps-is-not-read-back",
        path="streams/registry.py",
        old="                self._read_back(subject, schema_id, text)  # 3\n",
        new="",
        tests=(REGISTRY,),
    ),
)
