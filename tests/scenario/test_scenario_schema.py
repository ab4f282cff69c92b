"""JSON Schema and reference: both are made from the grammar and agree with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft7Validator

from meshkit_chaos.scenario.load import Loaded, load_environment, load_scenarios
from meshkit_chaos.scenario.load_tests import load_tests
from meshkit_chaos.scenario.reference import grammar_reference, rules_reference
from meshkit_chaos.scenario.rules import RULES
from meshkit_chaos.scenario.schema import DocumentKind, json_schema
from meshkit_chaos.scenario.yaml_positions import compose

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
DEMO = [ROOT / "src" / "meshkit_chaos" / "demo" / name for name in ("chaos-scenarios.yaml", "etcd-lab.yaml")]
STARTER = [ROOT / "src" / "meshkit_chaos" / "starter" / name for name in ("chaos-scenarios.test.yaml", "simulated-mesh.yaml")]
GOOD = [*sorted((HERE / "good").glob("*.yaml")), *DEMO, *STARTER]
LOADERS: dict[DocumentKind, Callable[..., Loaded[Any]]] = {
    "scenarios": load_scenarios,
    "environment": load_environment,
    "tests": load_tests,
}
STRUCTURAL = [file for file in sorted((HERE / "bad").glob("mc01[1-6]*.yaml")) if "member" not in file.name]
LINT_ONLY = {"mc012-secret-environment", "mc012-nothing-measured-scenarios", "mc015-zero-scenarios", "mc015-share-scenarios"}


def document_of(file: Path) -> DocumentKind:
    if file.name.endswith(("-tests.yaml", ".test.yaml")):
        return "tests"
    return "environment" if "environment" in file.name or file.name in {"etcd-lab.yaml", "simulated-mesh.yaml"} else "scenarios"


def problems_of(file: Path) -> list[Any]:
    root = compose(file.read_bytes(), path=file.name).root
    assert root is not None
    return list(Draft7Validator(json_schema(document_of(file))).iter_errors(root.data))


@pytest.mark.parametrize("document", get_args(DocumentKind))
def test_the_schema_is_draft_7(document: DocumentKind) -> None:
    """The schema is valid draft 7 and uses nothing newer, nor siblings of $ref, which draft 7 ignores."""
    schema = json_schema(document)
    Draft7Validator.check_schema(schema)
    newer = {"$defs", "prefixItems", "unevaluatedProperties", "dependentSchemas", "discriminator", "nullable"}

    def check(value: object) -> None:
        if isinstance(value, dict):
            assert not newer & value.keys()
            assert "$ref" not in value or len(value) == 1
            for below in value.values():
                check(below)
        elif isinstance(value, list):
            for below in value:
                check(below)

    check(schema)


@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.stem)
def test_the_schema_accepts_good_documents(file: Path) -> None:
    """Every good document and the demo fit the schema."""
    assert problems_of(file) == []


@pytest.mark.parametrize("file", STRUCTURAL, ids=lambda file: file.stem)
def test_the_schema_refuses_what_is_structurally_bad(file: Path) -> None:
    """Unknown and missing keys, wrong kinds, values and quantities are refused by the schema too."""
    assert bool(problems_of(file)) == (file.stem not in LINT_ONLY)


@pytest.mark.parametrize("document", get_args(DocumentKind))
def test_every_key_is_described(document: DocumentKind) -> None:
    """Each key of each mapping says what it means, for editors and the reference."""
    schema = json_schema(document)
    for name, definition in {"document": schema, **schema["definitions"]}.items():
        assert definition.get("description"), name
        for key, found in definition["properties"].items():
            assert found.get("description"), (name, key)
            assert found["description"].endswith((".", "1.")), (name, key)


@pytest.mark.parametrize("document", get_args(DocumentKind))
def test_examples_fit_their_own_schema(document: DocumentKind) -> None:
    """The examples that editors offer are valid."""
    schema = json_schema(document)
    for definition in (schema, *schema["definitions"].values()):
        for key, found in definition["properties"].items():
            one_key = {"definitions": schema["definitions"], **found}
            for example in (*found.get("examples", ()), *([found["default"]] if "default" in found else ())):
                assert list(Draft7Validator(one_key).iter_errors(example)) == [], (key, example)


@pytest.mark.parametrize(("name", "text"), [("grammar.md", grammar_reference()), ("rules.md", rules_reference())])
def test_the_committed_reference_is_current(name: str, text: str) -> None:
    """docs/reference says what the grammar and the rules say today."""
    assert (ROOT / "docs" / "reference" / name).read_text("utf-8") == text


def test_rules_are_a_clean_table() -> None:
    """Ids and names are unique, every rule has a reason and two examples."""
    assert len({rule.name for rule in RULES.values()}) == len(RULES)
    assert all(rule.reason.endswith(".") and rule.bad and rule.good and rule.bad != rule.good for rule in RULES.values())


def test_the_schema_and_the_loader_agree_on_good_documents() -> None:
    """What the schema accepts of the good documents, the loader accepts too."""
    for file in GOOD:
        load: Callable[..., Loaded[Any]] = LOADERS[document_of(file)]
        assert load(file.read_bytes(), path=file.name).value is not None
