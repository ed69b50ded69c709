"""What moved on a network."""
