"""Text that came from documents, logs or members, made safe for one format each. Pure.

Every format first makes unprintable characters visible (``\\x1b``, ``\\u202e``), so that no report can move a cursor, turn the
reading direction round, or break a parser. HTML is not here: its templates escape by themselves.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_UNPRINTABLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_KEPT: Final = frozenset("\n\t")


def _code(character: str) -> str:
    point = ord(character)
    if point < 0x100:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def _illegal(character: str) -> bool:
    """Control and format characters, surrogates, and the noncharacters that XML 1.0 and terminals refuse."""
    if character in _KEPT:
        return False
    return unicodedata.category(character) in _UNPRINTABLE or ord(character) & 0xFFFE == 0xFFFE


# What a CI agent that reads the output would obey, wherever in a line it stands: ##vso[task.complete result=Succeeded].
_AGENT_COMMAND: Final = re.compile(r"##(?=(?:vso)?\[)", re.IGNORECASE)


def visible(text: str) -> str:
    """Write every unprintable character as its code; newlines and tabs stay. A command to a CI agent is broken up."""
    text = _AGENT_COMMAND.sub("# #", text) if "##" in text else text
    return "\n".join(line if line.isprintable() else _told(line) for line in text.split("\n"))


def _told(line: str) -> str:
    """All that is illegal is unprintable, too; so only lines that hold such a thing need to be looked at letter by letter."""
    return "".join(_code(character) if _illegal(character) else character for character in line)


def one_line(text: str) -> str:
    """The same, with every run of white space as one blank."""
    return " ".join(visible(text).split())


def clipped(text: str, width: int) -> str:
    """At most ``width`` characters; what is cut is shown by an ellipsis."""
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"


# Zero width spaces break what a forge would turn into links after Markdown is done: mentions, issues, bare addresses.
_BREAK: Final = "&#8203;"
_MARKUP: Final = re.compile(r"([\\`*_{}\[\]()|~$])")
_AUTOLINK: Final = re.compile(r"(@|#|!(?=\d)|:(?=//)|(?i:www)(?=\.)|(?i:mailto|xmpp)(?=:))")
_LINE_START: Final = re.compile(r"^([-+>=]|\d+[.)])")


def markdown(text: str) -> str:
    """Escape for running text and table cells: no markup, link, mention, HTML or further line can come out of it."""
    flat = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    flat = _MARKUP.sub(r"\\\1", flat)
    flat = _AUTOLINK.sub(rf"\1{_BREAK}", flat)
    return _LINE_START.sub(rf"{_BREAK}\1", flat)


def markdown_code(text: str) -> str:
    """A code span that also survives inside a table; white space becomes single blanks."""
    flat = one_line(text).replace("|", "\\|")
    longest = max((len(run) for run in re.findall(r"`+", flat)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if flat.startswith("`") or flat.endswith("`") or not flat else ""
    return f"{fence}{pad}{flat}{pad}{fence}"
