"""Commands, exit codes, and the one place where real adapters are built."""

from __future__ import annotations

import gc
import sys


def collect_rarely() -> None:
    """Look for reference cycles seldom: what commands build are large trees of values that all stay.

    With Python's own thresholds, a third of the time that lint needs for a large document went into looking through them.
    """
    gc.set_threshold(50_000, 20, 100)


def main() -> None:
    """The console script. The two answers that need nothing are given before anything is imported."""
    if sys.argv[1:] == ["--version"]:
        from meshkit_chaos import __version__  # noqa: PLC0415  # start-up time is the point

        sys.stdout.write(f"meshkit-chaos {__version__}\n")
        sys.exit(0)
    collect_rarely()
    from meshkit_chaos.cli.app import run  # noqa: PLC0415  # as above

    sys.exit(run(sys.argv[1:]))
