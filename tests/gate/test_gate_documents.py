"""Policies and overrides as documents: good ones load, bad ones are told with their place, and the schemas agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gate_worlds import NOW
from jsonschema import Draft7Validator

from meshkit_chaos.gate.grammar import instant_ns
from meshkit_chaos.gate.load import load_overrides, load_policy
from meshkit_chaos.gate.schema import GateDocument, gate_reference, gate_schema
from meshkit_chaos.scenario.load import Loaded
from meshkit_chaos.scenario.render import render_problems
from meshkit_chaos.scenario.rules import RULES
from meshkit_chaos.scenario.yaml_positions import compose
from meshkit_chaos.slo.codec import decode, encode

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
GOOD = sorted((HERE / "good").glob("*.yaml"))
BAD = sorted((HERE / "bad").glob("*.yaml"))
DOCUMENTS: tuple[GateDocument, ...] = ("gate", "overrides")


def load(file: Path) -> Loaded[Any]:
    if file.stem.endswith("-overrides"):
        return load_overrides(file.read_bytes(), path=file.name, now=NOW)
    return load_policy(file.read_bytes(), path=file.name)


def schema_problems(file: Path) -> list[Any]:
    root = compose(file.read_bytes(), path=file.name).root
    assert root is not None
    document: GateDocument = "overrides" if file.stem.endswith("-overrides") else "gate"
    return list(Draft7Validator(gate_schema(document)).iter_errors(root.data))


@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.stem)
def test_a_good_document_loads_without_a_word(file: Path) -> None:
    """A good document gives its value, no problem at all, and fits the schema; its value can be written and read back."""
    loaded = load(file)
    assert render_problems(loaded.problems, {file.name: file.read_bytes()}) == ""
    assert schema_problems(file) == []
    assert decode(encode(loaded.value), type(loaded.value)) == loaded.value


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_a_bad_document_is_told_at_its_place(file: Path) -> None:
    """A bad document gives the problems that are written beside it, with line, column, caret and hint."""
    loaded = load(file)
    assert render_problems(loaded.problems, {file.name: file.read_bytes()}) == file.with_suffix(".txt").read_text("utf-8")
    assert (loaded.value is not None) == ("warning" in file.name)
    assert file.name.split("-")[0].upper() in {problem.rule for problem in loaded.problems}


def test_every_rule_of_the_gate_is_broken_by_a_document() -> None:
    """Each rule about policies and overrides has a bad document here."""
    told = {problem.rule for file in BAD for problem in load(file).problems}
    assert {rule for rule in RULES if rule.startswith("MC3")} <= told


@pytest.mark.parametrize(
    "file", [file for file in BAD if file.stem[:5] in ("mc011", "mc012", "mc014")], ids=lambda file: file.stem
)
def test_the_schema_refuses_what_is_structurally_bad(file: Path) -> None:
    """Unknown and missing keys, wrong kinds and values are refused by the schema too."""
    assert schema_problems(file)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_key_is_described(document: GateDocument) -> None:
    """Each key of each mapping says what it means, the schema is draft 7, and its examples fit it."""
    schema = gate_schema(document)
    Draft7Validator.check_schema(schema)
    for name, definition in {"document": schema, **schema["definitions"]}.items():
        assert definition.get("description"), name
        for key, found in definition["properties"].items():
            assert found.get("description", "").endswith("."), (name, key)
            one_key = {"definitions": schema["definitions"], **found}
            for example in (*found.get("examples", ()), *([found["default"]] if "default" in found else ())):
                assert list(Draft7Validator(one_key).iter_errors(example)) == [], (key, example)


def test_the_committed_reference_is_current() -> None:
    """docs/reference says what the grammar says today."""
    assert (ROOT / "docs" / "reference" / "gate.md").read_text("utf-8") == gate_reference()


@pytest.mark.parametrize(
    ("text", "ns"),
    [("1970-01-02", 86_400 * 10**9), ("1970-01-01T01:00:00+01:00", 0), ("1970-01-01T00:00:01.5Z", 1_500_000_000)],
)
def test_instants_are_exact(text: str, ns: int) -> None:
    """A day is its start in UTC; an instant needs its zone."""
    assert instant_ns(text) == ns


@pytest.mark.parametrize("text", ["2026-13-01", "2026-11-24T10:00", "24.11.2026", "", "2026-11-24 10:00Z", "tomorrow"])
def test_what_is_no_instant_is_refused(text: str) -> None:
    """No zone, no such month, another order: refused with what was expected."""
    with pytest.raises(ValueError, match=r"instant|month"):
        instant_ns(text)
