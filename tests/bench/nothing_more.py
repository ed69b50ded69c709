"""A second domain like :mod:`tests.bench.nothing`: what it adds in the same worker is what another consumer costs."""

from ft.schemas.domains import Domain
from tests.bench.nothing import Nothing


class More(Nothing):
    """ownership_changed -> nothing, once more."""

    consumer = "more"


DOMAIN = Domain(name=More.consumer, subscribers=(More,))
