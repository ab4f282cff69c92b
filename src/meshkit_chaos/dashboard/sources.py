"""What pages are made from: a history, its policy, the gate's files, deliveries, evidence, runs in progress.

Each question that more than one page asks is answered here, so that all pages give the same answer. Only reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from msgspec import Struct

from meshkit_chaos.campaign.results import Results
from meshkit_chaos.clock import Clock
from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.deciding import Decider, Said
from meshkit_chaos.dashboard.following import Underway
from meshkit_chaos.dashboard.latest import Environment, environments
from meshkit_chaos.dashboard.nights import Night, nights
from meshkit_chaos.dashboard.pages import page
from meshkit_chaos.dashboard.readiness import Readiness, readiness, required_modules
from meshkit_chaos.dashboard.releases import release_key, releases
from meshkit_chaos.dashboard.waivers import Waivers, waivers
from meshkit_chaos.dashboard.wording import minute
from meshkit_chaos.deliver.action import Told
from meshkit_chaos.errors import HistoryProblem
from meshkit_chaos.gate.decide import decide
from meshkit_chaos.gate.decision import Decision
from meshkit_chaos.gate.evidence import gather
from meshkit_chaos.gate.log import Chain, LogEntry, verify
from meshkit_chaos.gate.overrides import Overrides
from meshkit_chaos.gate.policy import Policy
from meshkit_chaos.gate.subject import Subject
from meshkit_chaos.history.logs import Logs as KeptLogs
from meshkit_chaos.history.model import OverviewReader, PastInvocation
from meshkit_chaos.slo import Duration

COLUMNS: Final = 30
INVOCATIONS: Final = 60
DELIVERIES: Final = 300
FRESH: Final = Duration.parse("36h")

Evidence = Callable[[str], AbstractContextManager[Results | None]]
"""Opens the results of an invocation for as long as somebody looks at them; None where they are not at hand."""


Logs = Callable[[str], KeptLogs | None]
"""What the members of an invocation said; None where nothing of it is kept. Raises HistoryProblem for altered logs."""


@contextmanager
def no_evidence(invocation: str) -> Iterator[Results | None]:
    """Only what the index knows is shown."""
    del invocation
    yield None


def no_logs(invocation: str) -> KeptLogs | None:
    """Nothing that members said is shown."""
    del invocation
    return None


class Settings(Struct, frozen=True, kw_only=True):
    """``project``: what people call what is tested. ``policy``: for the schedule, and for what a release needs.

    ``compare``: an address with ``{last}`` and ``{first}`` for two commits, such as a forge's page of what lies between.
    ``served``: forms that ask for another page have somebody to answer them. ``files``: evidence lies
    beside the pages of an export.
    """

    project: str
    policy: Policy | None = None
    compare: str = ""
    served: bool = False
    files: bool = False


def nothing_told(count: int) -> tuple[Told, ...]:
    """No outbox is looked at."""
    del count
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFiles:
    """What people keep beside a history, read anew for each page: overrides, and the bytes of the gate's log (None: no log)."""

    overrides: Callable[[], Overrides] = Overrides
    log: Callable[[], bytes | None] = lambda: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """``underway``: None where no runs in progress are followed. ``told``: so many of the newest deliveries."""

    reader: OverviewReader
    settings: Settings
    clock: Clock
    evidence: Evidence = no_evidence
    logs: Logs = no_logs
    gate_files: GateFiles = GateFiles()
    underway: Callable[[], tuple[Underway, ...]] | None = None
    told: Callable[[int], tuple[Told, ...]] = nothing_told
    decider: Decider = field(default_factory=Decider)

    def page(self, template: str, *, here: str, title: str, **values: object) -> str:
        made = minute(self.clock.wall_ns())
        more = () if self.underway is None else ((paths.LIVE, "Live"),)
        return page(template, here=here, title=title, project=self.settings.project, made=made, more=more, **values)

    @contextmanager
    def opened(self, invocation: str, *, wanted: bool = True) -> Iterator[tuple[Results | None, str]]:
        """The results of an invocation, or why they are not at hand."""
        if not wanted:
            yield None, "this export draws only its newest runs from their evidence"
            return
        with ExitStack() as stack:
            try:
                results, missing = stack.enter_context(self.evidence(invocation)), ""
            except HistoryProblem as problem:
                results, missing = None, problem.message
            yield results, missing

    def said(self, invocation: str) -> tuple[KeptLogs | None, str]:
        """What members said, or why it cannot be shown."""
        try:
            return self.logs(invocation), ""
        except HistoryProblem as problem:
            return None, problem.message

    def fresh(self) -> Duration:
        """How old a pass may be."""
        policy = self.settings.policy
        return max((one.fresh for one in policy.requirements), key=lambda one: one.ns, default=FRESH) if policy else FRESH

    def nights(self, held: Sequence[PastInvocation], *, until: int | None = None) -> tuple[Night, ...]:
        """Invocations (newest first) as nights, with gaps where the policy has a schedule, up to an instant or to now."""
        policy = self.settings.policy
        now = self.clock.wall_ns() if until is None else until
        return nights(held, nightly=policy.nightly if policy else None, now=now)

    def key(self, held: Sequence[PastInvocation]) -> str:
        """What tells releases apart."""
        policy = self.settings.policy
        return release_key(held, wanted=policy.regression.baseline.releases_by if policy and policy.regression else "")

    def left(self) -> tuple[Environment, ...]:
        """How each class of environments was left: pages and metrics tell the same."""
        cells = self.reader.cells([one.invocation for one in self.reader.newest(COLUMNS)])
        return environments(cells, self.reader.known())

    def ready(self, here: str = paths.READINESS, *, by: str = "") -> Readiness:
        """How each module stands in each of the newest releases, told apart ``by`` a key; links are as seen from ``here``."""
        policy = self.settings.policy
        newest = self.reader.newest(INVOCATIONS)
        key = by or self.key(newest)
        held = releases(newest, key=key)
        return readiness(
            key,
            held,
            self.reader.cells([one.invocation for release in held for one in release.invocations]),
            self.reader.known(),
            now=self.clock.wall_ns(),
            fresh=self.fresh(),
            here=here,
            compare=self.settings.compare,
            waivers=self.waivers(),
            required=required_modules(policy) if policy is not None else (),
        )

    def decided(self) -> tuple[LogEntry, ...]:
        """What the gate's log holds; nothing where it was changed: then no line of it proves anything."""
        chain = self.chain()
        return chain.entries if chain is not None and not chain.problems else ()

    def distrust(self) -> str:
        """That the gate's log was changed, in words; empty where it was not, or where there is none."""
        chain = self.chain()
        changed = chain is not None and chain.problems
        return (
            "The gate's log was changed: nothing in it counts, and the page of the gate tells what is wrong." if changed else ""
        )

    def chain(self) -> Chain | None:
        """The gate's log as it was read and verified; None where there is none."""
        log = self.gate_files.log()
        return _verified(log) if log is not None else None

    def waivers(self) -> Waivers:
        """What people accepted although it did not pass, as far as it holds now."""
        overrides = self.gate_files.overrides()
        decision = self.decision(overrides) if overrides.entries else None
        return waivers(self.chain(), decision, overrides, now=self.clock.wall_ns())

    def decision(self, overrides: Overrides | None = None) -> Decision | None:
        """What the gate says of the newest build, if a policy and a build are known, and if it has decided by now."""
        standing = self.standing(overrides)
        return standing.decision if standing.current else None

    def standing(self, overrides: Overrides | None = None) -> Said:
        """The same, and where it has not decided yet, what it said before."""
        accepted = overrides or self.gate_files.overrides()
        return self.decider.standing(accepted, lambda: self._decide(accepted))

    def _decide(self, overrides: Overrides) -> Decision | None:
        now = self.clock.wall_ns()
        policy, newest = self.settings.policy, self.reader.newest(1)
        if policy is None or not newest:
            return None
        found = self.reader.invocation(newest[0].invocation)
        runs = [run for one in (found[1] if found else ()) for run in one.runs]
        members = {member: digest for run in runs for member, digest in run.binaries.items()}
        subject = Subject(pairs=newest[0].subject, members=members if policy.match == "digest" else {})
        if not subject.known(policy.match):
            return None
        evidence = gather(self.decider.polite(self.reader), policy, subject, now=now)
        return decide(policy, evidence, subject=subject, now=now, overrides=overrides)


@lru_cache(maxsize=1)
def _verified(log: bytes) -> Chain:
    """Several questions of one page are about the same log."""
    return verify(log)
