"""The pages of the grid: the newest nights, older ones, and, of many scenarios, one part of the rows after the other.

Each takes what there is, its own path and what was asked, and gives its text; None: no such page. ``?before=`` (an instant,
nanoseconds since the epoch), ``?part=`` and ``?q=`` (words that a row must hold) are for a server; a static export has all
pages but those for words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlencode

from msgspec import Struct

from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.gate import waived
from meshkit_chaos.dashboard.grid import Grid, grid
from meshkit_chaos.dashboard.nights import folded
from meshkit_chaos.dashboard.paging import Span, befores, span
from meshkit_chaos.dashboard.sources import COLUMNS, Sources
from meshkit_chaos.dashboard.unclean import unclean
from meshkit_chaos.dashboard.wording import day

MOST_WORDS: Final = 200
_DIGITS: Final = len(str(paths.LAST))


class Elsewhere(Struct, frozen=True, kw_only=True):
    """Links to the other pages; empty: there is none. ``parts``: of these nights, each with whether it is this one."""

    older: str = ""
    newer: str = ""
    newest: str = ""
    parts: tuple[tuple[str, int, bool], ...] = ()
    following: str = ""


def grid_text(sources: Sources, here: str, parameters: Mapping[str, str]) -> str:
    """The newest nights, or what was asked for."""
    words = parameters.get("q", "")[:MOST_WORDS]
    made = _text(sources, here, _number(parameters, "before"), _number(parameters, "part") or 1, words)
    return made if made is not None else _text(sources, here, None, 1, words) or ""


def grid_part_text(sources: Sources, here: str, name: str, parameters: Mapping[str, str]) -> str | None:
    """A page of the folder ``grid``."""
    del parameters
    asked = paths.part_of_grid(name)
    return None if asked is None else _text(sources, here, *asked, "")


def every_other(sources: Sources) -> Iterator[tuple[str, str]]:
    """The path and the text of every page of the grid but the first."""
    for before in befores(sources.reader.instants(), count=COLUMNS):
        part = 1 if before is not None else 2
        while (text := _text(sources, path := paths.grid(before, part), before, part, "")) is not None:
            yield path, text
            part += 1


def _text(sources: Sources, here: str, before: int | None, part: int, words: str) -> str | None:
    here_span = span(sources.reader.instants(), before, count=COLUMNS)
    held = sources.reader.newest(here_span.size, before=before)
    if before is not None and not held:
        return None
    columns = folded(sources.nights(held, until=before))
    cells = sources.reader.cells([one.invocation for one in held])
    made = grid(columns, cells, sources.reader.known(), here=here, waived=waived(sources.decided()), part=part, words=words)
    if not 0 < part <= made.parts:
        return None
    return sources.page(
        "grid.html.j2",
        here=here,
        title="Grid" if before is None else f"Grid to {day(columns[0].at)}",
        grid=made,
        served=sources.settings.served,
        action=paths.relative(paths.GRID, here=here),
        search=paths.relative(paths.SEARCH, here=here),
        before=before,
        sought=words,
        distrust=sources.distrust(),
        unclean=unclean(sources, here) if before is None else (),
        elsewhere=_elsewhere(here_span, made, here=here, before=before, words=words),
    )


def _elsewhere(held: Span, made: Grid, *, here: str, before: int | None, words: str) -> Elsewhere:
    def there(instant: int | None, part: int) -> str:
        if not words:
            return paths.relative(paths.grid(instant, part), here=here)
        asked = {"before": instant, "part": part, "q": words}
        return paths.relative(paths.GRID, here=here) + "?" + urlencode({key: one for key, one in asked.items() if one})

    return Elsewhere(
        older=there(held.older, 1) if held.older is not None else "",
        newer=there(held.newer, 1) if held.later else "",
        newest=there(None, 1) if held.later and held.newer is not None else "",
        parts=tuple((there(before, part), part, part == made.part) for part in range(1, made.parts + 1)),
        following=there(before, made.part + 1) if made.part < made.parts else "",
    )


def _number(parameters: Mapping[str, str], name: str) -> int | None:
    """What is no number is not asked."""
    told = parameters.get(name, "")
    return int(told) if told.isascii() and told.isdigit() and len(told) <= _DIGITS and int(told) <= paths.LAST else None
