"""Issues of a GitHub repository as a tracker (https://docs.github.com/rest/issues), also on an Enterprise Server.

Takes the channel's settings and an exchange with the token in its headers. An issue is created with its labels and assignees
in one request; it is listed by its label, never searched for, because the search index lags behind. What GitHub shows is asked
for again with its ETag, which does not count against the hourly limit. Written from the documentation and GitHub's OpenAPI
description; it has not been run against the live service.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from meshkit_chaos.clock import Clock, iso
from meshkit_chaos.deliver.action import Again, Refused, Unsure
from meshkit_chaos.deliver.exchange import Exchange, Reply, host_of, json_bytes, open_exchange
from meshkit_chaos.deliver.sending import Rate, Rendered
from meshkit_chaos.deliver.settings import GitHubIssues, Owner, Rules
from meshkit_chaos.deliver.ticket_life import Shown
from meshkit_chaos.deliver.ticket_markdown import BUDGET, handle, issue_text, units
from meshkit_chaos.deliver.ticket_text import Block, Owned, marks_ticket, ticket_label
from meshkit_chaos.deliver.tracking import Draft, Opened, Stopped, Tickets
from meshkit_chaos.measure.access import Secrets
from meshkit_chaos.report.escape import clipped, one_line
from meshkit_chaos.slo import Duration

_TRUSTED: Final = frozenset({"OWNER", "MEMBER", "COLLABORATOR"})
"""Whoever is none of these may write any line into an issue of a public repository: a marker of theirs says nothing."""
_VERSION: Final = "2022-11-28"
_PER_MINUTE: Final = 40
_PER_HOUR: Final = 250
"""GitHub allows 80 requests a minute and 500 an hour that create content; a delivery makes at most two: comment and state."""
_LONGEST_LABEL: Final = 50
_MOST_LABELS: Final = 100
_PAGE: Final = 15
"""So many of the longest issues fit into the largest answer that is read."""
_PAGES: Final = 7
_COMMENT_PAGES: Final = 20
_MOST_SEEN: Final = 200
_TOO_QUICK: Final = "submitted too quickly"
"""What GitHub says, with 403 or 422, to whoever creates content faster than it likes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHub:
    """The tracker. ``_seen``: answers by address, with their ETag."""

    settings: GitHubIssues
    exchange: Exchange
    _seen: dict[str, tuple[str, Any]] = field(default_factory=dict)

    @property
    def rates(self) -> tuple[Rate, ...]:
        host = host_of(self.settings.api)
        return (
            Rate(bucket=f"github {host} a minute", count=_PER_MINUTE, per=Duration(60 * 10**9)),
            Rate(bucket=f"github {host} an hour", count=_PER_HOUR, per=Duration(3600 * 10**9)),
        )

    @property
    def lag(self) -> Duration:
        return self.settings.lag

    @property
    def _issues(self) -> str:
        return f"{self.settings.api.rstrip('/')}/repos/{self.settings.repository}/issues"

    def owned(self, owner: Owner) -> Owned:
        """A person is assigned and mentioned, a team only mentioned."""
        name = handle(owner.github)
        return Owned(name=owner.name, assignee="" if "/" in name else name, mention=name)

    def fetch(self, reference: str) -> Shown | None:
        """None where a person deleted it, or moved it to another repository."""
        if not reference.isdecimal():
            return None
        found = self._get(f"{self._issues}/{reference}", gone={404, 410, 301})
        return None if found is None else _shown(found)

    def marked(self, key: str) -> Sequence[Shown]:
        labelled = list(self._listed({"labels": ticket_label(key), "direction": "asc"}, pages=_PAGES))
        if labelled:
            return [_shown(one, key) for one in labelled]
        newest = ((one, _shown(one, key)) for one in self._listed({"direction": "desc"}, pages=_PAGES))
        return [shown for one, shown in newest if shown.marked and self._is_trusted(one)]

    def comments(self, reference: str, *, since: int) -> Iterator[str]:
        query = {"since": f"{iso(max(since, 0))[:19]}Z"}
        for one in self._pages(f"{self._issues}/{reference}/comments", query, pages=_COMMENT_PAGES):
            if self._is_trusted(one):
                yield str(one.get("body") or "")

    def _is_trusted(self, one: dict[str, Any]) -> bool:
        """Whether an issue or comment is of somebody who may write to the repository, of an app, or our own."""
        user = one.get("user")
        if not isinstance(user, dict):
            return False
        return one.get("author_association") in _TRUSTED or user.get("type") == "Bot" or user.get("login") == self._myself()

    def _myself(self) -> object:
        """Whose token it is; an app's has no such account, and nothing is its."""
        told = self._get(f"{self.settings.api.rstrip('/')}/user", gone={401, 403, 404})
        return told.get("login", "") if isinstance(told, dict) else ""

    def drafted(self, draft: Draft) -> Rendered:
        body, dropped = self._body(draft)
        return _rendered("POST", self._issues, body, dropped)

    def open(self, draft: Draft) -> Opened:
        """One request. An assignee whom GitHub does not take is left out, in a second one: the first created nothing."""
        body, _ = self._body(draft)
        reply = self._change("POST", self._issues, body, seen={422})
        note = ""
        if reply.status == 422 and "assignees" in body and b"assignees" in reply.body:
            note = f"{draft.assignee} cannot be assigned in {self.settings.repository}"
            del body["assignees"]
            reply = self._change("POST", self._issues, body)
        elif reply.status == 422:
            raise Stopped(self._invalid(reply))
        match reply.document():
            case {"number": int(number), "html_url": str(url), "labels": list(labels)}:
                if ticket_label(draft.key) not in {_name(label) for label in labels}:
                    note = "GitHub dropped the labels: the token may not set them, and people cannot filter by them"
                return Opened(reference=str(number), url=url, note=note)
            case _:
                raise Stopped(Unsure(why=f"answered status {reply.status} without an issue; it may have been opened"))

    def said(self, reference: str, blocks: Sequence[Block]) -> Rendered:
        text, dropped = issue_text(blocks)
        return _rendered("POST", f"{self._issues}/{reference}/comments", {"body": text}, dropped)

    def say(self, reference: str, blocks: Sequence[Block]) -> None:
        reply = self._change("POST", f"{self._issues}/{reference}/comments", {"body": issue_text(blocks)[0]})
        if not isinstance(told := reply.document(), dict) or not isinstance(told.get("id"), int):
            raise Stopped(Unsure(why=f"answered status {reply.status} without a comment; it may have been written"))

    def reopen(self, reference: str) -> None:
        self._state(reference, {"state": "open", "state_reason": "reopened"})

    def close(self, reference: str) -> None:
        self._state(reference, {"state": "closed", "state_reason": "completed"})

    def close_double(self, reference: str, *, kept: Shown) -> None:
        """An older GitHub Enterprise Server knows no duplicates: there it is closed without a reason."""
        del kept  # the comment names it
        reply = self._change("PATCH", self._at(reference), {"state": "closed", "state_reason": "duplicate"}, seen={422})
        if reply.status == 422:
            self._state(reference, {"state": "closed"})

    def _state(self, reference: str, body: dict[str, str]) -> None:
        reply = self._change("PATCH", self._at(reference), body)
        told = reply.document()
        if not isinstance(told, dict) or told.get("state") != body["state"]:
            raise Stopped(Unsure(why=f"answered status {reply.status}, and the issue is not shown as {body['state']}"))

    def _at(self, reference: str) -> str:
        return f"{self._issues}/{reference}"

    def _body(self, draft: Draft) -> tuple[dict[str, Any], tuple[str, ...]]:
        text, dropped = issue_text(draft.blocks)
        own = (ticket_label(draft.key), *self.settings.labels, *draft.labels)
        labels = list(dict.fromkeys(found for label in own if (found := _label(label))))[:_MOST_LABELS]
        body: dict[str, Any] = {"title": draft.title, "body": text, "labels": labels}
        return {**body, "assignees": [draft.assignee]} if draft.assignee else body, dropped

    def _listed(self, query: Mapping[str, str], *, pages: int) -> Iterator[dict[str, Any]]:
        """Issues, open and closed, by creation. GitHub lists pull requests as well; they are left out."""
        for one in self._pages(self._issues, {"state": "all", "sort": "created", **query}, pages=pages):
            if "pull_request" not in one:
                yield one

    def _pages(self, url: str, query: Mapping[str, str], *, pages: int) -> Iterator[dict[str, Any]]:
        for page in range(1, pages + 1):
            found = self._get(url, query={**query, "per_page": str(_PAGE), "page": str(page)})
            if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
                raise Stopped(Again(why="answered something else than a list"))
            yield from found
            if len(found) < _PAGE:
                return

    def _get(self, url: str, *, query: Mapping[str, str] | None = None, gone: frozenset[int] | set[int] = frozenset()) -> Any:
        """The document, or None where the status says that it is ``gone``."""
        name = f"{url}?{sorted((query or {}).items())}"
        etag, known = self._seen.get(name, ("", None))
        asked = {"If-None-Match": etag} if etag else {}
        answer = self.exchange.call("GET", url, query=query, headers=asked, seen={*gone, *({304} if etag else ())})
        if not isinstance(answer, Reply):
            raise Stopped(_explained(answer))
        if answer.status == 304:
            return known
        if answer.status in gone:
            return None
        document = answer.document()
        if document is None:
            raise Stopped(Again(why=f"answered status {answer.status}, but {answer.broken or 'no JSON'}"))
        if (etag := answer.headers.get("etag", "")) and len(self._seen) < _MOST_SEEN:
            self._seen[name] = (etag, document)
        return document

    def _change(self, method: str, url: str, body: object, *, seen: set[int] | frozenset[int] = frozenset()) -> Reply:
        answer = self.exchange.call(method, url, json=body, seen={422})
        if not isinstance(answer, Reply):
            raise Stopped(_explained(answer))
        if answer.status == 422 and 422 not in seen:
            raise Stopped(self._invalid(answer))
        return answer

    def _invalid(self, reply: Reply) -> Again | Unsure | Refused:
        """A 422 with what GitHub says is wrong, which stands beside its message."""
        told = reply.document()
        errors = told.get("errors", "") if isinstance(told, dict) else ""
        why = f"answered status 422: {self.exchange.said(reply)} {self.exchange.quoted(str(errors))}".rstrip()
        return _explained(
            Refused(why=why, who="us", hint="GitHub does not take what we sent: report this, with the sentence above")
        )


def open_github(
    settings: GitHubIssues,
    *,
    secrets: Secrets,
    clock: Clock,
    folder: Path,
    rules: Rules | None = None,
    owners: tuple[Owner, ...] = (),
) -> Tickets:
    """The channel, ready to send. Raises CannotRun where the token or a certificate cannot be read."""
    token = secrets.read(settings.token, what=f"the token of {settings.id}")
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": _VERSION,
    }
    exchange = open_exchange(settings.reach, secrets=secrets, folder=folder, clock=clock, headers=headers)
    return Tickets(tracker=GitHub(settings=settings, exchange=exchange), rules=rules or Rules(), owners=owners)


def _shown(issue: dict[str, Any], key: str = "") -> Shown:
    """An issue as documented; another form is no answer."""
    try:
        return _read(issue, key)
    except (KeyError, TypeError, ValueError, AttributeError) as odd:
        raise Stopped(Again(why="answered an issue of another form than documented")) from odd


def _read(issue: dict[str, Any], key: str) -> Shown:
    number, state, body = issue["number"], issue["state"], issue.get("body") or ""
    if not isinstance(number, int) or state not in {"open", "closed"} or not isinstance(body, str):
        raise ValueError("an issue has a number, a state and a text")
    closed_at, reason = issue.get("closed_at"), issue.get("state_reason")
    return Shown(
        reference=str(number),
        order=number,
        open=state == "open",
        url=str(issue.get("html_url") or ""),
        closed_at=round(datetime.fromisoformat(closed_at).timestamp()) * 10**9 if closed_at else None,
        refused=state == "closed" and reason == "not_planned",
        duplicate=state == "closed" and reason == "duplicate",
        marked=marks_ticket(body, key) if key else True,
        said=body,
        author=str((issue.get("user") or {}).get("login") or ""),
    )


def _explained(answer: Again | Unsure | Refused) -> Again | Unsure | Refused:
    """With a hint for what GitHub refuses in words that people search for."""
    if not isinstance(answer, Refused):
        return answer
    if _TOO_QUICK in answer.why:
        return Again(why=answer.why, after=Duration(60 * 10**9), everybody=True)
    for word, hint in _HINTS.items():
        if word in answer.why.lower():
            return msgspec.structs.replace(answer, hint=hint)
    return answer


_SWITCH_ON: Final = "switch issues on in the repository's settings, or choose another repository in the routes file"
_HINTS: Final = {
    "archived": "the repository is archived and read-only: choose another one in the routes file",
    "issues are disabled": _SWITCH_ON,
    "issues has been disabled": _SWITCH_ON,
    "not accessible by": "give the token the permission `issues: write`",
    "status 404": "the repository does not exist under this name, or the token may not see it",
    "status 301": "the repository was renamed or moved: write its new name into the routes file",
}


def _label(text: str) -> str:
    """A label as GitHub takes it; commas would part it when it is listed."""
    return clipped(one_line(text).replace(",", " "), _LONGEST_LABEL)


def _name(label: object) -> str:
    return str(label.get("name")) if isinstance(label, dict) else str(label)


def _rendered(method: str, target: str, body: dict[str, Any], dropped: tuple[str, ...]) -> Rendered:
    text = json_bytes(body).decode()
    size = units(str(body["body"]))
    return Rendered(method=method, target=target, body=text, size=size, budget=BUDGET, unit="characters", dropped=dropped)
