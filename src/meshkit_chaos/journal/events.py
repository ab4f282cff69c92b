"""The closed set of things that happen in a run. An event is a fact; nothing derived is ever written.

A line of ``journal.jsonl`` is an ``Entry``: a dense ``seq`` from 0, ``t`` in monotonic nanoseconds, and one event. Intents are
synced to disk before the act they announce, and hold all that is needed to undo it.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from meshkit_chaos.faults import LeverCall, MemberState
from meshkit_chaos.journal.binaries import BinaryFacts
from meshkit_chaos.plan.model import Plan
from meshkit_chaos.slo import Goodness, PhaseName

Outcome = Literal["completed", "aborted"]
Writer = Literal["runner", "watchdog", "recover"]


class Event(Struct, frozen=True, kw_only=True, tag_field="kind"):
    """The root of all events; not one itself."""


class RunStarted(Event, frozen=True, kw_only=True, tag="run.started"):
    """Who runs what, where. ``t`` of this entry and ``wall_ns`` are the same instant; ``owner`` is the user id.

    ``deployed``: the environment belongs to this run alone and dies with it; otherwise it was already up.
    ``environment_folder`` is relative to the run's folder when deployed, absolute otherwise.
    """

    schema: int
    run: str
    plan: Plan
    tool: str
    python: str
    platform: str
    environment_class: str
    subject: dict[str, str]
    repeat: int
    wall_ns: int
    boot: str
    owner: int
    pid: int
    deployed: bool
    environment_id: str
    environment_folder: str


class WriterChanged(Event, frozen=True, kw_only=True, tag="writer.changed"):
    """Another process took the journal over; ``cut`` bytes of a torn last line were cut off."""

    writer: Writer
    pid: int
    cut: int
    reason: str


class WatchdogStarted(Event, frozen=True, kw_only=True, tag="watchdog.started"):
    pid: int


class WatchdogDied(Event, frozen=True, kw_only=True, tag="watchdog.died"):
    pid: int


class PhaseEntered(Event, frozen=True, kw_only=True, tag="phase.entered"):
    phase: PhaseName


class DeployIntended(Event, frozen=True, kw_only=True, tag="deploy.intended"):
    """Members will be spawned under ``marker`` with the temporary folder ``data``.

    Undo: end whatever bears the marker, remove the folder.
    """

    marker: str
    data: str
    deadline: int


class MemberUp(Struct, frozen=True, kw_only=True):
    """A member as it was deployed. ``metrics`` is the address that is scraped, empty where there is none.

    ``executable``: what was found out about a binary of the environment when its copy was verified.
    """

    name: str
    pid: int
    binary: str
    binary_digest: str
    configuration_digest: str
    metrics: str = ""
    executable: BinaryFacts | None = None


class DeployDone(Event, frozen=True, kw_only=True, tag="deploy.done"):
    members: tuple[MemberUp, ...]


class DeployFailed(Event, frozen=True, kw_only=True, tag="deploy.failed"):
    reason: str


class PrerequisiteChecked(Event, frozen=True, kw_only=True, tag="prerequisite.checked"):
    name: str
    held: bool
    detail: str


class SteadyStateChecked(Event, frozen=True, kw_only=True, tag="steady-state.checked"):
    """At the end of the baseline, before any fault: whether one steady-state indicator was good in every round of it."""

    indicator: str
    held: bool
    detail: str


class FingerprintTaken(Event, frozen=True, kw_only=True, tag="fingerprint.taken"):
    """``before`` any fault, or ``after`` the rollback."""

    when: Literal["before", "after"]
    members: dict[str, MemberState]


class TargetResolved(Event, frozen=True, kw_only=True, tag="target.resolved"):
    node: str
    candidates: tuple[str, ...]
    members: tuple[str, ...]
    reason: str


class FaultIntended(Event, frozen=True, kw_only=True, tag="fault.intended"):
    """``undo`` goes with the intent; ``deadline`` is the instant by which the watchdog undoes it whatever happens."""

    node: str
    fault: str
    members: tuple[str, ...]
    calls: tuple[LeverCall, ...]
    undo: tuple[LeverCall, ...]
    deadline: int


class FaultInjected(Event, frozen=True, kw_only=True, tag="fault.injected"):
    """All lever calls were acknowledged."""

    node: str


class AdjustIntended(Event, frozen=True, kw_only=True, tag="adjust.intended"):
    """A held injection is about to be changed, as its ramp says. What undoes it stands in its own intent and stays the same."""

    node: str
    injection: str
    calls: tuple[LeverCall, ...]


class AdjustDone(Event, frozen=True, kw_only=True, tag="adjust.done"):
    """All lever calls of the change were acknowledged."""

    node: str


class FaultFailed(Event, frozen=True, kw_only=True, tag="fault.failed"):
    """The injection raised, or the target could not be resolved (then nothing was intended)."""

    node: str
    reason: str


class EffectObserved(Event, frozen=True, kw_only=True, tag="effect.observed"):
    """Whether the fault bit one member, seen from outside the lever that was pulled."""

    node: str
    member: str
    bit: bool
    detail: str


class RevertIntended(Event, frozen=True, kw_only=True, tag="revert.intended"):
    node: str
    members: tuple[str, ...]
    calls: tuple[LeverCall, ...]
    deadline: int


class RevertDone(Event, frozen=True, kw_only=True, tag="revert.done"):
    node: str


class RevertFailed(Event, frozen=True, kw_only=True, tag="revert.failed"):
    node: str
    reason: str


class HoldDone(Event, frozen=True, kw_only=True, tag="hold.done"):
    """A planned wait is over."""

    node: str


class ConditionDone(Event, frozen=True, kw_only=True, tag="condition.done"):
    """A wait for an indicator ended: it was good, or the time-out came first."""

    node: str
    met: bool
    detail: str


class IndicatorChanged(Event, frozen=True, kw_only=True, tag="indicator.changed"):
    """What the engine saw live: an indicator became good, bad or unknown. For readers; judges go by the samples."""

    indicator: str
    state: Goodness
    detail: str


class GuardTripped(Event, frozen=True, kw_only=True, tag="guard.tripped"):
    indicator: str
    detail: str


class SignalReceived(Event, frozen=True, kw_only=True, tag="signal.received"):
    signal: str


class AbortDecided(Event, frozen=True, kw_only=True, tag="abort.decided"):
    """No further fault; everything is rolled back."""

    reason: str


class MemberDied(Event, frozen=True, kw_only=True, tag="member.died"):
    """A member that no fault held ended by itself."""

    member: str
    detail: str


class RollbackStarted(Event, frozen=True, kw_only=True, tag="rollback.started"):
    reason: str


class RollbackFinished(Event, frozen=True, kw_only=True, tag="rollback.finished"):
    """Every outstanding injection was reverted, or could not be (``left``: their nodes)."""

    left: tuple[str, ...]


class EnvironmentVerified(Event, frozen=True, kw_only=True, tag="environment.verified"):
    """The fingerprint was compared with the one before the first fault."""

    clean: bool
    differences: tuple[str, ...]


class TeardownIntended(Event, frozen=True, kw_only=True, tag="teardown.intended"):
    marker: str
    deadline: int


class TeardownDone(Event, frozen=True, kw_only=True, tag="teardown.done"):
    """``left``: what still bears the marker. Empty when nothing does."""

    left: tuple[str, ...]


class SamplesFlushed(Event, frozen=True, kw_only=True, tag="samples.flushed"):
    """A block of samples was written and synced. ``block`` is its file name: the first 32 hex digits of its SHA-256."""

    block: str
    bytes: int
    rounds: int
    samples: int


class SourceDescribed(Event, frozen=True, kw_only=True, tag="source.described"):
    """The server whose samples the rounds of ``source`` are made of, as it introduced itself.

    ``range_boundaries``: as in the settings of the evaluator. ``offset``: its clock minus our wall clock, in ns, known to
    ``error``; rounds are widened by what is not known of it. ``every`` and ``lag`` as the environment says them, in ns.
    """

    source: str
    server: str
    flavour: str
    version: str
    range_boundaries: Literal["left-open", "closed"]
    offset: int
    error: int
    every: int
    lag: int


class MetricMissing(Event, frozen=True, kw_only=True, tag="metric.missing"):
    """A source has no series of a metric that an indicator reads. ``near``: what it has that looks like it."""

    source: str
    metric: str
    near: tuple[str, ...]


class LogCollected(Event, frozen=True, kw_only=True, tag="log.collected"):
    member: str
    path: str
    bytes: int
    truncated: bool


class SecretLeaked(Event, frozen=True, kw_only=True, tag="secret.leaked"):
    """A secret's value stands in a file of this run's record all the same. ``secret`` is its name, never its value."""

    secret: str
    file: str


class ProblemNoted(Event, frozen=True, kw_only=True, tag="problem.noted"):
    """Something of ours or of a plugin's misbehaved and the run went on."""

    where: str
    message: str


class RunFinished(Event, frozen=True, kw_only=True, tag="run.finished"):
    """The last line. A journal without it is of a crashed run."""

    outcome: Outcome


class Unknown(Struct, frozen=True, kw_only=True):
    """An event kind of a newer version, kept as it was."""

    kind: str
    data: dict[str, Any]


AnyEvent = (
    RunStarted
    | WriterChanged
    | WatchdogStarted
    | WatchdogDied
    | PhaseEntered
    | DeployIntended
    | DeployDone
    | DeployFailed
    | PrerequisiteChecked
    | SteadyStateChecked
    | FingerprintTaken
    | TargetResolved
    | FaultIntended
    | FaultInjected
    | AdjustIntended
    | AdjustDone
    | FaultFailed
    | EffectObserved
    | RevertIntended
    | RevertDone
    | RevertFailed
    | HoldDone
    | ConditionDone
    | IndicatorChanged
    | GuardTripped
    | SignalReceived
    | AbortDecided
    | MemberDied
    | RollbackStarted
    | RollbackFinished
    | EnvironmentVerified
    | TeardownIntended
    | TeardownDone
    | SamplesFlushed
    | SourceDescribed
    | MetricMissing
    | LogCollected
    | SecretLeaked
    | ProblemNoted
    | RunFinished
)


class Entry(Struct, frozen=True, kw_only=True):
    seq: int
    t: int
    event: AnyEvent | Unknown
