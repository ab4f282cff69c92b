"""Look over a query's text before the parser sees it, and put raw strings into the form that the parser reads rightly.

Refuses text that is too long or nests too deeply: the parser library recurses in native code, where a deep expression would end
the whole process instead of raising.
"""

from __future__ import annotations

import re
from typing import Final

from meshkit_chaos.promql.errors import PromQLError, UnsupportedPromQL

LONGEST: Final = 10_000
DEEPEST: Final = 40
_MOST_OPERATORS: Final = 100

_PIECE: Final = re.compile(
    r"""(?P<comment>\#[^\n]*)
      | (?P<string>"(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*')
      | (?P<raw>`[^`]*`)
      | (?P<open>[(\[{]) | (?P<close>[)\]}])
      | (?P<word>[A-Za-z_][A-Za-z0-9_:]*)
      | (?P<operator>[-+*/%^=!<>~]+)
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_WORD_OPERATORS: Final = frozenset({"and", "or", "unless", "atan2"})
_ESCAPED: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_BYTE_ESCAPE: Final = re.compile(r"(?<!\\)(?:\\\\)*\\(?:x[89a-fA-F]|[23][0-7])")


def prepare(text: str) -> str:
    """Give the text with raw strings quoted and comments gone. Raises PromQLError."""
    if len(text) > LONGEST:
        raise PromQLError(f"the query has {len(text)} characters; expected at most {LONGEST:,}")
    out: list[str] = []
    depth = braces = operators = 0
    for piece in _PIECE.finditer(text):
        what, found = piece.lastgroup, piece[0]
        depth += (what == "open") - (what == "close")
        braces += (found == "{") - (found == "}") if what in {"open", "close"} else 0
        if braces <= 0:
            operators += len(found) if what == "operator" else found.lower() in _WORD_OPERATORS
        if depth > DEEPEST:
            raise PromQLError(f"the query nests deeper than {DEEPEST} brackets")
        if operators > _MOST_OPERATORS:
            raise PromQLError(f"the query has more than {_MOST_OPERATORS} operators; split it into several indicators")
        out.append(_rewrite(what, found))
    return "".join(out)


def _rewrite(what: str | None, found: str) -> str:
    if what == "string" and _BYTE_ESCAPE.search(found):
        raise UnsupportedPromQL(f"the byte escape in {found}", "write the character itself, or \\u00e9")
    if what == "raw":
        return '"' + "".join(_ESCAPED.get(char, char) for char in found[1:-1]) + '"'
    return " " if what == "comment" else found
