"""What a step's script does with the exit codes of ``meshkit-chaos``.

Takes the text of a shell script and how its shell was started; gives the commands whose failure counts, and every place where
the failure of one is swallowed. It knows the shell's rules that matter here (``set -e``, pipes, ``||``, ``&&``, ``if``), not
its whole grammar: where it cannot tell, it says nothing. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_CALL: Final = re.compile(r"(?:\bmeshkit-chaos|\bpython3? (?:-\w+ )*-m meshkit_chaos)\s+(?P<words>[^|&;<>)\"'$]*)")
_JUDGES: Final = re.compile(
    r"(?:run|judge|report|test|lint|plan|recover|gate (?:check|self-test)|native (?:build|verify)"
    r"|pipelines (?:publish|check)|history (?:import|push|pull|verify)|notify (?:send|flush|watch|test|lint))\b"
)
_ERREXIT: Final = re.compile(r"\bset\s+(?:-\w*e\w*|-o\s+errexit)|\bset\s+-\w+\s+-o\s+errexit")
_NO_ERREXIT: Final = re.compile(r"\bset\s+(?:\+\w*e\w*|\+o\s+errexit)")
_PIPEFAIL: Final = re.compile(r"\bset\s+(?:-\w+\s+)*-\w*o\s+pipefail")
_KEPT: Final = re.compile(r"^\s*(\w+)=\"?\$\?")
_LEAVES: Final = re.compile(r"\b(?:exit|return)\s+\"?(?:[1-9]|\$)")
_SUBSTITUTION: Final = re.compile(r"[$<]\(")
_ASSIGNMENT: Final = re.compile(r"(?:^|[;&|({]|\b(?:then|do|else)\b)\s*\w+=\"?\$\($")
_TRAPPED: Final = re.compile(r"\btrap\s.*\bexit\s+0\b.*\b(?:EXIT|0)\b")
_CONDITION: Final = re.compile(r"^\s*(?:(?:if|elif|while|until)\b|!)")
_NOT_COMMANDS: Final = re.compile(r"^\s*(?:fi|done|esac|else|then|do|;;|\})?\s*$")


@dataclass(frozen=True, slots=True)
class Line:
    """A logical line: what stands on it, without comments, and the number of its first physical line from 0."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """One call of ``meshkit-chaos``: its words behind the name, and where it stands in its line."""

    line: Line
    words: str
    start: int
    end: int

    @property
    def judges(self) -> bool:
        return _JUDGES.match(self.words) is not None

    def does(self, *commands: str) -> bool:
        return any(re.match(rf"{re.escape(command)}\b", self.words) for command in commands)


@dataclass(frozen=True, slots=True)
class Swallowed:
    """A failure that goes nowhere: of which call, how, and what to write instead."""

    call: Call
    how: str
    instead: str


def lines(script: str) -> tuple[Line, ...]:
    """Logical lines: continued ones joined, comments and blank ones gone."""
    found: list[Line] = []
    pending, first = "", 0
    for number, physical in enumerate(script.split("\n")):
        text = re.sub(r"(^|\s)#.*$", "", physical)
        if not pending:
            first = number
        if text.endswith("\\"):
            pending += text[:-1] + " "
            continue
        if (pending + text).strip():
            found.append(Line(first, pending + text))
        pending = ""
    return tuple([*found, Line(first, pending)] if pending.strip() else found)


def calls(script: str) -> Iterator[Call]:
    """Every call of ``meshkit-chaos`` in a script."""
    for line in lines(script):
        for match in _CALL.finditer(line.text):
            yield Call(line, match["words"].strip(), match.start(), match.end())


def swallowed(script: str, *, errexit: bool, pipefail: bool) -> Iterator[Swallowed]:
    """Every judging call whose failure the script does not end with. ``errexit``, ``pipefail``: how its shell was started."""
    every = lines(script)
    for call in calls(script):
        if not call.judges:
            continue
        before = "\n".join(line.text for line in every if line.number <= call.line.number)
        stops = _last(before, on=_ERREXIT, off=_NO_ERREXIT, first=errexit)
        pipes = pipefail or _PIPEFAIL.search(before) is not None
        after = "\n".join(line.text for line in every if line.number > call.line.number and not _NOT_COMMANDS.match(line.text))
        found = _trapped(call, before) or _in_its_line(call, after, pipes=pipes) or _behind_it(call, after, stops=stops)
        if found:
            yield found


def _trapped(call: Call, before: str) -> Swallowed | None:
    if not _TRAPPED.search(before):
        return None
    return Swallowed(call, "a trap ends the script with 0 whatever happened", "leave `exit 0` out of the trap")


def _last(text: str, *, on: re.Pattern[str], off: re.Pattern[str], first: bool) -> bool:
    switches = [
        *((match.start(), True) for match in on.finditer(text)),
        *((match.start(), False) for match in off.finditer(text)),
    ]
    return max(switches)[1] if switches else first


def _in_its_line(call: Call, after: str, *, pipes: bool) -> Swallowed | None:
    rest = _unquoted(call.line.text[call.end :])
    if _is_inside_another(call):
        return Swallowed(call, "the command around it decides the exit code", 'write `name=$(…)` alone, and use "$name" then')
    if _is_condition(call) and not _LEAVES.search(rest + after):
        return Swallowed(call, "its failure only chooses a branch, and no branch ends with it", "add a branch with `exit 1`")
    if "||" in rest and not _taken_over(rest.partition("||")[2], after):
        written = call.line.text[call.end + rest.index("||") :].rstrip()
        return Swallowed(call, f"`{written}` swallows its failure", "leave it out")
    if re.search(r"(?<!\|)\|(?![|&])", rest) and not pipes:
        return Swallowed(call, "a pipe ends with the exit code of its last command", "write `set -o pipefail` before it")
    if re.search(r"(?<![&>])&(?![&>\d])\s*$", rest):
        return Swallowed(call, "it runs in the background, and nobody waits for its exit code", "leave the `&` out")
    if re.search(r";\s*(?:true|:|exit\s+0)\s*['\"]?\s*$", rest) or (re.search(r"(?<!&)&&(?!&)", rest) and after):
        return Swallowed(call, "what follows it decides the exit code", "put it on a line of its own")
    return None


def _is_inside_another(call: Call) -> bool:
    """Whether its output is an argument (``echo "$(…)"``, ``export x=$(…)``, ``< <(…)``). An assignment keeps its failure."""
    opened = _last_opened(call.line.text[: call.start])
    return opened is not None and _ASSIGNMENT.search(opened) is None


def _last_opened(before: str) -> str | None:
    """What stands before the innermost substitution that is still open; None where none is."""
    for match in reversed(list(_SUBSTITUTION.finditer(before))):
        inside = before[match.end() :]
        if inside.count(")") <= inside.count("("):
            return before[: match.end()]
    return None


def _is_condition(call: Call) -> bool:
    """Whether it is asked by ``if``, ``while`` or ``!``, and not what one of them leads to."""
    before = call.line.text[: call.start]
    return _CONDITION.match(before) is not None and not re.search(r"\b(?:then|do)\b", before)


def _behind_it(call: Call, after: str, *, stops: bool) -> Swallowed | None:
    kept = _KEPT.search(after)
    if stops or not after or (kept and _ends_with(kept[1], after)) or re.match(r"\s*exec\b", call.line.text):
        return None
    return Swallowed(
        call, "the script goes on after it, and ends with the exit code of its last command", "begin with `set -e`"
    )


def _taken_over(alternative: str, after: str) -> bool:
    """Whether what stands behind ``||`` still ends with a failure."""
    kept = _KEPT.match(alternative)
    return _LEAVES.search(alternative) is not None or (kept is not None and _ends_with(kept[1], alternative + "\n" + after))


def _ends_with(variable: str, after: str) -> bool:
    return re.search(rf"\b(?:exit|return)\s+\"?\$\{{?{re.escape(variable)}\b", after) is not None


def _unquoted(text: str) -> str:
    """The text with quoted parts blanked: an operator inside of quotes is none."""
    return re.sub(r"'[^']*'|\"(?:\\.|[^\"\\])*\"", lambda found: "_" * len(found[0]), text)
