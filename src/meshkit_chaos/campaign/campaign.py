"""Run the selected scenarios one after the other, each as often as its repeat plan asks, and judge every run from its record.

What is announced is on disk before it runs. A signal, a dirty environment or a lost record ends the campaign: what was announced
and has no result is then a missing result, never silence.
"""

from __future__ import annotations

from collections.abc import Callable
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
from meshkit_chaos.campaign.results import refused_verdict, write_verdict
from meshkit_chaos.clock import Clock, ulid
from meshkit_chaos.errors import CannotRun, ChaosError
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.reading import read_record
from meshkit_chaos.journal.record import Record
from meshkit_chaos.judge import Decision, InvocationVerdict, Verdict, invocation_verdict, judge, join, pending
from meshkit_chaos.plan import Capabilities, Plan, make_plan
from meshkit_chaos.scenario.environment import EnvironmentDescription
from meshkit_chaos.scenario.model import Scenario

RUNS: Final = "runs"


class Execute(Protocol):
    """Run one plan and leave its record in ``folder``. Raises ChaosError only if the record could not be begun."""

    def __call__(self, plan: Plan, *, run: str, folder: Path, repeat: int, subject: dict[str, str]) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """``tell`` is told, for people, which run begins and how it ended."""

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
    tell: "Listener"


class Listener(Protocol):
    def began(self, scenario: Scenario, number: int) -> None: ...
    def judged(self, verdict: Verdict) -> None: ...
    def refused(self, scenario: Scenario, reason: str) -> None: ...


class _Stop(Exception):
    """The campaign must not go on."""


def run_campaign(campaign: Campaign, clock: Clock) -> InvocationVerdict:
    """Raises JournalUnwritable where not even the log can be written."""
    invocation = ulid(clock)
    log = InvocationLog(campaign.out)
    verdicts: list[Verdict] = []
    reason = ""
    try:
        log.append(_started(campaign, invocation, clock))
        for scenario in campaign.scenarios:
            verdicts += _Scenario(campaign, scenario, log, clock).run(verdicts)
    except _Stop as stop:
        reason = str(stop)
    finally:
        log.append(InvocationEnded(reason=reason))
        log.close()
    return invocation_verdict(
        invocation, verdicts, announced=[(item.id, item.repeats) for item in campaign.scenarios], subject=campaign.subject
    )
