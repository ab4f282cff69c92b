"""The page that sets things beside each other: invocations, releases, or two runs with their drawings.

``before`` and ``after`` name what is asked for: an invocation, ``release:NAME`` or ``run:ID``. Without them it shows what is
asked for most: the newest night, the newest release, and the last night before it went wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.comparison import (
    Choice,
    Contrast,
    Drawing,
    Single,
    Whole,
    choices,
    invocations_compared,
    only_changed,
    runs_compared,
    shortened,
)
from meshkit_chaos.dashboard.releases import Release, releases
from meshkit_chaos.dashboard.releases_compared import Of, best_of, releases_compared
from meshkit_chaos.dashboard.run import run_page
from meshkit_chaos.dashboard.sources import INVOCATIONS, Sources
from meshkit_chaos.dashboard.wording import minute
from meshkit_chaos.history.model import PastInvocation

RELEASE: Final = "release:"
RUN: Final = "run:"
_LOOKED_AT: Final = 365
_CELLS: Final = 2000
_LEAST, _MOST = 5, 60


def compare_text(sources: Sources, here: str, parameters: Mapping[str, str]) -> str:
    """The page: what was asked for, else what is asked for most. What is not there is said, and compared with nothing."""
    held = sources.reader.newest(INVOCATIONS)
    known = _releases(sources)
    before, after = parameters.get("before", ""), parameters.get("after", "")
    shown = _asked(sources, here, before, after, known) if before and after else _usual(sources, here, held, known)
    if not (before and after) and held:  # the form offers first what is shown
        other = _before(held, _line(held)) or held[-1]
        before, after = other.invocation, held[0].invocation
    named = tuple(
        Choice(
            value=RELEASE + one.name,
            text=f"release {one.name}",
            before=before == RELEASE + one.name,
            after=after == RELEASE + one.name,
        )
        for one in known
    )
    return sources.page(
        "compare.html.j2",
        here=here,
        title="Compare",
        contrasts=shortened(shown),
        choices=(*named, *choices(held, before=before, after=after)),
        served=sources.settings.served,
    )


def _usual(sources: Sources, here: str, held: Sequence[PastInvocation], known: Sequence[Release]) -> tuple[Contrast, ...]:
    """What lies between two branches is not what changed: those of the newest one are compared."""
    newest, line = held[0] if held else None, _line(held)
    other = _before(held, line)
    first = invocations_compared("The newest build and the one before it", *_pair(sources, other, newest), here=here)
    return (first, *_since_it_was_good(sources, here, line, shown=other), *_newest_releases(sources, here, known))


def _line(held: Sequence[PastInvocation]) -> list[PastInvocation]:
    """Those on the branch of the newest one."""
    return [one for one in held if one.subject.get("branch") == held[0].subject.get("branch")]


def _before(held: Sequence[PastInvocation], line: Sequence[PastInvocation]) -> PastInvocation | None:
    """The newest one of another build than the very newest."""
    return next((one for one in line if one.at < held[0].at and one.subject != held[0].subject), None)


def _pair(sources: Sources, before: PastInvocation | None, after: PastInvocation | None) -> tuple[Whole | None, Whole | None]:
    old, new = (sources.reader.invocation(one.invocation) if one is not None else None for one in (before, after))
    return old, new


def _since_it_was_good(
    sources: Sources, here: str, held: Sequence[PastInvocation], *, shown: PastInvocation | None
) -> tuple[Contrast, ...]:
    """The newest night beside the last one that passed, unless it passed itself or that one is ``shown`` already."""
    title = "The newest night and the last one that passed"
    if not held:
        return ()
    if held[0].verdict == "pass":
        return (
            Contrast(title=title, sentence=f"the newest night, {minute(held[0].at)}, passed: there is none to put beside it"),
        )
    good = next((one for one in held if one.verdict == "pass"), None)
    if good is None:
        branch = held[0].subject.get("branch", "")
        of = f" of {branch}" if branch else ""
        return (Contrast(title=title, sentence=f"none of the newest {len(held)} invocations{of} passed"),)
    if shown is not None and good.invocation == shown.invocation:
        return (Contrast(title=title, sentence="the last one that passed is the one before it: see above"),)
    return (only_changed(invocations_compared(title, *_pair(sources, good, held[0]), here=here)),)


def _newest_releases(sources: Sources, here: str, known: Sequence[Release]) -> tuple[Contrast, ...]:
    title = "The newest release and the one before it"
    if len(known) < 2:
        return (Contrast(title=title, sentence="there are no two releases to compare"),)
    several = _of(sources, known)
    shown = [only_changed(releases_compared(title, several[1], several[0], here=here))]
    best = best_of(several[1:])
    if best is not None and best is not several[1]:
        told = "The newest release and the best one"
        shown.append(only_changed(releases_compared(told, best, several[0], here=here, chosen_of=len(several) - 1)))
    return tuple(shown)


def _asked(sources: Sources, here: str, before: str, after: str, known: Sequence[Release]) -> tuple[Contrast, ...]:
    if before.startswith(RELEASE) and after.startswith(RELEASE):
        found = [next((one for one in known if RELEASE + one.name == name), None) for name in (before, after)]
        old, new = found
        if old is None or new is None:
            return (Contrast(title="Two releases", sentence="at least one of them is not known"),)
        return (releases_compared("Two releases", *_of(sources, (old, new)), here=here),)
    if before.startswith(RUN) and after.startswith(RUN):
        return (_two_runs(sources, here, before.removeprefix(RUN), after.removeprefix(RUN)),)
    wholes = [sources.reader.invocation(name) for name in (before, after)]
    return (invocations_compared("Two invocations", wholes[0], wholes[1], here=here),)


def _two_runs(sources: Sources, here: str, before: str, after: str) -> Contrast:
    first, second = _single(sources, before), _single(sources, after)
    if first is None or second is None:
        return Contrast(title="Two runs", sentence="at least one of them is not known")
    return runs_compared(first, second, tuple(_drawing(sources, here, one) for one in (first, second)), here=here)


def _single(sources: Sources, run: str) -> Single | None:
    invocation = sources.reader.invocation_of_run(run)
    found = sources.reader.invocation(invocation) if invocation is not None else None
    results = found[1] if found is not None else ()
    return next(((result, one) for result in results for one in result.runs if one.run == run), None)


def _drawing(sources: Sources, here: str, single: Single) -> Drawing:
    result, run = single
    with sources.opened(result.invocation) as (results, missing):
        page = run_page(result, run, results, here=here, missing=missing)
    return Drawing(
        name=f"{page.title}, {page.when}",
        href=paths.relative(paths.run(run.run), here=here),
        verdict=run.verdict,
        view=page.view,
        missing=page.missing,
    )


def _releases(sources: Sources) -> tuple[Release, ...]:
    held = sources.reader.newest(_LOOKED_AT)
    return releases(held, key=sources.key(held))


def _of(sources: Sources, several: Sequence[Release]) -> list[Of]:
    """What the newest invocations of each said: the fewer scenarios there are, the more of them are looked at."""
    each = max(_LEAST, min(_MOST, _CELLS // max(1, len(several) * len(sources.reader.known()))))
    names = [[one.invocation for one in release.invocations[:each]] for release in several]
    cells = sources.reader.cells([name for ones in names for name in ones])
    return [
        Of(release=release, cells=tuple(cell for cell in cells if cell.invocation in ones))
        for release, ones in zip(several, map(frozenset, names), strict=True)
    ]
