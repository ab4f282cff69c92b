"""JSON Schema of ``chaos-notify.yaml`` and its reference as Markdown: made from the grammar, so they cannot disagree."""

from __future__ import annotations

from typing import Any, Final

from meshkit_chaos.deliver.grammar import ChannelText, NotifyText
from meshkit_chaos.scenario.grammar_metrics import ReferenceText
from meshkit_chaos.scenario.reference import document_tables
from meshkit_chaos.scenario.schema import model_schema

_ONE_KEY: Final = {"Channel": ChannelText.ONE_OF, "Reference": ReferenceText.ONE_OF}
_OPENING: Final = """<!-- Made from the grammar by meshkit_chaos.deliver.schema; a test holds it current. -->
# Who is told what

[How values are written](grammar.md#values). What the keys do together: [notifications](../concepts/notifications.md).

## The routes: `chaos-notify.yaml`
"""


def notify_schema() -> dict[str, Any]:
    """The schema of the document, draft 7, as plain JSON values."""
    schema = model_schema(NotifyText, title="meshkit-chaos notify")
    for name, keys in _ONE_KEY.items():
        schema["definitions"][name]["oneOf"] = [{"required": [key]} for key in keys]
    return schema


def notify_reference() -> str:
    """``docs/reference/notify.md``: every key with its type, default and meaning."""
    return "\n".join([_OPENING, *document_tables(notify_schema(), set())]).rstrip("\n") + "\n"
