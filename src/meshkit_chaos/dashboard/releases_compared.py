"""Two releases beside each other, scenario by scenario: how often each fails and how long each takes. Pure.

Takes the results of their invocations. A difference is told only where it is sure: of times by the scores of the gate's rank
test with the bound of ``changes``, of failures by Fisher's test. The stated error is for all lines of one table together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.changes import chance_of_slower
from meshkit_chaos.dashboard.comparison import CompareRow, Contrast, SideView
from meshkit_chaos.dashboard.releases import Release
from meshkit_chaos.dashboard.strips import fails_told
from meshkit_chaos.dashboard.wording import usual_time
from meshkit_chaos.gate.exact_tests import Span, fisher, sure_wins
from meshkit_chaos.history.model import Cell
from meshkit_chaos.judge.phrases import say_share

ERROR: Final = 0.01
"""So often at most a table of two releases that are alike tells any difference. Drift is not in it: see the gate's rates."""
_DIRECTIONS: Final = 2
_KINDS: Final = 2


class Of(Struct, frozen=True, kw_only=True):
    """A release and what its newest invocations said. ``cells``: in no order; those set aside do not count."""

    release: Release
    cells: tuple[Cell, ...]

    @property
    def decided(self) -> tuple[Cell, ...]:
        return tuple(one for one in self.cells if one.counts and one.verdict in ("pass", "fail"))

    def by_scenario(self) -> dict[str, tuple[Cell, ...]]:
        found: dict[str, list[Cell]] = {}
        for one in self.decided:
            found.setdefault(one.scenario, []).append(one)
        return {name: tuple(ones) for name, ones in found.items()}


def best_of(several: Sequence[Of]) -> Of | None:
    """The one whose results fail the least, of those with any; the newest of equals. ``several``: newest first."""
    tried = [one for one in several if one.decided]
    return min(tried, key=lambda one: _failed(one.decided) / len(one.decided), default=None)


def releases_compared(title: str, before: Of, after: Of, *, here: str, chosen_of: int = 1) -> Contrast:
    """Every scenario that either has a result of, those that differ first.

    ``chosen_of``: ``before`` was chosen of so many by how it looks. The luckiest of several that are alike differs from any
    other more often than each of them does.
    """
    old, new = before.by_scenario(), after.by_scenario()
    names = sorted({*old, *new})
    level = ERROR / max(1, len(names) * _KINDS * _DIRECTIONS * chosen_of)
    rows = [_row(name, old.get(name, ()), new.get(name, ()), level=level, here=here) for name in names]
    changed = sum(row.changed for row in rows)
    return Contrast(
        title=title,
        sentence=f"{changed} of {len(rows)} scenarios surely differ" if rows else "neither release has a result that counts",
        before=_name(before),
        after=_name(after),
        before_href=_href(before, here=here),
        after_href=_href(after, here=here),
        rows=tuple(sorted(rows, key=lambda row: not row.changed)),
    )


def _name(one: Of) -> str:
    return f"{one.release.name}, {len(one.decided)} results"


def _href(one: Of, *, here: str) -> str:
    return paths.relative(paths.invocation(one.release.invocations[0].invocation), here=here)


def _row(name: str, old: Sequence[Cell], new: Sequence[Cell], *, level: float, here: str) -> CompareRow:
    objective = _timed_objective((*old, *new))
    before, after = _spans(old, objective), _spans(new, objective)
    told = [part for part in (_failures(old, new, level=level), _times(before, after, level=level)) if part]
    missing = not old or not new
    return CompareRow(
        scenario=name,
        href=paths.relative(paths.scenario(name), here=here),
        objective="",
        before=_side(old, before),
        after=_side(new, after),
        difference="only on one side" if missing else "; ".join(told) or "no sure difference",
        changed=bool(told) or missing,
    )


def _timed_objective(cells: Iterable[Cell]) -> str:
    """The objective that most of the results tell the time of: times of different ones are not compared."""
    often = Counter(one.slowest for one in cells if one.lo is not None)
    return min(often, key=lambda name: (-often[name], name), default="")


def _spans(cells: Iterable[Cell], objective: str) -> tuple[Span, ...]:
    return tuple(Span(one.lo, one.hi) for one in cells if one.lo is not None and one.slowest == objective)


def _side(cells: Sequence[Cell], spans: Sequence[Span]) -> SideView | None:
    if not cells:
        return None
    return SideView(verdict=None, took=_usual(spans), more=fails_told(_failed(cells), len(cells)))


def _usual(spans: Sequence[Span]) -> str:
    if not spans:
        return "no time measured"
    return f"median {usual_time(spans)}"


def _failed(cells: Iterable[Cell]) -> int:
    return sum(one.verdict == "fail" for one in cells)


def _failures(old: Sequence[Cell], new: Sequence[Cell], *, level: float) -> str:
    if not old or not new:
        return ""
    worse = fisher(old_failures=_failed(old), old_runs=len(old), new_failures=_failed(new), new_runs=len(new))
    better = fisher(old_failures=_failed(new), old_runs=len(new), new_failures=_failed(old), new_runs=len(old))
    return "fails more often" if worse <= level else "fails less often" if better <= level else ""


def _times(old: Sequence[Span], new: Sequence[Span], *, level: float) -> str:
    slower = chance_of_slower(old, new) <= level
    if not slower and chance_of_slower(new, old) > level:
        return ""
    wins = sure_wins(old, new) if slower else sure_wins(new, old)
    share = say_share(wins / (len(old) * len(new)))
    return f"{'slower' if slower else 'faster'}: surely so in {share} of pairs"
