"""The reference of both documents and of the lint rules, as Markdown.

Made from the grammar and the rule table, so that it cannot say anything else than they do.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from meshkit_chaos.faults import CATALOGUE
from meshkit_chaos.scenario.grammar_values import flow
from meshkit_chaos.scenario.rules import RULES
from meshkit_chaos.scenario.schema import DocumentKind, json_schema

_MADE: Final = "<!-- Made from the grammar by meshkit_chaos.scenario.reference; a test holds it current. -->"
_VALUES: Final = """## Values

| kind | how it is written |
|---|---|
| duration | A number with a unit, `200ms`, `5s`, `1m30s`. Units: `ns us ms s m h d`. Never a bare number. |
| share | A percentage, `5%`, or a number below one, `0.05`. |
| band | `"== 1"`, `"!= 0"`, `"<= 0.5"`, `between 1 and 3`. Quoted, because YAML reads `>` and `!` as signs of its own. |
| name | Small letters, digits and `-`, at most 64: it becomes a folder and a label. |
| variable | Letters, digits and `_`. |
| line | A text of one line. |
| text | Any text. Numbers and truth values must be quoted. |
| scalar | A text, a number, or `true` or `false`. |
| argument list | A list of texts: the program, then its arguments. Never shell text. |

Documents are YAML 1.2: `yes`, `no`, `on` and `off` are texts, and `010` is ten. Duplicate keys, keys without a value, tags and
merge keys are errors. A key that is not in the tables is an error.

Texts marked with "may hold templates" may refer to `${member.name}`, `${member.index}` (from 1), `${member.host}`,
`${member.dir}`, `${member.port.NAME}`, `${var.NAME}`, `${joined.NAME}` and `${secret.NAME}`. A secret's value is read when it
is used, and replaced by `[secret NAME]` wherever it would be written. An attached mesh has no `${member.dir}`. The
first argument of a command may be `${binary.NAME}`, one of the environment's `binaries`.
"""
_OPENINGS: Final[dict[DocumentKind, str]] = {
    "scenarios": "## The scenario document: `chaos-scenarios.yaml`",
    "environment": "## The environment document",
    "tests": "## The test document: `chaos-scenarios.test.yaml`",
}


def grammar_reference() -> str:
    """``docs/reference/grammar.md``: every key of both documents with its type, default and meaning."""
    parts = [_MADE, "# Grammar\n", _VALUES]
    told: set[str] = set()
    for document, opening in _OPENINGS.items():
        parts.append(opening + "\n")
        parts.extend(document_tables(json_schema(document), told))
    parts.extend(_faults())
    return "\n".join(parts).rstrip("\n") + "\n"


def rules_reference() -> str:
    """``docs/reference/rules.md``: every lint rule with its reason and its examples."""
    parts = [_MADE, "# Lint rules\n"]
    for rule in RULES.values():
        parts.append(f"## {rule.id} {rule.name}\n")
        parts.append(f"{rule.reason} ({rule.severity})\n")
        parts.append(f"Bad:\n\n```yaml\n{rule.bad}\n```\n\nGood:\n\n```yaml\n{rule.good}\n```\n")
    return "\n".join(parts).rstrip("\n") + "\n"


def document_tables(schema: dict[str, Any], told: set[str]) -> Iterator[str]:
    """The tables of one document. What several documents use is told once: ``told`` grows."""
    definitions = schema["definitions"]
    yield _table(schema, first="version")
    for name in _reached(schema, definitions):
        if name not in told:
            yield f"### {_words(name)}\n"
            yield f"{definitions[name].get('description', '')}\n"
            yield _table(definitions[name], first=_words(name))
            told.add(name)


def _reached(schema: dict[str, Any], definitions: dict[str, Any]) -> list[str]:
    """The definitions in the order in which a reader meets them."""
    order: list[str] = []
    waiting = list(_references(schema.get("properties", {})))
    while waiting:
        name = waiting.pop(0)
        if name not in order:
            order.append(name)
            waiting[:0] = _references(definitions[name])
    return order


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(target := value.get("$ref"), str):
            yield target.rpartition("/")[2]
        for below in value.values():
            yield from _references(below)
    elif isinstance(value, list):
        for below in value:
            yield from _references(below)


def _table(schema: dict[str, Any], *, first: str) -> str:
    needed = schema.get("required", [])
    keys = sorted(schema["properties"], key=lambda name: (name != first, name not in needed))
    rows = [_row(name, schema["properties"][name], needed=name in needed) for name in keys]
    return "\n".join(["| key | type | default | meaning |", "|---|---|---|---|", *rows]) + "\n"


def _row(name: str, schema: dict[str, Any], *, needed: bool) -> str:
    default = "**needed**" if needed else f"`{flow(schema['default'])}`" if "default" in schema else ""
    examples = [f"`{flow(example)}`" for example in schema.get("examples", ())]
    meaning = schema.get("description", "") + (f" Such as {', '.join(examples)}." if examples else "")
    return f"| `{name}` | {_type(schema)} | {default} | {meaning} |"


def _type(schema: dict[str, Any]) -> str:
    if "allOf" in schema:
        return _type(schema["allOf"][0])
    if "$ref" in schema:
        words = _words(schema["$ref"].rpartition("/")[2])
        return f"[{words}](#{words.replace(' ', '-')})"
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "title" in schema:
        return str(schema["title"])
    forms = schema.get("anyOf") or schema.get("oneOf")
    if forms:
        return " or ".join(dict.fromkeys(_type(form) for form in forms))
    return _plain_type(schema)


def _plain_type(schema: dict[str, Any]) -> str:
    match schema.get("type"):
        case "array":
            items = _type(schema["items"])
            return f"list of ({items})" if " or " in items else f"list of {items}"
        case "object":
            values = [*schema.get("patternProperties", {}).values(), schema.get("additionalProperties")]
            return f"mapping: name to {_type(values[0])}"
        case "integer":
            return "whole number"
        case "boolean":
            return "`true` or `false`"
        case kind:
            return str(kind)


def _words(name: str) -> str:
    """``SteadyState`` as ``steady state``."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()


def _faults() -> Iterator[str]:
    yield "## Faults\n"
    for fault in CATALOGUE.values():
        yield f"### {fault.kind}\n\n{fault.summary} It bit when {fault.effect_doc}.\n"
        if fault.parameters:
            names = ", ".join(f"`{item.name}`" for item in fault.parameters)
            yield f"Parameters: {names}; their limits stand [there](faults.md#{fault.kind}).\n"
        yield f"```yaml\n{fault.example}\n```\n"
