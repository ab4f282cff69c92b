"""What a service publishes about its API, as checks of the requests and answers that a fake sees.

``extracted`` takes a whole OpenAPI 3.0 description and the operations that we use, and gives the part that is kept beside the
tests; ``Contract`` checks against it, or against the whole. Beside what JSON Schema says, a property of a request that the
description does not name is a problem: services leave it out silently, and so hide a misspelt one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

HERE = Path(__file__).parent / "contracts"
Operation = tuple[str, str]
"""A method in small letters, and a path as the description writes it."""

GITHUB_ISSUES: tuple[Operation, ...] = (
    ("get", "/repos/{owner}/{repo}/issues"),
    ("post", "/repos/{owner}/{repo}/issues"),
    ("get", "/repos/{owner}/{repo}/issues/{issue_number}"),
    ("patch", "/repos/{owner}/{repo}/issues/{issue_number}"),
    ("get", "/repos/{owner}/{repo}/issues/{issue_number}/comments"),
    ("post", "/repos/{owner}/{repo}/issues/{issue_number}/comments"),
    ("get", "/user"),
)
JIRA_ISSUES: tuple[Operation, ...] = (
    ("post", "/rest/api/3/issue"),
    ("get", "/rest/api/3/issue/{issueIdOrKey}"),
    ("get", "/rest/api/3/issue/{issueIdOrKey}/comment"),
    ("post", "/rest/api/3/issue/{issueIdOrKey}/comment"),
    ("get", "/rest/api/3/issue/{issueIdOrKey}/transitions"),
    ("post", "/rest/api/3/issue/{issueIdOrKey}/transitions"),
)


def extracted(whole: Mapping[str, Any], operations: Sequence[Operation], *, source: str) -> dict[str, Any]:
    """The parameters and request bodies of these operations, with every reference put in its place."""
    paths: dict[str, Any] = {}
    for method, path in operations:
        found = whole["paths"][path][method]
        body = found.get("requestBody")
        paths.setdefault(path, {})[method] = {
            "parameters": [_bare(_inlined(one, whole)) for one in found.get("parameters", ())],
            "responses": sorted(found["responses"]),
            **({"requestBody": _bare(_inlined(body, whole))} if body else {}),
        }
    return {"openapi": whole["openapi"], "info": {"source": source, "license": whole["info"].get("license")}, "paths": paths}


ADF_USED = (
    "doc_node",
    "paragraph_node",
    "paragraph_with_no_marks_node",
    "heading_node",
    "heading_with_no_marks_node",
    "bulletList_node",
    "listItem_node",
    "codeBlock_node",
    "inline_node",
    "text_node",
    "text_with_no_marks_node",
    "formatted_text_inline_node",
    "code_inline_node",
    "mention_node",
    "code_mark",
    "strong_mark",
    "link_mark",
)
"""The kinds of nodes and marks that our documents may hold."""


def adf_extracted(whole: Mapping[str, Any], *, source: str) -> dict[str, Any]:
    """Of the schema of Atlassian's documents, what allows the nodes that we use and no other."""
    kept = {f"#/definitions/{name}" for name in ADF_USED}

    def bare(node: Any) -> Any:
        if isinstance(node, list):
            return [bare(one) for one in node if not (isinstance(one, dict) and "$ref" in one and one["$ref"] not in kept)]
        return {name: bare(one) for name, one in node.items()} if isinstance(node, dict) else node

    definitions = {name: bare(whole["definitions"][name]) for name in ADF_USED}
    return {"$schema": whole["$schema"], "$comment": source, "$ref": whole["$ref"], "definitions": definitions}


def _inlined(node: Any, whole: Mapping[str, Any], depth: int = 0) -> Any:
    if isinstance(node, list):
        return [_inlined(one, whole, depth) for one in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        if depth > 12:
            return {}
        target: Any = whole
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        return _inlined(target, whole, depth + 1)
    return {name: _inlined(one, whole, depth) for name, one in node.items()}


def _bare(node: Any) -> Any:
    """Without what is only for readers."""
    if isinstance(node, list):
        return [_bare(one) for one in node]
    if not isinstance(node, dict):
        return node
    prose = {"description", "example", "examples", "externalDocs", "title", "deprecated"}
    return {
        name: {key: _bare(one) for key, one in value.items()} if name == "properties" else _bare(value)
        for name, value in node.items()
        if name == "properties" or name not in prose or not isinstance(value, str | dict | list | bool)
    }


def _plain(schema: Any) -> Any:
    """OpenAPI 3.0's ``nullable`` as JSON Schema says it."""
    if isinstance(schema, list):
        return [_plain(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: _plain(value) for name, value in schema.items() if name != "nullable"}
    if schema.get("nullable") is True:
        return {"anyOf": [{"type": "null"}, found]}
    return found


@dataclass(frozen=True)
class Contract:
    """``document``: the extract, or the whole description."""

    document: Mapping[str, Any]
    _validators: dict[str, Draft202012Validator] = field(default_factory=dict)

    @classmethod
    def kept(cls, name: str) -> Contract:
        """The extract that is kept beside the tests."""
        return cls(json.loads((HERE / f"{name}.json").read_text(encoding="utf-8")))

    @cached_property
    def _routes(self) -> tuple[tuple[str, re.Pattern[str]], ...]:
        return tuple(
            (path, re.compile(re.sub(r"\\\{[^/{}]+\\\}", "[^/]+", re.escape(path)))) for path in self.document["paths"]
        )

    def path_of(self, path: str) -> str:
        """The description's path for an asked one, or nothing."""
        exact = [known for known, pattern in self._routes if pattern.fullmatch(path)]
        return min(exact, key=lambda known: known.count("{"), default="")

    def problems(self, method: str, path: str, *, query: Mapping[str, str], body: bytes) -> list[str]:
        """What is wrong with a request; nothing where it is as described."""
        operation = self.document["paths"].get(self.path_of(path), {}).get(method.lower())
        if operation is None:
            return [f"{method} {path} is not described"]
        found = list(self._query_problems(operation, query))
        described = operation.get("requestBody")
        if described is None:
            return [*found, *(["a body where none is described"] if body else [])]
        if not body:
            return [*found, *(["the body is missing"] if described.get("required") else [])]
        try:
            document = json.loads(body)
        except ValueError:
            return [*found, "Problems parsing JSON"]
        schema = described["content"]["application/json"]["schema"]
        return [
            *found,
            *self.schema_problems(schema, document, name=f"{method} {self.path_of(path)}"),
            *_unknown(schema, document),
        ]

    def _query_problems(self, operation: Mapping[str, Any], query: Mapping[str, str]) -> Iterator[str]:
        known = {
            one["name"]: one
            for one in (self._resolved(each) for each in operation.get("parameters", ()))
            if one["in"] == "query"
        }
        for name, value in query.items():
            if name not in known:
                yield f"the parameter {name} is not described"
                continue
            schema = known[name].get("schema", {})
            if schema.get("type") == "integer" and not re.fullmatch(r"-?\d+", value):
                yield f"the parameter {name} must be an integer"
            elif schema.get("type") == "boolean" and value not in {"true", "false"}:
                yield f"the parameter {name} must be true or false"
            elif "enum" in schema and value not in schema["enum"]:
                yield f"the parameter {name} must be one of {schema['enum']}"
        yield from (
            f"the parameter {name} is missing" for name, one in known.items() if one.get("required") and name not in query
        )

    def schema_problems(self, schema: Any, document: object, *, name: str) -> list[str]:
        """Against one schema of the description; ``name`` is what the compiled schema is kept under."""
        if name not in self._validators:
            whole = {**_plain(schema), "components": _plain(self.document.get("components", {}))}
            Draft202012Validator.check_schema(whole)
            self._validators[name] = Draft202012Validator(whole)
        return [
            f"{'/'.join(map(str, error.path)) or '(body)'}: {error.message[:300]}"
            for error in self._validators[name].iter_errors(document)
        ]

    def answer_problems(self, method: str, path: str, *, status: int, document: object) -> list[str]:
        """What is wrong with an answer; only the whole description knows answers' schemas."""
        operation = self.document["paths"][self.path_of(path)][method.lower()]
        described = operation["responses"].get(str(status))
        if described is None:
            return [f"{method} {path} does not answer {status}"]
        described = self._resolved(described)
        schema = described.get("content", {}).get("application/json", {}).get("schema")
        return [] if schema is None else self.schema_problems(schema, document, name=f"{method} {self.path_of(path)} {status}")

    def _resolved(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        return _inlined(node, self.document) if set(node) == {"$ref"} else node


def _unknown(schema: Any, document: object, *, inside: str = "") -> Iterator[str]:
    """Properties of a request that the description does not name."""
    if not isinstance(document, dict) or "properties" not in schema or schema.get("additionalProperties"):
        return
    for name, value in document.items():
        if name not in schema["properties"]:
            yield f"{inside}{name}: not described"
        else:
            yield from _unknown(schema["properties"][name], value, inside=f"{inside}{name}/")
