"""Scenario × night: what each cell says, and in which order rows stand. Pure.

What fails stands first. A cell holds the verdict as a sign and a word, and the convergence time where one was measured; a
result that was announced and never came is told as such, and so is a night that did not run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final, Literal

from msgspec import Struct, structs

from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.nights import Night
from meshkit_chaos.dashboard.wording import day, short_subject, time_text, told_time
from meshkit_chaos.history.model import Cell, PastScenario
from meshkit_chaos.judge.verdict import VerdictName
from meshkit_chaos.report.wording import URGENCY, WORD

Shown = VerdictName | Literal["missing", "gap", "none"]
"""A verdict; ``missing``: announced, and no result; ``gap``: the night did not run; ``none``: it was not part of that night."""


class GridCell(Struct, frozen=True, kw_only=True):
    """``time``: as short as a cell allows; ``words``: everything, for those who hear it or point at it."""

    shown: Shown
    words: str
    time: str = ""
    href: str = ""
    flaky: bool = False
    set_aside: bool = False
    waived: bool = False

    @property
    def label(self) -> str:
        """What is seen, as it is seen; then everything."""
        flags = ("flaky",) * self.flaky + ("waived",) * self.waived
        return "; ".join(filter(None, (" ".join((*flags, self.time)).strip(), self.words)))


class GridRow(Struct, frozen=True, kw_only=True):
    """``href``: empty for a scenario that never left a result, so that there is no page of it."""

    scenario: str
    title: str
    href: str
    owner: str
    severity: str
    modules: tuple[str, ...]
    newest: Shown
    cells: tuple[GridCell, ...]

    @property
    def search(self) -> str:
        """What a filter looks in."""
        return " ".join((self.scenario, self.title, self.owner, self.severity, self.newest, *self.modules)).lower()


class GridColumn(Struct, frozen=True, kw_only=True):
    day: str
    subject: str
    href: str
    missing: bool


class Grid(Struct, frozen=True, kw_only=True):
    columns: tuple[GridColumn, ...]
    rows: tuple[GridRow, ...]


_RANK: Final[dict[Shown, int]] = {
    "fail": 0,
    "missing": 1,
    "invalid": 1,
    "inconclusive": 2,
    "not-run": 3,
    "pass": 4,
    "gap": 9,
    "none": 9,
}


def grid(
    nights: Sequence[Night],
    cells: Iterable[Cell],
    known: Sequence[PastScenario],
    *,
    here: str,
    waived: AbstractSet[tuple[str, str]] = frozenset(),
) -> Grid:
    """``known``: the newest result of every scenario, for its title and owner. ``here``: the page that links start from.

    ``waived``: commits and scenarios of which a decision accepted what did not pass.
    """
    found: dict[tuple[str, str], Cell] = {(cell.scenario, cell.invocation): cell for cell in cells}
    names = {one.scenario: one for one in known}
    wanted = {scenario for scenario, _ in found} | {name for night in nights for name in night.announced}
    rows = [_row(name, names.get(name), nights, found, here=here, waived=waived) for name in sorted(wanted)]
    return Grid(columns=tuple(_column(night, here=here) for night in nights), rows=tuple(sorted(rows, key=_order)))


def _order(row: GridRow) -> tuple[int, int, int, str]:
    """What is bad now; then what was bad lately; then what matters more."""
    told = [_RANK[cell.shown] for cell in row.cells if cell.shown not in ("gap", "none")]
    since = next((index for index, rank in enumerate(told) if rank < URGENCY["pass"]), len(row.cells))
    severity = ("critical", "high", "medium", "low").index(row.severity) if row.severity in _SEVERITIES else 0
    return (_RANK[row.newest], since, severity, row.scenario)


_SEVERITIES: Final = frozenset({"critical", "high", "medium", "low"})


def _row(
    name: str,
    known: PastScenario | None,
    nights: Sequence[Night],
    found: Mapping[tuple[str, str], Cell],
    *,
    here: str,
    waived: AbstractSet[tuple[str, str]],
) -> GridRow:
    told = (_cell(name, night, found, here=here) for night in nights)
    cells = tuple(
        structs.replace(cell, waived=(night.subject.get("commit", ""), name) in waived and cell.shown not in ("pass", "none"))
        for cell, night in zip(told, nights, strict=True)
    )
    newest: Shown = next((cell.shown for cell in cells if cell.shown not in ("gap", "none")), "none")
    return GridRow(
        scenario=name,
        title=(known.title if known else "") or name,
        href=paths.relative(paths.scenario(name), here=here) if known else "",
        owner=known.owner if known else "",
        severity=known.severity if known else "",
        modules=known.modules if known else (),
        newest=newest,
        cells=cells,
    )


def _cell(name: str, night: Night, found: Mapping[tuple[str, str], Cell], *, here: str) -> GridCell:
    if night.missing:
        return GridCell(shown="gap", words=f"{day(night.at)}: the night did not run")
    held = [cell for invocation in night.invocations if (cell := found.get((name, invocation))) is not None]
    if not held:
        if name in night.announced:
            return GridCell(shown="missing", words=f"{day(night.at)}: announced, and left no result")
        return GridCell(shown="none", words=f"{day(night.at)}: not part of this night")
    worst = min(held, key=lambda cell: URGENCY[cell.verdict])
    more = f"; the worst of {len(held)} results" if len(held) > 1 else ""
    flaky = "; flaky: a pass that contains failures" if worst.flaky else ""
    aside = "" if worst.counts else "; set aside: people marked a run of it as invalid"
    return GridCell(
        shown=worst.verdict,
        words=f"{day(worst.at)}: {WORD[worst.verdict].lower()}{told_time(worst)}{flaky}{aside}{more}",
        time=time_text(worst),
        href=paths.relative(paths.invocation(worst.invocation), here=here) + "#" + paths.anchor(name),
        flaky=worst.flaky,
        set_aside=not worst.counts,
    )


def _column(night: Night, *, here: str) -> GridColumn:
    href = paths.relative(paths.invocation(night.invocations[0]), here=here) if night.invocations else ""
    return GridColumn(day=day(night.at), subject=short_subject(night.subject), href=href, missing=night.missing)
