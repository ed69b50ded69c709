"""What an operator starts: proofs, rebuilds, dead letters, backup and what follows a loss. Commands are in ft.cli."""
