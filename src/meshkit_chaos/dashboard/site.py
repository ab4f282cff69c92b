"""The whole dashboard as a function: a path and a few parameters → a page. The server answers with it, the export writes it.

Reads a history through ``OverviewReader`` and nothing else. What is not there is None, never an empty page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from msgspec import Struct

from meshkit_chaos.campaign.results import Results
from meshkit_chaos.clock import Clock
from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.binaries import binaries
from meshkit_chaos.dashboard.comparison import Whole, compare_page
from meshkit_chaos.dashboard.coverage import coverage
from meshkit_chaos.dashboard.deliveries import about, deliveries
from meshkit_chaos.dashboard.following import Underway
from meshkit_chaos.dashboard.gate import gate_page, waived
from meshkit_chaos.dashboard.grid import grid
from meshkit_chaos.dashboard.invocation import invocation_page
from meshkit_chaos.dashboard.nights import Night, nights
from meshkit_chaos.dashboard.pages import page
from meshkit_chaos.dashboard.readiness import MEANINGS, TONES, WORDS, Readiness, readiness, releases
from meshkit_chaos.dashboard.run import run_page
from meshkit_chaos.dashboard.scenario import scenario_page
from meshkit_chaos.dashboard.wording import minute
from meshkit_chaos.deliver.action import Told
from meshkit_chaos.errors import HistoryProblem
from meshkit_chaos.faults import CATALOGUE
from meshkit_chaos.gate.decide import decide
from meshkit_chaos.gate.decision import Decision
from meshkit_chaos.gate.evidence import gather
from meshkit_chaos.gate.log import verify
from meshkit_chaos.gate.overrides import Overrides
from meshkit_chaos.gate.policy import Policy
from meshkit_chaos.gate.subject import Subject
from meshkit_chaos.history.model import Ask, OverviewReader, PastInvocation, PastRun, PastScenario
from meshkit_chaos.slo import Duration

COLUMNS: Final = 30
RESULTS: Final = 90
INVOCATIONS: Final = 60
DELIVERIES: Final = 300
PROOFS: Final = 3
"""So many of the newest results of each scenario tell which faults were exercised."""
FRESH: Final = Duration.parse("36h")
NOTHING: Final[Mapping[str, str]] = {}


Evidence = Callable[[str], AbstractContextManager[Results | None]]
"""Opens the results of an invocation for as long as somebody looks at them; None where they are not at hand."""


@contextmanager
def no_evidence(invocation: str) -> Iterator[Results | None]:
    """Only what the index knows is shown."""
    del invocation
    yield None


class Settings(Struct, frozen=True, kw_only=True):
    """``project``: what people call what is tested. ``policy``: for the schedule, and for what a release needs.

    ``compare``: an address with ``{last}`` and ``{first}`` for two commits, such as a forge's page of what lies between.
    ``served``: forms that ask for another page have somebody to answer them.
    """

    project: str
    policy: Policy | None = None
    compare: str = ""
    served: bool = False


def nothing_told(count: int) -> tuple[Told, ...]:
    """No outbox is looked at."""
    del count
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFiles:
    """What people keep beside a history, read anew for each page: overrides, and the bytes of the gate's log (None: no log)."""

    overrides: Callable[[], Overrides] = Overrides
    log: Callable[[], bytes | None] = lambda: None


_Make = Callable[[str, str, Mapping[str, str]], str | None]


class Site:
    """One history as pages."""

    def __init__(
        self,
        reader: OverviewReader,
        settings: Settings,
        clock: Clock,
        *,
        evidence: Evidence = no_evidence,
        gate_files: GateFiles = GateFiles(),
        underway: Callable[[], tuple[Underway, ...]] | None = None,
        told: Callable[[int], tuple[Told, ...]] = nothing_told,
    ) -> None:
        self._reader = reader
        self._evidence = evidence
        self._gate_files = gate_files
        self._told = told
        self._settings = settings
        self._clock = clock
        self._pages: Final[Mapping[str, _Make]] = {
            paths.READINESS: self._readiness,
            paths.GRID: self._grid,
            paths.COVERAGE: self._coverage,
            paths.COMPARE: self._compare,
            paths.GATE: self._gate,
            paths.DELIVERIES: self._deliveries,
            paths.BINARIES: self._binaries,
        }
        self._underway = underway
        self._named: Final[Mapping[str, _Make]] = {
            "scenario": self._scenario,
            "invocation": self._invocation,
            "run": self._run,
        }

    def page(self, path: str, parameters: Mapping[str, str] = NOTHING) -> str | None:
        """The page at a path; None where there is none. Raises HistoryProblem where the history cannot be read."""
        folder, _, file = path.rpartition("/")
        name, dot, kind = file.rpartition(".")
        if path == paths.LIVE and self._underway is not None:
            return self._live(path, self._underway())
        told = paths.named(name)
        if not dot or kind != "html" or "\0" in told:  # no name holds one, and PostgreSQL takes none
            return None
        make = self._named.get(folder) if folder else self._pages.get(path)
        return make(path, told, parameters) if make is not None else None

    def every(self, *, drawn: int | None = None) -> Iterator[tuple[str, str]]:
        """The path and the text of every page that there is.

        ``drawn``: so many of the newest runs are drawn from their evidence; the others tell what the index knows. None: all.
        """
        for path in (*self._pages, *(paths.scenario(known.scenario) for known in self._reader.known())):
            if (text := self.page(path)) is not None:
                yield path, text
        left = drawn
        for invocation in self._reader.invocations():
            found = self._reader.invocation(invocation.invocation)
            if found is None:
                continue  # pruned meanwhile
            path = paths.invocation(invocation.invocation)
            yield path, self._invocation_text(path, found)
            runs = sum(len(one.runs) for one in found[1])
            yield from self._run_texts(found, drawn=left is None or left > 0)
            left = None if left is None else left - runs

    def _run_texts(self, found: Whole, *, drawn: bool) -> Iterator[tuple[str, str]]:
        """The pages of all runs of an invocation, whose evidence is opened once."""
        with self._opened(found[0].invocation, wanted=drawn) as (results, missing):
            for one in found[1]:
                for run in one.runs:
                    path = paths.run(run.run)
                    yield path, self._run_text(path, one, run, results, missing)

    @contextmanager
    def _opened(self, invocation: str, *, wanted: bool = True) -> Iterator[tuple[Results | None, str]]:
        """The results of an invocation, or why they are not at hand."""
        if not wanted:
            yield None, "this export draws only its newest runs from their evidence"
            return
        with ExitStack() as stack:
            try:
                results, missing = stack.enter_context(self._evidence(invocation)), ""
            except HistoryProblem as problem:
                results, missing = None, problem.message
            yield results, missing

    def _page(self, template: str, *, here: str, title: str, **values: object) -> str:
        made = minute(self._clock.wall_ns())
        more = () if self._underway is None else ((paths.LIVE, "Live"),)
        return page(template, here=here, title=title, project=self._settings.project, made=made, more=more, **values)

    def _live(self, here: str, runs: tuple[Underway, ...]) -> str:
        grid_link = paths.relative(paths.GRID, here=here)
        return self._page("live.html.j2", here=here, title="In progress", runs=runs, stream=paths.LIVE_STREAM, grid=grid_link)

    def told(self) -> tuple[Told, ...]:
        """The newest deliveries."""
        return self._told(DELIVERIES)

    def fresh(self) -> Duration:
        """How old a pass may be."""
        policy = self._settings.policy
        return max((one.fresh for one in policy.requirements), key=lambda one: one.ns, default=FRESH) if policy else FRESH

    def nights(self, held: Sequence[PastInvocation]) -> tuple[Night, ...]:
        """Invocations (newest first) as nights, with gaps where the policy has a schedule."""
        policy = self._settings.policy
        return nights(held, nightly=policy.nightly if policy else None, now=self._clock.wall_ns())

    def ready(self, here: str = paths.READINESS) -> Readiness:
        """How each module stands in each of the newest releases; its links are as seen from ``here``."""
        policy = self._settings.policy
        by = policy.regression.baseline.releases_by if policy and policy.regression else ""
        key, held = releases(self._reader.newest(INVOCATIONS), key=by)
        cells = self._reader.cells([one.invocation for release in held for one in release.invocations])
        return readiness(
            key,
            held,
            cells,
            self._reader.known(),
            now=self._clock.wall_ns(),
            fresh=self.fresh(),
            here=here,
            compare=self._settings.compare,
        )

    def _readiness(self, here: str, name: str, parameters: Mapping[str, str]) -> str:
        del name, parameters
        return self._page(
            "readiness.html.j2",
            here=here,
            title="Readiness",
            readiness=self.ready(here),
            grid_link=paths.relative(paths.GRID, here=here),
            tones=TONES,
            standing_words=WORDS,
            standing_meanings=MEANINGS,
        )

    def _grid(self, here: str, name: str, parameters: Mapping[str, str]) -> str:
        del name, parameters
        held = self._reader.newest(COLUMNS)
        columns = self.nights(held)
        cells = self._reader.cells([one.invocation for one in held])
        log = self._gate_files.log()
        accepted = waived(verify(log).entries) if log is not None else frozenset()
        made = grid(columns, cells, self._reader.known(), here=here, waived=accepted)
        return self._page("grid.html.j2", here=here, title="Grid", grid=made, older="")

    def _scenario(self, here: str, name: str, parameters: Mapping[str, str]) -> str | None:
        del parameters
        results = self._reader.results(Ask(scenarios=(name,), newest=RESULTS, invalidated=True))
        if not results:
            return None
        made = scenario_page(results, here=here)
        told = about(self._told(DELIVERIES), name)
        return self._page("scenario.html.j2", here=here, title=made.title, scenario=made, told=told, older="")

    def _invocation(self, here: str, name: str, parameters: Mapping[str, str]) -> str | None:
        del parameters
        found = self._reader.invocation(name)
        if found is None:
            return None
        return self._invocation_text(here, found)

    def _invocation_text(self, here: str, found: Whole) -> str:
        made = invocation_page(*found, here=here)
        kept = paths.evidence(found[0].invocation, here=here) if self._settings.served else ""
        return self._page("invocation.html.j2", here=here, title=made.sentence, invocation=made, evidence=kept)

    def _run(self, here: str, name: str, parameters: Mapping[str, str]) -> str | None:
        del parameters
        invocation = self._reader.invocation_of_run(name)
        found = self._reader.invocation(invocation) if invocation is not None else None
        if found is None:
            return None
        result, run = next((one, run) for one in found[1] for run in one.runs if run.run == name)
        with self._opened(result.invocation) as (results, missing):
            return self._run_text(here, result, run, results, missing)

    def _run_text(self, here: str, result: PastScenario, run: PastRun, results: Results | None, missing: str) -> str:
        made = run_page(result, run, results, here=here, missing=missing)
        ask = paths.what_if(run.run, here=here) if self._settings.served and results is not None else ""
        return self._page("run.html.j2", here=here, title=made.title, page=made, ask=ask)

    def _coverage(self, here: str, name: str, parameters: Mapping[str, str]) -> str:
        del name, parameters
        decided = self._reader.results(Ask(verdicts=("pass", "fail"), newest=PROOFS))
        made = coverage(decided, self._reader.known(), tuple(CATALOGUE), now=self._clock.wall_ns(), here=here)
        return self._page("coverage.html.j2", here=here, title="Coverage", coverage=made)

    def _compare(self, here: str, name: str, parameters: Mapping[str, str]) -> str:
        """Two invocations: those that were asked for, else the newest and the newest before it of another build."""
        del name
        held = self._reader.newest(INVOCATIONS)
        after = parameters.get("after") or (held[0].invocation if held else "")
        newest = next((one for one in held if one.invocation == after), None)
        other = (one.invocation for one in held if newest is not None and one.at < newest.at and one.subject != newest.subject)
        before = parameters.get("before") or next(other, "")
        made = compare_page(self._reader.invocation(before), self._reader.invocation(after), held, here=here)
        return self._page("compare.html.j2", here=here, title="Compare", compare=made, served=self._settings.served)

    def _gate(self, here: str, name: str, parameters: Mapping[str, str]) -> str:
        del name, parameters
        now = self._clock.wall_ns()
        overrides = self._gate_files.overrides()
        log = self._gate_files.log()
        decision = self.decision(overrides)
        made = gate_page(decision, overrides, verify(log) if log is not None else None, now=now, here=here)
        return self._page("gate.html.j2", here=here, title="Gate", gate=made)

    def decision(self, overrides: Overrides | None = None) -> Decision | None:
        """What the gate says of the newest build, if a policy and a build are known."""
        now = self._clock.wall_ns()
        policy, newest = self._settings.policy, self._reader.newest(1)
        if policy is None or not newest:
            return None
        found = self._reader.invocation(newest[0].invocation)
        runs = [run for one in (found[1] if found else ()) for run in one.runs]
        members = {member: digest for run in runs for member, digest in run.binaries.items()}
        subject = Subject(pairs=newest[0].subject, members=members if policy.match == "digest" else {})
        if not subject.known(policy.match):
            return None
        evidence = gather(self._reader, policy, subject, now=now)
        return decide(policy, evidence, subject=subject, now=now, overrides=overrides or self._gate_files.overrides())

    def _binaries(self, here: str, name: str, parameters: Mapping[str, str]) -> str:
        del name, parameters
        built = self._reader.built([one.invocation for one in self._reader.newest(INVOCATIONS)])
        return self._page("binaries.html.j2", here=here, title="Binaries", binaries=binaries(built, here=here))

    def _deliveries(self, here: str, name: str, parameters: Mapping[str, str]) -> str:
        del name, parameters
        made = deliveries(self._told(DELIVERIES))
        return self._page("deliveries.html.j2", here=here, title="Deliveries", deliveries=made)
