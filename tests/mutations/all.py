"""All mutations, by what they break."""

from typing import Final

from tests.mutations import answers, decoding, fences, losses, meanings, order, schemas, sources, turns, words
from tests.mutations.mutation import Mutation

MUTATIONS: Final[tuple[Mutation, ...]] = (
    *order.MUTATIONS,
    *fences.MUTATIONS,
    *meanings.MUTATIONS,
    *decoding.MUTATIONS,
    *answers.MUTATIONS,
    *sources.MUTATIONS,
    *turns.MUTATIONS,
    *schemas.MUTATIONS,
    *words.MUTATIONS,
    *losses.MUTATIONS,
)
