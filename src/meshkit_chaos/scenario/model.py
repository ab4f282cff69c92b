"""What a scenario document says, frozen, with every default filled in."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from meshkit_chaos.faults import ParameterValue
from meshkit_chaos.slo import Band, Check, Duration, Indicator, Objective, Ratio

Importance = Literal["low", "medium", "high", "critical"]


class Target(Struct, frozen=True, kw_only=True):
    """Which members: the candidates (by ``names``, ``role``, without ``not_role``), then how many of them.

    With neither ``count`` nor ``share``, all candidates named or having the role; one, where nothing else is said.
    A share is rounded up. Which of the candidates is drawn from the plan's seed.
    """

    names: tuple[str, ...] = ()
    role: str | None = None
    not_role: str | None = None
    count: int | None = None
    share: Ratio | None = None


class Ramp(Struct, frozen=True, kw_only=True):
    """Move one parameter of a held fault from its own value ``to`` another, over a time, in so many equal steps."""

    parameter: str
    to: ParameterValue
    over: Duration
    steps: int


class FaultStep(Struct, frozen=True, kw_only=True, tag_field="step", tag="fault"):
    """Inject a fault, once the condition ``when`` is met. With ``hold``: keep it that long, revert it, then go on.

    Without ``hold`` it stays until a revert step names it, or until the rollback. A ``ramp`` begins with the injection.
    """

    id: str
    fault: str
    target: Target
    hold: Duration | None = None
    parameters: dict[str, ParameterValue] = {}
    when: UntilStep | None = None
    ramp: Ramp | None = None


class WaitStep(Struct, frozen=True, kw_only=True, tag_field="step", tag="wait"):
    """Let time pass: ``wait``, and up to ``jitter`` more, which the seed decides."""

    id: str
    wait: Duration
    jitter: Duration = Duration(0)


class UntilStep(Struct, frozen=True, kw_only=True, tag_field="step", tag="until"):
    """Wait until an indicator is good, or bad. A time-out ends the run (aborted) unless ``or_go_on``."""

    id: str
    until: str
    timeout: Duration
    or_go_on: bool = False
    state: Literal["good", "bad"] = "good"


class RevertStep(Struct, frozen=True, kw_only=True, tag_field="step", tag="revert"):
    """Undo the fault of an earlier step: every injection of it that is held, newest first."""

    id: str
    revert: str


class ParallelStep(Struct, frozen=True, kw_only=True, tag_field="step", tag="parallel"):
    """Branches that run at once; the step ends when all have."""

    id: str
    branches: tuple[tuple[Step, ...], ...]


class RepeatStep(Struct, frozen=True, kw_only=True, tag_field="step", tag="repeat"):
    """The same steps again and again, each time ``every`` after the time before, or as soon as that is over if it takes longer.

    Each time begins up to ``jitter`` later, which the seed decides; that does not add up.
    """

    id: str
    times: int
    steps: tuple[Step, ...]
    every: Duration = Duration(0)
    jitter: Duration = Duration(0)


Step = FaultStep | WaitStep | UntilStep | RevertStep | ParallelStep | RepeatStep


class MembersPrerequisite(Struct, frozen=True, kw_only=True, tag_field="needs", tag="members"):
    """How many members are up (and not paused), of one role where given."""

    up: Band
    role: str | None = None


class IndicatorPrerequisite(Struct, frozen=True, kw_only=True, tag_field="needs", tag="indicator"):
    """An indicator is good, at the latest after ``within``."""

    indicator: str
    within: Duration


class CheckPrerequisite(Struct, frozen=True, kw_only=True, tag_field="needs", tag="check"):
    """A check holds on every member, at the latest after ``within``."""

    name: str
    check: Check
    within: Duration


Prerequisite = MembersPrerequisite | IndicatorPrerequisite | CheckPrerequisite


class SteadyState(Struct, frozen=True, kw_only=True):
    """What normal is: these indicators good for the whole of the baseline phase, which lasts ``lasting``."""

    indicators: tuple[str, ...]
    lasting: Duration


class GuardRail(Struct, frozen=True, kw_only=True):
    """Abort and roll back once the indicator was bad for ``bad_for`` without a break."""

    indicator: str
    bad_for: Duration


class Rollback(Struct, frozen=True, kw_only=True):
    """How long undoing may take, and which indicators must be good again afterwards (besides the fingerprint)."""

    within: Duration
    verify: tuple[str, ...] = ()


class Repeats(Struct, frozen=True, kw_only=True):
    """Up to ``up_to`` runs: fail at the ``fail_at``-th failure, pass at the ``up_to - fail_at + 1``-th pass, stop then."""

    up_to: int = 1
    fail_at: int = 1


class BlastRadius(Struct, frozen=True, kw_only=True):
    """At most so many members may be under a fault at once; the smaller of the two counts."""

    members: int | None = None
    share: Ratio | None = None


class Scenario(Struct, frozen=True, kw_only=True):
    """One scenario: what normal is, what is done to the mesh, what is demanded of it, and when to stop."""

    id: str
    title: str
    description: str = ""
    tags: tuple[str, ...] = ()
    owner: str = ""
    severity: Importance = "medium"
    modules: tuple[str, ...] = ()
    prerequisites: tuple[Prerequisite, ...] = ()
    steady_state: SteadyState
    indicators: tuple[Indicator, ...]
    steps: tuple[Step, ...]
    objectives: tuple[Objective, ...]
    guard_rails: tuple[GuardRail, ...] = ()
    rollback: Rollback
    repeats: Repeats = Repeats()
    blast_radius: BlastRadius
    timeout: Duration

    def indicator(self, name: str) -> Indicator:
        return next(indicator for indicator in self.indicators if indicator.name == name)


class ScenarioFile(Struct, frozen=True, kw_only=True):
    """A whole document. ``environment`` is the path it names, as written; ``digest`` is of the bytes that were read."""

    path: str
    digest: str
    environment: str | None
    scenarios: tuple[Scenario, ...]
