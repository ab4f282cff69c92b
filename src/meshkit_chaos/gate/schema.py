"""JSON Schema of the gate's two documents, and their reference as Markdown: made from the grammar, so they cannot disagree."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel

from meshkit_chaos.gate.grammar import GateText, OverridesText
from meshkit_chaos.scenario.reference import document_tables
from meshkit_chaos.scenario.schema import model_schema

GateDocument = Literal["gate", "overrides"]
_MODELS: Final[dict[str, type[BaseModel]]] = {"gate": GateText, "overrides": OverridesText}
_ONE_KEY: Final = {"Accepted": ("within", "failing_runs"), "Proof": ("review", "environment", "signature")}
_OPENING: Final = """<!-- Made from the grammar by meshkit_chaos.gate.schema; a test holds it current. -->
# The gate's documents

[How values are written](grammar.md#values). An *instant* is a day, `"2026-12-01"` (its start, UTC), or
`"2026-12-01T18:00:00Z"`.
"""
_HEADINGS: Final[dict[GateDocument, str]] = {
    "gate": "## The policy: `chaos-gate.yaml`",
    "overrides": "## Overrides: `chaos-overrides.yaml`",
}


def gate_schema(document: GateDocument) -> dict[str, Any]:
    """The schema of one document, draft 7, as plain JSON values."""
    schema = model_schema(_MODELS[document], title=f"meshkit-chaos {document}")
    for name, keys in _ONE_KEY.items():
        if (found := schema["definitions"].get(name)) is not None:
            found["oneOf"] = [{"required": [key]} for key in keys]
    return schema


def gate_reference() -> str:
    """``docs/reference/gate.md``: every key of both documents with its type, default and meaning."""
    parts, told = [_OPENING], set[str]()
    for document, heading in _HEADINGS.items():
        parts.append(heading + "\n")
        parts.extend(document_tables(gate_schema(document), told))
    return "\n".join(parts).rstrip("\n") + "\n"
