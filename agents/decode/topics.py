"""raw -> normalized, the vocabulary: every EVM event topic that ft knows, in one table.

A topic alone never says what a log is: the decoders also look at the number of topics, the layout of the
data and, where a standard was not followed, the contract.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EventTopic:
    """One event: its name, its canonical signature and the hash of that signature (lower-case hex with 0x)."""

    name: str
    signature: str
    topic0: str


TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
TRANSFER_SINGLE = "0xc3d58168c5ae7397731d063d5bbf3d657854427343f4c083240f7aacaa2d0f62"
TRANSFER_BATCH = "0x4a39dc06d4c0dbc64b70af90fd698a233a518aa5d07e595d983b8c0526c8f7fb"
CONSECUTIVE_TRANSFER = "0xdeaa91b6123d068f5821d0fb0678463d1a8a6079fe8af5de3ce5e896dcf9133d"
ERC721_TRANSFER = "0xe5f815dc84b8cecdfd4beedfc3f91ab5be7af100eca4e8fb11552b867995394f"
ERC821_TRANSFER_5 = "0xd5c97f2e041b2046be3b4337472f05720760a198f4d7d84980b7155eec7cca6f"
ERC821_TRANSFER_6 = "0x8988d59efc2c4547ef86c88f6543963bab0cea94f8e486e619c7c3a790db93be"
ASSIGN = "0x8a0e37b73a0d9c82e205d4d1a3ff3d0b57ce5f4d7bccf6bac03336dc101cb7ba"
PUNK_TRANSFER = "0x05af636b70da6819000c49f85b21fa82081c632069bb626f30932034099107d8"
PUNK_BOUGHT = "0x58e5d5a525e3b40bc15abaa38b5882678db1ee68befd2f60bafe3a7fd06db9e3"

_OFFER = "(uint8,address,uint256,uint256)[]"
_CONSIDERATION = "(uint8,address,uint256,uint256,address)[]"
_ORDER_PARAMETERS = (
    "(address,address,(uint8,address,uint256,uint256,uint256)[],"
    "(uint8,address,uint256,uint256,uint256,address)[],uint8,uint256,uint256,bytes32,uint256,bytes32,uint256)"
)

_ROWS = (
    # Tokens
    ("Transfer", "Transfer(address,address,uint256)", TRANSFER),
    ("TransferSingle", "TransferSingle(address,address,address,uint256,uint256)", TRANSFER_SINGLE),
    ("TransferBatch", "TransferBatch(address,address,address,uint256[],uint256[])", TRANSFER_BATCH),
    ("ConsecutiveTransfer", "ConsecutiveTransfer(uint256,uint256,address,address)", CONSECUTIVE_TRANSFER),
    ("ApprovalForAll", "ApprovalForAll(address,address,bool)",
     "0x17307eab39ab6107e8899845ad3d59bd9653f200f220920489ca2b5937696c31"),
    ("Approval", "Approval(address,address,uint256)",
     "0x8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925"),
    ("URI", "URI(string,uint256)", "0x6bb7ff708619ba0610cba295a58592e0451dee2622938c8755667688daf3529b"),
    ("MetadataUpdate", "MetadataUpdate(uint256)",
     "0xf8e1a15aba9398e019f0b49df1a4fde98ee17ae345cb5f6b5e2c27f5033e8ce7"),
    ("BatchMetadataUpdate", "BatchMetadataUpdate(uint256,uint256)",
     "0x6bd5c950a8d8df17f772f5af37cb3655737899cbf903264b9795592da439661c"),
    ("ContractURIUpdated", "ContractURIUpdated()",
     "0xa5d4097edda6d87cb9329af83fb3712ef77eeb13738ffe43cc35a4ce305ad962"),
    ("Locked", "Locked(uint256)", "0x032bc66be43dbccb7487781d168eb7bda224628a3b2c3388bdf69b532a3a1611"),
    ("Unlocked", "Unlocked(uint256)", "0xf27b6ce5b2f5e68ddb2fd95a8a909d4ecf1daaac270935fff052feacb24f1842"),
    ("UpdateUser", "UpdateUser(uint256,address,uint64)",
     "0x4e06b4e7000e659094299b3533b47b6aa8ad048e95e872d23d1f4ee55af89cfe"),
    ("ERC20Transfer", "ERC20Transfer(address,address,uint256)",
     "0xe59fdd36d0d223c0c7d996db7ad796880f45e1936cb0bb7ac102e7082e031487"),
    ("ERC721Transfer", "ERC721Transfer(address,address,uint256)", ERC721_TRANSFER),
    # ERC-821 (Decentraland's LAND before it spoke ERC-721)
    ("Transfer821", "Transfer(address,address,uint256,address,bytes)", ERC821_TRANSFER_5),
    ("Transfer821WithOperatorData", "Transfer(address,address,uint256,address,bytes,bytes)", ERC821_TRANSFER_6),
    # CryptoPunks
    ("Assign", "Assign(address,uint256)", ASSIGN),
    ("PunkTransfer", "PunkTransfer(address,address,uint256)", PUNK_TRANSFER),
    ("PunkOffered", "PunkOffered(uint256,uint256,address)",
     "0x3c7b682d5da98001a9b8cbda6c647d2c63d698a4184fd1d55e2ce7b66f5d21eb"),
    ("PunkBidEntered", "PunkBidEntered(uint256,uint256,address)",
     "0x5b859394fabae0c1ba88baffe67e751ab5248d2e879028b8c8d6897b0519f56a"),
    ("PunkBidWithdrawn", "PunkBidWithdrawn(uint256,uint256,address)",
     "0x6f30e1ee4d81dcc7a8a478577f65d2ed2edb120565960ac45fe7c50551c87932"),
    ("PunkBought", "PunkBought(uint256,uint256,address,address)", PUNK_BOUGHT),
    ("PunkNoLongerForSale", "PunkNoLongerForSale(uint256)",
     "0xb0e0a660b4e50f26f0b7ce75c24655fc76cc66e3334a54ff410277229fa10bd4"),
    # Seaport
    ("OrderFulfilled", f"OrderFulfilled(bytes32,address,address,address,{_OFFER},{_CONSIDERATION})",
     "0x9d9af8e38d66c62e2c12f0225249fd9d721c54b83f48d9352c97c6cacdcb6f31"),
    ("OrdersMatched", "OrdersMatched(bytes32[])",
     "0x4b9f2d36e1b4c93de62cc077b00b1a91d84b6c31b4a14e012718dcca230689e7"),
    ("OrderCancelled", "OrderCancelled(bytes32,address,address)",
     "0x6bacc01dbe442496068f7d234edd811f1a5f833243e0aec824f86ab861f3c90d"),
    ("CounterIncremented", "CounterIncremented(uint256,address)",
     "0x721c20121297512b72821b97f5326877ea8ecf4bb9948fea5bfcb6453074d37f"),
    ("OrderValidated11", "OrderValidated(bytes32,address,address)",
     "0xfde361574a066b44b3b5fe98a87108b7565e327327954c4faeea56a4e6491a0a"),
    ("OrderValidated", f"OrderValidated(bytes32,{_ORDER_PARAMETERS})",
     "0xf280791efe782edcf06ce15c8f4dff17601db3b88eb3805a0db7d77faf757f04"),
    ("ChannelUpdated", "ChannelUpdated(address,bool)",
     "0xae63067d43ac07563b7eb8db6595635fc77f1578a2a5ea06ba91b63e2afa37e2"),
)  # fmt: skip

EVENT_TOPICS = tuple(EventTopic(name=name, signature=signature, topic0=topic0) for name, signature, topic0 in _ROWS)
"""Every topic that ft knows, also those that no decoder reads yet."""
