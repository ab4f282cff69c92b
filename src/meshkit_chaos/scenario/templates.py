"""Templates: ``${member.name}`` and the like, in the texts of environments, checks and probes.

Takes a text and what may be referred to; gives its references, or what is wrong with them. There is no
escape and no default: every ``${`` must be one of the known references.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from meshkit_chaos.scenario.grammar_values import close_names

_REFERENCE: Final = re.compile(r"\$\{([^{}$\s]*)\}")
EVERY_MEMBER: Final = ("member.name", "member.index", "member.host", "member.dir")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What templates may refer to; None where it is not known, so that nothing can be said."""

    ports: frozenset[str] | None = None
    vars: frozenset[str] | None = None
    joined: frozenset[str] | None = None
    secrets: frozenset[str] | None = None
    binaries: frozenset[str] | None = frozenset()
    member: tuple[str, ...] = EVERY_MEMBER

    @property
    def _groups(self) -> dict[str, frozenset[str] | None]:
        return {
            "member.port": self.ports,
            "var": self.vars,
            "joined": self.joined,
            "secret": self.secrets,
            "binary": self.binaries,
        }

    def names(self) -> tuple[str, ...]:
        below = (f"{group}.{name}" for group, names in self._groups.items() for name in sorted(names or ()))
        return (*self.member, *below)

    def has(self, name: str) -> bool:
        group, _, rest = name.rpartition(".")
        if group in self._groups and self._groups[group] is None:
            return bool(rest)
        return name in self.names()


def references(text: str) -> tuple[str, ...]:
    """The names referred to, in order."""
    return tuple(found[1] for found in _REFERENCE.finditer(text))


def template_problem(text: str, known: Known) -> tuple[str, str] | None:
    """What is wrong with a text's templates, and a hint."""
    if "${" in _REFERENCE.sub("", text):
        return "a template is not closed or not one name", "write ${member.name}"
    for name in references(text):
        if not known.has(name):
            near = close_names(name, known.names())
            hint = f"did you mean ${{{near[0]}}}?" if near else f"known here: {', '.join(known.names())}"
            return f"unknown template ${{{name}}}", hint
    return None
