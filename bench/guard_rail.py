"""How soon a guard rail acts: from the end of the round that shows the breach to the abort, and to the intent to undo.

Each run is a real one on three listening processes, of which one is killed for longer than the guard rail allows. The aim is
250 ms. Asserts nothing. ``--runs N``: how many (30 by default, each takes about two seconds).
"""

from __future__ import annotations

import argparse
import contextlib
import io
import math
import sys
import tempfile
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "run"))
from test_guard_rail_live import aborted_run, delays  # the same run that the tests do

AIM_MS: Final = 250


def measured(runs: int) -> list[tuple[int, int]]:
    out = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            out.append(delays(aborted_run(Path(folder))))
    return out


def quantile(values: list[int], share: float) -> float:
    """In ms; the smallest value that so large a share does not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)] / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=30)
    runs = measured(parser.parse_args().runs)
    print(f"{'to':<8} {'median':>9} {'p99':>9} {'most':>9}   of {len(runs)} runs; the aim is {AIM_MS} ms")
    for name, place in (("abort", 0), ("undo", 1)):
        values = [one[place] for one in runs]
        print(f"{name:<8} {quantile(values, 0.5):6.1f} ms {quantile(values, 0.99):6.1f} ms {max(values) / 1e6:6.1f} ms")


if __name__ == "__main__":
    main()
