"""All mutations, by what they break."""

from typing import Final

from tests.mutations import fences, meanings, order, turns
from tests.mutations.mutation import Mutation

MUTATIONS: Final[tuple[Mutation, ...]] = (
    *order.MUTATIONS,
    *fences.MUTATIONS,
    *meanings.MUTATIONS,
    *turns.MUTATIONS,
)
