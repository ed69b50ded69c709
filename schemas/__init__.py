"""Pure: what a record is. One .avsc a topic, its dataclass, ids, and the codec between them."""
