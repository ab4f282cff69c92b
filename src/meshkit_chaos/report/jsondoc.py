"""``verdict.json`` and its JSON Schema. Pure.

Takes a run's or an invocation's verdict, gives the same bytes for the same value. The schema is versioned by the documents'
``schema`` number; a reader refuses a number it does not know.
"""

from __future__ import annotations

import inspect
from typing import Any, Final

import msgspec

from meshkit_chaos.judge.verdict import InvocationVerdict, Verdict
from meshkit_chaos.report.escape import visible
from meshkit_chaos.slo import Duration, Ratio
from meshkit_chaos.slo.codec import builtins, encode_pretty

SCHEMA_VERSION: Final = 1


def verdict_json(verdict: Verdict | InvocationVerdict) -> bytes:
    """Write the document: UTF-8, indented, with a final newline. Lone surrogates, which UTF-8 cannot hold, become visible."""
    try:
        return encode_pretty(verdict)
    except UnicodeEncodeError:
        return encode_pretty(_encodable(builtins(verdict)))


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return value if _fits(value) else visible(value)
    if isinstance(value, dict):
        return {_encodable(key): _encodable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_encodable(item) for item in value]
    return value


def _fits(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _schema_hook(wanted: type) -> dict[str, Any]:
    if wanted is Duration:
        return {"type": "string", "description": "a span of time with its unit, such as 200ms, 5s or 1m30s"}
    if wanted is Ratio:
        return {"type": "string", "description": "a share, such as 5%"}
    raise NotImplementedError(f"{wanted.__name__} has no schema")


def documented(*wanted: type) -> tuple[tuple[dict[str, Any], ...], dict[str, Any]]:
    """References to, and definitions of, the documents of some types and of all that they are made of.

    Each document has a ``schema`` number, which is needed.
    """
    refs, components = msgspec.json.schema_components(wanted, schema_hook=_schema_hook, ref_template="#/$defs/{name}")
    for kind in wanted:
        definition = components[kind.__name__]
        definition["properties"]["schema"] = {"const": SCHEMA_VERSION}
        definition["required"] = ["schema", *definition["required"]]
    for definition in components.values():
        if "description" in definition:  # docstrings keep their indentation before Python 3.13
            definition["description"] = inspect.cleandoc(definition["description"])
    return refs, components


def verdict_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of both documents: a run's verdict and an invocation's."""
    refs, components = documented(Verdict, InvocationVerdict)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:meshkit-chaos:verdict:{SCHEMA_VERSION}",
        "title": "meshkit-chaos verdict.json",
        "description": "The verdict of one run, or of one invocation with all its runs.",
        "oneOf": list(refs),
        "$defs": components,
    }


def verdict_schema_json() -> bytes:
    """The schema as the file that is published beside the documentation."""
    return encode_pretty(verdict_schema())
