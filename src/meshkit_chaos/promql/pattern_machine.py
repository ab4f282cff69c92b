"""Match a text against a pattern by following all its threads at once (Thompson's construction, Pike's captures).

Steps are bounded by program length × text length whatever the pattern, which is why RE2 has no lookaround or backreferences.
Threads are kept in order of preference, so that groups are those that Go's regexp reports.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from meshkit_chaos.promql.pattern_tree import Assertion, Chars, Choice, Group, PatternError, Repeat, Sequence, Tree

_LARGEST = 10_000

Spans = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """``first`` and ``second`` are addresses (for ``save``: the slot), in order of preference."""

    do: Literal["chars", "split", "jump", "save", "assert", "match"]
    first: int = 0
    second: int = 0
    chars: Chars | None = None
    assertion: str = ""


@dataclass(frozen=True, slots=True)
class Program:
    steps: tuple[Step, ...]
    groups: int


def assemble(tree: Tree, *, groups: int) -> Program:
    """Raises PatternError where repeats make the program too large."""
    steps: list[Step] = []
    _emit(tree, steps)
    steps.append(Step("match"))
    return Program(tuple(steps), groups)


def _emit(tree: Tree, steps: list[Step]) -> None:
    if len(steps) > _LARGEST:
        raise PatternError("the pattern is too large: its repeats multiply")
    match tree:
        case Chars():
            steps.append(Step("chars", chars=tree))
        case Assertion():
            steps.append(Step("assert", assertion=tree.name))
        case Sequence():
            for part in tree.parts:
                _emit(part, steps)
        case Group():
            steps.append(Step("save", first=2 * tree.index))
            _emit(tree.body, steps)
            steps.append(Step("save", first=2 * tree.index + 1))
        case Choice():
            _emit_choice(tree.parts, steps)
        case Repeat():
            _emit_repeat(tree, steps)


def _emit_choice(parts: tuple[Tree, ...], steps: list[Step]) -> None:
    leaving: list[int] = []
    for part in parts[:-1]:
        fork = len(steps)
        steps.append(Step("split"))
        _emit(part, steps)
        leaving.append(len(steps))
        steps.append(Step("jump"))
        steps[fork] = Step("split", fork + 1, len(steps))
    _emit(parts[-1], steps)
    for address in leaving:
        steps[address] = Step("jump", len(steps))


def _emit_repeat(tree: Repeat, steps: list[Step]) -> None:
    for _ in range(tree.least):
        _emit(tree.body, steps)
    if tree.most is None:
        fork = len(steps)
        steps.append(Step("split"))
        _emit(tree.body, steps)
        steps.append(Step("jump", fork))
        steps[fork] = _fork(fork + 1, len(steps), greedy=tree.greedy)
        return
    forks = []
    for _ in range(tree.most - tree.least):
        forks.append(len(steps))
        steps.append(Step("split"))
        _emit(tree.body, steps)
    for fork in forks:
        steps[fork] = _fork(fork + 1, len(steps), greedy=tree.greedy)


def _fork(into: int, past: int, *, greedy: bool) -> Step:
    return Step("split", into, past) if greedy else Step("split", past, into)


class Machine:
    """One matching of one text."""

    def __init__(self, program: Program) -> None:
        self._steps = program.steps
        self._slots = 2 * (program.groups + 1)

    def groups(self, text: str, *, capture: bool) -> tuple[tuple[int, int], ...] | None:
        """Spans of the whole match and each group (-1 where a group took no part); None where the text does not match."""
        start: Spans = (-1,) * self._slots if capture else ()
        threads = self._follow([(0, start)], text, 0)
        for at, char in enumerate(text):
            moved: list[tuple[int, Spans]] = []
            for address, spans in threads:
                chars = self._steps[address].chars
                if chars is not None and chars.has(char):
                    moved.append((address + 1, spans))
            if not moved:
                return None
            threads = self._follow(moved, text, at + 1)
        for address, spans in threads:
            if self._steps[address].do == "match":
                found = (0, len(text), *spans[2:])
                return tuple(zip(found[::2], found[1::2], strict=True))
        return None

    def _follow(self, starts: list[tuple[int, Spans]], text: str, at: int) -> list[tuple[int, Spans]]:
        """Go through all steps that take no character; each address is visited once, by its preferred thread."""
        pending = list(reversed(starts))
        seen: set[int] = set()
        waiting: list[tuple[int, Spans]] = []
        while pending:
            address, spans = pending.pop()
            if address in seen:
                continue
            seen.add(address)
            step = self._steps[address]
            match step.do:
                case "chars" | "match":
                    waiting.append((address, spans))
                case "jump":
                    pending.append((step.first, spans))
                case "split":
                    pending += [(step.second, spans), (step.first, spans)]
                case "save":
                    kept = (*spans[: step.first], at, *spans[step.first + 1 :]) if spans else spans
                    pending.append((address + 1, kept))
                case "assert":
                    if _holds(step.assertion, text, at):
                        pending.append((address + 1, spans))
        return waiting


def _holds(assertion: str, text: str, at: int) -> bool:
    match assertion:
        case "begin-text":
            return at == 0
        case "end-text":
            return at == len(text)
        case "begin-line":
            return at == 0 or text[at - 1] == "\n"
        case "end-line":
            return at == len(text) or text[at] == "\n"
        case _:
            boundary = _word(text, at - 1) != _word(text, at)
            return boundary == (assertion == "word")


def _word(text: str, at: int) -> bool:
    return 0 <= at < len(text) and text[at].isascii() and (text[at].isalnum() or text[at] == "_")
