"""The composer: values as YAML 1.2 has them, places as an editor shows them, and no document that can hurt."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hostile_texts import HOSTILE
from hypothesis import given
from hypothesis import strategies as st

from meshkit_chaos.scenario import yaml_positions
from meshkit_chaos.scenario.yaml_positions import Node, compose


def data_of(text: str) -> Any:
    composed = compose(text.encode(), path="x.yaml")
    assert composed.problems == ()
    assert composed.root is not None
    return composed.root.data


def told(data: bytes) -> list[str]:
    return [f"{problem.line}:{problem.column} {problem.rule}" for problem in compose(data, path="x.yaml").problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"), ("on", "on"), ("No", "No"), ("off", "off"), ("y", "y"),
        ("true", True), ("FALSE", False), ("'true'", "true"),
        ("010", 10), ("0o10", 8), ("0x1F", 31), ("+5", 5), ("-0", 0), ("1_000", "1_000"), ("0b1", "0b1"),
        ("1e3", 1000.0), ("1.", 1.0), (".5", 0.5), ("-1.5E-2", -0.015), ("1:30", "1:30"), ("2026-11-23", "2026-11-23"),
        ("5s", "5s"), ("=", "="), (".", "."), ("e3", "e3"), ("''", ""), ("|\n a\n b\n", "a\nb\n"),
    ],
)  # fmt: skip
def test_scalars_are_what_yaml_1_2_says(text: str, value: object) -> None:
    """A scalar resolves by the core schema of YAML 1.2, not by that of 1.1."""
    found = data_of(f"a: {text}")["a"]
    assert (found, type(found)) == (value, type(value))


def test_every_key_and_value_has_its_place() -> None:
    """Lines and columns count from 1, in characters."""
    text = "é: 😀\nlist:\n  - a\n  - {k: v}\n"
    root = compose(text.encode(), path="x").root
    assert root is not None
    assert root.keys == {"é": (1, 1), "list": (2, 1)}
    item = root.child("list")
    assert item is not None
    second = item.child(1)
    assert second is not None
    value = second.child("k")
    assert (second.line, second.column, value and value.line, value and value.column) == (4, 5, 4, 9)
    assert item.child(2) is None
    assert item.child("k") is None
    assert root.child(0) is None


def test_aliases_stand_for_what_they_name() -> None:
    """An alias has the value of its anchor."""
    assert data_of("a: &x [1, 2]\nb: *x\nc: {d: *x}") == {"a": [1, 2], "b": [1, 2], "c": {"d": [1, 2]}}


def test_a_byte_order_mark_is_no_content() -> None:
    """A UTF-8 byte order mark at the start is not part of the text and moves no column."""
    composed = compose(b"\xef\xbb\xbfa: 1\na: 2", path="x")
    assert [(problem.line, problem.column) for problem in composed.problems] == [(2, 1)]


@pytest.mark.parametrize(
    ("data", "places"),
    [
        (b"", ["1:1 MC001"]),
        (b"a: [1", ["1:6 MC001"]),
        (b"a: 1\nb: 2\na: 3\na: 4", ["3:1 MC002", "4:1 MC002"]),
        (b"a: &x [*x]", ["1:8 MC003"]),
        (b"a: *x\nb: *x", ["1:4 MC003", "2:4 MC003"]),
        (b"&a a: 1\n*a : 2", ["2:1 MC003"]),
        (b"? {a: 1}\n: 2", ["1:3 MC003"]),
        (b"a: !!str 5\nb: !x {}\n!y c: 1", ["1:4 MC003", "2:4 MC003", "3:1 MC003"]),
        (b"a: 1\n---\nb: 2\n", ["2:1 MC003"]),
        (b"a: ~\nb:\nc: [null]\nd: ''", ["1:1 MC007", "2:1 MC007", "3:5 MC007"]),
        (b"a: .inf\nb: -.INF\nc: .NaN\nd: 1e999\ne: 9223372036854775808", [f"{line}:4 MC006" for line in range(1, 6)]),
        (b"a: \xff", ["1:4 MC005"]),
        ("a: é\nb: \u0007".encode(), ["2:4 MC005"]),
        ("a: x\u202ey".encode(), ["1:5 MC005"]),
        (b"a: x\rb: y", ["1:5 MC005"]),
        (b'a: "x\\0y"', ["1:4 MC005"]),
        ("a: 1".encode("utf-16"), ["1:1 MC005"]),
    ],
)
def test_what_is_wrong_is_told_with_its_place(data: bytes, places: list[str]) -> None:
    """Each thing that YAML allows and documents must not hold has its own rule and place."""
    assert told(data) == places


MEASURING = """
import json, sys, time
from hostile_texts import HOSTILE
from meshkit_chaos.scenario.yaml_positions import compose
data = HOSTILE[sys.argv[1]]()
spent = []
while len(spent) < 3 and min(spent, default=2) > 1:
    before = time.process_time()
    composed = compose(data, path="x.yaml")
    spent.append(time.process_time() - before)
kilobytes = int(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0])
places = [[problem.line, problem.column] for problem in composed.problems]
print(json.dumps({"seconds": min(spent), "kilobytes": kilobytes, "places": places}))
"""


@pytest.mark.parametrize("name", HOSTILE)
def test_no_document_takes_more_than_a_second_and_200_mb(name: str) -> None:
    """Bombs, deep nesting and huge files end with an error and its place, in a second of computing and 200 MB (trap 26).

    It is a process of its own that is measured, interpreter and all: neither what other tests left in memory nor other
    processes on the machine count. A document that takes too long may show twice more that it was the machine.
    """
    command = [sys.executable, "-c", MEASURING, name]
    ended = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=60, check=True)
    measured = json.loads(ended.stdout)
    assert measured["seconds"] < 1
    assert measured["kilobytes"] * 1024 < 200_000_000
    assert measured["places"]
    assert all(line >= 1 and column >= 1 for line, column in measured["places"])


VALUES = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Zl", "Zp", "Cs", "Cn")), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc<", min_size=1, max_size=3), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_json_is_yaml(value: object) -> None:
    """Whatever JSON writes reads as the same value."""
    composed = compose(json.dumps(value, ensure_ascii=False).encode(), path="x")
    assert composed.problems == ()
    assert composed.root is not None
    assert composed.root.data == value


@given(VALUES)
def test_every_place_lies_in_the_text(value: object) -> None:
    """No node stands outside the text, and each starts with its own first character."""
    text = json.dumps(value, ensure_ascii=False, indent=1)
    lines = text.split("\n")

    def check(node: Node) -> None:
        first = lines[node.line - 1][node.column - 1]
        assert first == {dict: "{", list: "[", str: '"'}.get(type(node.data), first)
        for below in node.children.values() if isinstance(node.children, dict) else node.children or ():
            check(below)

    root = compose(text.encode(), path="x").root
    assert root is not None
    check(root)


@given(st.binary(max_size=200) | st.text("ab:-[]{}&*!|>'\"%@,#? \n\t~<.0", max_size=80).map(str.encode))
def test_any_bytes_give_a_value_or_a_place(data: bytes) -> None:
    """Whatever the bytes are, nothing escapes, and without a value there is a problem with a place."""
    composed = compose(data, path="x")
    assert composed.root is not None or composed.problems
    assert all(problem.line >= 1 and problem.column >= 1 for problem in composed.problems)


@given(st.text("ab:-[]{}&*!|>'\"%@,#? \n.012~", max_size=60) | VALUES.map(json.dumps))
def test_the_parser_written_in_python_reads_the_same(text: str) -> None:
    """Where the C parser is missing, what can be read is read to the same values."""
    fast = compose(text.encode(), path="x")
    slow = yaml_positions._Composer(path="x")
    try:
        root = slow.document(yaml.SafeLoader(text))
    except (yaml.YAMLError, yaml_positions._GivenUpError):
        return
    if fast.root is not None and root is not None and not fast.problems:
        assert root.data == fast.root.data
        assert slow.problems == []
