"""Problems as text: for people at a terminal, with the line and a caret, and for GitHub's annotations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from meshkit_chaos.errors import Problem

_WIDEST: Final = 160
_AGENT_COMMAND: Final = re.compile(r"##(?=(?:vso)?\[)", re.IGNORECASE)
_UNSEEN: Final = frozenset({"MC405"})
"""Where a secret was written: a line that such a problem is about is not shown, for this one or any other."""
_LONGEST: Final = 4_000_000  # what lies behind was not read either


def render_problems(problems: Iterable[Problem], sources: Mapping[str, bytes]) -> str:
    """Each problem with the line that it is about, where ``sources`` (bytes by path) has it and no secret is in it."""
    lines: dict[str, list[str]] = {}
    blocks: list[str] = []
    every = tuple(problems)
    unseen = {(problem.path, problem.line) for problem in every if problem.rule in _UNSEEN}
    for problem in every:
        if problem.path not in lines:
            source = sources.get(problem.path)
            text = "" if source is None else source[:_LONGEST].decode("utf-8", "replace").removeprefix("\ufeff")
            lines[problem.path] = [] if source is None else text.split("\n")
        hidden = (problem.path, problem.line) in unseen
        blocks.append(_block(problem, [] if hidden else lines[problem.path]))
    return "".join(blocks)


def _block(problem: Problem, lines: list[str]) -> str:
    head = f"{shown(problem.place)}: {problem.severity}: {shown(problem.message)} [{problem.rule}]\n"
    hint = f"  hint: {shown(problem.hint)}\n" if problem.hint else ""
    if not 0 < problem.line <= len(lines):
        return head + hint
    number = f"{problem.line:>6} | "
    before, after = _excerpt(lines[problem.line - 1], problem.column)
    return f"{head}{number}{before}{after}\n{' ' * (len(number) - 2)}| {' ' * len(before)}^\n{hint}"


def _excerpt(line: str, column: int) -> tuple[str, str]:
    """The line before and from the column, made short and harmless; tabs count as one column."""
    start = max(0, column - _WIDEST // 2)
    before, after = line[start : column - 1], line[column - 1 : start + _WIDEST]
    return shown(before), shown(after)


def shown(text: str) -> str:
    """Put a visible sign for every character that a terminal would act on, and for the mark of a CI agent's command (``##[``,
    ``##vso[``). The length stays.
    """
    text = _AGENT_COMMAND.sub("··", text)
    return "".join(character if character.isprintable() else "·" for character in text.replace("\t", " ").rstrip("\r\n"))


def github_annotations(problems: Iterable[Problem]) -> str:
    """One workflow command a problem, escaped so that no message can hold a second one."""
    return "".join(_annotation(problem) for problem in problems)


def _annotation(problem: Problem) -> str:
    place = f",line={problem.line},col={problem.column}" if problem.line else ""
    hint = f" (hint: {problem.hint})" if problem.hint else ""
    message = f"{problem.message}{hint} [{problem.rule}]"
    return f"::{problem.severity} file={_property(problem.path)}{place}::{_data(message)}\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
