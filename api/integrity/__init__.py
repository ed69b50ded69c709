"""How far holdings can be trusted, and whose state an answer's parts are."""
