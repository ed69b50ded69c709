"""Seaport 1.6 on the devnet: signed listings, sales, cancellations, counters; with or without a conduit."""

from dataclasses import dataclass, replace
from typing import Any, Final

from eth_abi.abi import decode

from tests.devnet.contracts import ZERO, Contract, Devnet, call_data
from tests.devnet.node import Address, TxHash

ERC721_ITEM: Final = 2
ERC1155_ITEM: Final = 3
NO_CONDUIT: Final = bytes(32)
_FULL_OPEN: Final = 0
_BASIC_ORDER_TYPE: Final = {ERC721_ITEM: 0, ERC1155_ITEM: 4}
_OFFER: Final = "(uint8,address,uint256,uint256,uint256)"
_CONSIDERATION: Final = "(uint8,address,uint256,uint256,uint256,address)"
_TAIL: Final = "uint8,uint256,uint256,bytes32,uint256,bytes32,uint256"
_COMPONENTS: Final = f"(address,address,{_OFFER}[],{_CONSIDERATION}[],{_TAIL})"
_BASIC: Final = (
    "(address,uint256,uint256,address,address,address,uint256,uint256,uint8,uint256,uint256,bytes32,uint256,"
    "bytes32,bytes32,uint256,(uint256,address)[],bytes)"
)
_FOR_EVER: Final = 2**40


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A signed order that offers one token (or so many of an ERC-1155's) for ether."""

    seller: Address
    item_type: int
    token: Address
    token_id: int
    amount: int
    price_wei: int
    """What the seller receives; the fee comes on top."""
    fee_wei: int
    fee_recipient: Address
    conduit_key: bytes
    counter: int
    salt: int
    signature: bytes = b""

    def components(self) -> tuple[Any, ...]:
        """Seaport's OrderComponents."""
        return (self.seller, ZERO, self._offer(), self._consideration(), *self._terms(), self.counter)

    def parameters(self) -> tuple[Any, ...]:
        """Seaport's OrderParameters: components with the number of consideration items instead of the counter."""
        return (*self.components()[:-1], len(self._consideration()))

    def _offer(self) -> list[tuple[Any, ...]]:
        return [(self.item_type, self.token, self.token_id, self.amount, self.amount)]

    def _consideration(self) -> list[tuple[Any, ...]]:
        paid = [(self.price_wei, self.seller), (self.fee_wei, self.fee_recipient)]
        return [(0, ZERO, 0, wei, wei, to) for wei, to in paid if wei]

    def _terms(self) -> tuple[Any, ...]:
        return (_FULL_OPEN, 0, _FOR_EVER, bytes(32), self.salt, self.conduit_key)


@dataclass(frozen=True, slots=True)
class Conduit:
    """Where sellers give their approval when they list through a conduit."""

    key: bytes
    address: Address


class Seaport(Contract):
    """A deployed Seaport 1.6."""

    __slots__ = ()

    @classmethod
    def deploy(cls, devnet: Devnet) -> "tuple[Seaport, Contract]":
        """Deploy a ConduitController and Seaport; returns both."""
        controller = Contract(devnet, devnet.deploy("ConduitController"))
        return cls(devnet, devnet.deploy("Seaport", "(address)", controller.address)), controller

    def open_conduit(self, controller: Contract, owner: Address) -> Conduit:
        """Create a conduit of the owner's and open it for this Seaport. Both are mined."""
        key = bytes.fromhex(owner[2:]) + bytes(12)
        self.devnet.send(owner, controller.address, call_data("createConduit(bytes32,address)", key, owner))
        self._mined()
        answer = self.devnet.call(controller.address, "getConduit(bytes32)", key, returns="address")
        opened = call_data("updateChannel(address,address,bool)", answer, self.address, True)
        self.devnet.send(owner, controller.address, opened)
        self._mined()
        return Conduit(key, answer)

    def list_token(
        self,
        seller: Address,
        token: Contract,
        token_id: int,
        price_wei: int,
        *,
        amount: int = 1,
        item_type: int = ERC721_ITEM,
        fee_wei: int = 0,
        fee_recipient: Address = ZERO,
        conduit_key: bytes = NO_CONDUIT,
        salt: int = 1,
    ) -> Listing:
        """Sign a listing; nothing is sent. The seller must have approved Seaport, or the conduit, for the token."""
        counter = self.counter_of(seller)
        listing = Listing(
            seller=seller,
            item_type=item_type,
            token=token.address,
            token_id=token_id,
            amount=amount,
            price_wei=price_wei,
            fee_wei=fee_wei,
            fee_recipient=fee_recipient,
            conduit_key=conduit_key,
            counter=counter,
            salt=salt,
        )
        signed = self.devnet.node.rpc("eth_signTypedData_v4", seller, self._typed_data(listing))
        return replace(listing, signature=bytes.fromhex(signed[2:]))

    def fulfil(self, listing: Listing, buyer: Address) -> TxHash:
        """fulfillOrder: buy at the listed price."""
        signature = f"fulfillOrder(({_COMPONENTS},bytes),bytes32)"
        order = (listing.parameters(), listing.signature)
        return self.transact(buyer, signature, order, NO_CONDUIT, value=listing.price_wei + listing.fee_wei)

    def fulfil_basic(self, listing: Listing, buyer: Address) -> TxHash:
        """fulfillBasicOrder: the same, the cheap way."""
        extra = [(listing.fee_wei, listing.fee_recipient)] if listing.fee_wei else []
        order = (
            *(ZERO, 0, listing.price_wei, listing.seller, ZERO, listing.token, listing.token_id, listing.amount),
            *(_BASIC_ORDER_TYPE[listing.item_type], 0, _FOR_EVER, bytes(32), listing.salt, listing.conduit_key),
            *(NO_CONDUIT, len(extra), extra, listing.signature),
        )
        return self.transact(buyer, f"fulfillBasicOrder({_BASIC})", order, value=listing.price_wei + listing.fee_wei)

    def cancel(self, listing: Listing) -> TxHash:
        """The seller takes the order back."""
        return self.transact(listing.seller, f"cancel({_COMPONENTS}[])", [listing.components()])

    def increment_counter(self, account: Address) -> TxHash:
        """Every open order of the account becomes void."""
        return self.transact(account, "incrementCounter()")

    def counter_of(self, account: Address) -> int:
        """The counter that an order must carry to be valid now."""
        return int(self.read("getCounter(address)", account, returns="uint256"))

    def order_hash(self, listing: Listing) -> str:
        """The order's hash, as the contract computes it."""
        answer: bytes = self.read(f"getOrderHash({_COMPONENTS})", listing.components(), returns="bytes32")
        return "0x" + answer.hex()

    def is_cancelled(self, listing: Listing) -> bool:
        """Whether the contract knows the order as cancelled."""
        data = call_data("getOrderStatus(bytes32)", bytes.fromhex(self.order_hash(listing)[2:]))
        answer = self.devnet.node.rpc("eth_call", {"to": self.address, "data": "0x" + data.hex()}, "latest")
        return bool(decode(["bool", "bool", "uint256", "uint256"], bytes.fromhex(answer[2:]))[1])

    def _mined(self) -> None:
        if not self.devnet.node.automine:
            self.devnet.seal()

    def _typed_data(self, listing: Listing) -> dict[str, Any]:
        message = dict(zip((name for name, _ in _EIP712["OrderComponents"]), listing.components(), strict=True))
        message["offer"] = [_named("OfferItem", item) for item in message["offer"]]
        message["consideration"] = [_named("ConsiderationItem", item) for item in message["consideration"]]
        domain = {"name": "Seaport", "version": "1.6", "chainId": 31337, "verifyingContract": self.address}
        types = {struct: [{"name": name, "type": kind} for name, kind in fields] for struct, fields in _EIP712.items()}
        return {"types": types, "primaryType": "OrderComponents", "domain": domain, "message": _json_safe(message)}


def _named(struct: str, values: tuple[Any, ...]) -> dict[str, Any]:
    return {name: value for (name, _), value in zip(_EIP712[struct], values, strict=True)}


def _json_safe(value: Any) -> Any:
    """Integers as decimal strings and bytes as hex: what eth_signTypedData_v4 takes without loss."""
    if isinstance(value, dict):
        return {name: _json_safe(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_json_safe(item) for item in value]
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return str(value)


_ITEM: Final = [
    ("itemType", "uint8"),
    ("token", "address"),
    ("identifierOrCriteria", "uint256"),
    ("startAmount", "uint256"),
    ("endAmount", "uint256"),
]
_EIP712: Final[dict[str, list[tuple[str, str]]]] = {
    "EIP712Domain": [
        ("name", "string"),
        ("version", "string"),
        ("chainId", "uint256"),
        ("verifyingContract", "address"),
    ],
    "OrderComponents": [
        ("offerer", "address"),
        ("zone", "address"),
        ("offer", "OfferItem[]"),
        ("consideration", "ConsiderationItem[]"),
        ("orderType", "uint8"),
        ("startTime", "uint256"),
        ("endTime", "uint256"),
        ("zoneHash", "bytes32"),
        ("salt", "uint256"),
        ("conduitKey", "bytes32"),
        ("counter", "uint256"),
    ],
    "OfferItem": _ITEM,
    "ConsiderationItem": [*_ITEM, ("recipient", "address")],
}
