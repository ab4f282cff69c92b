"""What history knows of earlier runs, as frozen values, and the questions that may be asked of it.

Values only: the gate, the dashboard and the messages read these and no table. Instants are wall-clock nanoseconds since the
epoch, durations nanoseconds. What holds only texts and numbers is not looked at by the garbage collector (``gc=False``): a
server keeps ten thousands of them, and each look would be a pause.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from meshkit_chaos.journal.binaries import BinaryFacts
from meshkit_chaos.judge.verdict import EnvironmentName, OutcomeName, VerdictName


class PastObjective(Struct, frozen=True, kw_only=True, gc=False):
    """One objective of one run. ``verdict`` counts the run's broken assumptions, outcome and environment in.

    ``lo``, ``hi``: the time as an interval; ``hi`` None with ``lo`` given: right-censored, "more than lo"; ``lo`` None: no time
    was measured. ``limit`` and ``resolution`` go with it.
    """

    name: str
    verdict: VerdictName
    sentence: str
    indicator: str = ""
    informational: bool = False
    lo: int | None = None
    hi: int | None = None
    limit: int | None = None
    resolution: int | None = None


class PastRun(Struct, frozen=True, kw_only=True):
    """One execution of one scenario. ``journal_digest`` is the check that ``run`` (a ULID) still means the same bytes.

    ``binaries``: SHA-256 by member, as read at deploy; ``executables``: what was found out about those that the environment
    describes, each once, by name. ``faults``: the kinds that were seen to bite. ``invalidated``: why people said that it does
    not count; empty if it does.
    """

    run: str
    number: int
    verdict: VerdictName
    outcome: OutcomeName
    environment: EnvironmentName
    started: int
    ended: int
    environment_class: str
    plan_digest: str
    journal_digest: str
    seed: int
    tool: str
    binaries: dict[str, str] = {}
    executables: tuple[BinaryFacts, ...] = ()
    faults: tuple[str, ...] = ()
    objectives: tuple[PastObjective, ...] = ()
    invalidated: str = ""


class PastScenario(Struct, frozen=True, kw_only=True):
    """One scenario in one invocation, as its repeat plan joined its runs: the unit that a gate asks for.

    ``runs`` empty: it was announced and left no result, or was refused (``sentence`` says which). ``flaky``: a pass that
    contains failures. ``environment_class`` is empty where no run tells it.
    """

    invocation: str
    scenario: str
    title: str
    verdict: VerdictName
    sentence: str
    at: int
    subject: dict[str, str]
    environment: EnvironmentName
    environment_class: str
    flaky: bool = False
    severity: str = "medium"
    owner: str = ""
    modules: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    objectives: dict[str, VerdictName] = {}
    runs: tuple[PastRun, ...] = ()

    @property
    def counts(self) -> bool:
        """Whether no run of it was marked invalid by people."""
        return not any(run.invalidated for run in self.runs)


class PastInvocation(Struct, frozen=True, kw_only=True):
    """One ``meshkit-chaos run``: when, of what, and which scenarios it announced."""

    invocation: str
    at: int
    subject: dict[str, str]
    verdict: VerdictName
    environment: EnvironmentName
    sentence: str
    tool: str
    file_digest: str
    announced: tuple[str, ...]


class Outline(Struct, frozen=True, kw_only=True):
    """A result as retention looks at it: which scenario where, and whether it was good and counts."""

    invocation: str
    scenario: str
    environment_class: str
    verdict: VerdictName
    counts: bool


class Cell(Struct, frozen=True, kw_only=True, gc=False):
    """One result as a table of many shows it. ``counts``: no run of it was marked invalid by people.

    ``lo``, ``hi``, ``limit``: of the objective ``slowest``: among the judged ones with the result's own verdict in runs with
    that verdict, the one whose time was nearest to its limit or furthest over it; ``hi`` None with ``lo`` given: "more than
    lo". ``runs``: how many there were.
    """

    invocation: str
    scenario: str
    at: int
    verdict: VerdictName
    environment: EnvironmentName
    environment_class: str
    flaky: bool
    counts: bool
    runs: int = 0
    slowest: str = ""
    lo: int | None = None
    hi: int | None = None
    limit: int | None = None


class Built(Struct, frozen=True, kw_only=True):
    """One executable as one invocation deployed it. ``kind``: what its bytes show it to be."""

    invocation: str
    at: int
    subject: dict[str, str]
    name: str
    digest: str
    size: int
    kind: str


class Ask(Struct, frozen=True, kw_only=True):
    """Which scenario results: all conditions hold at once; an empty or None one does not narrow.

    ``subject``: these pairs stand in the result's subject. ``since`` inclusive, ``before`` exclusive, by ``at``. ``newest``: at
    most so many of each scenario, the newest. Results that people invalidated are left out unless ``invalidated``.
    """

    scenarios: tuple[str, ...] = ()
    environment_class: str = ""
    subject: dict[str, str] = {}
    verdicts: tuple[VerdictName, ...] = ()
    since: int | None = None
    before: int | None = None
    newest: int | None = None
    invalidated: bool = False


class HistoryReader(Protocol):
    """What others may ask of history."""

    def results(self, ask: Ask) -> tuple[PastScenario, ...]:
        """Newest first, each whole: its runs in their order, with their objectives."""
        ...

    def known(self) -> tuple[PastScenario, ...]:
        """The newest result of every scenario there ever was, without its runs: for its title, modules, tags, severity."""
        ...

    def invocations(self, *, since: int | None = None, before: int | None = None) -> tuple[PastInvocation, ...]:
        """Newest first."""
        ...


class OverviewReader(HistoryReader, Protocol):
    """What a page over many runs asks besides: each answer is as small as what is shown."""

    def newest(self, count: int, *, before: int | None = None) -> tuple[PastInvocation, ...]:
        """At most ``count`` invocations, the newest first."""
        ...

    def instants(self) -> tuple[int, ...]:
        """When each invocation there is began, the newest first."""
        ...

    def cells(self, invocations: Sequence[str]) -> tuple[Cell, ...]:
        """Every result of these invocations, in no order."""
        ...

    def built(self, invocations: Sequence[str]) -> tuple[Built, ...]:
        """Every executable that these invocations deployed, each once, the newest invocation first."""
        ...

    def heads(self, invocation: str) -> tuple[PastScenario, ...]:
        """Its results without their runs, in the order in which they were announced; empty where it is not known."""
        ...

    def invocation(self, name: str) -> tuple[PastInvocation, tuple[PastScenario, ...]] | None:
        """One invocation with all its results; None where it is not known."""
        ...

    def invocation_of_run(self, run: str) -> str | None:
        """The invocation that a run belongs to; None where it is not known."""
        ...
