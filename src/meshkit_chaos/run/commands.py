"""What the machine tells the engine to do, and what the engine tells the machine besides journal events. All values."""

from __future__ import annotations

from dataclasses import dataclass

from meshkit_chaos.journal import events as ev


@dataclass(frozen=True, slots=True)
class Write:
    """Put an event that the machine decided into the journal."""

    event: ev.AnyEvent


@dataclass(frozen=True, slots=True)
class Deploy:
    pass


@dataclass(frozen=True, slots=True)
class CheckPrerequisites:
    pass


@dataclass(frozen=True, slots=True)
class CheckSteadyState:
    """Look back over the baseline, which began at ``since``."""

    since: int


@dataclass(frozen=True, slots=True)
class TakeFingerprint:
    """The one before any fault."""


@dataclass(frozen=True, slots=True)
class SetTimer:
    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Inject:
    """Resolve the target of the inject node and inject.

    ``held``: members that this fault may not hit. ``under``: those that some fault holds already. ``free``: how many more than
    those the blast radius still allows.
    """

    node: str
    free: int
    held: frozenset[str]
    under: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Adjust:
    """Change a held injection as the adjust node says."""

    node: str


@dataclass(frozen=True, slots=True)
class AwaitCondition:
    node: str


@dataclass(frozen=True, slots=True)
class StopActing:
    """Cancel everything in flight but reverts, and say ``ActingStopped`` when it has ended."""


@dataclass(frozen=True, slots=True)
class Revert:
    """Undo one injection, named by its inject node. ``at_once``: before anything is looked at or measured."""

    injection: str
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class Verify:
    """Compare fingerprints and wait for the indicators that the rollback must bring back."""


@dataclass(frozen=True, slots=True)
class Teardown:
    pass


@dataclass(frozen=True, slots=True)
class Finish:
    outcome: ev.Outcome


Command = (
    Write
    | Deploy
    | CheckPrerequisites
    | CheckSteadyState
    | TakeFingerprint
    | SetTimer
    | Inject
    | Adjust
    | AwaitCondition
    | StopActing
    | Revert
    | Verify
    | Teardown
    | Finish
)


@dataclass(frozen=True, slots=True)
class Begin:
    """The first input of every run."""


@dataclass(frozen=True, slots=True)
class TimerFired:
    name: str


@dataclass(frozen=True, slots=True)
class PrerequisitesSettled:
    held: bool


@dataclass(frozen=True, slots=True)
class SteadyStateSettled:
    held: bool


@dataclass(frozen=True, slots=True)
class InjectionSettled:
    """All effects of an injection were looked at. ``reason`` says why it did not bite; empty when it did."""

    node: str
    reason: str


@dataclass(frozen=True, slots=True)
class ActingStopped:
    """Whatever could still write an intent has ended; all that it wrote was told before this."""


@dataclass(frozen=True, slots=True)
class RecordLost:
    """The journal cannot be written any more."""

    reason: str


@dataclass(frozen=True, slots=True)
class EngineFailed:
    """A command raised what it must not raise: our own error. Treated as an abort."""

    reason: str


Input = (
    Begin
    | TimerFired
    | PrerequisitesSettled
    | SteadyStateSettled
    | InjectionSettled
    | ActingStopped
    | RecordLost
    | EngineFailed
    | ev.AnyEvent
)
