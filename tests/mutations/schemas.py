"""Schema ids that are handed out, lost or contradicted without anybody's noticing."""

from typing import Final

from tests.mutations.mutation import IDENTITY, REGISTRY_LOST, SCHEMA_IDS, Mutation

MUTATIONS: Final = (
    Mutation(
        name="a-registry-may-say-something-else",
        path="streams/deployment/identity.py",
        old="    if registry.different:  # 6\n",
        new="    if False:\n",
        tests=(IDENTITY,),
    ),
    Mutation(
        name="a-registry-that-lost-ids-is-right",
        path="streams/deployment/identity.py",
        old='    return "restore" if registry.lost else verdict\n',
        new="    return verdict\n",
        tests=(IDENTITY,),
    ),
    Mutation(
        name="ids-are-given-out-before-they-are-compared",
        path="streams/deployment/schema_ids.py",
        old="            self._require_agreement(subject)\n",
        new="",
        tests=(SCHEMA_IDS,),
    ),
    Mutation(
        name="an-import-is-believed-unseen",
        path="streams/deployment/schema_ids.py",
        old="        if after.lost:\n",
        new="        if False:\n",
        tests=(SCHEMA_IDS,),
    ),
    Mutation(
        name="what-an-import-left-out-is-not-made-anew",
        path="streams/kafka/registry_ids.py",
        old="        if not global_ids:  # 3\n",
        new="        if False:\n",
        tests=(SCHEMA_IDS,),
    ),
    Mutation(
        name="a-version-may-stay-under-another-id",
        path="streams/kafka/registry_ids.py",
        old='        if _object(made).get("version", {}).get("contentId") != row.id:\n',
        new="        if False:\n",
        tests=(SCHEMA_IDS,),
    ),
    Mutation(
        name="whatever-is-not-found-was-lost",
        path="streams/kafka/registry_ids.py",
        old=" and code in _NO_SUCH:\n",
        new=":\n",
        tests=(SCHEMA_IDS,),
    ),
    Mutation(
        name="what-is-no-registry-is-away",
        path="streams/deployment/schema_ids.py",
        old="        except NoRegistry:\n            raise\n",
        new="",
        tests=(REGISTRY_LOST,),
    ),
    Mutation(
        name="an-id-may-get-another-meaning",
        path="streams/deployment/schema_ids.py",
        old="        if found := contradictions([*self._kept, *rows]):\n",
        new="        if found := contradictions([]):\n",
        tests=(SCHEMA_IDS,),
    ),
)
