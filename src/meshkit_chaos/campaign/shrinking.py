"""The smallest sequence of faults, and the gentlest numbers, with which a scenario still fails.

Takes a scenario that failed, and two questions that may be asked: does a scenario make sense (``sound``), and did one run of
it fail as that one did (``attempt``)? Gives the smallest one that was found, with runs made of it afterwards. Failures are
random, so no reduction is kept for one failing run: each is decided by a sequential test with stated error rates, and the
last one is run again, afresh, because runs that chose a scenario say too much in its favour.

Steps are left out by delta debugging (A. Zeller, R. Hildebrandt, *Simplifying and Isolating Failure-Inducing Input*, 2002),
then structure is taken away, then numbers are turned down by bisection. It knows no clock and no I/O; asked the same
questions and given the same answers it goes the same way, which is how an interrupted search is taken up again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, Protocol

from meshkit_chaos.campaign.reducing import Dial, dials, removable, simpler, without
from meshkit_chaos.campaign.sequential import SequentialTest, suited_to
from meshkit_chaos.scenario.model import Scenario
from meshkit_chaos.slo.codec import encode

_ENOUGH_FAILURES: Final = 3


class Stopped(Exception):
    """The search ends here. ``over``: no run whatever is made any more (somebody interrupted, the environment is broken);
    otherwise the budget is spent, and what was found is still run again.
    """

    def __init__(self, reason: str, *, over: bool) -> None:
        super().__init__(reason)
        self.reason, self.over = reason, over


class Told(Protocol):
    """Is told, for people, how it goes."""

    def measured(self, failures: int, runs: int, test: SequentialTest | None) -> None: ...
    def decided(self, what: str, kept: bool, failures: int, runs: int) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The two questions, and how they are asked. Of a form that was chosen, ``again`` asks the second one by runs of its own.

    ``first``: so many runs are made at most to see the failure again. ``confirm``: so many are made of what was found.
    """

    sound: Callable[[Scenario], bool]
    attempt: Callable[[Scenario], bool]
    again: Callable[[Scenario], bool]
    told: Told
    error: float = 0.05
    first: int = 20
    confirm: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrunk:
    """``failures`` of ``runs`` that were made of ``scenario`` after it was chosen. ``stopped``: why the search did not end.

    ``test`` is None where the failure was not seen again: then nothing was reduced.
    """

    scenario: Scenario
    failures: int
    runs: int
    kept: tuple[str, ...]
    test: SequentialTest | None
    stopped: str = ""

    @property
    def confirmed(self) -> bool:
        """Whether its own runs, too, say that it still fails."""
        return self.test is not None and self.failures >= 2 and self.failures / self.runs > self.test.seldom


@dataclass(slots=True)
class _Found:
    """A form that still fails, and what was done to get there."""

    scenario: Scenario
    what: str


@dataclass(slots=True)
class _Search:
    asked: Asked
    test: SequentialTest
    forms: list[_Found]
    decisions: dict[bytes, bool] = field(default_factory=dict)

    @property
    def best(self) -> Scenario:
        return self.forms[-1].scenario

    def keeps(self, scenario: Scenario, what: str) -> bool:
        """Whether a form still fails; then it is the best one from now on. None is decided twice."""
        if scenario == self.best:
            return False
        key = encode(scenario)
        if key not in self.decisions:
            self.decisions[key] = self.asked.sound(scenario) and self._still_fails(scenario, what)
        if self.decisions[key]:
            self.forms.append(_Found(scenario, what))
        return self.decisions[key]

    def given(self, outcomes: Sequence[bool], stopped: str) -> Shrunk:
        return Shrunk(
            scenario=self.best,
            failures=sum(outcomes),
            runs=len(outcomes),
            kept=_last_words(form.what for form in self.forms if form.what),
            test=self.test,
            stopped=stopped,
        )

    def _still_fails(self, scenario: Scenario, what: str) -> bool:
        outcomes: list[bool] = []
        while (state := self.test.decide(outcomes)) == "open":
            outcomes.append(self.asked.attempt(scenario))
        self.asked.told.decided(what, state == "still", sum(outcomes), len(outcomes))
        return state == "still"


def _last_words(said: Iterable[str]) -> tuple[str, ...]:
    """What was done; of a number that was turned down in several turns, the last."""
    return tuple({line.partition(": ")[0]: line for line in said}.values())


def shrink(scenario: Scenario, asked: Asked) -> Shrunk:
    """Search, and run what was found again. Never raises ``Stopped``: what was found until then is what it gives."""
    try:
        failures, runs = _measured(scenario, asked)
    except Stopped as stop:
        return Shrunk(scenario=scenario, failures=0, runs=0, kept=(), test=None, stopped=stop.reason)
    if not failures:
        asked.told.measured(0, runs, None)
        return Shrunk(scenario=scenario, failures=0, runs=runs, kept=(), test=None)
    search = _Search(asked, suited_to(failures / runs, error=asked.error), [_Found(scenario, "")])
    asked.told.measured(failures, runs, search.test)
    try:
        _leave_out_steps(search)
        _take_structure_away(search)
        _turn_numbers_down(search)
    except Stopped as stop:
        return search.given((), stop.reason) if stop.over else _confirmed(search, stop.reason)
    return _confirmed(search, "")


def _measured(scenario: Scenario, asked: Asked) -> tuple[int, int]:
    """How often it fails, by as many runs as it takes to see it fail a few times."""
    failures = runs = 0
    while runs < asked.first and failures < _ENOUGH_FAILURES:
        failures += asked.attempt(scenario)
        runs += 1
    return failures, runs


def _leave_out_steps(search: _Search) -> None:
    """Delta debugging: halves, then smaller parts, until no single step can be left out."""
    whole = search.best
    steps, parts = removable(whole.steps), 2
    while len(steps) > 1:
        chosen = _smaller(search, whole, steps, _cut(steps, parts))
        if chosen is not None:
            steps, parts = chosen, max(2, min(parts - 1, len(chosen)))
        elif parts >= len(steps):
            return
        else:
            parts = min(2 * parts, len(steps))


def _cut(steps: tuple[str, ...], parts: int) -> list[tuple[str, ...]]:
    ends = [len(steps) * number // parts for number in range(parts + 1)]
    return [steps[begin:end] for begin, end in pairwise(ends)]


def _smaller(
    search: _Search, whole: Scenario, steps: tuple[str, ...], parts: Sequence[tuple[str, ...]]
) -> tuple[str, ...] | None:
    """The first part that still fails by itself, or the first one that is not needed."""
    rests = [tuple(name for name in steps if name not in part) for part in parts]
    for kept in dict.fromkeys((*parts, *rests)):
        left_out = [name for name in steps if name not in kept]
        gone = frozenset(removable(whole.steps)) - set(kept)
        if left_out and kept and search.keeps(without(whole, gone), f"without {', '.join(left_out)}"):
            return kept
    return None


def _take_structure_away(search: _Search) -> None:
    while any(search.keeps(form.scenario, form.what) for form in simpler(search.best)):
        pass


def _turn_numbers_down(search: _Search) -> None:
    """Each number by itself, in the order of the steps."""
    for what in [dial.what for dial in dials(search.best)]:
        for dial in [found for found in dials(search.best) if found.what == what]:
            _turn_down(search, dial)


def _turn_down(search: _Search, dial: Dial) -> None:
    def fails(value: float) -> bool:
        return search.keeps(dial.turned(value), f"{dial.what}: {dial.written(value)}")

    if fails(dial.gentlest):
        return
    failing, passing = dial.value, dial.gentlest
    while (middle := dial.between(failing, passing)) is not None:
        if fails(middle):
            failing = middle
        else:
            passing = middle


def _confirmed(search: _Search, stopped: str) -> Shrunk:
    """Run the best form afresh; where it does not hold what it promised, go back to the one before it."""
    while True:
        outcomes: list[bool] = []
        try:
            while len(outcomes) < search.asked.confirm and not _lost(search, outcomes):
                outcomes.append(search.asked.again(search.best))
        except Stopped as stop:
            return search.given(outcomes, stop.reason)
        if not _lost(search, outcomes):
            return search.given(outcomes, stopped)
        search.asked.told.decided(f"{search.forms.pop().what}, run again", False, sum(outcomes), len(outcomes))


def _lost(search: _Search, outcomes: Sequence[bool]) -> bool:
    """Whether runs afresh say that a reduction no longer fails. The scenario itself is never given up for another."""
    return len(search.forms) > 1 and search.test.decide(outcomes) == "no-longer"
