"""Work items of a Jira Cloud project as a tracker: the REST API version 3, with documents in the Atlassian Document Format.

Takes the channel's settings and an exchange that signs in with an account's API token. An item is created in one request,
with its label and with the cause's key as a property; it is searched for with ``/search/jql``, which may be minutes late, and
read by its key, which is not. Workflows differ: a state is reached by whichever transition leads to a status of the wanted
category. Written from the documentation; it has not been run against the live service.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from msgspec import structs

from meshkit_chaos.clock import Clock
from meshkit_chaos.deliver import adf
from meshkit_chaos.deliver.action import Again, Refused, Unsure
from meshkit_chaos.deliver.exchange import Exchange, Reply, host_of, json_bytes, open_exchange
from meshkit_chaos.deliver.sending import Rate, Rendered
from meshkit_chaos.deliver.settings import Jira, Owner, Rules
from meshkit_chaos.deliver.ticket_life import Shown
from meshkit_chaos.deliver.ticket_text import Block, Owned, ticket_label
from meshkit_chaos.deliver.tracking import Draft, Opened, Stopped, Tickets
from meshkit_chaos.measure.access import Secrets
from meshkit_chaos.report.escape import clipped, one_line
from meshkit_chaos.slo import Duration

PROPERTY: Final = "meshkit-chaos"
"""Unlike the words of a description, it is not copied with them, and nobody writes it by accident."""
REFUSING: Final = frozenset(
    {"won't do", "won't fix", "wont do", "wont fix", "declined", "rejected", "cancelled", "canceled", "abandoned", "obsolete"}
)
"""Names of resolutions and statuses by which people say that it will not be fixed; compared in small letters."""
DOUBLED: Final = "duplicate"
_FIELDS: Final = ("status", "resolution", "resolutiondate", "statuscategorychangedate", "description", "creator")
_PER_MINUTE: Final = 60
_LONGEST_LABEL: Final = 255
_PAGE: Final = 20
_PAGES: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class JiraCloud:
    """The tracker."""

    settings: Jira
    exchange: Exchange

    @property
    def rates(self) -> tuple[Rate, ...]:
        return (Rate(bucket=f"jira {host_of(self.settings.site)}", count=_PER_MINUTE, per=Duration(60 * 10**9)),)

    @property
    def lag(self) -> Duration:
        return self.settings.lag

    @property
    def _api(self) -> str:
        return f"{self.settings.site.rstrip('/')}/rest/api/3"

    def owned(self, owner: Owner) -> Owned:
        """``owner.jira`` is an account's id; an account is assigned and mentioned."""
        return Owned(name=owner.name, assignee=owner.jira, mention=owner.jira)

    def fetch(self, reference: str) -> Shown | None:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*-\d+", reference):
            return None
        reply = self._call("GET", f"issue/{reference}", query={"fields": ",".join(_FIELDS), "properties": PROPERTY}, seen={404})
        return None if reply.status == 404 else self._shown(_document(reply), "")

    def marked(self, key: str) -> Sequence[Shown]:
        project = f"project = {_quoted(self.settings.project)}"
        found = list(self._search(f"{project} AND labels = {_quoted(ticket_label(key))} ORDER BY created ASC", key))
        if found:
            return found
        worded = self._search(f"{project} AND description ~ {_quoted(key)} ORDER BY created ASC", key)
        return [one for one in worded if one.marked]

    def comments(self, reference: str, *, since: int) -> Iterator[str]:
        """The newest first, until one is older."""
        for page in range(_PAGES):
            query = {"orderBy": "-created", "maxResults": str(_PAGE), "startAt": str(page * _PAGE)}
            found = _list(_document(self._call("GET", f"issue/{reference}/comment", query=query)), "comments")
            for one in found:
                if (at := _instant(one.get("created"))) is not None and at < since:
                    return
                yield adf.plain_text(one.get("body"))
            if len(found) < _PAGE:
                return

    def drafted(self, draft: Draft) -> Rendered:
        body, dropped = self._body(draft)
        return self._rendered("issue", body, body["fields"]["description"], dropped)

    def open(self, draft: Draft) -> Opened:
        """One request. What the project's create screen does not take is left out in another: the first created nothing."""
        body, _ = self._body(draft)
        notes: list[str] = []
        reply = self._call("POST", "issue", json=body, seen={400})
        for field, note in (
            ("assignee", "the owner cannot be assigned in this project"),
            ("labels", "labels are not on the project's create screen: people cannot filter by them"),
        ):
            if reply.status == 400 and field in body["fields"] and field in _wrong_fields(reply):
                notes.append(note)
                del body["fields"][field]
                reply = self._call("POST", "issue", json=body, seen={400})
        if reply.status == 400:
            hint = "give the project and the issue type that the routes file names exactly these fields, or name others"
            raise Stopped(Refused(why=f"answered status 400: {self.exchange.said(reply)}", hint=hint))
        match reply.document():
            case {"key": str(key)}:
                return Opened(reference=key, url=self._url(key), note="; ".join(notes))
            case _:
                raise Stopped(Unsure(why=f"answered status {reply.status} without an item; it may have been opened"))

    def said(self, reference: str, blocks: Sequence[Block]) -> Rendered:
        text, dropped = adf.document(blocks)
        return self._rendered(f"issue/{reference}/comment", {"body": text}, text, dropped)

    def say(self, reference: str, blocks: Sequence[Block]) -> None:
        reply = self._call("POST", f"issue/{reference}/comment", json={"body": adf.document(blocks)[0]})
        if not isinstance(told := reply.document(), dict) or not told.get("id"):
            raise Stopped(Unsure(why=f"answered status {reply.status} without a comment; it may have been written"))

    def reopen(self, reference: str) -> None:
        self._move(reference, ("new", "indeterminate"))

    def close(self, reference: str) -> None:
        self._move(reference, ("done",))

    def close_double(self, reference: str, *, kept: Shown) -> None:
        del kept  # the comment names it
        self._move(reference, ("done",))

    def _move(self, reference: str, categories: Sequence[str]) -> None:
        """By the first transition to a status of the first category that can be reached, but to none that means a refusal."""
        told = _list(_document(self._call("GET", f"issue/{reference}/transitions")), "transitions")
        for category in categories:
            for one in told:
                status = one.get("to") or {}
                reached = (status.get("statusCategory") or {}).get("key")
                if reached == category and _folded(status.get("name")) not in REFUSING | {DOUBLED}:
                    self._transition(reference, str(one.get("id")))
                    return
        why = f"{reference} cannot be moved to a status of the category {' or '.join(categories)}"
        hint = "give the project's workflow such a transition, and the account of the token the right to use it"
        raise Stopped(Refused(why=why, hint=hint))

    def _transition(self, reference: str, number: str) -> None:
        reply = self._call("POST", f"issue/{reference}/transitions", json={"transition": {"id": number}}, seen={400})
        if reply.status == 400:
            hint = "the transition demands a field: make it optional, or let the workflow fill it"
            raise Stopped(Refused(why=f"answered status 400: {self.exchange.said(reply)}", hint=hint))
        if reply.status != 204:
            raise Stopped(Unsure(why=f"answered status {reply.status} where 204 is documented; the state may have changed"))

    def _body(self, draft: Draft) -> tuple[dict[str, Any], tuple[str, ...]]:
        description, dropped = adf.document(draft.blocks)
        own = (ticket_label(draft.key), *self.settings.labels, *draft.labels)
        fields: dict[str, Any] = {
            "project": {"key": self.settings.project},
            "issuetype": {"name": self.settings.issue_type},
            "summary": draft.title,
            "description": description,
            "labels": list(dict.fromkeys(found for label in own if (found := _label(label)))),
        }
        if draft.assignee:
            fields["assignee"] = {"id": draft.assignee}
        return {"fields": fields, "properties": [{"key": PROPERTY, "value": {"ticket": draft.key}}]}, dropped

    def _search(self, jql: str, key: str) -> Iterator[Shown]:
        body: dict[str, Any] = {"jql": jql, "fields": list(_FIELDS), "properties": [PROPERTY], "maxResults": _PAGE}
        for _ in range(_PAGES):
            answer = self.exchange.call("POST", f"{self._api}/search/jql", json=body)
            if isinstance(answer, Unsure):
                answer = Again(why=answer.why)  # a search changes nothing, though it is a POST
            told = _document(_succeeded(answer))
            yield from (self._shown(one, key) for one in _list(told, "issues"))
            if not (token := told.get("nextPageToken")):
                return
            body["nextPageToken"] = token

    def _shown(self, issue: dict[str, Any], key: str) -> Shown:
        try:
            return self._read(issue, key)
        except (KeyError, TypeError, ValueError, AttributeError) as odd:
            raise Stopped(Again(why="answered an item of another form than documented")) from odd

    def _read(self, issue: dict[str, Any], key: str) -> Shown:
        fields, reference = issue["fields"], str(issue["key"])
        status = fields["status"]
        standing = status["statusCategory"]["key"] != "done"
        names = {_folded(status.get("name")), _folded((fields.get("resolution") or {}).get("name"))}
        text = adf.plain_text(fields.get("description"))
        known = ((issue.get("properties") or {}).get(PROPERTY) or {}).get("ticket")
        return Shown(
            reference=reference,
            order=int(issue["id"]),
            open=standing,
            url=self._url(reference),
            closed_at=None if standing else _instant(fields.get("resolutiondate") or fields.get("statuscategorychangedate")),
            refused=not standing and bool(names & REFUSING),
            duplicate=not standing and DOUBLED in names,
            marked=not key or known == key,
            said=text,
            author=str((fields.get("creator") or {}).get("accountId") or ""),
        )

    def _url(self, key: str) -> str:
        return f"{self.settings.site.rstrip('/')}/browse/{key}"

    def _rendered(self, path: str, body: object, text: adf.Node, dropped: tuple[str, ...]) -> Rendered:
        return Rendered(
            method="POST",
            target=f"{self._api}/{path}",
            body=json_bytes(body).decode(),
            size=adf.size_of(text),
            budget=adf.BUDGET,
            unit="characters",
            dropped=dropped,
        )

    def _call(
        self, method: str, path: str, *, json: object = None, query: dict[str, str] | None = None, seen: set[int] | None = None
    ) -> Reply:
        return _succeeded(self.exchange.call(method, f"{self._api}/{path}", json=json, query=query, seen=seen or ()))


def open_jira(
    settings: Jira,
    *,
    secrets: Secrets,
    clock: Clock,
    folder: Path,
    rules: Rules | None = None,
    owners: tuple[Owner, ...] = (),
) -> Tickets:
    """The channel, ready to send. Raises CannotRun where the token or a certificate cannot be read."""
    token = secrets.read(settings.token, what=f"the token of {settings.id}")
    pair = base64.b64encode(f"{settings.user}:{token}".encode()).decode("ascii")
    secrets.keep(pair)
    headers = {"Authorization": f"Basic {pair}"}
    exchange = open_exchange(settings.reach, secrets=secrets, folder=folder, clock=clock, headers=headers)
    return Tickets(tracker=JiraCloud(settings=settings, exchange=exchange), rules=rules or Rules(), owners=owners)


_HINTS: Final = {
    "for the field 'project'": "the project does not exist under this key, or the token's account may not see it",
    "status 410": "this Jira no longer offers the request: a newer meshkit-chaos is needed",
    "status 404": "there is no Jira Cloud at this site, or the token's account may not see the item",
}


def _succeeded(answer: Reply | Again | Unsure | Refused) -> Reply:
    if isinstance(answer, Reply):
        return answer
    if isinstance(answer, Refused):
        hint = next((hint for word, hint in _HINTS.items() if word in answer.why), "")
        raise Stopped(structs.replace(answer, hint=hint, who="operator") if hint else answer)
    raise Stopped(answer)


def _document(reply: Reply) -> dict[str, Any]:
    document = reply.document()
    if not isinstance(document, dict):
        raise Stopped(Again(why=f"answered status {reply.status}, but {reply.broken or 'no JSON object'}"))
    return document


def _list(document: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = document.get(name)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise Stopped(Again(why=f"answered without {name}"))
    return found


def _wrong_fields(reply: Reply) -> frozenset[str]:
    document = reply.document()
    errors = document.get("errors") if isinstance(document, dict) else None
    return frozenset(errors) if isinstance(errors, dict) else frozenset()


def _instant(text: object) -> int | None:
    try:
        return round(datetime.fromisoformat(str(text)).timestamp() * 1000) * 10**6 if text else None
    except ValueError:
        return None


def _folded(name: object) -> str:
    return str(name or "").strip().lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")


def _quoted(text: str) -> str:
    """As a text in JQL."""
    escaped = one_line(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _label(text: str) -> str:
    """A label as Jira takes it: without blanks."""
    return clipped(re.sub(r"\s+", "-", one_line(text)), _LONGEST_LABEL)
