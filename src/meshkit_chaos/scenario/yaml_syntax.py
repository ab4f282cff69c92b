"""What the YAML parser could not read, in words for who wrote it.

Takes the parser's error and the text; gives one Problem at the place where reading stopped, with a hint for the mistakes that
everybody makes once (a tab, an unquoted ``> 1``, an unquoted ``${…}`` between braces).
"""

from __future__ import annotations

from typing import Final

import yaml

from meshkit_chaos.errors import Problem

_HINTS: Final = (
    ("\\t", "indent with spaces, not with tabs"),
    ("mapping values are not allowed", "quote a text that holds ': ', and check the indentation"),
    ("did not find expected comment or line break", 'quote a text that starts with > or |, such as ">= 1"'),
    ("cannot start any token", 'quote a text that starts with >, |, @, % or `, such as ">= 1"'),
    ("',' or '}'", 'between { and }, quote a text that holds {, }, [, ] or a comma: url: "http://${member.host}/"'),
    ("',' or ']'", "between [ and ], quote a text that holds {, }, [, ] or a comma"),
    ("did not find expected '-' indicator", "the items of one list start in the same column"),
    ("did not find expected key", "the keys of one mapping start in the same column; quote texts that hold quotes"),
    ("undefined alias", "an alias names an anchor that comes before it"),
)


def syntax_problem(error: yaml.YAMLError, *, text: str, path: str) -> Problem:
    """One Problem for what stopped the parser."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    if line > text.count("\n") + 1:  # the parser counts one more line at the end of a text without a final newline
        line, column = text.count("\n") + 1, len(text) - text.rfind("\n")
    said = str(getattr(error, "problem", None) or getattr(error, "reason", None) or error)
    context = getattr(error, "context", None)
    message = f"not YAML: {said}" + (f" ({context})" if context else "")
    return Problem(path=path, line=line, column=column, rule="MC001", message=message, hint=_hint(message, text, line))


def _hint(message: str, text: str, line: int) -> str:
    lines = text.splitlines()
    written = lines[line - 1] if 0 < line <= len(lines) else ""
    if "\t" in written[: len(written) - len(written.lstrip())]:
        return _HINTS[0][1]
    return next((hint for sign, hint in _HINTS if sign in message), "")
