"""Which scenarios a requirement is about: those that it names, and those of history that it selects. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from meshkit_chaos.gate.overrides import is_glob
from meshkit_chaos.gate.policy import SEVERITIES, Requirement
from meshkit_chaos.history.model import PastScenario


def named(requirement: Requirement) -> tuple[str, ...]:
    """Scenarios that are needed whether history knows them or not."""
    return tuple(name for name in requirement.scenarios if not is_glob(name))


def selected(requirement: Requirement, known: Iterable[PastScenario], *, unknown: Iterable[str] = ()) -> tuple[str, ...]:
    """The scenarios of a requirement, those that it names first. ``known`` may hold several results of one scenario.

    ``unknown``: scenarios that were announced and of which nothing else is known. Whatever could be about them, is.
    """
    found = {one.scenario for one in known if _fits(requirement, one)}
    found |= {name for name in unknown if not requirement.scenarios or _named_like(requirement, name)}
    return tuple(dict.fromkeys((*named(requirement), *sorted(found))))


def _named_like(requirement: Requirement, scenario: str) -> bool:
    return any(fnmatchcase(scenario, pattern) for pattern in requirement.scenarios)


def _fits(requirement: Requirement, one: PastScenario) -> bool:
    conditions = (
        (requirement.scenarios, _named_like(requirement, one.scenario)),
        (requirement.tags, bool(set(requirement.tags) & set(one.tags))),
        (requirement.modules, bool(set(requirement.modules) & set(one.modules))),
        (requirement.severity, _weight(one.severity) >= _weight(requirement.severity)),
    )
    asked = [holds for wanted, holds in conditions if wanted]
    return bool(asked) and all(asked)


def _weight(severity: str) -> int:
    """An unknown severity counts as the highest, so that a slip does not take a scenario out."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def in_class(requirement: Requirement, result: PastScenario) -> bool:
    """Whether a result is of the environment class that is needed.

    A pass only if everything that tells its class is of it; anything else if it may be, so that a run without a class takes no
    failure out of sight.
    """
    wanted = requirement.environment_class
    fitting = _fitting(wanted, result)
    if not wanted:
        return True
    return bool(fitting) and all(fitting) if result.verdict == "pass" else any(fitting) or not fitting


def surely_in_class(wanted: str, result: PastScenario) -> bool:
    """Whether everything that tells the class of a result is of ``wanted``, a glob; empty: any will do."""
    fitting = _fitting(wanted, result)
    return not wanted or (bool(fitting) and all(fitting))


def _fitting(wanted: str, result: PastScenario) -> list[bool]:
    """Of each class that a result or one of its runs names."""
    told = {result.environment_class, *(run.environment_class for run in result.runs)} - {""}
    return [fnmatchcase(name, wanted) for name in told]
