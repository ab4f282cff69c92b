"""The pages that look over everything: each takes what there is, its own path and what was asked, and gives its text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.binaries import binaries
from meshkit_chaos.dashboard.contrasts import compare_text
from meshkit_chaos.dashboard.coverage import coverage
from meshkit_chaos.dashboard.deliveries import deliveries
from meshkit_chaos.dashboard.following import Underway
from meshkit_chaos.dashboard.gate import gate_page, waived
from meshkit_chaos.dashboard.grid import grid
from meshkit_chaos.dashboard.readiness import MEANINGS, TONES, WORDS
from meshkit_chaos.dashboard.sources import COLUMNS, DELIVERIES, INVOCATIONS, Sources
from meshkit_chaos.faults import CATALOGUE
from meshkit_chaos.gate.log import verify
from meshkit_chaos.history.model import Ask

PROOFS: Final = 3
"""So many of the newest results of each scenario tell which faults were exercised."""


def live_text(sources: Sources, here: str, runs: tuple[Underway, ...]) -> str:
    grid_link = paths.relative(paths.GRID, here=here)
    return sources.page("live.html.j2", here=here, title="In progress", runs=runs, stream=paths.LIVE_STREAM, grid=grid_link)


def readiness_text(sources: Sources, here: str, parameters: Mapping[str, str]) -> str:
    del parameters
    return sources.page(
        "readiness.html.j2",
        here=here,
        title="Readiness",
        readiness=sources.ready(here),
        grid_link=paths.relative(paths.GRID, here=here),
        tones=TONES,
        standing_words=WORDS,
        standing_meanings=MEANINGS,
    )


def grid_text(sources: Sources, here: str, parameters: Mapping[str, str]) -> str:
    del parameters
    held = sources.reader.newest(COLUMNS)
    columns = sources.nights(held)
    cells = sources.reader.cells([one.invocation for one in held])
    log = sources.gate_files.log()
    accepted = waived(verify(log).entries) if log is not None else frozenset()
    made = grid(columns, cells, sources.reader.known(), here=here, waived=accepted)
    return sources.page("grid.html.j2", here=here, title="Grid", grid=made, older="")


def coverage_text(sources: Sources, here: str, parameters: Mapping[str, str]) -> str:
    del parameters
    decided = sources.reader.results(Ask(verdicts=("pass", "fail"), newest=PROOFS))
    made = coverage(decided, sources.reader.known(), tuple(CATALOGUE), now=sources.clock.wall_ns(), here=here)
    return sources.page("coverage.html.j2", here=here, title="Coverage", coverage=made)


def gate_text(sources: Sources, here: str, parameters: Mapping[str, str]) -> str:
    del parameters
    now = sources.clock.wall_ns()
    overrides = sources.gate_files.overrides()
    log = sources.gate_files.log()
    decision = sources.decision(overrides)
    made = gate_page(decision, overrides, verify(log) if log is not None else None, now=now, here=here)
    return sources.page("gate.html.j2", here=here, title="Gate", gate=made)


def binaries_text(sources: Sources, here: str, parameters: Mapping[str, str]) -> str:
    del parameters
    built = sources.reader.built([one.invocation for one in sources.reader.newest(INVOCATIONS)])
    return sources.page("binaries.html.j2", here=here, title="Binaries", binaries=binaries(built, here=here))


def deliveries_text(sources: Sources, here: str, parameters: Mapping[str, str]) -> str:
    del parameters
    made = deliveries(sources.told(DELIVERIES))
    return sources.page("deliveries.html.j2", here=here, title="Deliveries", deliveries=made)


PAGES: Final[Mapping[str, Callable[[Sources, str, Mapping[str, str]], str]]] = {
    paths.READINESS: readiness_text,
    paths.GRID: grid_text,
    paths.COVERAGE: coverage_text,
    paths.COMPARE: compare_text,
    paths.GATE: gate_text,
    paths.DELIVERIES: deliveries_text,
    paths.BINARIES: binaries_text,
}
