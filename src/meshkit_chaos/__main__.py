"""``python -m meshkit_chaos``."""

from meshkit_chaos.cli import main

main()
