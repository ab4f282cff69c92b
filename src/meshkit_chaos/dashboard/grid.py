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
from meshkit_chaos.dashboard.paging import parts
from meshkit_chaos.dashboard.quoting import plain
from meshkit_chaos.dashboard.wording import day, short_subject, time_text, told_time
from meshkit_chaos.history.model import Cell, PastScenario
from meshkit_chaos.judge.verdict import VerdictName
from meshkit_chaos.report.wording import URGENCY, WORD

Shown = VerdictName | Literal["missing", "gap", "none"]
"""A verdict; ``missing``: announced, and no result; ``gap``: the night did not run; ``none``: it was not part of that night."""


class GridCell(Struct, frozen=True, kw_only=True, gc=False):
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
    said: str = "did not run"


class Grid(Struct, frozen=True, kw_only=True):
    """``rows``: those of one part. ``scenarios``: how many there are in all ``parts``."""

    columns: tuple[GridColumn, ...]
    rows: tuple[GridRow, ...]
    scenarios: int = 0
    part: int = 1
    parts: int = 1


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
    part: int = 1,
    words: str = "",
) -> Grid:
    """``known``: the newest result of every scenario, for its title and owner. ``here``: the page that links start from.

    ``waived``: commits and scenarios of which a decision accepted what did not pass. ``part``: which of the pages that the rows
    come to; ``words``: only rows that hold every one of them.
    """
    names = {one.scenario: one for one in known}
    found: dict[str, dict[int, list[Cell]]] = {name: {} for night in nights for name in night.announced}
    for index, night in enumerate(nights):
        for name in night.announced:
            found[name][index] = []
    column = {invocation: index for index, night in enumerate(nights) for invocation in night.invocations}
    for cell in cells:
        found.setdefault(cell.scenario, {}).setdefault(column[cell.invocation], []).append(cell)
    wanted = words.lower().split()
    order = sorted(
        (_order(name, told, names.get(name)), name)
        for name, told in found.items()
        if not wanted or all(word in _search(name, names.get(name), _newest(told)) for word in wanted)
    )
    pages = parts([_weight(name, names.get(name), len(nights)) for _, name in order])
    shown = order[pages[part - 1]] if 0 < part <= len(pages) else []
    return Grid(
        columns=tuple(_column(night, here=here) for night in nights),
        rows=tuple(_row(name, names.get(name), nights, found[name], here=here, waived=waived) for _, name in shown),
        scenarios=len(order),
        part=part,
        parts=len(pages),
    )


def _order(name: str, told: Mapping[int, Sequence[Cell]], known: PastScenario | None) -> tuple[int, int, int, str]:
    """What is bad now; then what was bad lately; then what matters more."""
    ranks = [_RANK[_shown(told[index])] for index in sorted(told)]
    since = next((index for index, rank in enumerate(ranks) if rank < URGENCY["pass"]), _NEVER)
    severity = _SEVERITIES.index(known.severity) if known is not None and known.severity in _SEVERITIES else 0
    return (ranks[0] if ranks else _RANK["none"], since, severity, name)


_NEVER: Final = 1 << 30
_SEVERITIES: Final = ("critical", "high", "medium", "low")


def _newest(told: Mapping[int, Sequence[Cell]]) -> Shown:
    return _shown(told[min(told)]) if told else "none"


def _shown(held: Sequence[Cell]) -> Shown:
    return _worst(held).verdict if held else "missing"


def _worst(held: Sequence[Cell]) -> Cell:
    return held[0] if len(held) == 1 else min(held, key=lambda cell: URGENCY[cell.verdict])


def _search(name: str, known: PastScenario | None, newest: Shown) -> str:
    more = (known.title, known.owner, known.severity, *known.modules) if known is not None else ()
    return " ".join((name, newest, *more)).lower()


def _weight(name: str, known: PastScenario | None, columns: int) -> int:
    """About how many bytes a row takes."""
    heading = 3 * len(_search(name, known, "inconclusive").encode(errors="replace"))
    return 400 + heading + columns * (_CELL + len(plain(name)))


_CELL: Final = 310
"""Bytes of one cell without the scenario's name: its link, what it says, its sign and its time."""


def _row(
    name: str,
    known: PastScenario | None,
    nights: Sequence[Night],
    found: Mapping[int, Sequence[Cell]],
    *,
    here: str,
    waived: AbstractSet[tuple[str, str]],
) -> GridRow:
    told = (_cell(name, night, found.get(index, ()), here=here) for index, night in enumerate(nights))
    cells = tuple(
        structs.replace(cell, waived=(night.subject.get("commit", ""), name) in waived and cell.shown not in ("pass", "none"))
        for cell, night in zip(told, nights, strict=True)
    )
    return GridRow(
        scenario=name,
        title=(known.title if known else "") or name,
        href=paths.relative(paths.scenario(name), here=here) if known else "",
        owner=known.owner if known else "",
        severity=known.severity if known else "",
        modules=known.modules if known else (),
        newest=_newest(found),
        cells=cells,
    )


def _cell(name: str, night: Night, held: Sequence[Cell], *, here: str) -> GridCell:
    if night.missing:
        what = "the night" if night.missed < 2 else f"{night.missed} nights up to this one"
        return GridCell(shown="gap", words=f"{day(night.at)}: {what} did not run")
    if not held:
        if name in night.announced:
            return GridCell(shown="missing", words=f"{day(night.at)}: announced, and left no result")
        return GridCell(shown="none", words=f"{day(night.at)}: not part of this night")
    worst = _worst(held)
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
    said = "did not run" if night.missed < 2 else f"{night.missed} nights did not run"
    return GridColumn(day=day(night.at), subject=short_subject(night.subject), href=href, missing=night.missing, said=said)
