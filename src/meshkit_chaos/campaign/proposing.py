"""Tests for a new scenario: worlds that were tried, one in which it passes and one for each objective in which it fails.

Takes a scenario and its environment; gives tests as text, each of which came out as it says. Where no world of the ones that
are tried fits, there is no such test: nothing is proposed that was not seen.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from meshkit_chaos import promql
from meshkit_chaos.campaign.rehearsal import Rehearsed, rehearse
from meshkit_chaos.scenario.environment import EnvironmentDescription
from meshkit_chaos.scenario.load_tests import load_tests
from meshkit_chaos.scenario.model import FaultStep, Scenario
from meshkit_chaos.scenario.world import BUILT_IN
from meshkit_chaos.slo import Band, Duration, Indicator

_SECOND: Final = Duration(10**9)
_OVER: Final = 2  # so many times the limit is surely too late


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """``tests``: items of ``tests``, as text from the first column. ``never_failed``: objectives without a failing world."""

    tests: tuple[str, ...]
    passes: bool
    never_failed: tuple[str, ...]


def propose(
    scenario: Scenario, description: EnvironmentDescription, *, folder: Path, shared: Mapping[str, Any] | None = None
) -> Proposal:
    """``folder`` takes the records of what is tried. ``shared``: what the test document says for all worlds, plain values."""
    trial = _Trial(scenario, description, folder, shared or {})
    exported = {name for text in (shared or {}).get("series", {}) for name in promql.parse(text).metric_names}
    for series in _series_choices(scenario, frozenset(exported)):
        passing = next((text for text in _good_worlds(scenario, series) if trial.comes_to(text, "pass")), None)
        if passing is None:
            continue
        failing = dict(_failing(trial, scenario, series))
        missed = tuple(name for name in _key_objectives(scenario) if name not in failing)
        tests = [trial.test_text(passing, "pass"), *(_merged(trial, failing))]
        return Proposal(tests=tuple(tests), passes=True, never_failed=missed)
    return Proposal(tests=(), passes=False, never_failed=_key_objectives(scenario))


def _key_objectives(scenario: Scenario) -> tuple[str, ...]:
    return tuple(objective.id for objective in scenario.objectives if not objective.informational)


def _merged(trial: _Trial, failing: dict[str, str]) -> Iterator[str]:
    """One test a world, with all objectives that were seen failing in it."""
    for world in dict.fromkeys(failing.values()):
        names = [name for name, found in failing.items() if found == world]
        blamed = names[0] if len(names) == 1 else f"[{', '.join(names)}]"
        yield trial.test_text(world, f"{{verdict: fail, objective: {blamed}}}")


class _Trial:
    """Runs a scenario in worlds given as text, and remembers."""

    def __init__(
        self, scenario: Scenario, description: EnvironmentDescription, folder: Path, shared: Mapping[str, Any]
    ) -> None:
        self._scenario, self._description, self._folder = scenario, description, folder
        self._shared = "".join(f"{key}: {json.dumps(value)}\n" for key, value in shared.items())  # JSON is YAML
        self._seen: dict[str, Rehearsed] = {}

    def test_text(self, world: str, expected: str) -> str:
        return f"- scenario: {self._scenario.id}\n  world: {world}\n  expect: {expected}\n"

    def run(self, world: str) -> Rehearsed:
        if world not in self._seen:
            document = f"version: 1\nscenarios: here\n{self._shared}tests:\n{self.test_text(world, 'pass')}"
            loaded = load_tests(document.encode(), path="proposal")
            assert loaded.value is not None, loaded.problems
            own = self._folder / str(len(self._seen))
            test = loaded.value.tests[0]
            self._seen[world] = rehearse(test, self._scenario, self._description, folder=own, base=self._folder)
        return self._seen[world]

    def comes_to(self, world: str, verdict: str) -> bool:
        return self.run(world).verdict.verdict == verdict

    def fails(self, world: str, objective: str) -> bool:
        verdict = self.run(world).verdict
        failed = {finding.id for finding in verdict.findings if finding.verdict == "fail"}
        return verdict.verdict == "fail" and objective in failed


def _failing(trial: _Trial, scenario: Scenario, series: str) -> Iterator[tuple[str, str]]:
    """Each objective with the first world in which it fails."""
    worlds = tuple(_bad_worlds(scenario, series))
    for name in _key_objectives(scenario):
        found = next((world for world in worlds if trial.fails(world, name)), None)
        if found is not None:
            yield name, found


def _limits(scenario: Scenario) -> tuple[Duration, Duration]:
    limits = [objective.within for objective in scenario.objectives if objective.within is not None]
    return min(limits, default=_SECOND * 4), max(limits, default=_SECOND * 4)


def _held(scenario: Scenario) -> Duration:
    """How long the steps last at least, as far as they say."""
    holds = [step.hold for step in scenario.steps if isinstance(step, FaultStep) and step.hold is not None]
    return Duration(sum(hold.ns for hold in holds))


def _good_worlds(scenario: Scenario, series: str) -> Iterator[str]:
    shortest, _ = _limits(scenario)
    half = _rounded(shortest, 0.5)
    yield _world(f"leader back after: {half}", series)
    yield _world(f"out of order: {{for: {half}}}", series)
    yield _world(f"out of order: {{for: {_held(scenario) + half}}}", series)
    yield _world("", series)
    yield _world("leader back after: 100ms", series)


def _bad_worlds(scenario: Scenario, series: str) -> Iterator[str]:
    _, longest = _limits(scenario)
    late, held = _rounded(longest, _OVER), _held(scenario)
    yield _world(f"leader back after: {late}", series)
    yield _world(f"out of order: {{for: {late}}}", series)
    yield _world(f"out of order: {{for: {held + late}}}", series)
    yield _world("leader back after: never", series)
    yield _world(f"out of order: {{from: 500ms, for: {max(held, _SECOND * 3)}}}", series)
    yield _world("out of order: {after: revert}", series)
    yield _world(f"members back after: {late}", series)
    yield _world("member dies: {at: 500ms}", series)


def _rounded(limit: Duration, factor: float) -> Duration:
    """A round number near ``factor`` times the limit: whole seconds where it has some."""
    ns = limit.ns * factor
    unit = 10**9 if ns >= 2 * 10**9 else 10**8 if ns >= 2 * 10**8 else 10**6
    return Duration(max(unit, round(ns / unit) * unit))


def _world(own: str, series: str) -> str:
    return "{" + ", ".join(part for part in (own, series) if part) + "}"


def _series_choices(scenario: Scenario, exported: frozenset[str]) -> Iterator[str]:
    """What the world may export, as text: nothing where every metric is there already."""
    missing = [
        (indicator, selector)
        for indicator in scenario.indicators
        if indicator.source == "scrape"
        for selector in promql.parse(indicator.query).selectors
        if selector.metric and not _there(selector, exported)
    ]
    if not missing:
        yield ""
        return
    for form in ("follows", "first", "each", "leads"):
        named = {_key(selector): _form(form, indicator, selector) for indicator, selector in missing}
        yield "series: {" + ", ".join(f"{key}: {value}" for key, value in named.items()) + "}"


def _there(selector: promql.Selector, exported: frozenset[str]) -> bool:
    """Whether every world has it: built-in metrics bear no labels but the member's."""
    if selector.metric in exported or selector.metric == "up":
        return True
    return selector.metric in BUILT_IN and not _equalities(selector)


def _key(selector: promql.Selector) -> str:
    labels = [f'{matcher.name}="{matcher.value}"' for matcher in _equalities(selector)]
    return f"'{selector.metric}{{{','.join(labels)}}}'" if labels else selector.metric


def _equalities(selector: promql.Selector) -> Sequence[promql.Matcher]:
    own = (matcher for matcher in selector.matchers if matcher.name not in {"__name__", "member", "instance"})
    return [matcher for matcher in own if matcher.op == "=" and matcher.value and "'" not in matcher.value]


def _form(form: str, indicator: Indicator, selector: promql.Selector) -> str:
    """How one series behaves. ``first``: only the first one that a query reads moves, such as the numerator of a share."""
    good, bad = _values(indicator.band)
    if indicator.kind == "event":
        return "{rises: {good: 0, bad: 10}}"
    if selector.range_ns is not None:
        return f"{{rises: {{good: {max(good, 0):g}, bad: {max(bad, 0):g}}}}}"
    if form == "leads":
        return "{leader: 1, others: 0}"
    if form == "first" and selector != promql.parse(indicator.query).selectors[0]:
        return "{good: 1, bad: 1}"
    return f"{{good: {good:g}, bad: {bad:g}{', by: each' if form == 'each' else ''}}}"


def _values(band: Band) -> tuple[float, float]:
    """A value in the band, and one well out of it."""
    edge = band.value
    apart = max(1.0, abs(edge))
    if band.upper is not None:
        return (edge + band.upper) / 2, band.upper + max(1.0, abs(band.upper))
    match band.comparison:
        case "==":
            return edge, 0.0 if edge else 1.0
        case "!=":
            return edge + apart, edge
        case "<" | "<=":
            return (edge / 2 if edge > 0 else edge - apart if band.comparison == "<" or edge < 0 else edge), edge + apart
        case _:
            return edge + apart, (0.0 if edge > 0 else edge - apart)
