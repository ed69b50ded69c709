"""The demo chain: a recorded local chain with two reorgs, and a node that replays it over JSON-RPC.

Recorded by ``python -m tests.devnet.record`` from anvil and real contracts; nothing in it is from a public network.
"""

from ft.demo.recording import Recording, load_recording

__all__ = ["Recording", "load_recording"]
