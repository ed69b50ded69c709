"""A raw log -> a domain's topic: which blocks count, what each of them comes to, and what could not be read.

``ft.agents.normalize`` reads for the ledger by it. docs/adding-a-domain.md says what a domain writes.
"""
