"""Test documents to frozen values: the one way in.

Takes the bytes of a test document and the path to name in messages; gives the value, or every problem at once. What the tests
say of scenarios, members and metrics is checked where those are given. Pure: whoever calls reads the files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pydantic import ValidationError

from meshkit_chaos import promql
from meshkit_chaos.promql import Labels
from meshkit_chaos.scenario.build_world import built_tests
from meshkit_chaos.scenario.environment import EnvironmentDescription
from meshkit_chaos.scenario.findings import At, Findings
from meshkit_chaos.scenario.grammar_problems import grammar_problems, refusals
from meshkit_chaos.scenario.grammar_values import close_names
from meshkit_chaos.scenario.grammar_world import TestsText
from meshkit_chaos.scenario.load import Loaded, loaded, without_echoes
from meshkit_chaos.scenario.model import Scenario, ScenarioFile
from meshkit_chaos.scenario.world import BUILT_IN, ScenarioTest, TestFile, Window, World
from meshkit_chaos.scenario.yaml_positions import compose

_ALWAYS_THERE = frozenset({"up", "probe_success", "probe_duration_seconds"})


def load_tests(
    data: bytes,
    *,
    path: str,
    scenarios: ScenarioFile | None = None,
    environment: EnvironmentDescription | None = None,
) -> Loaded[TestFile]:
    """Read a test document. References are checked against what is given; without it they are taken as they stand."""
    composed = compose(data, path=path)
    if composed.root is None:
        return loaded(None, composed.problems)
    findings = Findings(path, composed.root)
    try:
        text = TestsText.model_validate(composed.root.data)
    except ValidationError as error:
        told = grammar_problems(refusals(error), model=TestsText, root=composed.root, path=path)
        return loaded(None, without_echoes(composed, told))
    at = At(findings, ())
    value = built_tests(text, at=at, path=path, data=composed.root.data)
    for number, test in enumerate(value.tests):
        place = at.below("tests", number)
        if scenarios is not None:
            _lint_scenario(test, scenarios.scenarios, at=place)
        if environment is not None:
            _lint_members(test.world, environment, at=place.below("world"))
    return loaded(value, without_echoes(composed, findings.problems))


def shared_parts(data: bytes, *, path: str) -> dict[str, Any]:
    """What a test document says for all of its worlds, as plain values."""
    root = compose(data, path=path).root
    written = root.data if root is not None and isinstance(root.data, dict) else {}
    return {key: written[key] for key in ("series", "roles", "probes") if key in written}


def scenarios_of(test: ScenarioTest, known: Sequence[Scenario]) -> tuple[Scenario, ...]:
    """The scenarios that a test is about. Of a record without a name, those whose id the record will say: none here."""
    if test.scenario is None:
        return () if test.record is not None else tuple(known)
    return tuple(scenario for scenario in known if scenario.id == test.scenario)


def _lint_scenario(test: ScenarioTest, known: Sequence[Scenario], *, at: At) -> None:
    ids = [scenario.id for scenario in known]
    if test.scenario is not None and test.scenario not in ids:
        at.below("scenario").say("MC201", f"unknown scenario {test.scenario!r}", hint=_near(test.scenario, ids))
        return
    about = scenarios_of(test, known)
    if not about:
        return
    objectives = sorted({objective.id for scenario in about for objective in scenario.objectives})
    wanted: list[tuple[str, tuple[str, ...]]] = [(name, ("objective",)) for name in test.expected.blamed]
    wanted += [(name, ("objectives", name)) for name in test.expected.objectives]
    for name, place in wanted:
        if name not in objectives:
            at.below("expect", *place).say("MC202", f"unknown objective {name!r}", hint=_near(name, objectives), of_key=True)
    if test.record is None:
        _lint_world(test.world, about, at=at)


def _lint_world(world: World, about: Sequence[Scenario], *, at: At) -> None:
    """Every metric that the scenarios read must be exported, and what a window names must be there."""
    exported = {name_of(series.labels) for series in world.series} | set(BUILT_IN)
    for selector, indicator in _selectors(about):
        if not _fits(selector, world):
            wanted = _written(selector)
            message = f"the world does not export {wanted}, which the indicator {indicator} reads"
            near = close_names(selector.metric, exported - {selector.metric})
            hint = f"did you mean {near[0]}, or: " if near else ""
            key = f"'{wanted}'" if "{" in wanted else wanted
            at.below("world").say("MC203", message, hint=f"{hint}series: {{{key}: {{good: 1, bad: 0}}}}", of_key=True)
    for place, window in _named(world, ("vanish", "not_numbers", "frozen")):
        for name in window.names:
            if name not in exported:
                at.below("world", *place).say("MC203", f"the world does not export {name}", hint=_near(name, exported))
    probes = {indicator.probe.name for scenario in about for indicator in scenario.indicators if indicator.probe}
    for place, window in _named(world, ("probes_fail",)):
        for name in window.names:
            if name not in probes:
                at.below("world", *place).say("MC204", f"there is no probe {name!r}", hint=_near(name, probes))


_KEYS = {
    "vanish": "metrics vanish",
    "not_numbers": "metrics are NaN",
    "frozen": "metrics freeze",
    "scrapes_fail": "scrapes fail",
    "probes_fail": "probes fail",
}


def _named(world: World, fields: Iterable[str]) -> Iterator[tuple[tuple[str, ...], Window]]:
    for field in fields:
        for window in getattr(world, field):
            yield (_KEYS[field],), window


def _selectors(about: Sequence[Scenario]) -> Iterator[tuple[promql.Selector, str]]:
    """Each series that scrapes must give, with one indicator that reads it."""
    told: set[str] = set()
    for scenario in about:
        for indicator in scenario.indicators:
            for selector in promql.parse(indicator.query).selectors if indicator.source == "scrape" else ():
                if selector.metric and selector.metric not in _ALWAYS_THERE and _written(selector) not in told:
                    told.add(_written(selector))
                    yield selector, indicator.name


def _own_matchers(selector: promql.Selector) -> list[promql.Matcher]:
    """Those that a world's series must fit: which member exports it is not theirs to say."""
    return [matcher for matcher in selector.matchers if matcher.name not in {"__name__", "member", "instance"}]


def _written(selector: promql.Selector) -> str:
    inner = ",".join(str(matcher) for matcher in _own_matchers(selector))
    return f"{selector.metric}{{{inner}}}" if inner else selector.metric


def _fits(selector: promql.Selector, world: World) -> bool:
    told = [series.labels for series in world.series if name_of(series.labels) == selector.metric]
    if not told and selector.metric in BUILT_IN:
        told = [promql.labels_of(selector.metric, {})]
    matchers = _own_matchers(selector)
    return any(all(matcher.matches(promql.label(labels, matcher.name)) for matcher in matchers) for labels in told)


def _lint_members(world: World, environment: EnvironmentDescription, *, at: At) -> None:
    members = [member.name for member in environment.members]
    wanted: list[tuple[str, tuple[str, ...]]] = [
        (death.member, ("member dies",)) for death in world.deaths if death.member is not None
    ]
    wanted += [(name, place) for place, window in _named(world, ("scrapes_fail",)) for name in window.names]
    wanted += [(name, ("roles", role)) for role, names in world.roles.items() for name in names]
    for name, place in wanted:
        if name not in members:
            at.below(*place).say("MC204", f"there is no member {name!r}", hint=_near(name, members), of_key=True)
    for role in world.roles:
        if role not in environment.roles:
            at.below("roles", role).say(
                "MC204", f"the environment knows no role {role!r}", hint=_near(role, environment.roles), of_key=True
            )


def _near(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = close_names(name, names)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(names[:8]) or 'none'}"


def name_of(labels: Labels) -> str:
    """The metric's name."""
    return promql.label(labels, "__name__")
