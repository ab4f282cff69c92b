"""How often something happens, from few trials: the exact two-sided interval of Clopper and Pearson (1934). Pure."""

from __future__ import annotations

import math
from collections.abc import Callable


def share_between(hits: int, trials: int, *, miss: float = 0.05) -> tuple[float, float]:
    """The interval that contains the true share in at least ``1 - miss`` of all such samples, whatever it is."""
    if not 0 <= hits <= trials or trials < 1:
        raise ValueError(f"{hits} of {trials} is no share")
    low = 0.0 if hits == 0 else _root(lambda share: _at_least(hits, trials, share) - miss / 2)
    high = 1.0 if hits == trials else _root(lambda share: miss / 2 - _at_most(hits, trials, share))
    return low, high


def _root(rising: Callable[[float], float]) -> float:
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return (low + high) / 2


def _at_least(hits: int, trials: int, share: float) -> float:
    return math.fsum(_exactly(count, trials, share) for count in range(hits, trials + 1))


def _at_most(hits: int, trials: int, share: float) -> float:
    return math.fsum(_exactly(count, trials, share) for count in range(hits + 1))


def _exactly(hits: int, trials: int, share: float) -> float:
    if share <= 0.0 or share >= 1.0:
        return float(hits == (0 if share <= 0.0 else trials))
    ways = math.lgamma(trials + 1) - math.lgamma(hits + 1) - math.lgamma(trials - hits + 1)
    return math.exp(ways + hits * math.log(share) + (trials - hits) * math.log1p(-share))
