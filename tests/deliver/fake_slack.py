"""A Slack that checks: chat.postMessage, chat.update, conversations.history and .replies, and an incoming webhook.

Written from Slack's reference of these methods, never compared with a live Slack. It answers as Slack does: status 200 with
``"ok": false`` and a word. Arguments that a method does not know are refused (the real one ignores them), blocks are checked
with ``chat_contract``, and what a message would ping is kept in ``pinged``.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from chat_contract import slack_problems, units, walk

from meshkit_chaos.measure.loopback import Answer, Request

_POST = {
    "channel",
    "text",
    "blocks",
    "parse",
    "link_names",
    "metadata",
    "unfurl_links",
    "unfurl_media",
    "thread_ts",
    "reply_broadcast",
}
_UPDATE = {"channel", "ts", "text", "blocks", "parse", "link_names", "metadata"}
_HISTORY = {"channel", "include_all_metadata", "limit", "oldest", "latest", "cursor", "ts"}
_PAGE = 2


@dataclass(slots=True, kw_only=True)
class FakeSlack:
    """``hidden``: how many of the newest messages are not shown yet. ``refuse``: words that the next calls are refused with."""

    token: str = "xoxb-1-secret"
    path: str = "/services/T0/B0/hook-secret"
    channel: str = "C0123456789"
    messages: list[dict[str, Any]] = field(default_factory=list)
    pinged: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    refuse: list[str] = field(default_factory=list)
    hidden: int = 0
    scopes: frozenset[str] = frozenset({"chat:write", "channels:history"})
    clock_s: int = 1_767_225_600

    async def __call__(self, request: Request) -> Answer:
        if request.path == self.path:
            return self._webhook(request)
        method = request.path.removeprefix("/api/")
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return _no("invalid_auth")
        if self.refuse:
            return _no(self.refuse.pop(0))
        match (request.method, method):
            case ("POST", "chat.postMessage" | "chat.update"):
                return self._write(request, method)
            case ("GET", "conversations.history" | "conversations.replies"):
                return self._read(request, method)
        return _no("unknown_method")

    def _write(self, request: Request, method: str) -> Answer:
        if not request.headers.get("content-type", "").startswith("application/json"):
            return _no("invalid_post_type")
        document = json.loads(request.body)
        word = self._checked(document, _UPDATE if method == "chat.update" else _POST)
        if word:
            self.wrong.append(word)
            return _no(word.partition(":")[0])
        if method == "chat.update":
            found = next((one for one in self.messages if one["ts"] == document["ts"]), None)
            if found is None:
                return _no("message_not_found")
            found.update({name: document[name] for name in ("text", "blocks", "metadata")})
            return Answer.of({"ok": True, "channel": self.channel, "ts": found["ts"], "text": found["text"]})
        if (root := document.get("thread_ts")) and not any(one["ts"] == root for one in self.messages):
            return _no("thread_not_found")
        message = {**document, "ts": f"{self.clock_s + len(self.messages)}.000100", "bot_id": "B1"}
        self.messages.append(message)
        self._ping(message)
        return Answer.of({"ok": True, "channel": self.channel, "ts": message["ts"], "message": message})

    def _checked(self, document: dict[str, Any], known: set[str]) -> str:
        if unknown := document.keys() - known:
            return f"invalid_arguments: {sorted(unknown)}"
        if document.get("channel") != self.channel:
            return "channel_not_found"
        if not document.get("text"):
            return "no_text"
        if units(document["text"]) > 4000:
            return "msg_too_long"
        metadata = document.get("metadata", {"event_type": "x", "event_payload": {}})
        if set(metadata) != {"event_type", "event_payload"} or not isinstance(metadata["event_payload"], dict):
            return "invalid_metadata_format"
        problems = slack_problems(document.get("blocks", []))
        return f"invalid_blocks: {problems}" if problems else ""

    def _ping(self, message: dict[str, Any]) -> None:
        """Who is notified: elements made for it, and the marks ``<!…>``, ``<@…>`` where text is markup."""
        for one in walk(message["blocks"]):
            if one.get("type") in {"user", "usergroup", "broadcast"}:
                self.pinged.append(str(one.get("user_id") or one.get("usergroup_id") or one.get("range")))
            if one.get("type") == "mrkdwn":
                self.pinged += re.findall(r"<[!@][^>]*>", one["text"])
        self.pinged += re.findall(r"<[!@][^>]*>", message["text"])

    def _read(self, request: Request, method: str) -> Answer:
        query = request.query
        if unknown := query.keys() - _HISTORY:
            return _no(f"invalid_arguments: {sorted(unknown)}")
        if "channels:history" not in self.scopes:
            return _no("missing_scope")
        if query.get("channel") != self.channel:
            return _no("channel_not_found")
        shown = self.messages[: len(self.messages) - self.hidden]
        if method == "conversations.replies":
            if not any(one["ts"] == query["ts"] for one in shown):
                return _no("thread_not_found")
            found = [one for one in shown if query["ts"] in {one["ts"], one.get("thread_ts")}]
        else:
            found = [one for one in reversed(shown) if not one.get("thread_ts") or one.get("reply_broadcast")]
        found = [one for one in found if float(one["ts"]) > float(query.get("oldest", "0"))]
        start = int(query.get("cursor", "0"))
        with_metadata = query.get("include_all_metadata") == "true"
        page = [_shown(one, metadata=with_metadata) for one in found[start : start + _PAGE]]
        cursor = str(start + _PAGE) if start + _PAGE < len(found) else ""
        return Answer.of({"ok": True, "messages": page, "response_metadata": {"next_cursor": cursor}})

    def _webhook(self, request: Request) -> Answer:
        if self.refuse:
            word = self.refuse.pop(0)
            return Answer(status=404 if word.startswith("no_") else 400, body=word.encode())
        document = json.loads(request.body)
        unknown = document.keys() - {"text", "blocks", "unfurl_links", "unfurl_media"}
        problems = [*(f"unknown: {name}" for name in unknown), *slack_problems(document.get("blocks", []))]
        if problems or not document.get("text"):
            self.wrong += problems or ["no_text"]
            return Answer(status=400, body=b"invalid_payload")
        self.messages.append(document)
        self._ping(document)
        return Answer(body=b"ok", headers={"Content-Type": "text/html"})


def _shown(message: dict[str, Any], *, metadata: bool) -> dict[str, Any]:
    return message if metadata else {name: value for name, value in message.items() if name != "metadata"}


def _no(word: str) -> Answer:
    status = 429 if word == "ratelimited" else 200
    headers = {"Retry_After": "30"} if status == 429 else {}
    return Answer.of({"ok": False, "error": word}, status=status, **headers)
