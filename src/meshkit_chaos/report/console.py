"""A run and an invocation in a plain terminal or a CI log. Pure: gives lines, prints nothing.

``ConsoleLines`` reads journal entries one by one and gives a progress line for those worth one. ``verdict_table`` is the last
word: every scenario with its verdict in sign and word, its interval and its limit, and where the reports lie. Control
characters never reach the terminal.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from meshkit_chaos.journal import events as ev
from meshkit_chaos.judge.phrases import counted
from meshkit_chaos.judge.verdict import InvocationVerdict, Repetition, VerdictName
from meshkit_chaos.report.decisive import decisive, reason
from meshkit_chaos.report.escape import one_line
from meshkit_chaos.report.narrative import roles, tell
from meshkit_chaos.report.wording import (
    ENVIRONMENT,
    SYMBOL,
    URGENCY,
    WORD,
    counts,
    exit_meaning,
    interval,
    limit,
    subject_text,
)

_RESET: Final = "\x1b[0m"
_COLOUR: Final[dict[VerdictName, str]] = {
    "pass": "\x1b[32m",
    "fail": "\x1b[31;1m",
    "inconclusive": "\x1b[33m",
    "invalid": "\x1b[35m",
    "not-run": "\x1b[2m",
}
_NARROWEST: Final = 40
_SHORTEST_NAME: Final = 12
_Row = tuple[VerdictName, str, str, str, str]  # verdict, its word, scenario, interval and limit, reason


class ConsoleLines:
    """Reads the entries of one run in order; remembers when it began and what its injections aim at."""

    def __init__(self) -> None:
        self._began: int | None = None
        self._roles: Mapping[str, str] = {}

    def line(self, entry: ev.Entry) -> str | None:
        """The progress line of an entry, without a newline; None where it is not worth one."""
        if self._began is None:
            self._began = entry.t
        if isinstance(entry.event, ev.RunStarted):
            self._roles = roles(entry.event.plan)
        told = tell(entry.event, roles_by_node=self._roles)
        if told.weight not in ("main", "alarm"):
            return None
        sign = "!" if told.weight == "alarm" else " "
        return f"{(entry.t - self._began) / 1e9:6.1f}s {sign} {told.word:<10} {told.text}".rstrip()


def verdict_table(
    invocation: InvocationVerdict, *, colour: bool, width: int, reports: Sequence[tuple[str, str]] = (), recover: str = ""
) -> str:
    """The end of an invocation, at most ``width`` columns wide where that is 40 or more.

    ``reports``: name and place of each document that was written. ``recover``: the command for a dirty environment.
    """
    room = max(width, _NARROWEST)
    ordered = sorted(invocation.scenarios, key=lambda repetition: URGENCY[repetition.verdict])
    rows = [_cells(repetition, invocation=invocation) for repetition in ordered]
    lines = ["", *_table(rows, room=room, colour=colour), *([""] if rows else [])]
    lines += _wrapped(_headline(invocation), room=room, paint=invocation.verdict if colour else None)
    if invocation.what_if:
        lines += _wrapped("what if: judged by other thresholds than were run; never a result", room=room, indent="  ")
    lines += _wrapped(_tally(invocation), room=room, indent="  ")
    lines += _wrapped(exit_meaning(invocation), room=room, indent="  ")
    lines += _wrapped(f"environment {ENVIRONMENT[invocation.environment]}", room=room, indent="  ")
    lines += _wrapped(f"subject {subject_text(invocation.subject)}", room=room, indent="  ")
    if invocation.environment == "dirty" and recover:
        lines += ["", f"  clean up first: {one_line(recover)}"]
    lines += [""] if reports else []
    lines += [f"  {one_line(name):<12} {one_line(place)}" for name, place in reports]
    return "\n".join(lines) + "\n"


def _headline(invocation: InvocationVerdict) -> str:
    return f"{SYMBOL[invocation.verdict]} {WORD[invocation.verdict]}: {one_line(invocation.sentence)}"


def _tally(invocation: InvocationVerdict) -> str:
    several = ", ".join(f"{count} {WORD[name].lower()}" for name, count in counts(r.verdict for r in invocation.scenarios))
    return f"{counted(len(invocation.scenarios), 'scenario')}{f': {several}' if several else ''}"


def _cells(repetition: Repetition, *, invocation: InvocationVerdict) -> _Row:
    runs = tuple(run for run in invocation.runs if run.scenario == repetition.scenario)
    chosen = decisive(repetition, runs)
    took = f"{interval(chosen.measured)} of {limit(chosen.measured)}" if chosen else ""
    word = WORD[repetition.verdict].lower() + (" (flaky)" if repetition.flaky else "")
    return repetition.verdict, word, one_line(repetition.scenario), took, one_line(reason(repetition, runs))


def _table(rows: Iterable[_Row], *, room: int, colour: bool) -> list[str]:
    """Columns as wide as their content; the name gives way first, and the reason stands below where it does not fit beside."""
    listed = list(rows)
    if not listed:
        return []
    word_width = max(_columns(word) for _, word, *_ in listed)
    took_width = max(_columns(took) for *_, took, _ in listed)
    longest = max(_columns(name) for _, _, name, *_ in listed)
    name_width = min(longest, room - word_width - took_width - 6)
    if name_width < min(longest, _SHORTEST_NAME):  # too narrow for columns: the interval goes below with the reason
        listed = [(*row[:3], "", "; ".join(part for part in row[3:] if part)) for row in listed]
        took_width, name_width = 0, min(longest, room - word_width - 6)
    widths = (word_width, name_width, took_width)
    return [line for row in listed for line in _row(row, widths=widths, room=room, colour=colour)]


def _row(row: _Row, *, widths: tuple[int, int, int], room: int, colour: bool) -> list[str]:
    verdict, word, name, took, reason = row
    head = f"{SYMBOL[verdict]} {_padded(word, widths[0])}"
    rest = f"{_padded(_cut(name, widths[1]), widths[1])}  {_padded(took, widths[2])}".rstrip()
    beside = f"{_padded(rest, widths[1] + 2 + widths[2])}  {reason}".rstrip()
    fits = _columns(head) + 2 + _columns(beside) <= room
    line = f"{_painted(head, verdict if colour else None)}  {beside if fits else rest}"
    return [line] if fits else [line, *_wrapped(reason, room=room, indent=" " * 4)]


def _painted(text: str, verdict: VerdictName | None) -> str:
    return f"{_COLOUR[verdict]}{text}{_RESET}" if verdict else text


def _wrapped(text: str, *, room: int, indent: str = "", paint: VerdictName | None = None) -> list[str]:
    """Break at blanks; a word longer than the line is broken where it must be."""
    lines, current = [], ""
    for word in _fitting_words(text, room - len(indent)):
        longer = f"{current} {word}" if current else word
        if _columns(longer) > room - len(indent):
            lines.append(current)
            longer = word
        current = longer
    lines += [current] if current else []
    return [indent + _painted(line, paint) for line in lines]


def _fitting_words(text: str, room: int) -> Iterable[str]:
    for word in text.split():
        rest = word
        while _columns(rest) > room:
            head = _head(rest, room)
            yield head
            rest = rest[len(head) :]
        yield rest


def _columns(text: str) -> int:
    """How many columns a terminal gives to a text."""
    return sum(_column(character) for character in text)


def _column(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def _head(text: str, width: int) -> str:
    used = 0
    for index, character in enumerate(text):
        used += _column(character)
        if used > width:
            return text[: max(index, 1)]
    return text


def _cut(text: str, width: int) -> str:
    return text if _columns(text) <= width else _head(text, width - 1) + "…"


def _padded(text: str, width: int) -> str:
    return text + " " * max(width - _columns(text), 0)
