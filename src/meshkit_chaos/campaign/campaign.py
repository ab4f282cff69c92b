"""Run the selected scenarios one after the other, each as often as its repeat plan asks, and judge every run from its record.

What is announced is on disk before it runs. A signal, a dirty environment or a lost record ends the campaign: what was
announced
and has no result is then a missing result, never silence.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from meshkit_chaos import __version__
from meshkit_chaos.campaign.log import (
    AnnouncedScenario,
    InvocationEnded,
    InvocationLog,
    InvocationStarted,
    RunAnnounced,
    RunEnded,
    ScenarioRefused,
)
from meshkit_chaos.clock import Clock, ulid
from meshkit_chaos.errors import CannotRun, ChaosError, EnvironmentDirty, JournalUnwritable
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.reading import read_record
from meshkit_chaos.journal.record import Record
from meshkit_chaos.judge.invocation import invocation_verdict
from meshkit_chaos.judge.judge import judge, refused
from meshkit_chaos.judge.repeats import decide_scenario
from meshkit_chaos.judge.verdict import InvocationVerdict, Verdict
from meshkit_chaos.plan import Capabilities, Plan, make_plan
from meshkit_chaos.scenario.environment import EnvironmentDescription
from meshkit_chaos.scenario.model import Scenario
from meshkit_chaos.slo.codec import encode_pretty

RUNS: Final = "runs"
VERDICT: Final = "verdict.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOf:
    """One run to be executed: its ULID, its folder, its number from 1, and what is tested."""

    run: str
    folder: Path
    repeat: int
    subject: dict[str, str]


class Execute(Protocol):
    """Run one plan and leave its record in the folder. Raises ChaosError only if the record could not be begun."""

    def __call__(self, plan: Plan, run: RunOf) -> None: ...


class Listener(Protocol):
    """Is told, for people, what the journals do not say."""

    def began(self, scenario: Scenario, number: int) -> None: ...
    def judged(self, verdict: Verdict) -> None: ...
    def refused(self, scenario: Scenario, reason: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """What is to be run, where, and who is told. ``selection`` is what was asked for, ``scenarios`` what that came to.

    ``lease`` and ``fencing``: under which lease of a shared environment, and its token. ``once``: one run of each scenario,
    whatever comes of it.
    """

    out: Path
    scenarios: tuple[Scenario, ...]
    environment: EnvironmentDescription
    capabilities: Capabilities
    seed: int
    subject: dict[str, str]
    selection: tuple[str, ...]
    file: str
    file_digest: str
    execute: Execute
    listener: Listener
    environment_class: str = ""
    lease: str = ""
    fencing: int = 0
    once: bool = False


def run_campaign(campaign: Campaign, clock: Clock) -> InvocationVerdict:
    """Raises JournalUnwritable where the log cannot be written; what is on disk by then can still be judged."""
    log = InvocationLog(campaign.out)
    started = _started(campaign, clock)
    verdicts: list[Verdict] = []
    reason = ""
    try:
        log.append(started)
        for scenario in campaign.scenarios:
            reason = _run_scenario(campaign, scenario, log, clock, verdicts)
            if reason:
                break
        log.append(InvocationEnded(reason=reason))
    finally:
        log.close()
    return invocation_verdict(started.invocation, started.scenarios, verdicts, subject=campaign.subject)


def _started(campaign: Campaign, clock: Clock) -> InvocationStarted:
    return InvocationStarted(
        invocation=ulid(clock),
        tool=__version__,
        file=campaign.file,
        file_digest=campaign.file_digest,
        environment=campaign.environment.name,
        seed=campaign.seed,
        subject=campaign.subject,
        selection=campaign.selection,
        scenarios=tuple(
            AnnouncedScenario(
                id=scenario.id,
                title=scenario.title,
                repeats=scenario.repeats,
                severity=scenario.severity,
                owner=scenario.owner,
                modules=scenario.modules,
                tags=scenario.tags,
            )
            for scenario in campaign.scenarios
        ),
        wall_ns=clock.wall_ns(),
        environment_class=campaign.environment_class,
        lease=campaign.lease,
        fencing=campaign.fencing,
    )


def _run_scenario(campaign: Campaign, scenario: Scenario, log: InvocationLog, clock: Clock, verdicts: list[Verdict]) -> str:
    """Run one scenario until its repeat plan is decided; why the campaign must stop, or nothing."""
    mine: list[Verdict] = []
    for number, seed in _seeds(campaign.seed):
        run = _announce(campaign, scenario, number, log, clock)
        try:
            plan = make_plan(scenario, campaign.environment, campaign.capabilities, seed=seed)
            campaign.listener.began(scenario, number)
            campaign.execute(plan, run)
        except (CannotRun, EnvironmentDirty, JournalUnwritable) as error:
            _refuse(campaign, scenario, log, run, error, verdicts)
            return "" if isinstance(error, CannotRun) else error.message
        record = read_record(run.folder)
        verdict = judge(record)
        write_verdict(run.folder, verdict)
        log.append(RunEnded(scenario=scenario.id, number=number, outcome=verdict.outcome))
        campaign.listener.judged(verdict)
        verdicts.append(verdict)
        mine.append(verdict)
        if reason := _must_stop(record, verdict):
            return reason
        if campaign.once or decide_scenario(scenario.repeats, mine)[0].state == "decided":
            return ""
    return ""


def _seeds(seed: int) -> Iterator[tuple[int, int]]:
    """Numbers from 1, and a seed for each: the first run has the one that was asked for."""
    number = 1
    while True:
        yield number, seed + number - 1
        number += 1


def _announce(campaign: Campaign, scenario: Scenario, number: int, log: InvocationLog, clock: Clock) -> RunOf:
    relative = f"{RUNS}/{scenario.id}/{number:03d}"
    run = RunOf(run=ulid(clock), folder=campaign.out / relative, repeat=number, subject=campaign.subject)
    log.append(RunAnnounced(scenario=scenario.id, number=number, run=run.run, folder=relative))
    return run


def _refuse(
    campaign: Campaign, scenario: Scenario, log: InvocationLog, run: RunOf, error: ChaosError, verdicts: list[Verdict]
) -> None:
    campaign.listener.refused(scenario, str(error))
    verdicts.append(refused(scenario, run=run.run, reason=error.message, subject=campaign.subject))
    log.append(ScenarioRefused(scenario=scenario.id, reason=error.message))


def _must_stop(record: Record, verdict: Verdict) -> str:
    if (signal := record.first(ev.SignalReceived)) is not None:
        return f"{signal[1].signal} received"
    if verdict.environment == "dirty":
        return "the environment was left dirty"
    return "the record could not be written to its end" if record.crashed else ""


def write_verdict(folder: Path, verdict: Verdict) -> None:
    """Write the derived ``verdict.json`` of a run; it can always be derived again, so a full disk is no reason to fail."""
    with contextlib.suppress(OSError):
        write_derived(folder / VERDICT, encode_pretty(verdict))


def write_derived(path: Path, data: bytes) -> None:
    """Put a derived document in its place, whole or not at all. Results may come from elsewhere: no link there is followed."""
    temporary = path.with_name(f".{path.name}.new")
    try:
        temporary.unlink(missing_ok=True)
        with temporary.open("xb") as file:
            file.write(data)
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
