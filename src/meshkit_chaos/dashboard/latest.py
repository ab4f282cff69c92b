"""How every scenario stands now: its newest result that counts, when it last passed, and how long it took. Pure.

What badges, metrics and the API tell is this one value, so that they cannot disagree. A scenario that a newer invocation
announced and left no result of is *missing*, and so is one whose results people all set aside.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

from meshkit_chaos.history.cells import slowness
from meshkit_chaos.history.model import Ask, Cell, OverviewReader, PastInvocation, PastObjective, PastScenario
from meshkit_chaos.judge.verdict import EnvironmentName, VerdictName

Shown = VerdictName | Literal["missing"]


class Took(Struct, frozen=True, kw_only=True):
    """The slowest run for one objective, in nanoseconds. ``hi`` None: more than ``lo``."""

    objective: str
    verdict: VerdictName
    lo: int
    hi: int | None
    limit: int | None


class Latest(Struct, frozen=True, kw_only=True):
    """One scenario. ``at``: of the newest result that counts, or None; ``passed``: of the newest pass, or None."""

    scenario: str
    title: str
    severity: str
    owner: str
    modules: tuple[str, ...]
    verdict: Shown
    at: int | None = None
    invocation: str = ""
    passed: int | None = None
    flaky: bool = False
    took: tuple[Took, ...] = ()


class Environment(Struct, frozen=True, kw_only=True):
    """How a class of environments was left by the newest run that touched it, when that began, and in which invocation."""

    environment_class: str
    state: EnvironmentName
    at: int
    invocation: str


def latest(reader: OverviewReader, held: Sequence[PastInvocation]) -> tuple[Latest, ...]:
    """Every scenario there ever was, by name. ``held``: the newest invocations, newest first, for what they announced."""
    counted = {one.scenario: one for one in reader.results(Ask(newest=1))}
    passed = {one.scenario: one.at for one in reader.results(Ask(verdicts=("pass",), newest=1))}
    announced: dict[str, int] = {}
    for past in held:
        announced |= {name: past.at for name in past.announced if name not in announced}
    left = {(cell.invocation, cell.scenario) for cell in reader.cells([one.invocation for one in held])}
    newest = {(past.invocation, name) for past in held for name in past.announced if past.at == announced[name]}
    lost = {name for _, name in newest - left}
    known = {one.scenario: one for one in reader.known()}
    return tuple(
        _latest(name, known.get(name), counted.get(name), passed.get(name), lost=name in lost)
        for name in sorted({*known, *announced})
    )


def _latest(name: str, known: PastScenario | None, result: PastScenario | None, passed: int | None, *, lost: bool) -> Latest:
    told = result or known
    return Latest(
        scenario=name,
        title=told.title if told else "",
        severity=told.severity if told else "",
        owner=told.owner if told else "",
        modules=told.modules if told else (),
        verdict="missing" if lost or result is None else result.verdict,
        at=result.at if result else None,
        invocation=result.invocation if result else "",
        passed=passed,
        flaky=result.flaky if result else False,
        took=_took(result) if result and not lost else (),
    )


def _took(result: PastScenario) -> tuple[Took, ...]:
    slowest: dict[str, PastObjective] = {}
    for run in result.runs:
        for one in run.objectives:
            if one.lo is not None and not run.invalidated and _slowness(one) > _slowness(slowest.get(one.name)):
                slowest[one.name] = one
    return tuple(
        Took(objective=name, verdict=one.verdict, lo=one.lo or 0, hi=one.hi, limit=one.limit) for name, one in slowest.items()
    )


def _slowness(one: PastObjective | None) -> tuple[bool, float, float]:
    return (False, -1.0, -1.0) if one is None else slowness(one.lo, one.hi, one.limit)


def environments(cells: Iterable[Cell], known: Iterable[PastScenario]) -> tuple[Environment, ...]:
    """By class. A result that touched nothing says nothing: a run that is refused because of dirt leaves the dirt there.

    ``known``: the newest result of every scenario, so that what was left dirty is told however many invocations came elsewhere.
    """
    newest: dict[str, Cell | PastScenario] = {}
    every: list[Cell | PastScenario] = [*cells, *known]
    for cell in sorted(every, key=lambda one: (one.at, one.invocation)):
        if cell.environment != "untouched" and cell.environment_class:
            newest[cell.environment_class] = cell
    return tuple(
        Environment(environment_class=name, state=cell.environment, at=cell.at, invocation=cell.invocation)
        for name, cell in sorted(newest.items())
    )
