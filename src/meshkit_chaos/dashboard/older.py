"""Older results of one scenario, page after page: what its own page has no room for. Takes results, gives pages and links.

A page goes on from an instant (nanoseconds since the epoch); results of one instant stand together, so none falls between two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct

from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.sources import Sources
from meshkit_chaos.dashboard.wording import minute, short_subject, told_time
from meshkit_chaos.history.cells import cell_of
from meshkit_chaos.history.model import Ask, PastScenario
from meshkit_chaos.judge.verdict import VerdictName

ROWS: Final = 200


class OlderRow(Struct, frozen=True, kw_only=True):
    when: str
    href: str
    verdict: VerdictName
    flaky: bool
    set_aside: bool
    subject: str
    sentence: str


class OlderPage(Struct, frozen=True, kw_only=True):
    """``older`` empty: there are no more."""

    scenario: str
    title: str
    href: str
    rows: tuple[OlderRow, ...]
    older: str


def older_link(shown: Sequence[PastScenario], *, room: int, here: str) -> str:
    """From a page that shows so many results, newest first, and had room for ``room``: empty where there was enough.

    Others of the last one's instant may be left, so that one may stand on both pages.
    """
    if len(shown) < room:
        return ""
    return paths.relative(paths.older(shown[-1].scenario, shown[-1].at + 1), here=here)


def older_text(sources: Sources, here: str, name: str, parameters: Mapping[str, str]) -> str | None:
    """A page of the folder ``older``; ``name``: of the file."""
    del parameters
    asked = paths.named_older(name)
    return None if asked is None else _text(sources, here, *asked)[0]


def every_older(sources: Sources, scenario: str, *, room: int) -> Iterator[tuple[str, str]]:
    """The path and the text of every page of a scenario behind its own."""
    shown = sources.reader.results(Ask(scenarios=(scenario,), newest=room, invalidated=True))
    before = shown[-1].at + 1 if len(shown) == room else None
    while before is not None:
        path = paths.older(scenario, before)
        text, before = _text(sources, path, scenario, before)
        if text is not None:
            yield path, text


def _text(sources: Sources, here: str, scenario: str, before: int) -> tuple[str | None, int | None]:
    """The page, if there is such a scenario, and what the next one is before."""
    found = sources.reader.results(Ask(scenarios=(scenario,), before=before, newest=ROWS + 1, invalidated=True))
    if not found:
        return None, None
    shown, following = _cut(found)
    page = OlderPage(
        scenario=scenario,
        title=found[0].title or scenario,
        href=paths.relative(paths.scenario(scenario), here=here),
        rows=tuple(_row(one, here=here) for one in shown),
        older=paths.relative(paths.older(scenario, following), here=here) if following is not None else "",
    )
    title = f"{page.title}, older results"
    return sources.page("older.html.j2", here=here, title=title, older=page), following


def _cut(found: Sequence[PastScenario]) -> tuple[Sequence[PastScenario], int | None]:
    if len(found) <= ROWS:
        return found, None
    left = found[-1].at
    shown = [one for one in found if one.at > left]
    return (shown, left + 1) if shown else (found, left)


def _row(one: PastScenario, *, here: str) -> OlderRow:
    return OlderRow(
        when=minute(one.at),
        href=paths.relative(paths.invocation(one.invocation), here=here) + "#" + paths.anchor(one.scenario),
        verdict=one.verdict,
        flaky=one.flaky,
        set_aside=not one.counts,
        subject=short_subject(one.subject),
        sentence=one.sentence + told_time(cell_of(one)),
    )
