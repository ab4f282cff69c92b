"""The pages that look over everything: each takes what there is, its own path and what was asked, and gives its text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.binaries import binaries
from meshkit_chaos.dashboard.contrasts import compare_text
from meshkit_chaos.dashboard.coverage import coverage
from meshkit_chaos.dashboard.deliveries_pages import KEPT, deliveries_text
from meshkit_chaos.dashboard.following import Underway
from meshkit_chaos.dashboard.gate import gate_page
from meshkit_chaos.dashboard.grid_pages import grid_text
from meshkit_chaos.dashboard.search import search_page
from meshkit_chaos.dashboard.sources import DELIVERIES, INVOCATIONS, Sources
from meshkit_chaos.dashboard.standing import MEANINGS, TONES, WORDS, WORST_FIRST
from meshkit_chaos.dashboard.unclean import unclean
from meshkit_chaos.faults import CATALOGUE
from meshkit_chaos.gate.overrides import is_glob
from meshkit_chaos.gate.policy import Policy
from meshkit_chaos.gate.selecting import surely_in_class
from meshkit_chaos.history.model import Ask, PastInvocation
from meshkit_chaos.report.gate_words import headline

READINESS_VIEWS: Final = {paths.BY_VERSION: "version", paths.BY_BRANCH: "branch"}
BUILDS: Final = 500
PROOFS: Final = 3
"""So many of the newest results of each scenario tell which faults were exercised."""


def live_text(sources: Sources, here: str, runs: tuple[Underway, ...]) -> str:
    grid_link = paths.relative(paths.GRID, here=here)
    return sources.page("live.html.j2", here=here, title="In progress", runs=runs, stream=paths.LIVE_STREAM, grid=grid_link)


def readiness_text(sources: Sources, here: str, parameters: Mapping[str, str]) -> str | None:
    """By what tells releases apart; also by version and by branch, each where that is something else and is known."""
    del parameters
    newest = sources.reader.newest(INVOCATIONS)
    usual = sources.key(newest)
    views = {paths.READINESS: usual} | {path: key for path, key in READINESS_VIEWS.items() if key != usual}
    known = {path: key for path, key in views.items() if path == paths.READINESS or any(key in one.subject for one in newest)}
    if here not in known:
        return None
    standing = sources.standing()
    decision = standing.decision if standing.current else None
    return sources.page(
        "readiness.html.j2",
        here=here,
        title="Readiness",
        readiness=sources.ready(here, by=known[here]),
        distrust=sources.distrust(),
        unclean=unclean(sources, here),
        views=[(paths.relative(path, here=here), key, path == here) for path, key in known.items()],
        gate=headline(decision) if decision is not None else "",
        gate_open=decision is not None and decision.open,
        not_open=sources.settings.policy is not None and (decision is None or not decision.open),
        deciding=not standing.current,
        undecided=_undecided(sources.settings.policy, newest),
        results=bool(newest),
        gate_link=paths.relative(paths.GATE, here=here),
        grid_link=paths.relative(paths.GRID, here=here),
        tones=TONES,
        standing_words=WORDS,
        standing_meanings=MEANINGS,
        worst_first=WORST_FIRST,
    )


def _undecided(policy: Policy | None, newest: Sequence[PastInvocation]) -> str:
    """Why the gate was not asked."""
    if policy is None:
        return "no policy was given"
    return f"the newest result does not say of which {policy.match} it is" if newest else "there is no result yet"


def coverage_text(sources: Sources, here: str, parameters: Mapping[str, str]) -> str:
    del parameters
    policy = sources.settings.policy
    wanted = policy.environment_class if policy is not None and policy.exercised_within else ""
    ask = Ask(verdicts=("pass", "fail"), environment_class="" if is_glob(wanted) else wanted, newest=PROOFS)
    made = coverage(
        [one for one in sources.reader.results(ask) if surely_in_class(wanted, one)],
        sources.reader.known(),
        tuple(CATALOGUE),
        now=sources.clock.wall_ns(),
        here=here,
        within=policy.exercised_within if policy is not None else None,
        environment_class=wanted,
    )
    return sources.page("coverage.html.j2", here=here, title="Coverage", coverage=made)


def gate_text(sources: Sources, here: str, parameters: Mapping[str, str]) -> str:
    del parameters
    now = sources.clock.wall_ns()
    overrides = sources.gate_files.overrides()
    standing = sources.standing(overrides)
    known = {one.scenario for one in sources.reader.known()}
    made = gate_page(standing.decision, overrides, sources.chain(), now=now, here=here, known=known)
    return sources.page("gate.html.j2", here=here, title="Gate", gate=made, deciding=not standing.current)


def binaries_text(sources: Sources, here: str, parameters: Mapping[str, str]) -> str:
    del parameters
    built = sources.reader.built([one.invocation for one in sources.reader.newest(INVOCATIONS)])
    return sources.page("binaries.html.j2", here=here, title="Binaries", binaries=binaries(built, here=here))


def search_text(sources: Sources, here: str, parameters: Mapping[str, str]) -> str:
    """What is asked for in the address, found by the server; else an index that the page itself looks through."""
    question = parameters.get("q", "")
    newest = sources.reader.results(Ask(newest=1, invalidated=True))
    held = sources.reader.newest(BUILDS)
    made = search_page(
        sources.reader.known(),
        held,
        newest,
        sources.told(KEPT if question else DELIVERIES),
        question=question,
        here=here,
        overrides=sources.gate_files.overrides().entries,
        log=sources.decided(),
    )
    return sources.page("search.html.j2", here=here, title="Search", search=made, served=sources.settings.served)


PAGES: Final[Mapping[str, Callable[[Sources, str, Mapping[str, str]], str | None]]] = {
    paths.READINESS: readiness_text,
    **dict.fromkeys(READINESS_VIEWS, readiness_text),
    paths.GRID: grid_text,
    paths.COVERAGE: coverage_text,
    paths.COMPARE: compare_text,
    paths.GATE: gate_text,
    paths.DELIVERIES: deliveries_text,
    paths.BINARIES: binaries_text,
    paths.SEARCH: search_text,
}
