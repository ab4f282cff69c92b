"""A decision as JSON, and its JSON Schema. Pure. The ``schema`` number is the version; a reader refuses an unknown one."""

from __future__ import annotations

from typing import Any

from meshkit_chaos.gate.decision import Decision
from meshkit_chaos.report.jsondoc import SCHEMA_VERSION, documented
from meshkit_chaos.slo.codec import encode_pretty


def decision_json(decision: Decision) -> bytes:
    """Write the document: UTF-8, indented, with a final newline."""
    return encode_pretty(decision)


def decision_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a decision."""
    refs, components = documented(Decision)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:meshkit-chaos:decision:{SCHEMA_VERSION}",
        "title": "meshkit-chaos gate check --format json",
        "description": "Whether a subject may be released, and why.",
        **refs[0],
        "$defs": components,
    }


def decision_schema_json() -> bytes:
    """The schema as the file that is published beside the documentation."""
    return encode_pretty(decision_schema())
