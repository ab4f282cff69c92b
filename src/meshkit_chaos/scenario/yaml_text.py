"""Bytes of a document as text, or why they cannot be one.

Takes bytes; gives text without its byte order mark. Refuses, with the place: more than 2 MB, what is not UTF-8, and characters
that an editor would not show as what they are (control characters, other line breaks, direction overrides).
"""

from __future__ import annotations

import re
from typing import Final

from meshkit_chaos.errors import Problem

LARGEST_DOCUMENT: Final = 2_000_000
_UNWANTED: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffe\uffff]|\r(?!\n)|(?<!^)\ufeff"
)


def readable_text(data: bytes, *, path: str) -> str | Problem:
    """Decode a document. The first thing that stands in the way is the only one told: what follows it cannot be trusted."""
    if len(data) > LARGEST_DOCUMENT:
        line, column = _place(data[:LARGEST_DOCUMENT].decode("utf-8", "replace"))
        message = f"the file has {len(data):,} bytes; at most {LARGEST_DOCUMENT:,} are read, up to here"
        hint = "split the scenarios over several files"
        return Problem(path=path, line=line, column=column, rule="MC004", message=message, hint=hint)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line, column = _place(data[: error.start].decode("utf-8"))
        message = f"byte 0x{data[error.start]:02x} is not UTF-8"
        return Problem(path=path, line=line, column=column, rule="MC005", message=message, hint="save the file as UTF-8")
    found = _UNWANTED.search(text)
    if found is None:
        return text.removeprefix("\ufeff")
    line, column = _place(text[: found.start()].removeprefix("\ufeff"))
    message = f"the character U+{ord(found[0]):04X} cannot stand here"
    hint = "delete it; inside double quotes it can be written as an escape such as \\u2028"
    return Problem(path=path, line=line, column=column, rule="MC005", message=message, hint=hint)


def _place(before: str) -> tuple[int, int]:
    """The line and column (from 1) of what comes after ``before``."""
    return before.count("\n") + 1, len(before) - before.rfind("\n")
