"""One invocation: every scenario that it announced, what came of it, and its runs. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from msgspec import Struct

from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.wording import minute
from meshkit_chaos.history.model import PastInvocation, PastObjective, PastRun, PastScenario
from meshkit_chaos.judge.phrases import say, say_time
from meshkit_chaos.judge.verdict import VerdictName
from meshkit_chaos.report.wording import ENVIRONMENT, URGENCY

BLOCKS_BYTES: Final = 120_000
LINES_BYTES: Final = 110_000
_LINE: Final = 270
_RUN: Final = 490
_OBJECTIVE: Final = 390


class ObjectiveLine(Struct, frozen=True, kw_only=True):
    name: str
    verdict: VerdictName
    sentence: str
    took: str
    informational: bool


class RunLine(Struct, frozen=True, kw_only=True):
    run: str
    href: str
    verdict: VerdictName
    outcome: str
    environment: str
    seed: int
    invalidated: str
    objectives: tuple[ObjectiveLine, ...]


class ScenarioBlock(Struct, frozen=True, kw_only=True):
    anchor: str
    scenario: str
    href: str
    title: str
    verdict: VerdictName
    sentence: str
    flaky: bool
    set_aside: bool
    runs: tuple[RunLine, ...]


class InvocationPage(Struct, frozen=True, kw_only=True):
    """``lost``: announced, without a result. ``blocks`` tell everything; ``lines``: what has no room to, each in a line;
    ``left_out``: so many more have not even that. What needs people comes first."""

    invocation: str
    when: str
    verdict: VerdictName
    sentence: str
    environment: str
    dirty: bool
    subject: tuple[tuple[str, str], ...]
    lost: tuple[str, ...]
    blocks: tuple[ScenarioBlock, ...]
    lines: tuple[ScenarioBlock, ...] = ()
    left_out: int = 0


def invocation_page(invocation: PastInvocation, results: Sequence[PastScenario], *, here: str) -> InvocationPage:
    """What needs people stands first."""
    ordered = sorted(results, key=lambda one: (URGENCY[one.verdict], one.scenario))
    told = {one.scenario for one in results}
    whole = _fitting([_weight(one) for one in ordered], BLOCKS_BYTES)
    short = _fitting([_LINE + 3 * len(one.title) + 3 * len(one.scenario) for one in ordered[whole:]], LINES_BYTES)
    return InvocationPage(
        invocation=invocation.invocation,
        when=minute(invocation.at),
        verdict=invocation.verdict,
        sentence=invocation.sentence,
        environment=ENVIRONMENT[invocation.environment],
        dirty=invocation.environment == "dirty",
        subject=tuple(sorted(invocation.subject.items())),
        lost=tuple(name for name in invocation.announced if name not in told),
        blocks=tuple(_block(one, here=here) for one in ordered[:whole]),
        lines=tuple(_block(one, here=here) for one in ordered[whole : whole + short]),
        left_out=len(ordered) - whole - short,
    )


def _fitting(weights: Sequence[int], most: int) -> int:
    """How many, from the first on."""
    return sum(held <= most for held in accumulate(weights))


def _weight(one: PastScenario) -> int:
    """About how many bytes it takes with its runs."""
    told = (len(objective.name) + len(objective.sentence) + _OBJECTIVE for run in one.runs for objective in run.objectives)
    return _LINE + 3 * len(one.title) + len(one.sentence) + len(one.runs) * _RUN + sum(told)


def _block(one: PastScenario, *, here: str) -> ScenarioBlock:
    return ScenarioBlock(
        anchor=paths.anchor(one.scenario),
        scenario=one.scenario,
        href=paths.relative(paths.scenario(one.scenario), here=here),
        title=one.title or one.scenario,
        verdict=one.verdict,
        sentence=one.sentence,
        flaky=one.flaky,
        set_aside=not one.counts,
        runs=tuple(_run(run, here=here) for run in one.runs),
    )


def _run(run: PastRun, *, here: str) -> RunLine:
    return RunLine(
        run=run.run,
        href=paths.relative(paths.run(run.run), here=here),
        verdict=run.verdict,
        outcome=run.outcome,
        environment=run.environment,
        seed=run.seed,
        invalidated=run.invalidated,
        objectives=tuple(_objective(one) for one in run.objectives),
    )


def _objective(one: PastObjective) -> ObjectiveLine:
    took = ""
    if one.lo is not None:
        took = say_time(one.lo, one.hi)
        took += f" of {say(one.limit)}" if one.limit is not None else ""
    return ObjectiveLine(name=one.name, verdict=one.verdict, sentence=one.sentence, took=took, informational=one.informational)
