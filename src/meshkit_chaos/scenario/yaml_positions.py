"""YAML text as plain values that remember where they stood.

Takes bytes; gives a tree of nodes, each with its plain value and the line and column (from 1) of its value and, in a mapping,
of its keys; and every problem found on the way. Refuses what makes documents mean less than they seem to: duplicate keys, tags,
merge keys, keys that are not text, keys without a value, several documents, aliases that expand without bound.

It reads the events of PyYAML's parser, never its objects: nothing is constructed that the text did not spell out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import yaml
from msgspec import Struct
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from meshkit_chaos.errors import Problem
from meshkit_chaos.scenario.yaml_scalars import UnusableNumberError, core_value
from meshkit_chaos.scenario.yaml_syntax import syntax_problem
from meshkit_chaos.scenario.yaml_text import readable_text

DEEPEST: Final = 50
MOST_NODES: Final = 200_000
MOST_BY_ALIAS: Final = 10_000
MOST_PROBLEMS: Final = 100

_Loader: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Node(Struct, frozen=True, gc=False):
    """A value and its place. ``children`` and ``keys`` are only there for mappings and lists; both have the same keys."""

    data: Any
    line: int
    column: int
    children: dict[str, Node] | list[Node] | None = None
    keys: dict[str, tuple[int, int]] | None = None
    size: int = 1
    height: int = 0

    def child(self, part: str | int) -> Node | None:
        """The node below a key or at an index; None where there is none."""
        if isinstance(self.children, dict):
            return self.children.get(part) if isinstance(part, str) else None
        if isinstance(self.children, list) and isinstance(part, int) and 0 <= part < len(self.children):
            return self.children[part]
        return None


@dataclass(frozen=True, slots=True)
class Composed:
    """``root`` is None when nothing usable was read; there is then at least one problem."""

    root: Node | None
    problems: tuple[Problem, ...]


def compose(data: bytes, *, path: str) -> Composed:
    """Read one document. Takes linear time; bounded in depth, nodes and bytes."""
    text = readable_text(data, path=path)
    if isinstance(text, Problem):
        return Composed(None, (text,))
    composer = _Composer(path=path)
    try:
        root = composer.document(_Loader(text))
    except yaml.YAMLError as error:
        return Composed(None, (*composer.problems, syntax_problem(error, text=text, path=path)))
    except _GivenUpError:
        root = None
    return Composed(root, tuple(composer.problems))


class _GivenUpError(Exception):
    """Reading on would only cost time; the problems say why."""


_NO_KEY: Final = ("", -1, -1)
"""Stands for a key that was refused: the value that follows belongs to nothing."""


class _Open(Struct, gc=False):
    """A mapping or list that is being read. ``key`` is the pending key of a mapping."""

    mapping: bool
    line: int
    column: int
    anchor: str | None
    data: Any
    children: Any
    keys: dict[str, tuple[int, int]] | None
    key: tuple[str, int, int] | None = None
    size: int = 1
    height: int = 0


@dataclass(slots=True)
class _Composer:
    path: str
    problems: list[Problem] = field(default_factory=list)
    stack: list[_Open] = field(default_factory=list)
    anchors: dict[str, Node | None] = field(default_factory=dict)
    root: Node | None = None
    nodes: int = 0
    by_alias: int = 0

    def document(self, loader: Any) -> Node | None:
        documents = 0
        following = loader.get_event
        while True:
            event: Any = following()
            kind = type(event)
            if kind is ScalarEvent:
                self.scalar(event)
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                self.open(event)
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                self.close()
            elif kind is AliasEvent:
                self.alias(event)
            elif kind is DocumentStartEvent:
                documents += 1
                if documents > 1:
                    self.give_up(event, "MC003", "a second document starts here", "one file holds one document")
            elif kind is StreamEndEvent:
                if self.root is None:
                    self.say(1, 1, "MC001", "the document is empty")
                return self.root

    def scalar(self, event: Any) -> None:
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        if self.stack and self.stack[-1].mapping and self.stack[-1].key is None:
            self.stack[-1].key = self.key(event, line, column)
            return
        self.count(event)
        self.refuse_tag(event)
        data: Any = event.value
        if not event.style:
            try:
                data = core_value(data)
            except UnusableNumberError as error:
                self.say(line, column, "MC006", str(error))
                data = 0
            if data is None:
                line, column = self.without_value(line, column)
        elif "\0" in data:
            self.say(line, column, "MC005", "the text holds a NUL character")
        node = Node(data, line, column)
        if event.anchor:
            self.anchors[event.anchor] = node
        self.add(node)

    def key(self, event: Any, line: int, column: int) -> tuple[str, int, int]:
        self.refuse_tag(event)
        name: str = event.value
        keys = self.stack[-1].keys
        assert keys is not None
        if name == "<<" and not event.style:
            self.say(line, column, "MC003", "merge keys (<<) are not read", "write the keys out, or put them under `defaults:`")
            return _NO_KEY
        if name in keys:
            first = f"{keys[name][0]}:{keys[name][1]}"
            self.say(line, column, "MC002", f"the key {name!r} appears twice; first at {first}", "keep one of them")
            return _NO_KEY
        keys[name] = (line, column)
        if event.anchor:
            self.anchors[event.anchor] = Node(name, line, column)
        return name, line, column

    def without_value(self, line: int, column: int) -> tuple[int, int]:
        """Tell it at the key, where a reader looks; the value itself is only white space."""
        key = self.stack[-1].key if self.stack else None
        if key is _NO_KEY or not self.stack:
            return line, column
        if key is None:
            self.say(line, column, "MC007", "a list item without a value", "remove the item, or write its value")
            return line, column
        self.say(key[1], key[2], "MC007", f"{key[0]!r} has no value", "remove the key, or write its value")
        return key[1], key[2]

    def open(self, event: Any) -> None:
        self.count(event)
        self.refuse_tag(event)
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        if len(self.stack) >= DEEPEST:
            self.give_up(event, "MC004", f"nested more than {DEEPEST} deep")
        mapping = type(event) is MappingStartEvent
        data: Any = {} if mapping else []
        children: Any = {} if mapping else []
        frame = _Open(mapping, line, column, event.anchor, data, children, {} if mapping else None)
        if event.anchor:
            self.anchors[event.anchor] = None
        self.stack.append(frame)

    def close(self) -> None:
        frame = self.stack.pop()
        node = Node(frame.data, frame.line, frame.column, frame.children, frame.keys, frame.size, frame.height + 1)
        if frame.anchor:
            self.anchors[frame.anchor] = node
        self.add(node)

    def alias(self, event: Any) -> None:
        self.count(event)
        line, column, name = event.start_mark.line + 1, event.start_mark.column + 1, event.anchor
        target = self.anchors.get(name)
        if target is None:
            inside = name in self.anchors
            message = f"*{name} stands inside &{name} itself" if inside else f"there is no &{name} before *{name}"
            self.say(line, column, "MC003", message)
            target = Node(0, line, column)
        self.by_alias += target.size
        if self.by_alias > MOST_BY_ALIAS or len(self.stack) + target.height > DEEPEST:
            what = f"more than {MOST_BY_ALIAS:,} values" if self.by_alias > MOST_BY_ALIAS else f"more than {DEEPEST} levels"
            self.give_up(event, "MC004", f"aliases expand to {what} here")
        if self.stack and self.stack[-1].mapping and self.stack[-1].key is None:
            target = Node(0, line, column)  # it is refused as a key, at its own place instead of its anchor's
        self.add(target)

    def add(self, node: Node) -> None:
        if not self.stack:
            self.root = node
            return
        frame = self.stack[-1]
        frame.size += node.size
        frame.height = max(frame.height, node.height)
        if not frame.mapping:
            frame.data.append(node.data)
            frame.children.append(node)
        elif frame.key is None:
            self.say(node.line, node.column, "MC003", "a key must be a text, not a mapping, a list or an alias")
            frame.key = _NO_KEY
        else:
            if frame.key is not _NO_KEY:
                frame.data[frame.key[0]] = node.data
                frame.children[frame.key[0]] = node
            frame.key = None

    def refuse_tag(self, event: Any) -> None:
        if event.tag is not None:
            mark = event.start_mark
            hint = 'quote the text: "!= 1"' if str(event.tag).endswith(("!=", "!")) else "leave the tag out"
            self.say(mark.line + 1, mark.column + 1, "MC003", f"the tag {event.tag!r} is not read", hint)

    def count(self, event: Any) -> None:
        self.nodes += 1
        if self.nodes > MOST_NODES:
            self.give_up(event, "MC004", f"more than {MOST_NODES:,} values up to here", "split the document")

    def say(self, line: int, column: int, rule: str, message: str, hint: str = "") -> None:
        self.problems.append(Problem(path=self.path, line=line, column=column, rule=rule, message=message, hint=hint))
        if len(self.problems) >= MOST_PROBLEMS:
            raise _GivenUpError

    def give_up(self, event: Any, rule: str, message: str, hint: str = "") -> None:
        mark = event.start_mark
        self.say(mark.line + 1, mark.column + 1, rule, message, hint)
        raise _GivenUpError
