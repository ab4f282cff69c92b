"""A receiver of the generic webhook as a user would write it: it checks the signature, and keeps each message once."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from meshkit_chaos.clock import Clock
from meshkit_chaos.deliver.signing import HEADER, verified
from meshkit_chaos.measure.loopback import Answer, Request


@dataclass(slots=True, kw_only=True)
class Receiver:
    """``messages``: by idempotency key. ``again``: keys that came more than once."""

    secret: str
    clock: Clock
    messages: dict[str, Any] = field(default_factory=dict)
    again: list[str] = field(default_factory=list)

    async def __call__(self, request: Request) -> Answer:
        signed = request.headers.get(HEADER.lower(), "")
        if not verified(self.secret, request.body, signed, now_s=self.clock.wall_ns() // 10**9):
            return Answer.of({"message": "the signature does not hold"}, status=401)
        key = request.headers["idempotency-key"]
        if key in self.messages:
            self.again.append(key)
        self.messages[key] = json.loads(request.body)
        return Answer(status=204)
