"""A workflow of Microsoft Teams that checks the card it is sent, and answers as the real one does: 202 whatever it makes of it.

Written from Microsoft's documentation of Workflows' webhooks, never compared with a live one. What would not be shown (a bare
card, an unknown element, a message that is too large once it is widened) goes to ``not_shown``, with the same answer.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from chat_contract import TEAMS_LIMIT, envelope_problems, walk, widened

from meshkit_chaos.measure.loopback import Answer, Request


@dataclass(slots=True, kw_only=True)
class FakeTeams:
    """``pinged``: ids of those whom the shown cards mention."""

    path: str = "/workflows/0123456789abcdef/triggers/manual/paths/invoke"
    sig: str = "teams-signature-secret"
    cards: list[dict[str, Any]] = field(default_factory=list)
    not_shown: list[str] = field(default_factory=list)
    pinged: list[str] = field(default_factory=list)

    async def __call__(self, request: Request) -> Answer:
        if request.path != self.path:
            return Answer.of({"error": {"code": "WorkflowNotFound", "message": "The workflow could not be found."}}, status=404)
        if request.query.get("sig") != self.sig:
            said = {"code": "DirectApiAuthorizationRequired", "message": "The request must be authenticated."}
            return Answer.of({"error": said}, status=401)
        envelope = json.loads(request.body)
        problems = envelope_problems(envelope)
        if widened(envelope) > TEAMS_LIMIT:
            problems.append(f"{widened(envelope)} bytes; at most {TEAMS_LIMIT}")
        if problems:
            self.not_shown += problems
        else:
            card = envelope["attachments"][0]["content"]
            self.cards.append(card)
            self._ping(card)
        return Answer(status=202)

    def _ping(self, card: dict[str, Any]) -> None:
        texts = " ".join(one["text"] for one in walk(card["body"]) if one.get("type") == "TextBlock")
        for entity in card.get("msteams", {}).get("entities", []):
            if entity["text"] in texts:
                self.pinged.append(entity["mentioned"]["id"])
