"""The story of the demo chain: collectors mint, trade, burn and sell, and three reorgs undo some of it.

All choices come from one seeded generator, so the same node gives the same chain. Whoever is chosen to move a
token owns it by the contract's own word at that block.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeVar

from tests.devnet.contracts import Contract, Devnet, Erc20, Erc721, Erc721A, Erc1155
from tests.devnet.node import Address, TxHash
from tests.devnet.packages import DevnetError
from tests.devnet.seaport import ERC721_ITEM, ERC1155_ITEM, NO_CONDUIT, Listing, Seaport

DROP_SIZE: Final = 2_000
T = TypeVar("T", bound=Contract)
_ETHER: Final = 10**18
_ITEM_IDS: Final = range(1, 9)
"""ERC-1155 ids in use."""
_APES: Final = range(30)
_PASSES: Final = range(10)
"""Ids that the first ten days mint; all trading is among them."""
_FEE_SHARE: Final = 40
"""A fortieth of the price, 2.5 %, goes to the marketplace."""


@dataclass(frozen=True, slots=True)
class Sale:
    """A sale that was sent; a reorg may have undone it."""

    listing: Listing
    buyer: Address
    tx: TxHash


class Scenario:
    """Plays on a devnet whose blocks are mined by hand; ``look`` is called whenever a follower should look."""

    def __init__(self, devnet: Devnet, look: Callable[[], None]) -> None:
        self.devnet = devnet
        self.look = look
        self.random = random.Random(20_260_101)
        self.collectors = devnet.accounts[3:]
        self.treasury, self.market_fees = devnet.accounts[1:3]
        self.sales: list[Sale] = []
        self._salt = 0
        self.apes: Erc721 = self._seen(devnet.erc721("Apes", "APE"))
        self.passes: Erc721 = self._seen(devnet.erc721("Passes", "PASS"))
        self.items: Erc1155 = self._seen(devnet.erc1155())
        self.drop: Erc721A = self._seen(devnet.erc721a(self.treasury, DROP_SIZE))
        self.coin: Erc20 = self._seen(devnet.erc20())
        self.seaport, self.controller = Seaport.deploy(devnet)
        self.look()

    @property
    def contracts(self) -> dict[str, tuple[Contract, str]]:
        """Every contract that emits events, with its standard."""
        return {
            "apes": (self.apes, "erc721"),
            "passes": (self.passes, "erc721"),
            "items": (self.items, "erc1155"),
            "drop": (self.drop, "erc721"),
            "coin": (self.coin, "erc20"),
            "seaport": (self.seaport, "seaport"),
        }

    @property
    def collections(self) -> dict[str, Erc721 | Erc721A]:
        """The collections whose tokens have one owner each."""
        return {"apes": self.apes, "passes": self.passes, "drop": self.drop}

    def owners(self) -> dict[str, dict[str, str]]:
        """Every live token's owner, read from the contracts; more ids are asked for than were ever minted."""
        found = {}
        for name, contract in self.collections.items():
            asked = DROP_SIZE + 100 if contract is self.drop else 150
            read = {str(token): contract.owner_of(token) for token in range(asked)}
            found[name] = {token: str(owner) for token, owner in read.items() if owner is not None}
            if len(found[name]) != contract.total_supply():
                raise DevnetError(f"{name}: expected {contract.total_supply()} owners, got {len(found[name])}.")
        return found

    def balances(self) -> dict[str, dict[str, dict[str, str]]]:
        """Every balance above zero of the ERC-1155 collection, read from the contract."""
        tokens = {token: self.items.balances_of(self.devnet.accounts, token) for token in _ITEM_IDS}
        held = {str(token): {str(who): str(n) for who, n in found.items()} for token, found in tokens.items() if found}
        return {"items": held}

    def play(self) -> None:
        """The whole story, in order."""
        self._mint_days(10)  # 1 collections fill
        self._trade_days(14)  # 2 collectors trade
        self._odd_batches()  # 3 what ERC-1155 allows
        self._market()  # 4 sales, a cancellation, a counter
        self._shallow_reorg()  # 5 depth 1: one transfer is gone, one keeps its hash
        self._trade_days(6)
        self._deep_reorg()  # 6 depth 4: a mint and a sale are gone, a batch and two transfers move
        self._trade_days(8)
        self._harmless_reorg()  # 7 depth 2: everything comes back, in other blocks
        self._mint_days(3)
        self._trade_days(16, last_look_late=True)

    def _seen(self, contract: T) -> T:
        self.look()
        return contract

    def _seal(self) -> None:
        self.devnet.seal()
        self.look()

    def _mint_days(self, days: int) -> None:
        for day in range(days):
            for _ in range(3):
                self.apes.mint(self._anyone())
            self.passes.mint(self._anyone())
            self.items.mint_batch(self._anyone(), self.random.sample(_ITEM_IDS, 3), [10, 5, 1])
            self.items.mint(self._anyone(), 1 + day % 8, 4)
            for token in self._live(self.drop, range(DROP_SIZE), 2):
                self._move(self.drop, token)
            self.coin.mint(self._anyone(), 1_000)
            self._seal()

    def _trade_days(self, days: int, *, last_look_late: bool = False) -> None:
        """Some transfers a block, now and then a burn; ``last_look_late``: the last four blocks are seen at once."""
        for day in range(days):
            burnt, *apes = self._live(self.apes, _APES, 3)
            for token in apes:
                self._move(self.apes, token, safe=day % 2 == 0)
            for token in self._live(self.passes, _PASSES, 1 + day % 2):
                self._move(self.passes, token)
            dropped, *drops = self._live(self.drop, range(DROP_SIZE), 4)
            for token in drops:
                self._move(self.drop, token)
            self._trade_items()
            if day % 5 == 4:
                self.apes.burn(self._owner(self.apes, burnt), burnt)
                self.drop.burn(self._owner(self.drop, dropped), dropped)
            self.devnet.seal()
            if not (last_look_late and days - 5 < day < days - 1):
                self.look()

    def _trade_items(self) -> None:
        token = self.random.choice(_ITEM_IDS)
        holder, amount = self.random.choice(self._holders(token))
        self.items.transfer(holder, self._anyone(), token, self.random.randint(1, amount))

    def _odd_batches(self) -> None:
        """An id twice in one batch, an amount of zero, an empty batch, a transfer to oneself, a batch that is burnt."""
        holder, other = self.collectors[0], self.collectors[1]
        self.items.mint_batch(holder, [1, 1, 2, 3], [5, 5, 7, 0])
        self._seal()
        self.items.batch_transfer(holder, other, [1, 1, 2], [2, 3, 0])
        self.items.batch_transfer(holder, other, [], [])
        self.items.transfer(holder, holder, 1, 1)
        self.items.transfer(holder, other, 2, 0)
        self._seal()
        self.items.burn_batch(other, [1, 1], [1, 2])
        self.drop.mint(other, 5)
        self.coin.mint(holder, 500)
        self.coin.transfer(holder, other, 20)
        self._seal()

    def _market(self) -> None:
        """Three sales (one with a fee, one through a conduit, one of ERC-1155 units), a cancelled order, a counter."""
        conduit = self.seaport.open_conduit(self.controller, self.market_fees)
        self.look()
        apes = self._live(self.apes, _APES, 4)
        for ape in apes:
            self.apes.approve_all(self._owner(self.apes, ape), self.seaport.address)
            self.apes.approve_all(self._owner(self.apes, ape), conduit.address)
        holder, _ = max(self._holders(4), key=lambda found: found[1])
        self.items.approve_all(holder, self.seaport.address)
        self._seal()
        self._sell(self._list(self.apes, apes[0], fee=True))
        self._sell(self._list(self.apes, apes[1], conduit_key=conduit.key), basic=True)
        self._seal()
        self._sell(self._list(self.items, 4, seller=holder), basic=True)
        self.seaport.cancel(self._list(self.apes, apes[2]))
        self._seal()
        self.seaport.increment_counter(self._owner(self.apes, apes[3]))
        self._seal()

    def _shallow_reorg(self) -> None:
        """Depth 1: of two transfers in the head block, one is gone for good, one stands at another log index."""
        gone, kept = self._of_different_owners(self.apes, _APES, 2)
        self._move(self.apes, gone)
        again = self._move(self.apes, kept)
        self._seal()
        self.devnet.node.reorg(1, [(again, 0)])
        self.look()

    def _deep_reorg(self) -> None:
        """Depth 4, seen together with the next block: a mint, a sale, two transfers are gone; others return.

        Whoever sends a transaction that comes back sends none that does not before it: its nonce would be missing.
        """
        minted_to, first_receiver, second_receiver, buyer = set_apart = self.collectors[:4]
        sold, gone, moved, late = self._of_different_owners(self.apes, _APES, 4, but=set_apart)
        self.apes.approve_all(self._owner(self.apes, sold), self.seaport.address)
        self._seal()
        self.apes.mint(minted_to)
        self._move(self.apes, gone)
        first = self._move(self.apes, moved, to=first_receiver)
        self._seal()
        second = self.apes.transfer(first_receiver, second_receiver, moved)
        third = self._move(self.drop, self._treasurys_drop())
        self._seal()
        self._sell(self._list(self.apes, sold), buyer=buyer)
        fourth = self._move(self.apes, late)
        self._seal()
        self._trade_items()
        self._seal()
        self.devnet.node.reorg(4, [(third, 0), (first, 1), (second, 1), (fourth, 3)])
        self._move(self.drop, self._treasurys_drop())
        self._seal()

    def _harmless_reorg(self) -> None:
        """Depth 2: both blocks' transfers come back, both in the lower block."""
        one, two = self._of_different_owners(self.passes, _PASSES, 2)
        first = self._move(self.passes, one)
        self._seal()
        second = self._move(self.passes, two)
        self._seal()
        self.devnet.node.reorg(2, [(second, 0), (first, 0)])
        self.look()

    def _list(
        self,
        token: Contract,
        token_id: int,
        *,
        seller: Address | None = None,
        fee: bool = False,
        conduit_key: bytes = NO_CONDUIT,
    ) -> Listing:
        self._salt += 1
        price = self.random.randint(1, 50) * _ETHER // 10
        return self.seaport.list_token(
            seller or self._owner(self.apes, token_id),
            token,
            token_id,
            price,
            amount=2 if token is self.items else 1,
            item_type=ERC1155_ITEM if token is self.items else ERC721_ITEM,
            fee_wei=price // _FEE_SHARE if fee else 0,
            fee_recipient=self.market_fees,
            conduit_key=conduit_key,
            salt=self._salt,
        )

    def _sell(self, listing: Listing, *, basic: bool = False, buyer: Address | None = None) -> None:
        buyer = buyer or self._anyone(but=listing.seller)
        tx = self.seaport.fulfil_basic(listing, buyer) if basic else self.seaport.fulfil(listing, buyer)
        self.sales.append(Sale(listing, buyer, tx))

    def _move(self, contract: Erc721 | Erc721A, token: int, *, to: Address | None = None, safe: bool = False) -> TxHash:
        owner = self._owner(contract, token)
        receiver = to or self._anyone(but=owner)
        return contract.safe_transfer(owner, receiver, token) if safe else contract.transfer(owner, receiver, token)

    def _anyone(self, *, but: Address | None = None) -> Address:
        return self.random.choice([account for account in self.collectors if account != but])

    def _owner(self, contract: Erc721 | Erc721A, token: int) -> Address:
        owner = contract.owner_of(token)
        if owner is None:
            raise DevnetError(f"token {token} of {contract.address}: expected an owner, got none.")
        return owner

    def _live(self, contract: Erc721 | Erc721A, tokens: range, count: int) -> list[int]:
        """So many different tokens that are not burnt."""
        shuffled = self.random.sample(tokens, len(tokens))
        return list(islice((token for token in shuffled if contract.owner_of(token) is not None), count))

    def _of_different_owners(
        self, contract: Erc721, tokens: range, count: int, but: Sequence[Address] = ()
    ) -> list[int]:
        """So many tokens, none of them held by the same account as another, or by one of ``but``."""
        found: dict[Address, int] = {}
        for token in self._live(contract, tokens, len(tokens)):
            owner = self._owner(contract, token)
            if owner not in but:
                found.setdefault(owner, token)
        return list(found.values())[:count]

    def _treasurys_drop(self) -> int:
        """A token of the drop that the treasury still has."""
        shuffled = self.random.sample(range(DROP_SIZE), DROP_SIZE)
        return next(token for token in shuffled if self.drop.owner_of(token) == self.treasury)

    def _holders(self, token: int) -> list[tuple[Address, int]]:
        """Who holds an ERC-1155 token, and how much."""
        return list(self.items.balances_of(self.devnet.accounts, token).items())
