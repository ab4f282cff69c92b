"""Additions to a document as text: what stands there keeps its comments, its order and its formatting to the byte.

Takes a document's text and a block of lines; gives the text with the block appended to the list or mapping below a key of the
document, indented as its neighbours are. The places come from the tree of nodes. Refuses (ValueError, in words) what is
written in brackets: there a line cannot be added.
"""

from __future__ import annotations

import re
from typing import Final

from meshkit_chaos.scenario.yaml_positions import Node, compose

_PLAIN: Final = re.compile(r"[A-Za-z_/][A-Za-z0-9_ ()./=<>+*-]*(?<! )")
_SAYS_OTHERWISE: Final = re.compile(r"(?i)null|true|false|yes|no|on|off|~")
_DASH: Final = re.compile(r"^(\s*)-(\s|$)")
_END: Final = re.compile(r"^(\.\.\.|---)\s*$")


def quoted(text: str) -> str:
    """A text as a YAML scalar: plain where nothing can be misread, quoted otherwise."""
    if _PLAIN.fullmatch(text) and not _SAYS_OTHERWISE.fullmatch(text):
        return text
    return "'" + text.replace("'", "''") + "'"


def appended(text: str, key: str, block: str) -> str:
    """Append a block to the list or mapping below a key of the document. ``block`` starts in the first column."""
    root = _root(text)
    node = root.child(key)
    if node is None or not node.children:
        raise ValueError(f"the document has no {key!r} to add to")
    lines = text.splitlines()
    indent = _indent(node, lines, key)
    end = _end_of(root, key, lines)
    return _joined(lines, end, [indent + line if line else line for line in block.splitlines()], text)


def keys_at(text: str, *path: str) -> tuple[str, ...]:
    """The keys of the mapping at a place of the document; none where there is no mapping."""
    node: Node | None = _root(text)
    for part in path:
        node = node.child(part) if node is not None else None
    return tuple(node.keys or ()) if node is not None else ()


def spaced(text: str, key: str) -> bool:
    """Whether a blank line stands between the items of a list."""
    node = _root(text).child(key)
    items = node.children if node is not None and isinstance(node.children, list) else []
    lines = text.splitlines()
    return len(items) < 2 or any(not line.strip() for line in lines[items[0].line : items[1].line])


def _root(text: str) -> Node:
    root = compose(text.encode(), path="").root
    assert root is not None, "the document was loaded before"
    return root


def _joined(lines: list[str], at: int, block: list[str], text: str) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    return newline.join([*lines[:at], *block, *lines[at:]]) + newline


def _indent(node: Node, lines: list[str], key: str) -> str:
    """The blanks before the items."""
    written = lines[node.line - 1][node.column - 1 :]
    if written[:1] in {"[", "{"}:
        raise ValueError(f"{key!r} is written in brackets (line {node.line}); write its items on lines of their own")
    if isinstance(node.children, dict):
        return lines[node.line - 1][: node.column - 1]
    found = _DASH.match(lines[node.line - 1])
    if found is None:
        raise ValueError(f"the items of {key!r} are not on lines of their own (line {node.line})")
    return found[1]


def _end_of(root: Node, key: str, lines: list[str]) -> int:
    """Behind which line the block goes: the last one of the key's value, without what introduces the next key."""
    assert root.keys is not None
    starts = sorted(line for line, _ in root.keys.values())
    following = next((line for line in starts if line > root.keys[key][0]), None)
    end = following - 1 if following is not None else _document_end(lines)
    while end > 0 and (not lines[end - 1].strip() or (following is not None and lines[end - 1].startswith("#"))):
        end -= 1
    return end


def _document_end(lines: list[str]) -> int:
    return next((number for number, line in enumerate(lines) if number and _END.match(line)), len(lines))
