"""Documents to frozen values: the one way in.

Takes the bytes of a document and the path to name in messages; gives the value, or every problem at once (and, with the value,
the warnings). Pure: whoever calls reads the file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from meshkit_chaos.errors import Problem
from meshkit_chaos.scenario.build import Draft, built_scenario
from meshkit_chaos.scenario.build_environment import built_environment
from meshkit_chaos.scenario.environment import EnvironmentDescription
from meshkit_chaos.scenario.exported import Exported
from meshkit_chaos.scenario.findings import At, Findings
from meshkit_chaos.scenario.grammar import DefaultsText, ScenariosText
from meshkit_chaos.scenario.grammar_environment import EnvironmentText
from meshkit_chaos.scenario.grammar_problems import grammar_problems, refusals
from meshkit_chaos.scenario.grammar_shape import Place
from meshkit_chaos.scenario.lint import lint_scenarios, lint_unused
from meshkit_chaos.scenario.measured import Surroundings, measured_indicators
from meshkit_chaos.scenario.model import ScenarioFile
from meshkit_chaos.scenario.yaml_positions import Composed, Node, compose
from meshkit_chaos.slo import Duration

Value = TypeVar("Value")
Text = TypeVar("Text", bound=BaseModel)
_USUAL_ROUND: Final = Duration(200 * 10**6)


@dataclass(frozen=True, slots=True)
class Loaded(Generic[Value]):
    """``value`` is None if and only if there is an error among the problems. They are sorted by their place."""

    value: Value | None
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity == "error")


def load_scenarios(
    data: bytes,
    *,
    path: str,
    environment: EnvironmentDescription | None = None,
    round_every: Duration | None = None,
    exported: Exported | None = None,
) -> Loaded[ScenarioFile]:
    """Read a scenario document. What depends on the environment is checked where one is given.

    ``round_every`` is the length of a scraping round; by default the environment's, or 200ms. ``exported``: what a target was
    seen to export; queries are then checked against it.
    """
    composed = compose(data, path=path)
    if composed.root is None:
        return loaded(None, composed.problems)
    read = _admitted_scenarios(composed.root, path=path)
    findings = Findings(path, composed.root)
    drafts: list[Draft] = []
    if read.text is not None:
        metrics = environment.metrics if environment is not None else None
        every = round_every or (metrics.every if metrics is not None else _USUAL_ROUND)
        drafts = _linted(read, findings, Surroundings(environment=environment, round_every=every, exported=exported))
    problems = without_echoes(composed, (*read.problems, *findings.problems))
    scenarios = tuple(draft.scenario for draft in drafts)
    named = read.text.environment if read.text is not None else None
    value = ScenarioFile(path=path, digest=hashlib.sha256(data).hexdigest(), environment=named, scenarios=scenarios)
    return loaded(value, problems)


def load_environment(data: bytes, *, path: str) -> Loaded[EnvironmentDescription]:
    """Read an environment document."""
    composed = compose(data, path=path)
    if composed.root is None:
        return loaded(None, composed.problems)
    text, problems = admitted(EnvironmentText, composed.root.data, root=composed.root, path=path)
    findings = Findings(path, composed.root)
    value = None
    if text is not None:
        value = built_environment(text, at=At(findings, ()), path=path, digest=hashlib.sha256(data).hexdigest())
    return loaded(value, without_echoes(composed, (*problems, *findings.problems)))


def loaded(value: Value | None, problems: Iterable[Problem]) -> Loaded[Value]:
    ordered = sorted(set(problems), key=lambda problem: (problem.line, problem.column, problem.rule, problem.message))
    wrong = any(problem.severity == "error" for problem in ordered)
    return Loaded(None if wrong else value, tuple(ordered))


def without_echoes(composed: Composed, problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Leave out what the grammar said of a place that YAML itself was already wrong about."""
    told = {(problem.line, problem.column) for problem in composed.problems}
    return (*composed.problems, *(problem for problem in problems if (problem.line, problem.column) not in told))


def admitted(model: type[Text], data: Any, *, root: Node, path: str) -> tuple[Text | None, list[Problem]]:
    """The data as the grammar's model, or every problem that it has with it."""
    try:
        return model.model_validate(data), []
    except ValidationError as error:
        return None, grammar_problems(refusals(error), model=model, root=root, path=path)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """What the grammar admitted. ``positions``: where each admitted scenario stands in the document.

    ``broken``: indicators that it did not admit; None where that cannot be told. ``defaults_broken``: the defaults are missing
    because they have problems.
    """

    text: ScenariosText | None
    problems: tuple[Problem, ...]
    positions: tuple[int, ...] = ()
    broken: frozenset[str] | None = frozenset()
    defaults_broken: bool = False


def _admitted_scenarios(root: Node, *, path: str) -> _Read:
    """One validation for the lot; where it fails, a second one of what is left when the failing parts are taken out."""
    try:
        text = ScenariosText.model_validate(root.data)
    except ValidationError as error:
        found = refusals(error)
        problems = tuple(grammar_problems(found, model=ScenariosText, root=root, path=path))
        return _rest(root.data, [one["loc"] for one in found], problems)
    return _Read(text=text, problems=(), positions=tuple(range(len(text.scenarios))))


def _rest(data: Any, places: list[Place], problems: tuple[Problem, ...]) -> _Read:
    whole = {place[0] for place in places if len(place) == 1} if all(places) else {"scenarios"}
    if "scenarios" in whole or not isinstance(data, dict):
        return _Read(text=None, problems=problems)
    failed = {place[1] for place in places if place[0] == "scenarios" and len(place) > 1}
    broken = {str(place[1]) for place in places if place[0] == "indicators" and len(place) > 1}
    positions = tuple(number for number in range(len(data["scenarios"])) if number not in failed)
    indicators = {} if "indicators" in whole else data.get("indicators", {})
    rest = {
        "version": 1,
        "indicators": {name: text for name, text in indicators.items() if name not in broken},
        "scenarios": [data["scenarios"][number] for number in positions],
    }
    defaults_broken = any(place[0] == "defaults" for place in places)
    if not defaults_broken and "defaults" in data:
        rest["defaults"] = data["defaults"]
    try:
        text = ScenariosText.model_validate(rest)
    except ValidationError:
        return _Read(text=None, problems=problems)
    unknown = None if "indicators" in whole else frozenset(broken)
    return _Read(text=text, problems=problems, positions=positions, broken=unknown, defaults_broken=defaults_broken)


def _linted(read: _Read, findings: Findings, around: Surroundings) -> list[Draft]:
    assert read.text is not None
    at = At(findings, ())
    measured = measured_indicators(read.text.indicators or {}, at=at.below("indicators"), around=around)
    shared, defaults_at = read.text.defaults or DefaultsText(), at.below("defaults")
    drafts = [
        built_scenario(text, at=at.below("scenarios", place), shared=shared, defaults_at=defaults_at, measured=measured)
        for text, place in zip(read.text.scenarios, read.positions, strict=True)
    ]
    lint_scenarios(drafts, measured=measured, broken=read.broken, around=around)
    if not read.problems:
        lint_unused(drafts, measured, at=at.below("indicators"))
    if read.defaults_broken:
        findings.problems[:] = [found for found in findings.problems if found.rule != "MC120"]
    return drafts
