"""Errors that must not pass: each is made in a copy of the tree, and the tests named with it must turn red."""
