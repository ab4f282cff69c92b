"""A ticket's blocks in the Atlassian Document Format, and such a document as plain text. Pure.

Gives a document whose JSON has at most ``BUDGET`` characters. Text in it is never markup, whatever it looks like; unprintable
characters are made visible. ``plain_text`` takes any document of Jira's and gives one line for each paragraph, so that markers
are found as whole lines.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from meshkit_chaos.deliver.ticket_text import Block, Span, fitted
from meshkit_chaos.report.escape import visible

BUDGET: Final = 32_767
"""Jira takes so many characters in a text field; whether markup counts is not documented, so all of the JSON is counted."""
_FRAME: Final = 200
"""The document around its blocks, and the list around items."""
_DEEPEST: Final = 50
Node = dict[str, Any]


def document(blocks: Sequence[Block]) -> tuple[Node, tuple[str, ...]]:
    """The document, and what there was no room for."""
    seen = [block for block in blocks if block.kind != "hidden"]
    kept, dropped = fitted(seen, size=_size, budget=BUDGET - _FRAME)
    content: list[Node] = []
    for block in kept:
        node = _node(block)
        if block.kind == "bullet" and content and content[-1]["type"] == "bulletList":
            content[-1]["content"].extend(node["content"])
        else:
            content.append(node)
    return {"type": "doc", "version": 1, "content": content}, dropped


def size_of(node: Node) -> int:
    return len(json.dumps(node, ensure_ascii=False, separators=(",", ":")))


def plain_text(node: object) -> str:
    """One line for each paragraph, heading or line of code; text that is no document stays as it is."""
    if isinstance(node, str):
        return node
    return "".join(_pieces(node, 0)).strip("\n")


def _size(block: Block) -> int:
    return size_of(_node(block)) + 1


def _node(block: Block) -> Node:
    match block.kind:
        case "heading":
            return {"type": "heading", "attrs": {"level": 3}, "content": _inline(block)}
        case "bullet":
            item = {"type": "listItem", "content": [{"type": "paragraph", "content": _inline(block)}]}
            return {"type": "bulletList", "content": [item]}
        case "code":
            text = visible(block.spans[0].text)
            return {"type": "codeBlock", "attrs": {}, "content": [{"type": "text", "text": text}] if text else []}
        case _:
            return {"type": "paragraph", "content": _inline(block)}


def _inline(block: Block) -> list[Node]:
    return [node for span in block.spans if (node := _span(span)) is not None]


def _span(span: Span) -> Node | None:
    if span.mention:
        return {"type": "mention", "attrs": {"id": span.mention, "text": f"@{visible(span.text)}"}}
    text = visible(span.text).replace("\n", " ")
    if not text:
        return None
    marks: list[Node] = [{"type": "code"}] if span.code else [{"type": "strong"}] if span.strong else []
    if span.url:
        marks.append({"type": "link", "attrs": {"href": span.url}})
    return {"type": "text", "text": text, **({"marks": marks} if marks else {})}


def _pieces(node: object, depth: int) -> Iterator[str]:
    if not isinstance(node, dict) or depth > _DEEPEST:
        return
    match node.get("type"):
        case "text":
            yield str(node.get("text") or "")
        case "hardBreak":
            yield "\n"
        case "mention":
            yield str((node.get("attrs") or {}).get("text") or "")
        case kind:
            content = node.get("content")
            for below in content if isinstance(content, list) else ():
                yield from _pieces(below, depth + 1)
            if kind in ("paragraph", "heading", "codeBlock"):
                yield "\n"
