"""The pages of one thing: a scenario, an invocation, a run.

Each takes what there is, its own path, the name of the thing and what was asked, and gives its text; None: no such thing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from meshkit_chaos.campaign.results import Results
from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.comparison import Whole
from meshkit_chaos.dashboard.deliveries_pages import deliveries_part_text
from meshkit_chaos.dashboard.grid_pages import grid_part_text
from meshkit_chaos.dashboard.invocation import invocation_page
from meshkit_chaos.dashboard.keeping import kept_of
from meshkit_chaos.dashboard.older import older_link, older_text
from meshkit_chaos.dashboard.run import run_page
from meshkit_chaos.dashboard.scenario import Around, scenario_page
from meshkit_chaos.dashboard.sources import DELIVERIES, Sources
from meshkit_chaos.history.logs import Logs
from meshkit_chaos.history.model import Ask, PastRun, PastScenario

RESULTS: Final = 90


def scenario_text(sources: Sources, here: str, name: str, parameters: Mapping[str, str]) -> str | None:
    del parameters
    results = sources.reader.results(Ask(scenarios=(name,), newest=RESULTS, invalidated=True))
    if not results:
        return None
    made = scenario_page(results, here=here, around=around(sources))
    more = older_link(results, room=RESULTS, here=here)
    served = sources.settings.served
    values = {"scenario": made, "older": more, "room": RESULTS, "served": served, "distrust": sources.distrust()}
    return sources.page("scenario.html.j2", here=here, title=made.title, **values)


def around(sources: Sources) -> Around:
    """What stands beside the results of any scenario."""
    return Around(
        now=sources.clock.wall_ns(),
        fresh=sources.fresh(),
        told=sources.told(DELIVERIES),
        overrides=sources.gate_files.overrides().entries,
        entries=sources.decided(),
        policy=sources.settings.policy,
        compare=sources.settings.compare,
    )


def invocation_text(sources: Sources, here: str, name: str, parameters: Mapping[str, str]) -> str | None:
    del parameters
    found = sources.reader.invocation(name)
    if found is None:
        return None
    return invocation_page_text(sources, here, found)


def invocation_page_text(sources: Sources, here: str, found: Whole) -> str:
    made = invocation_page(*found, here=here)
    grid_link = paths.relative(paths.GRID, here=here)
    kept = paths.evidence(found[0].invocation, here=here) if sources.settings.served else ""
    return sources.page("invocation.html.j2", here=here, title=made.sentence, invocation=made, evidence=kept, grid=grid_link)


def run_text(sources: Sources, here: str, name: str, parameters: Mapping[str, str]) -> str | None:
    del parameters
    invocation = sources.reader.invocation_of_run(name)
    found = sources.reader.invocation(invocation) if invocation is not None else None
    if found is None:
        return None
    result, run = next((one, run) for one in found[1] for run in one.runs if run.run == name)
    with sources.opened(result.invocation) as (results, missing):
        return run_page_text(sources, here, (result, run), results, missing, sources.said(result.invocation))


def run_page_text(
    sources: Sources,
    here: str,
    which: tuple[PastScenario, PastRun],
    results: Results | None,
    missing: str,
    said: tuple[Logs | None, str],
) -> str:
    """The page of a run. ``missing``: why there are no results; ``said``: what members said, or why it cannot be shown."""
    result, run = which
    kept = kept_of(results, run.run, said[0]) if results is not None else ()
    made = run_page(result, run, results, here=here, missing=missing, logs=said[0], no_logs=said[1], kept=kept)
    ask = paths.what_if(run.run, here=here) if sources.settings.served and results is not None else ""
    given = (sources.settings.served or sources.settings.files) and results is not None
    evidence = paths.evidence(result.invocation, here=here) if given else ""
    logs = paths.logs(result.invocation, here=here) if given and said[0] is not None else ""
    return sources.page("run.html.j2", here=here, title=made.title, page=made, ask=ask, evidence=evidence, logs_href=logs)


def run_texts(sources: Sources, found: Whole, *, drawn: bool) -> Iterator[tuple[str, str]]:
    """The pages of all runs of an invocation, whose evidence is opened once."""
    with sources.opened(found[0].invocation, wanted=drawn) as (results, missing):
        said = sources.said(found[0].invocation) if results is not None else (None, "")
        for one in found[1]:
            for run in one.runs:
                path = paths.run(run.run)
                yield path, run_page_text(sources, path, (one, run), results, missing, said)


FOLDERS: Final[Mapping[str, Callable[[Sources, str, str, Mapping[str, str]], str | None]]] = {
    "deliveries": deliveries_part_text,
    "grid": grid_part_text,
    "older": older_text,
    "scenario": scenario_text,
    "invocation": invocation_text,
    "run": run_text,
}
