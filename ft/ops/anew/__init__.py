"""A database of an earlier version -> one whose journal says who holds what, all of it announced anew."""
