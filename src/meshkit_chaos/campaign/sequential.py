"""Does a scenario still fail often enough? A sequential test for yes-or-no outcomes, and an exact interval for their rate.

Takes how often a scenario must fail to count as *still failing*, and how seldom to count as *no longer*; gives a decision
after every run, as early as the stated error rates allow. The test is Wald's sequential probability ratio test, cut off after
a largest number of runs; because it is cut off, and because runs come one at a time, its error rates are computed exactly, by
following every course that it can take. Pure, standard library only.

Source: A. Wald, *Sequential Tests of Statistical Hypotheses*, Annals of Mathematical Statistics 16 (1945). The interval: C.
J. Clopper, E. S. Pearson, *The Use of Confidence or Fiducial Limits*, Biometrika 26 (1934).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import exp, fsum, lgamma, log, log1p
from typing import Final, Literal

State = Literal["still", "no-longer", "open"]

_LEAST_FAILURES: Final = 2
"""One failure is never enough, whatever the rates: it may be the one lucky run."""
_MOST_RUNS: Final = 400
_HALVINGS: Final = 60
_TURNS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class SequentialTest:
    """``still``: the rate of failures that must hardly ever be missed. ``seldom``: one that must hardly ever be taken for it.

    ``error``: how often either may happen, by Wald's bounds, before the cut at ``longest`` runs; ``kept`` says it exactly.
    """

    still: float
    seldom: float
    error: float
    longest: int

    def __post_init__(self) -> None:
        if not 0 < self.seldom < self.still < 1 or not 0 < self.error < 0.5 or self.longest < _LEAST_FAILURES:
            raise ValueError(f"{self} is no test; expected 0 < seldom < still < 1, 0 < error < 0.5 and at least 2 runs")

    def decide(self, failed: Sequence[bool]) -> State:
        """What the outcomes so far say; the first decision stands."""
        failures = 0
        for runs, one in enumerate(failed, start=1):
            failures += one
            if (state := self._state(failures, runs)) != "open":
                return state
        return "open"

    def _state(self, failures: int, runs: int) -> State:
        ratio = failures * log(self.still / self.seldom) + (runs - failures) * log((1 - self.still) / (1 - self.seldom))
        bound = log((1 - self.error) / self.error)
        if ratio >= bound and failures >= _LEAST_FAILURES:
            return "still"
        return "no-longer" if ratio <= -bound or runs >= self.longest else "open"

    def kept(self, rate: float) -> float:
        """The chance, exactly, that a scenario which fails at this rate is taken for one that still fails."""
        alive, kept = {0: 1.0}, 0.0
        for runs in range(1, self.longest + 1):
            following: dict[int, float] = {}
            for failures, chance in alive.items():
                for one, share in ((1, rate), (0, 1 - rate)):
                    state = self._state(failures + one, runs)
                    if state == "still":
                        kept += chance * share
                    elif state == "open":
                        following[failures + one] = following.get(failures + one, 0.0) + chance * share
            alive = following
        return kept

    def sentence(self) -> str:
        """What the test can and cannot see."""
        return (
            f"up to {self.longest} runs each; a reduction that fails {percent(self.seldom)} of the time is kept in "
            f"{percent(self.kept(self.seldom))} of cases, one that fails {percent(self.still)} of the time in "
            f"{percent(self.kept(self.still))}"
        )


def suited_to(rate: float, *, error: float) -> SequentialTest:
    """The test for reductions of a scenario that fails at this rate: they may fail a fifth less often, not five times less.

    Wald's bounds hold nearly; they are drawn in until the exact rates are as stated, as far as a bounded number of runs allows.
    """
    still = min(0.8 * rate, 0.9)
    test = _long_enough(SequentialTest(still=still, seldom=still / 5, error=error, longest=_LEAST_FAILURES), error)
    for _ in range(_TURNS):
        if test.kept(test.seldom) <= error and test.kept(still) >= 1 - error:
            break
        test = _long_enough(replace(test, error=0.8 * test.error, longest=_LEAST_FAILURES), error)
    return test


def _long_enough(test: SequentialTest, error: float) -> SequentialTest:
    """Cut off where more runs would hardly change any more what it sees."""
    while test.kept(test.still) < 1 - error and test.longest < _MOST_RUNS:
        test = replace(test, longest=test.longest + 1 + test.longest // 8)
    return test


def interval(failures: int, runs: int, *, error: float = 0.05) -> tuple[float, float]:
    """The exact (Clopper-Pearson) interval for a rate: it misses the truth at most so often. Nothing tried: anything."""
    if not runs:
        return 0.0, 1.0
    low = 0.0 if not failures else _rate_where(lambda rate: 1 - _at_most(failures - 1, runs, rate) <= error / 2)
    high = 1.0 if failures == runs else _rate_where(lambda rate: _at_most(failures, runs, rate) >= error / 2)
    return low, high


def _rate_where(holds: Callable[[float], bool]) -> float:
    """The largest rate for which something holds that holds for small ones only."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


@lru_cache(maxsize=4096)
def _at_most(failures: int, runs: int, rate: float) -> float:
    if rate <= 0 or rate >= 1:
        return float(rate <= 0 or failures >= runs)
    return fsum(exp(_ways(runs, k) + k * log(rate) + (runs - k) * log1p(-rate)) for k in range(failures + 1))


def _ways(runs: int, failures: int) -> float:
    """The logarithm of how many ways there are: of a thousand runs it would be too large for a float by itself."""
    return lgamma(runs + 1) - lgamma(failures + 1) - lgamma(runs - failures + 1)


def percent(share: float) -> str:
    value = share * 100
    return f"{value:.1f} %" if 0 < value < 1 or 99 < value < 100 else f"{value:.0f} %"


def rate_told(failures: int, runs: int) -> str:
    """A rate with its interval, in words."""
    low, high = interval(failures, runs)
    rate = percent(failures / runs) if runs else "unknown"
    return f"{failures} of {runs} runs failed: {rate} (95 % interval {percent(low)} to {percent(high)})"
