"""What a process says of itself while it runs: log lines, one an event, on stderr."""
