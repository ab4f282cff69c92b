"""JSON Schema of the documents, for editors and other tools: draft 7, which all of them know.

Made from the grammar. It holds the structure; what needs more than one place to be seen (references, queries, the environment)
only lint can tell.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel

from meshkit_chaos.scenario.grammar import ScenariosText
from meshkit_chaos.scenario.grammar_checks import CheckText
from meshkit_chaos.scenario.grammar_environment import EnvironmentText
from meshkit_chaos.scenario.grammar_metrics import DatasourceText, MetricsText, ReferenceText
from meshkit_chaos.scenario.grammar_values import KIND
from meshkit_chaos.scenario.grammar_world import TestsText

DocumentKind = Literal["scenarios", "environment", "tests"]
_MODELS: Final[dict[str, type[BaseModel]]] = {
    "scenarios": ScenariosText,
    "environment": EnvironmentText,
    "tests": TestsText,
}
_TITLES: Final = {kind: f"meshkit-chaos {kind}" for kind in _MODELS}
_ONE_CHECK: Final = ("CheckText", "ProbeText", "ReadyText", "SightingText")


def _name(model: str) -> str:
    return model.removesuffix("Text")


_ONE_KEY: Final = {_name(model.__name__): model.ONE_OF for model in (MetricsText, ReferenceText, DatasourceText)}


def json_schema(document: DocumentKind) -> dict[str, Any]:
    """The schema of one kind of document, as plain JSON values."""
    schema = model_schema(_MODELS[document], title=_TITLES[document])
    definitions = schema["definitions"]
    for name in _ONE_CHECK:
        if (check := definitions.get(_name(name))) is not None:
            check["oneOf"] = [{"required": [key]} for key in CheckText.CHECKS]
    for name, keys in _ONE_KEY.items():
        if (found := definitions.get(name)) is not None:
            found["oneOf"] = [{"required": [key]} for key in keys]
    if (talk := definitions.get("Tcp")) is not None:
        talk["dependencies"] = {"send": ["expect"], "until": ["expect"]}
        for name in ("expect", "until"):
            talk["properties"][name]["minLength"] = 1
    if "Parallel" in definitions:
        _allow_single_steps(definitions["Parallel"])
    return schema


def model_schema(model: type[BaseModel], *, title: str) -> dict[str, Any]:
    """The schema of a grammar's model, before what pydantic cannot say of it is added."""
    raw = model.model_json_schema(ref_template="#/definitions/{model}")
    definitions = {_name(name): _draft_7(schema) for name, schema in sorted(raw.pop("$defs", {}).items())}
    body = _draft_7(raw)
    body["title"] = title
    return {"$schema": "http://json-schema.org/draft-07/schema#", **body, "definitions": definitions}


def _draft_7(schema: Any) -> Any:
    """Say the same in draft 7: no null (a key is there or not), no siblings of ``$ref``, titles that name kinds, not keys."""
    if isinstance(schema, list):
        return [_draft_7(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = _without_null(schema)
    out: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "properties":
            out[key] = {name: _draft_7(found) for name, found in value.items()}
        elif key == "$ref":
            out[key] = "#/definitions/" + _name(value.rpartition("/")[2])
        elif key == KIND:
            out["title"] = value
        elif key != "title" and not (key == "default" and value is None):
            out[key] = value if key in {"default", "examples", "const", "enum"} else _draft_7(value)
    if "$ref" in out and len(out) > 1:
        out["allOf"] = [{"$ref": out.pop("$ref")}]
    return out


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    forms = [form for form in schema.get("anyOf", ()) if form != {"type": "null"}]
    if "anyOf" not in schema or len(forms) == len(schema["anyOf"]):
        return schema
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**forms[0], **rest} if len(forms) == 1 else {**rest, "anyOf": forms}


def _allow_single_steps(parallel: dict[str, Any]) -> None:
    """A branch may be one step instead of a list; the grammar turns the one into the other before it looks."""
    items = parallel["properties"]["parallel"]["items"]
    parallel["properties"]["parallel"]["items"] = {"anyOf": [items["items"], items]}
