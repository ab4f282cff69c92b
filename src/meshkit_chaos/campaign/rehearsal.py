"""Tests of scenarios: each in its world and in virtual time, or on a recorded run, and whether the judge says what is expected.

Takes a test, a scenario and an environment description; gives the verdict and every difference from what was expected. Starts
nothing outside this process: members, roles and checks are staged. The record is written below the folder that is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from msgspec import structs

from meshkit_chaos.environments.staged import StagedEnvironment, staged_description
from meshkit_chaos.environments.virtual_time import VirtualClock, VirtualTimeLoop, run_virtually
from meshkit_chaos.errors import CannotRun
from meshkit_chaos.journal.reading import read_record
from meshkit_chaos.judge.judge import judge, refused
from meshkit_chaos.judge.verdict import Verdict
from meshkit_chaos.measure.sampler import Sampler, probes_of
from meshkit_chaos.plan import Plan, make_plan
from meshkit_chaos.run.runner import Order, run_once
from meshkit_chaos.scenario.environment import EnvironmentDescription
from meshkit_chaos.scenario.model import Repeats, Scenario
from meshkit_chaos.scenario.world import Expected, ScenarioTest, World

_RUN: Final = "01TEST00000000000000000000"
_SEED: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """One test of one scenario. ``differences``: what came out otherwise than expected, in sentences; empty if nothing did."""

    test: ScenarioTest
    scenario: str
    verdict: Verdict
    differences: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.differences


@dataclass(frozen=True, slots=True, kw_only=True)
class Untested:
    """A key objective that no test makes fail: nobody has seen that it can."""

    scenario: str
    objective: str


def rehearse(
    test: ScenarioTest, scenario: Scenario, description: EnvironmentDescription, *, folder: Path, base: Path
) -> Rehearsed:
    """Run one test. ``folder`` (new) takes the record; ``base`` is where the paths of recorded runs begin.

    Raises JournalDamaged where a recorded run cannot be read at all.
    """
    if test.record is not None:
        verdict = judge(read_record(base / test.record), scenario=scenario)
    else:
        verdict = staged(scenario, test.world, description, folder=folder)
    return Rehearsed(test=test, scenario=scenario.id, verdict=verdict, differences=tuple(differences(test.expected, verdict)))


def staged(scenario: Scenario, world: World, description: EnvironmentDescription, *, folder: Path) -> Verdict:
    """Run a scenario once in a world, and judge it."""
    loop = VirtualTimeLoop()
    clock = VirtualClock(loop)
    mesh = staged_description(description)
    environment = StagedEnvironment(mesh, world, clock, marker=_RUN, probes=probes_of(scenario.indicators))
    once = structs.replace(scenario, repeats=Repeats())
    try:
        plan = make_plan(once, mesh, environment.capabilities(), seed=_SEED)
    except CannotRun as error:
        loop.close()
        return refused(once, run=_RUN, reason=error.message, subject={})
    run_virtually(loop, _run(_order(plan, environment, clock, folder), environment, clock))
    return judge(read_record(folder))


async def _run(order: Order, environment: StagedEnvironment, clock: VirtualClock) -> None:
    try:
        await run_once(order, clock)
    finally:
        await environment.close()


def _order(plan: Plan, environment: StagedEnvironment, clock: VirtualClock, folder: Path) -> Order:
    metrics = plan.environment.metrics
    return Order(
        run=_RUN,
        plan=plan,
        folder=folder,
        environment=environment,
        deployed=True,
        environment_id=plan.environment.name,
        environment_folder="environment",
        environment_class="staged",
        subject={},
        repeat=1,
        make_sampler=lambda: Sampler(
            indicators=plan.scenario.indicators,
            members=plan.capabilities.members,
            targets=environment.scrape_targets(),
            every=plan.round_every,
            timeout=metrics.timeout if metrics else plan.round_every,
            check=environment.check,
            clock=clock,
            client=environment.client(),
        ),
        collect_logs=list,
        readers=(environment.told,),
        watched=False,
    )


def differences(expected: Expected, verdict: Verdict) -> Iterator[str]:
    """Where a verdict is not the expected one, in sentences."""
    found = {finding.id: finding for finding in verdict.findings if finding.about == "objective"}
    if expected.verdict is not None and verdict.verdict != expected.verdict:
        yield f"expected {expected.verdict}, got {verdict.verdict}: {reason(verdict)}"
    for facet in ("environment", "outcome"):
        wanted, got = getattr(expected, facet), getattr(verdict, facet)
        if wanted is not None and wanted != got:
            yield f"expected {facet} {wanted}, got {got}"
    judged = {**dict.fromkeys(expected.blamed, expected.verdict), **expected.objectives}
    for name, wanted in judged.items():
        if name not in found:
            yield f"expected {name} to be {wanted}, but it was not judged"
        elif found[name].verdict != wanted:
            yield f"expected {name} to be {wanted}, got {found[name].verdict}: {found[name].sentence}"
    if expected.says is not None and not any(expected.says in finding.sentence for finding in verdict.findings):
        yield f"no finding says {expected.says!r}; the worst says: {reason(verdict)}"


def reason(verdict: Verdict) -> str:
    """The sentence of the finding that decided, or of the first objective where everything passed."""
    counted = [finding for finding in verdict.findings if not finding.informational]
    decisive = [finding for finding in counted if finding.verdict == verdict.verdict]
    objectives = [finding for finding in decisive if finding.about == "objective"]
    return next((finding.sentence for finding in (*objectives, *decisive, *counted)), "nothing was judged")


def untested(scenarios: Iterable[Scenario], results: Sequence[Rehearsed]) -> tuple[Untested, ...]:
    """The key objectives that no test that came out as expected has made fail."""
    failed = {
        (result.scenario, finding.id)
        for result in results
        if result.ok
        for finding in result.verdict.findings
        if finding.about == "objective" and finding.verdict == "fail"
    }
    return tuple(
        Untested(scenario=scenario.id, objective=objective.id)
        for scenario in scenarios
        for objective in scenario.objectives
        if not objective.informational and (scenario.id, objective.id) not in failed
    )
