"""Regular expressions of label matchers: RE2 syntax, fully anchored, in time linear in the text.

Takes a pattern; gives a ``Pattern`` that matches whole values. Refuses, with a ``PatternError`` that names the construct, what
RE2 does not have (lookaround, backreferences, possessive repeats) and the few things it has that this has not (``\\p`` classes,
``\\C``, ``\\Q``). No backtracking engine is involved, so no pattern can take more than (pattern size × text length) steps.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from meshkit_chaos.promql.pattern_machine import Machine, Program, assemble
from meshkit_chaos.promql.pattern_syntax import read
from meshkit_chaos.promql.pattern_tree import PatternError

__all__ = ["Pattern", "PatternError"]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern. ``.`` matches a newline too, as in Prometheus since version 3."""

    text: str
    program: Program = field(compare=False, repr=False)
    names: tuple[str, ...] = ()

    @classmethod
    def compile(cls, text: str) -> Pattern:
        """Read a pattern. Raises PatternError."""
        tree, names = read(text)
        return cls(text, assemble(tree, groups=len(names)), names)

    def matches(self, value: str) -> bool:
        return Machine(self.program).groups(value, capture=False) is not None

    def groups(self, value: str) -> tuple[str, ...] | None:
        """The whole match and each group (empty where it took no part), or None where the value does not match."""
        spans = Machine(self.program).groups(value, capture=True)
        if spans is None:
            return None
        return tuple(value[start:end] if start >= 0 <= end else "" for start, end in spans)

    def expand(self, template: str, groups: tuple[str, ...]) -> str:
        """Fill ``$1``, ``${1}``, ``$name``, ``${name}`` and ``$$``, as Go's regexp does; an unknown group is empty."""
        out, rest = "", template
        while "$" in rest:
            before, _, rest = rest.partition("$")
            out += before
            if rest.startswith("$"):
                out, rest = out + "$", rest[1:]
                continue
            name, after = _reference(rest)
            if not name:
                out += "$"
                continue
            out, rest = out + self._group(name, groups), after
        return out + rest

    def _group(self, name: str, groups: tuple[str, ...]) -> str:
        if name.isascii() and name.isdigit():
            return groups[int(name)] if len(name) < 6 and int(name) < len(groups) else ""
        return groups[self.names.index(name) + 1] if name in self.names else ""


def _reference(text: str) -> tuple[str, str]:
    """Split ``1}x`` or ``name x`` after the ``$``; an empty name means that it is no reference."""
    braced = text.startswith("{")
    body = text[1:] if braced else text
    length = next((i for i, c in enumerate(body) if not (c == "_" or c.isalnum())), len(body))
    name, after = body[:length], body[length:]
    if not braced:
        return name, after
    return (name, after[1:]) if after.startswith("}") else ("", text)
