"""The results of a scenario in order, with long stretches of equal passes folded: whatever is no plain pass is seen. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from msgspec import Struct

from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.branches import branch_of, branch_words
from meshkit_chaos.dashboard.suspects import build_name
from meshkit_chaos.dashboard.wording import day, minute
from meshkit_chaos.history.cells import cell_of
from meshkit_chaos.history.model import Cell, PastScenario
from meshkit_chaos.judge.phrases import counted, say_time
from meshkit_chaos.judge.verdict import VerdictName

LINKED: Final = 4
"""So many runs of a result are linked one by one, those that did not pass first; the page of its invocation has all."""
LEAST_FOLDED: Final = 4
"""Fewer equal passes than this stand as rows: folding them would save nothing."""


class RunLink(Struct, frozen=True, kw_only=True):
    number: int
    verdict: VerdictName
    href: str


class ResultRow(Struct, frozen=True, kw_only=True):
    """``beside``: where a server shows a failed run of it and the last one that passed before, side by side; may be
    empty. ``further``: so many runs have no link here. ``branch``: where the page is about another one.
    """

    when: str
    verdict: VerdictName
    sentence: str
    build: str
    time: str
    href: str
    flaky: bool
    set_aside: bool
    runs: tuple[RunLink, ...]
    further: int = 0
    beside: str = ""
    branch: str = ""


class Stretch(Struct, frozen=True, kw_only=True):
    """``folded`` empty: its rows are shown. Otherwise they stand behind those words."""

    rows: tuple[ResultRow, ...]
    folded: str = ""


def stretches(results: Sequence[PastScenario], *, here: str, branch: str = "") -> tuple[Stretch, ...]:
    """``results``: newest first, those that people set aside included. ``branch``: in words; rows of others name theirs."""
    found: list[Stretch] = []
    passed = _last_passes(results)
    for plain, group in groupby(results, key=is_plain):
        ones = list(group)
        rows = tuple(_row(one, passed.get(one.invocation, ""), here=here, branch=branch) for one in ones)
        if plain and len(ones) >= LEAST_FOLDED:
            found.append(Stretch(rows=rows, folded=f"{_passes(rows)}, {day(ones[-1].at)} to {day(ones[0].at)}"))
        elif found and not found[-1].folded:
            found[-1] = Stretch(rows=(*found[-1].rows, *rows))
        else:
            found.append(Stretch(rows=rows))
    return tuple(found)


def is_plain(one: PastScenario) -> bool:
    """A pass without a failed run, on an environment that was left clean, and nothing of it set aside."""
    good = one.verdict == "pass" and one.environment == "clean" and not one.flaky
    return good and one.counts and all(run.verdict == "pass" for run in one.runs)


def _passes(rows: Sequence[ResultRow]) -> str:
    others = sum(bool(one.branch) for one in rows)
    return f"{len(rows)} passes" + (f" ({others} of them on other branches)" if others else "")


def result_link(one: PastScenario, *, here: str) -> str:
    """Where it stands in the page of its invocation."""
    return paths.relative(paths.invocation(one.invocation), here=here) + "#" + paths.anchor(one.scenario)


def _row(one: PastScenario, passed: str, *, here: str, branch: str) -> ResultRow:
    own = branch_words(one.subject)
    return ResultRow(
        when=minute(one.at),
        verdict=one.verdict,
        sentence=one.sentence,
        build=build_name(one.subject),
        time=_time(cell_of(one)),
        href=result_link(one, here=here),
        flaky=one.flaky,
        set_aside=not one.counts,
        runs=tuple(
            RunLink(number=run.number, verdict=run.verdict, href=paths.relative(paths.run(run.run), here=here))
            for run in sorted(sorted(one.runs, key=lambda run: run.verdict == "pass")[:LINKED], key=lambda run: run.number)
        ),
        further=max(0, len(one.runs) - LINKED),
        beside=_beside(one, passed, here=here),
        branch=own if branch and own != branch else "",
    )


def _last_passes(results: Sequence[PastScenario]) -> dict[str, str]:
    """For each invocation, the newest run that passed in an earlier one of its branch."""
    found: dict[str, str] = {}
    passed: dict[str, str] = {}
    for one in reversed(results):
        branch = branch_of(one.subject)
        found[one.invocation] = passed.get(branch, "")
        first = next((run.run for run in one.runs if run.verdict == "pass" and not run.invalidated), "")
        passed[branch] = first or passed.get(branch, "")
    return found


def _beside(one: PastScenario, passed: str, *, here: str) -> str:
    """Only for names that need no quoting in an address."""
    failed = next((run.run for run in one.runs if run.verdict == "fail"), "")
    plain = all(name.isascii() and name.isalnum() for name in (failed, passed))
    return paths.relative(paths.COMPARE, here=here) + f"?before=run:{passed}&after=run:{failed}" if plain else ""


def _time(cell: Cell) -> str:
    if cell.lo is None:
        return ""
    return say_time(cell.lo, cell.hi)


def repeats(results: Sequence[PastScenario]) -> str:
    """What repeating told: how many results had more than one run, and how many of those were flaky; empty for none."""
    repeated = [one for one in results if one.counts and len(one.runs) > 1]
    if not repeated:
        return ""
    flaky = sum(one.flaky for one in repeated)
    runs = sum(len(one.runs) for one in repeated)
    mixed = sum({"pass", "fail"} <= {run.verdict for run in one.runs} for one in repeated)
    return (
        f"{counted(len(repeated), 'result')} came of {counted(runs, 'run')}: in {mixed} of them runs of one build "
        f"disagreed, and {flaky} passed as flaky"
    )
