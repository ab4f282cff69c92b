"""Slack by a bot: messages, answers in threads, edits in place, and a look whether it wrote.

Takes the settings of a channel; gives a ``Sender``. Slack answers 200 with ``"ok": false`` and a word: each documented word is
told apart. Our key travels as message metadata, by which a message is found again (scopes: ``chat:write`` to write,
``channels:history`` or ``groups:history`` to look). Source: Slack's reference of chat.postMessage, chat.update,
conversations.history and conversations.replies.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from meshkit_chaos.clock import Clock
from meshkit_chaos.deliver.action import (
    Action,
    Again,
    CannotLook,
    Delivered,
    Found,
    Look,
    NotThere,
    Outcome,
    Receipt,
    Refused,
    Told,
    Unsure,
)
from meshkit_chaos.deliver.exchange import Exchange, Reply, open_exchange
from meshkit_chaos.deliver.sending import Rate, Rendered
from meshkit_chaos.deliver.settings import Owner, SlackBot
from meshkit_chaos.deliver.slack_blocks import BUDGET, pinged, slack_blocks
from meshkit_chaos.measure.access import Secrets
from meshkit_chaos.slo import Duration

EVENT: Final = "meshkit_chaos"
_PAGES: Final = 10
_EARLIER_S: Final = 6 * 3600
"""A look begins so long before the action was decided: clocks differ."""
_LATER: Final = frozenset({"ratelimited", "rate_limited", "request_timeout", "service_unavailable", "team_added_to_org"})
_UNSURE: Final = frozenset({"internal_error", "fatal_error"})
_OURS: Final = frozenset(
    {
        "as_user_not_supported",
        "attachment_payload_limit_exceeded",
        "blocks_too_long",
        "invalid_arg_name",
        "invalid_arguments",
        "invalid_array_arg",
        "invalid_blocks",
        "invalid_blocks_format",
        "invalid_charset",
        "invalid_form_data",
        "invalid_json",
        "invalid_metadata_format",
        "invalid_metadata_schema",
        "invalid_post_type",
        "json_not_object",
        "metadata_must_be_sent_from_app",
        "metadata_too_large",
        "method_deprecated",
        "missing_post_type",
        "msg_blocks_too_long",
        "msg_too_long",
        "no_text",
        "too_many_attachments",
        "too_many_contact_cards",
    }
)
_HINTS: Final = {
    "channel_not_found": "give the channel's id (C…), not its name, and invite the bot into it",
    "not_in_channel": "invite the bot: /invite @its-name in the channel",
    "is_archived": "the channel is archived: route to another one",
    "missing_scope": "give the app the scope chat:write (and channels:history, to look), and install it again",
    "invalid_auth": "the token is wrong: it begins with xoxb- and is that of the bot",
    "not_authed": "the token is empty",
    "token_expired": "the token has expired: put a new one where the routes file says",
    "token_revoked": "the token was revoked: install the app again and take its new token",
    "account_inactive": "the bot or its workspace was removed: install the app again",
}
_GONE: Final = frozenset(
    {"message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found", "cannot_reply_to_message"}
)
"""The message that should be edited or answered is not there any more, or not ours: nothing was done."""


def open_slack(
    settings: SlackBot, *, secrets: Secrets, clock: Clock, folder: Path, owners: Sequence[Owner] = ()
) -> SlackSender:
    """Raises CannotRun where the token cannot be read."""
    token = secrets.read(settings.token, what=f"the token of {settings.id}")
    headers = {"Authorization": f"Bearer {token}"}
    exchange = open_exchange(settings.reach, secrets=secrets, folder=folder, clock=clock, headers=headers)
    return SlackSender(settings, exchange=exchange, owners=tuple(owners))


@dataclass(frozen=True, slots=True)
class SlackSender:
    """See ``sending.Sender``."""

    settings: SlackBot
    exchange: Exchange = field(kw_only=True)
    owners: tuple[Owner, ...] = field(default=(), kw_only=True)
    when_unsure: Literal["look"] = field(default="look", kw_only=True)
    lag: Duration = field(default=Duration(10 * 10**9), kw_only=True)

    @property
    def rates(self) -> tuple[Rate, ...]:
        """One message a second and channel; Slack allows "several hundred a minute" for all of a workspace."""
        second = Duration(10**9)
        return (
            Rate(bucket=f"slack:{self.settings.channel}", count=1, per=second),
            Rate(bucket="slack", count=200, per=second * 60),
        )

    def render(self, action: Action, thread: Sequence[Told]) -> Rendered:
        """The request as it is; its token is in no body."""
        method, document, dropped, size = self._request(action, self._root(thread))
        return Rendered(
            method=f"POST {method}",
            target=f"Slack channel {self.settings.channel}",
            body=json.dumps(document, ensure_ascii=False, indent=2),
            size=size,
            budget=BUDGET,
            unit="characters",
            dropped=dropped,
        )

    def send(self, action: Action, thread: Sequence[Told]) -> Outcome:
        """Write it; where what it edits or answers is gone, and so nothing was done, write it by itself."""
        root = self._root(thread)
        outcome = self._send(action, root) or self._send(action, "")
        assert outcome is not None, "only what has a root can miss it"
        return outcome

    def _send(self, action: Action, root: str) -> Outcome | None:
        method, document, _, _ = self._request(action, root)
        answer = self.exchange.call("POST", self._url(method), json=document)
        if not isinstance(answer, Reply):
            return answer
        found = answer.document()
        if not isinstance(found, dict) or not isinstance(found.get("ok"), bool):
            return Unsure(why=f"answered 200 with what Slack never says: {answer.broken or self.exchange.said(answer)}")
        if not found["ok"]:
            word = str(found.get("error", ""))
            return None if root and word in _GONE else self._failed(word, answer)
        return Delivered(receipt=_receipt("edited" if method == "chat.update" else "sent", found, self.settings.channel))

    def _request(self, action: Action, root: str) -> tuple[str, dict[str, Any], tuple[str, ...], int]:
        """The method, its document, what was left out, and the size."""
        people = pinged(action.message.mention, self.owners) if action.loud else []
        made = slack_blocks(action.message, people=people)
        document: dict[str, Any] = {
            "channel": self.settings.channel,
            "text": made.text,
            "blocks": made.blocks,
            "parse": "none",
            "link_names": False,
            "metadata": {"event_type": EVENT, "event_payload": {"key": action.key, "thread": action.thread}},
        }
        if root and action.edits:
            return "chat.update", {**document, "ts": root}, made.dropped, made.size
        document |= {"unfurl_links": False, "unfurl_media": False}
        if root:
            document |= {"thread_ts": root, "reply_broadcast": action.loud}
        return "chat.postMessage", document, made.dropped, made.size

    def look(self, action: Action, thread: Sequence[Told]) -> Look:
        """Page through what was written since, for a message that holds our key."""
        root = self._root(thread)
        query = {"channel": self.settings.channel, "include_all_metadata": "true", "limit": "200"}
        if not (root and action.edits):
            query["oldest"] = f"{max(0, action.at // 10**9 - _EARLIER_S)}.000000"
        if root:
            found = self._looked("conversations.replies", {**query, "ts": root}, action.key)
            if not isinstance(found, NotThere):
                return found
        return self._looked("conversations.history", query, action.key)

    def _looked(self, method: str, query: dict[str, str], key: str) -> Look:
        cursor = ""
        for _ in range(_PAGES):
            answer = self.exchange.call("GET", self._url(method), query={**query, "cursor": cursor} if cursor else query)
            if not isinstance(answer, Reply):
                return CannotLook(why=answer.why, retry=isinstance(answer, Again))
            page = answer.document()
            if not isinstance(page, dict) or page.get("ok") is not True:
                word = str(page.get("error", "")) if isinstance(page, dict) else ""
                if word in {"thread_not_found", "message_not_found"}:
                    return NotThere()
                return CannotLook(why=f"{method}: {self.exchange.said(answer)}", retry=not word or word in _LATER | _UNSURE)
            for message in _messages(page):
                if _key(message) == key:
                    return Found(receipt=_receipt("sent", message, self.settings.channel))
            cursor = str((page.get("response_metadata") or {}).get("next_cursor", ""))
            if not cursor:
                return NotThere()
        return CannotLook(why=f"{method}: more than {_PAGES} pages were written since")

    def _failed(self, word: str, answer: Reply) -> Outcome:
        """What a documented error word means."""
        why = f"Slack refused: {self.exchange.said(answer)}"
        if word in _LATER:
            return Again(why=why, after=self.exchange.wait(answer), everybody=word in {"ratelimited", "rate_limited"})
        if word in _UNSURE:
            return Unsure(why=f"{why}: some of it may have been done")
        if word in _OURS:
            return Refused(why=why, who="us", hint="Slack does not take what we made: report this")
        return Refused(why=why, hint=_HINTS.get(word, "look the word up in Slack's reference of chat.postMessage"))

    def _url(self, method: str) -> str:
        return f"{self.settings.api.rstrip('/')}/{method}"

    def _root(self, thread: Sequence[Told]) -> str:
        """The timestamp of the thread's first message; of one in a channel that the routes named before, nothing."""
        known = [told.receipt.details for told in thread if told.receipt and told.receipt.details.get("ts")]
        return next((one["ts"] for one in known if one.get("asked", self.settings.channel) == self.settings.channel), "")

    def close(self) -> None:
        """Nothing is kept open."""


def _receipt(did: str, found: dict[str, Any], asked: str) -> Receipt:
    """``asked``: the channel as the routes name it, which Slack may name otherwise."""
    ts = str(found.get("ts", ""))
    return Receipt(did=did, reference=ts, details={"channel": str(found.get("channel") or asked), "asked": asked, "ts": ts})


def _messages(page: dict[str, Any]) -> list[dict[str, Any]]:
    found = page.get("messages")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _key(message: dict[str, Any]) -> object:
    metadata = message.get("metadata")
    payload = metadata.get("event_payload") if isinstance(metadata, dict) and metadata.get("event_type") == EVENT else None
    return payload.get("key") if isinstance(payload, dict) else None
