"""Earlier runs as text: a list, one of them in full, a trend, two beside each other. Pure: values in, lines out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from meshkit_chaos.clock import iso
from meshkit_chaos.history.comparing import Compared, Side
from meshkit_chaos.history.model import PastInvocation, PastObjective, PastRun, PastScenario
from meshkit_chaos.judge.phrases import at_least, counted, say, say_between
from meshkit_chaos.report.escape import one_line, visible
from meshkit_chaos.report.wording import SYMBOL, subject_text

_SIMULATED: Final = "simulated"  # what a simulated member gives as the digest of its binary; its calendar is its own
_BAR: Final = 32
_DOTS: Final = "▁▂▃▄▅▆▇█"


def when(wall_ns: int) -> str:
    """An instant as people look it up: UTC, to the minute."""
    return iso(wall_ns)[:16].replace("T", " ")


def time_text(lo: int | None, hi: int | None) -> str:
    """A measured time as an interval; a dash where none was measured."""
    if lo is None:
        return "–"
    return f"> {at_least(lo)}" if hi is None else say_between(lo, hi)


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as aligned lines, without idle blanks at their ends."""
    safe = [tuple(map(_safe, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*safe, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in safe]


def _safe(text: str) -> str:
    """One line that moves no cursor: bundles come from elsewhere, and so do the names in them."""
    return visible(text).replace("\n", " ").replace("\t", " ")


def invocation_lines(invocations: Iterable[PastInvocation]) -> list[str]:
    """One line an invocation, in the order given."""
    rows = [
        (
            when(one.at),
            f"{SYMBOL[one.verdict]} {one.verdict}",
            one.invocation,
            subject_text(one.subject),
            one_line(one.sentence),
        )
        for one in invocations
    ]
    return columns([("when (UTC)", "verdict", "invocation", "subject", "what it said"), *rows])


def whole_lines(invocation: PastInvocation, scenarios: Sequence[PastScenario]) -> list[str]:
    """One invocation with every scenario, run and objective of it."""
    lines = [
        f"{SYMBOL[invocation.verdict]} {invocation.verdict}: {one_line(invocation.sentence)}",
        f"invocation   {invocation.invocation}, {when(invocation.at)} UTC, meshkit-chaos {one_line(invocation.tool)}",
        f"subject      {subject_text(invocation.subject)}",
        f"environment  {invocation.environment}",
    ]
    for scenario in scenarios:
        lines += ["", f"{SYMBOL[scenario.verdict]} {scenario.scenario}: {one_line(scenario.title)}"]
        lines += [f"  {scenario.verdict}: {one_line(scenario.sentence)}{' (flaky)' if scenario.flaky else ''}"]
        lines += [line for run in scenario.runs for line in run_lines(run)]
    return [_safe(line) for line in lines]


def run_lines(run: PastRun) -> list[str]:
    """One run with its objectives."""
    how = f"{run.verdict}, {run.outcome}, environment {run.environment}, seed {run.seed}"
    clock = "virtual time" if _SIMULATED in run.binaries.values() else "UTC"
    lines = [f"  run {run.number}  {run.run}  {how}, {when(run.started)} {clock}, took {say(run.ended - run.started)}"]
    if run.invalidated:
        lines.append(f"    does not count: {one_line(run.invalidated)}")
    for objective in run.objectives:
        about = " (informational)" if objective.informational else ""
        lines.append(f"    {SYMBOL[objective.verdict]} {objective.verdict:<12} {one_line(objective.sentence)}{about}")
    return [_safe(line) for line in lines]


def mark_line(mark: Mapping[str, object]) -> str:
    """What somebody said of a run, and who."""
    return _safe(f"    {'counts again' if mark['counts'] else 'invalid'}: {mark['reason']} ({mark['by']})")


def trend_lines(scenario: str, results: Sequence[PastScenario], objective: str | None) -> list[str]:
    """The times of each objective over the runs, oldest first: numbers, and the interval drawn against its limit."""
    runs = [(past, run) for past in reversed(results) for run in past.runs]
    names = dict.fromkeys(one.name for _, run in runs for one in run.objectives if objective in (None, one.name))
    lines = [f"{scenario}: {counted(len(results), 'result')}, {counted(len(runs), 'run')}, oldest first"]
    for name in names:
        lines += ["", *_objective_lines(name, runs)]
    without = [(when(past.at), past.verdict, one_line(past.sentence)) for past in reversed(results) if not past.runs]
    if without:
        lines += ["", "without any run:", *columns(without)]
    return [_safe(line) for line in lines]


def _objective_lines(name: str, runs: Sequence[tuple[PastScenario, PastRun]]) -> list[str]:
    told = [(past, run, one) for past, run in runs for one in run.objectives if one.name == name]
    ends = [end for _, _, one in told for end in (one.lo, one.hi, one.limit) if end is not None]
    scale = max(ends, default=0) or 1
    rows = [
        (
            when(past.at),
            f"{SYMBOL[one.verdict]} {one.verdict}",
            time_text(one.lo, one.hi),
            interval_bar(one, scale),
            subject_text(past.subject) + (f"  does not count: {one_line(run.invalidated)}" if run.invalidated else ""),
        )
        for past, run, one in told
    ]
    limits = ", ".join(say(limit) for limit in dict.fromkeys(one.limit for *_, one in told) if limit is not None)
    head = f"{name}  {sparkline([_middle(one) for *_, one in told], scale)}" + (f"  limit {limits}" if limits else "")
    return [head, *columns(rows)]


def _middle(one: PastObjective) -> int | None:
    return None if one.lo is None else (one.lo + (one.lo if one.hi is None else one.hi)) // 2


def sparkline(values: Iterable[int | None], scale: int) -> str:
    """One character a value; a blank where there is none."""
    return "".join(" " if value is None else _DOTS[min(len(_DOTS) - 1, value * len(_DOTS) // scale)] for value in values)


def interval_bar(one: PastObjective, scale: int) -> str:
    """``·`` up to the time, ``█`` where it lies, ``▸`` where it is open, ``│`` at the limit."""
    cells = ["·"] * _BAR
    if one.lo is not None:
        last = _BAR - 1 if one.hi is None else _cell(one.hi, scale)
        for cell in range(_cell(one.lo, scale), last + 1):
            cells[cell] = "█" if one.hi is not None else "▸"
    if one.limit is not None and cells[_cell(one.limit, scale)] == "·":
        cells[_cell(one.limit, scale)] = "│"
    return "".join(cells)


def _cell(value: int, scale: int) -> int:
    return min(_BAR - 1, value * _BAR // scale)


def compared_lines(compared: Sequence[Compared], *, names: tuple[str, str]) -> list[str]:
    """Two sides beside each other, one line for each scenario and objective."""
    head = ("scenario", "objective", *(one_line(name) for name in names), "difference")
    rows = [
        (one.scenario, one.objective or "(verdict)", _side(one.before), _side(one.after), one.difference) for one in compared
    ]
    return columns([head, *rows])


def _side(side: Side | None) -> str:
    if side is None:
        return "not there"
    took = f" {time_text(side.lo, side.hi)}" if side.lo is not None else ""
    return f"{SYMBOL[side.verdict]} {side.verdict}{took}" + (f" ({side.note})" if side.note else "")
