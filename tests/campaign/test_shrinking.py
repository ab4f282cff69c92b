"""The search on planted weaknesses: what is needed is kept, what is not is gone, and chance does not decide."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshkit_chaos.campaign.reducing import about_only, every_step, removable
from meshkit_chaos.campaign.sequential import SequentialTest
from meshkit_chaos.campaign.shrinking import Asked, Shrunk, Stopped, shrink
from meshkit_chaos.scenario.load import load_scenarios
from meshkit_chaos.scenario.model import FaultStep, Scenario

STEPS = """version: 1
indicators: {one-leader: {promql: sum(mesh_is_leader), good: "== 1"}, writes: {promql: sum(mesh_writes), good: ">= 1"}}
scenarios:
  - id: everything
    title: All at once
    steady_state: {for: 2s, indicators: [one-leader]}
    repeats: {up_to: 5, fail_at: 2}
    blast_radius: {members: 4}
    steps:
      - {fault: kill, id: a, target: {count: 1}}
      - {wait: 2s, id: b}
      - {fault: pause, id: c, target: {count: 3}, hold: 8s}
      - parallel:
          - [{fault: kill, id: d, target: {count: 1}, hold: 6s}, {wait: 1s, id: e}]
          - [{until: writes, id: f, timeout: 5s}]
      - {revert: a}
      - {repeat: 4, id: g, every: 20s, steps: [{fault: latency, id: h, target: {count: 1}, with: {delay: 400ms}, hold: 9s}]}
    objectives:
      - {converge: one-leader, within: 5s}
      - {recover: writes, within: 5s}
"""
LEAVES = ("a", "b", "c", "d", "e", "f", "h")


def everything() -> Scenario:
    loaded = load_scenarios(STEPS.encode(), path="steps.yaml")
    assert loaded.value is not None, loaded.problems
    return about_only(loaded.value.scenarios[0], "converge-one-leader")


def fault(scenario: Scenario, name: str) -> FaultStep | None:
    return next((step for step in every_step(scenario.steps) if isinstance(step, FaultStep) and step.id == name), None)


class Silent:
    def __init__(self) -> None:
        self.lines: list[tuple[str, bool, int, int]] = []

    def measured(self, failures: int, runs: int, test: SequentialTest | None) -> None: ...
    def decided(self, what: str, kept: bool, failures: int, runs: int) -> None:
        self.lines.append((what, kept, failures, runs))


def search(attempt: Callable[[Scenario], bool], again: Callable[[Scenario], bool] | None = None, **rest: int) -> Shrunk:
    asked = Asked(
        sound=lambda form: any(isinstance(step, FaultStep) for step in every_step(form.steps)),
        attempt=attempt,
        again=again or attempt,
        told=Silent(),
        **rest,
    )
    return shrink(everything(), asked)


@settings(deadline=None)
@given(st.sets(st.sampled_from(LEAVES), min_size=1).filter(lambda names: set(names) & set("acdh")))
def test_exactly_the_steps_that_are_needed_are_left(needed: set[str]) -> None:
    """Whatever set of steps a failure needs, the search ends with that set and nothing else."""
    found = search(lambda form: needed <= set(removable(form.steps)))
    assert set(removable(found.scenario.steps)) == needed
    assert (found.failures, found.runs, found.confirmed) == (10, 10, True)


def test_numbers_are_turned_down_to_where_it_still_fails() -> None:
    """A hold, a count, a parameter and a number of times end just above the planted threshold."""

    def fails(form: Scenario) -> bool:
        paused, slowed = fault(form, "c"), fault(form, "h")
        times = next((step.times for step in every_step(form.steps) if hasattr(step, "times")), 1)
        return (
            paused is not None
            and slowed is not None
            and (paused.hold or everything().timeout).seconds >= 3.3
            and (paused.target.count or 0) >= 2
            and str(slowed.parameters["delay"]) in {"400ms", "200ms", "150ms"}
            and times >= 3
        )

    found = search(fails)
    paused = fault(found.scenario, "c")
    assert paused is not None
    assert paused.hold is not None
    assert 3.3 <= paused.hold.seconds <= 3.3 * 1.25
    assert paused.target.count == 2
    assert any("g times: 3" in line for line in found.kept)


@pytest.mark.parametrize("rate", [0.9, 0.4])
def test_chance_does_not_take_what_is_needed(rate: float) -> None:
    """A failure that comes now and then, in a mesh that sometimes fails by itself: of 40 searches, one errs at most."""
    wrong = 0
    for seed in range(40):
        draw = random.Random(seed)

        def fails(form: Scenario, draw: random.Random = draw) -> bool:
            return draw.random() < (rate if {"c", "d"} <= set(removable(form.steps)) else rate / 50)

        found = search(fails, first=60, confirm=12)
        wrong += not {"c", "d"} <= set(removable(found.scenario.steps))
    assert wrong <= 1


def test_one_lucky_failure_keeps_nothing() -> None:
    """A form that fails once, the first time, is not kept."""
    seen: set[str] = set()

    def fails(form: Scenario) -> bool:
        whole = len(removable(form.steps)) == len(LEAVES)
        first = repr(form) not in seen
        seen.add(repr(form))
        return whole or first

    assert set(removable(search(fails).scenario.steps)) == set(LEAVES)


def test_a_failure_that_is_not_seen_again_reduces_nothing() -> None:
    """No failure in all the runs that are allowed: the scenario as it was, no test, not confirmed."""
    found = search(lambda form: False, first=7)
    assert (found.scenario, found.failures, found.runs, found.test, found.confirmed) == (everything(), 0, 7, None, False)


def test_what_does_not_fail_afresh_is_given_up_for_the_form_before_it() -> None:
    """Runs that chose a form say too much in its favour: its own runs decide, and the one before it is tried then."""
    found = search(lambda form: "c" in removable(form.steps), lambda form: {"c", "d"} <= set(removable(form.steps)))
    assert {"c", "d"} <= set(removable(found.scenario.steps))
    assert found.confirmed


def limited(runs: int, *, over: bool) -> Callable[[Scenario], bool]:
    left = [runs]

    def fails(form: Scenario) -> bool:
        if not left[0]:
            raise Stopped("enough", over=over)
        left[0] -= 1
        return "c" in removable(form.steps)

    return fails


def test_a_spent_budget_gives_the_best_so_far_and_its_own_runs() -> None:
    """What was found until then is smaller, still fails, and was run again."""
    found = search(limited(9, over=False), lambda form: "c" in removable(form.steps))
    assert found.stopped == "enough"
    assert {"c"} < set(removable(found.scenario.steps)) < set(LEAVES)
    assert (found.failures, found.runs) == (10, 10)


def test_an_interruption_makes_no_further_run() -> None:
    """The best so far, and no rate, because nothing was run again."""
    found = search(limited(9, over=True))
    assert (found.stopped, found.runs, found.confirmed) == ("enough", 0, False)
    assert set(removable(found.scenario.steps)) < set(LEAVES)
    first = search(limited(1, over=True))
    assert (first.scenario, first.test, first.stopped) == (everything(), None, "enough")


def test_the_same_answers_lead_the_same_way() -> None:
    """A search that is given the answers of an earlier one asks the same questions: so it can be taken up again."""

    def asked_forms(answers: Iterator[bool]) -> list[str]:
        forms: list[str] = []

        def fails(form: Scenario) -> bool:
            forms.append(repr(form))
            return next(answers)

        search(fails)
        return forms

    draw = random.Random(3)
    answers = [draw.random() < 0.6 for _ in range(2000)]
    assert asked_forms(iter(answers)) == asked_forms(iter(answers))
