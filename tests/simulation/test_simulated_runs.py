"""Whole runs in virtual time, by the thousand, each from its seed: whatever goes wrong, the rules of the design hold."""

from __future__ import annotations

from collections import Counter

import pytest
from replay import replayed

pytestmark = pytest.mark.slow  # hundreds of whole runs

BATCH = 50
QUICK = 100
MANY = 1500


def _batches(first: int, last: int) -> list[range]:
    return [range(start, min(start + BATCH, last)) for start in range(first, last, BATCH)]


def _run(seeds: range) -> Counter[str]:
    """Run every seed and fail with all broken laws at once, each with the command that replays it."""
    wrong: list[str] = []
    seen: Counter[str] = Counter()
    for seed in seeds:
        run, broken = replayed(seed)
        seen[run.verdict.verdict] += 1
        seen[run.verdict.environment] += 1
        wrong += [f"python tests/simulation/replay.py {seed}  # {told[:300]}" for told in broken]
    assert not wrong, "\n".join(wrong)
    return seen


@pytest.mark.parametrize("seeds", _batches(0, QUICK), ids=lambda seeds: f"{seeds.start}-{seeds.stop - 1}")
def test_every_law_holds(seeds: range) -> None:
    """Every law holds in every world; and the worlds are neither all kind nor all cruel."""
    seen = _run(seeds)
    assert seen["pass"] > BATCH // 20
    assert seen["inconclusive"] + seen["invalid"] > BATCH // 5


@pytest.mark.slow
@pytest.mark.parametrize("seeds", _batches(QUICK, MANY), ids=lambda seeds: f"{seeds.start}-{seeds.stop - 1}")
def test_every_law_holds_in_many_worlds(seeds: range) -> None:
    """The same in a thousand worlds and more."""
    _run(seeds)
