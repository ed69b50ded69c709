"""What ``make bench`` runs: throughput of the whole way on this machine, with real servers."""
