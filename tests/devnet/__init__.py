"""A real EVM chain for tests: anvil, real contracts, and the recorder of the demo chain.

``node`` runs the chain, ``contracts`` and ``seaport`` act on it, ``record`` writes down what a follower of
it would see (ft/demo/chain.json.gz), ``faulty_node`` replays such a recording badly on purpose.
"""
