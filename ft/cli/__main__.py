"""``python -m ft.cli``: the same as ``ft``."""

from ft.cli import main

main()
