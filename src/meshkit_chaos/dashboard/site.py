"""The whole dashboard as a function: a path and a few parameters → a page. The server answers with it, the export writes it.

Reads a history through ``OverviewReader`` and nothing else. What is not there is None, never an empty page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from msgspec import Struct

from meshkit_chaos.campaign.results import Results
from meshkit_chaos.clock import Clock
from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.grid import grid
from meshkit_chaos.dashboard.invocation import invocation_page
from meshkit_chaos.dashboard.nights import nights
from meshkit_chaos.dashboard.pages import page
from meshkit_chaos.dashboard.readiness import MEANINGS, TONES, WORDS, readiness, releases
from meshkit_chaos.dashboard.run import run_page
from meshkit_chaos.dashboard.scenario import scenario_page
from meshkit_chaos.dashboard.wording import minute
from meshkit_chaos.errors import HistoryProblem
from meshkit_chaos.gate.policy import Policy
from meshkit_chaos.history.model import Ask, OverviewReader
from meshkit_chaos.slo import Duration

COLUMNS: Final = 30
RESULTS: Final = 90
INVOCATIONS: Final = 60
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
    """

    project: str
    policy: Policy | None = None
    compare: str = ""


class Site:
    """One history as pages."""

    def __init__(self, reader: OverviewReader, settings: Settings, clock: Clock, *, evidence: Evidence = no_evidence) -> None:
        self._reader = reader
        self._evidence = evidence
        self._settings = settings
        self._clock = clock
        self._pages: Final[Mapping[str, Callable[[str, str, Mapping[str, str]], str | None]]] = {
            "index": self._readiness,
            "grid": self._grid,
            "scenario": self._scenario,
            "invocation": self._invocation,
            "run": self._run,
        }

    def page(self, path: str, parameters: Mapping[str, str] = NOTHING) -> str | None:
        """The page at a path; None where there is none. Raises HistoryProblem where the history cannot be read."""
        folder, _, file = path.rpartition("/")
        name, dot, kind = file.rpartition(".")
        if not dot or kind != "html":
            return None
        make = self._pages.get(folder or name)
        return make(path, paths.named(name) if folder else "", parameters) if make is not None else None

    def every(self) -> Iterator[str]:
        """The paths of all pages that there are."""
        yield paths.READINESS
        yield paths.GRID
        for known in self._reader.known():
            yield paths.scenario(known.scenario)
        for invocation in self._reader.invocations():
            yield paths.invocation(invocation.invocation)
            found = self._reader.invocation(invocation.invocation)
            yield from (paths.run(run.run) for one in (found[1] if found else ()) for run in one.runs)

    def _page(self, template: str, *, here: str, title: str, **values: object) -> str:
        made = minute(self._clock.wall_ns())
        return page(template, here=here, title=title, project=self._settings.project, made=made, **values)

    def _readiness(self, here: str, name: str, parameters: Mapping[str, str]) -> str:
        del name, parameters
        policy = self._settings.policy
        by = policy.regression.baseline.releases_by if policy and policy.regression else ""
        key, held = releases(self._reader.newest(INVOCATIONS), key=by)
        cells = self._reader.cells([one.invocation for release in held for one in release.invocations])
        fresh = max((one.fresh for one in policy.requirements), key=lambda one: one.ns, default=FRESH) if policy else FRESH
        made = readiness(
            key,
            held,
            cells,
            self._reader.known(),
            now=self._clock.wall_ns(),
            fresh=fresh,
            here=here,
            compare=self._settings.compare,
        )
        return self._page(
            "readiness.html.j2",
            here=here,
            title="Readiness",
            readiness=made,
            grid_link=paths.relative(paths.GRID, here=here),
            tones=TONES,
            standing_words=WORDS,
            standing_meanings=MEANINGS,
        )

    def _grid(self, here: str, name: str, parameters: Mapping[str, str]) -> str:
        del name, parameters
        held = self._reader.newest(COLUMNS)
        policy = self._settings.policy
        columns = nights(held, nightly=policy.nightly if policy else None, now=self._clock.wall_ns())
        cells = self._reader.cells([one.invocation for one in held])
        made = grid(columns, cells, self._reader.known(), here=here)
        return self._page("grid.html.j2", here=here, title="Grid", grid=made, older="")

    def _scenario(self, here: str, name: str, parameters: Mapping[str, str]) -> str | None:
        del parameters
        results = self._reader.results(Ask(scenarios=(name,), newest=RESULTS, invalidated=True))
        if not results:
            return None
        made = scenario_page(results, here=here)
        return self._page("scenario.html.j2", here=here, title=made.title, scenario=made, older="")

    def _invocation(self, here: str, name: str, parameters: Mapping[str, str]) -> str | None:
        del parameters
        found = self._reader.invocation(name)
        if found is None:
            return None
        made = invocation_page(*found, here=here)
        return self._page("invocation.html.j2", here=here, title=made.sentence, invocation=made)

    def _run(self, here: str, name: str, parameters: Mapping[str, str]) -> str | None:
        del parameters
        invocation = self._reader.invocation_of_run(name)
        found = self._reader.invocation(invocation) if invocation is not None else None
        if found is None:
            return None
        result, run = next((one, run) for one in found[1] for run in one.runs if run.run == name)
        try:
            with self._evidence(result.invocation) as results:
                made = run_page(result, run, results, here=here)
        except HistoryProblem as problem:
            made = run_page(result, run, None, here=here, missing=problem.message)
        return self._page("run.html.j2", here=here, title=made.title, page=made)
