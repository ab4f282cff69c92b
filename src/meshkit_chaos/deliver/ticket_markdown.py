"""A ticket's blocks as the Markdown that GitHub renders in issues. Pure.

Gives one text of at most ``BUDGET`` characters. Whatever comes from scenarios, targets or logs is escaped: no markup, HTML,
reference or mention comes out of it; only the owner is mentioned, by a name that can be nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from meshkit_chaos.deliver.ticket_text import Block, Span, fitted
from meshkit_chaos.report.escape import markdown, one_line, visible

BUDGET: Final = 65_536
"""GitHub answers "body is too long (maximum is 65536 characters)"; the units of UTF-16 are never fewer than what it counts."""
_APART: Final = 2
"""What parts one block from the next."""
_HANDLE: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})(?:/[A-Za-z0-9][A-Za-z0-9._-]{0,99})?")


def units(text: str) -> int:
    """Characters as UTF-16 counts them."""
    return len(text.encode("utf-16-le", "replace")) // 2


def issue_text(blocks: Sequence[Block]) -> tuple[str, tuple[str, ...]]:
    """The text, and what there was no room for."""
    kept, dropped = fitted(blocks, size=lambda block: units(_block(block)) + _APART, budget=BUDGET)
    text, before = "", ""
    for block in kept:
        together = block.kind == before and block.kind in {"bullet", "line"}
        text += ("" if not before else "\n" if together else "\n\n") + _block(block)
        before = block.kind
    return f"{text}\n", dropped


def handle(name: str) -> str:
    """A user or team of GitHub (``octocat``, ``org/team``) without its @, or nothing where it cannot be one."""
    bare = name.removeprefix("@")
    return bare if _HANDLE.fullmatch(bare) else ""


def _block(block: Block) -> str:
    text = "".join(_span(span) for span in block.spans)
    match block.kind:
        case "heading":
            return f"### {text}"
        case "bullet":
            return f"- {text}"
        case "code":
            return _fenced(block.spans[0].text)
        case "hidden":
            return block.spans[0].text
        case _:
            return text


def _span(span: Span) -> str:
    if span.mention:
        return f"@{found}" if (found := handle(span.mention)) else markdown(span.mention)
    text = _escaped(span.text) if not span.code else _code(span.text)
    if span.strong and span.text.strip():
        text = f"**{text}**"
    return f"[{text}]({span.url})" if span.url else text


def _escaped(text: str) -> str:
    """Escaping takes blanks away at both ends; between two spans they are wanted."""
    before = " " if text[:1] == " " else ""
    after = " " if text[-1:] == " " and text.strip() else ""
    return f"{before}{markdown(text)}{after}"


def _code(text: str) -> str:
    """A code span; unlike one in a table, it needs no escaping inside."""
    flat = one_line(text)
    fence = "`" * (_longest_run(flat) + 1)
    pad = " " if flat.startswith("`") or flat.endswith("`") or not flat else ""
    return f"{fence}{pad}{flat}{pad}{fence}"


def _fenced(text: str) -> str:
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}\n{visible(text)}\n{fence}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)
