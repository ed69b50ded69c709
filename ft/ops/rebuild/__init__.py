"""What is served, made once more from the log: to take its place, or to prove it."""
