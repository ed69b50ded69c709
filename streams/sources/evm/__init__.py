"""Source, EVM: JSON-RPC nodes. source.py over blocks.py (proofs) over providers.py over rpc.py."""
