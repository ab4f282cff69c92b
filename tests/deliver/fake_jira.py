"""One project of Jira Cloud, as far as tickets need it: a real HTTP server that checks every request.

Requests are checked against Atlassian's OpenAPI description (``contracts/jira.json``) and its schema of documents
(``contracts/adf.json``). That description leaves fields open and is older than ``/search/jql``, so both are checked here by
Atlassian's reference (developer.atlassian.com, "Issues" and "Issue search", and "Search and reconcile" for what may be late):
a search must be bounded, names its fields and goes on by ``nextPageToken``; ``/search`` is gone. Items are searched
``lag_s`` seconds after they were created, and read by their key at once. Never compared with the live service.

As a process of its own: ``python fake_jira.py --user U --token T [--lag 2]`` prints its address; ``GET /_fake/state`` shows it.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from contract import HERE, Contract
from jsonschema import Draft4Validator

from meshkit_chaos.clock import iso
from meshkit_chaos.deliver.adf import plain_text, size_of
from meshkit_chaos.measure.loopback import Answer, Request, serving

BOT = "5b10a2844c20165700ede21g"
LONGEST_TEXT = 32_767
LONGEST_SUMMARY = 255
Category = str


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    name: str
    category: Category
    resolution: str = ""


WORKFLOW = {
    "11": Status(name="To Do", category="new"),
    "21": Status(name="In Progress", category="indeterminate"),
    "31": Status(name="Won't Do", category="done", resolution="Won't Do"),
    "41": Status(name="Done", category="done", resolution="Done"),
}
"""Transitions by id, each from everywhere to a status; the first one to "done" is a trap."""


@dataclass(slots=True, kw_only=True)
class Item:
    """Instants are wall-clock ns."""

    number: int
    key: str
    fields: dict[str, Any]
    properties: dict[str, Any]
    creator: str
    created: int
    status: Status = WORKFLOW["11"]
    resolution: str = ""
    resolved: int | None = None
    comments: list[tuple[int, Any]] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class FakeJira:
    """``screen``: the fields that the project's create screen takes. ``workflow``: transitions by id."""

    user: str
    token: str
    project: str = "MESH"
    issue_types: tuple[str, ...] = ("Bug", "Task")
    accounts: tuple[str, ...] = ("acc-mesh",)
    screen: frozenset[str] = frozenset({"project", "issuetype", "summary", "description", "labels", "assignee"})
    workflow: dict[str, Status] = field(default_factory=lambda: dict(WORKFLOW))
    lag_s: float = 0.0
    wall: Callable[[], int] = time.time_ns
    issues: dict[str, Item] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    contract: Contract = field(default_factory=lambda: Contract.kept("jira"))
    documents: Draft4Validator = field(
        default_factory=lambda: Draft4Validator(json.loads((HERE / "adf.json").read_text(encoding="utf-8")))
    )

    async def __call__(self, request: Request) -> Answer:
        if request.path == "/_fake/state":
            comments = {key: [plain_text(body) for _, body in item.comments] for key, item in self.issues.items()}
            told = [self._told(item, list(item.fields)) for item in self.issues.values()]
            return Answer.of({"issues": told, "comments": comments, "wrong": self.wrong, "asked": self.asked})
        self.asked.append(f"{request.method} {request.path}")
        answer = self._answer(request)
        if answer.status in {400, 410, 415}:
            self.wrong.append(f"{request.method} {request.path}: {answer.status} {answer.body.decode()}")
        return answer

    # what people do

    def moved_by_hand(self, key: str, transition: str) -> None:
        self._move(self.issues[key], self.workflow[transition])

    def opened_by_hand(self, fields: dict[str, Any], *, properties: dict[str, Any] | None = None, by: str = "acc-mona") -> Item:
        return self._created(fields, properties or {}, by)

    # what the API does

    def _answer(self, request: Request) -> Answer:
        pair = base64.b64encode(f"{self.user}:{self.token}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {pair}":
            return Answer(status=401, body=b"Client must be authenticated to access this resource.")
        if request.body and not request.headers.get("content-type", "").startswith("application/json"):
            return Answer(status=415)
        path = request.path.removeprefix("/rest/api/3/")
        if path == "search":
            return _failed(410, "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API.")
        if path == "search/jql" and request.method == "POST":
            return self._search(request)
        problems = self.contract.problems(request.method, request.path, query=request.query, body=request.body)
        if problems:
            return _failed(400, *problems)
        match request.method, path.split("/"):
            case "POST", ["issue"]:
                return self._create(json.loads(request.body))
            case method, ["issue", key, *rest] if key in self.issues:
                return self._one(method, self.issues[key], rest, request)
        return _failed(404, "Issue does not exist or you do not have permission to see it.")

    def _one(self, method: str, item: Item, rest: list[str], request: Request) -> Answer:
        match method, rest:
            case "GET", []:
                return Answer.of(self._told(item, request.query.get("fields", "*all").split(",")))
            case "GET", ["comment"]:
                return self._comments(item, request)
            case "POST", ["comment"]:
                return self._comment(item, json.loads(request.body))
            case "GET", ["transitions"]:
                return Answer.of({"expand": "transitions", "transitions": [_transition(*one) for one in self.workflow.items()]})
            case "POST", ["transitions"]:
                return self._transition(item, json.loads(request.body))
        return _failed(404, "no such thing of an issue")

    def _create(self, asked: dict[str, Any]) -> Answer:
        problems = dict.fromkeys(set(asked) - {"fields", "properties", "update", "transition"}, "not known of a creation")
        fields = asked.get("fields", {})
        problems |= {
            name: f"Field '{name}' cannot be set. It is not on the appropriate screen, or unknown."
            for name in set(fields) - self.screen
        }
        if fields.get("project") != {"key": self.project}:
            problems["project"] = "valid project is required"
        if fields.get("issuetype") not in [{"name": name} for name in self.issue_types]:
            problems["issuetype"] = "The issue type selected is invalid."
        problems |= self._text_problems(fields)
        if problems:
            return Answer.of({"errorMessages": [], "errors": problems}, status=400)
        properties = {one["key"]: one["value"] for one in asked.get("properties", ())}
        item = self._created(fields, properties, BOT)
        return Answer.of({"id": str(item.number), "key": item.key, "self": f"/rest/api/3/issue/{item.number}"}, status=201)

    def _text_problems(self, fields: dict[str, Any]) -> dict[str, str]:
        found = {}
        summary, labels = fields.get("summary"), fields.get("labels", [])
        if not isinstance(summary, str) or not summary.strip():
            found["summary"] = "You must specify a summary of the issue."
        elif len(summary) > LONGEST_SUMMARY:
            found["summary"] = "Summary can't exceed 255 characters."
        elif "\n" in summary or "\r" in summary:
            found["summary"] = "The summary is invalid because it contains newline characters."
        if not all(isinstance(label, str) and label and len(label) <= 255 and not re.search(r"\s", label) for label in labels):
            found["labels"] = "The label contains spaces which is invalid."
        if "assignee" in fields and fields["assignee"] not in [{"id": account} for account in self.accounts]:
            found["assignee"] = "Specify a valid value for assignee"
        if "description" in fields and (problem := self._document_problem(fields["description"])):
            found["description"] = problem
        return found

    def _document_problem(self, body: Any) -> str:
        if not isinstance(body, dict):
            return "Operation value must be an Atlassian Document (see the Atlassian Document Format)"
        if errors := [error.message[:200] for error in self.documents.iter_errors(body)]:
            return f"INVALID_INPUT: {errors[0]}"
        return "CONTENT_LIMIT_EXCEEDED" if size_of(body) > LONGEST_TEXT else ""

    def _created(self, fields: dict[str, Any], properties: dict[str, Any], creator: str) -> Item:
        number = 10_000 + len(self.issues)
        key = f"{self.project}-{len(self.issues) + 1}"
        self.issues[key] = Item(
            number=number, key=key, fields=dict(fields), properties=properties, creator=creator, created=self.wall()
        )
        return self.issues[key]

    def _comments(self, item: Item, request: Request) -> Answer:
        start, size = int(request.query.get("startAt", "0")), int(request.query.get("maxResults", "50"))
        found = sorted(item.comments, key=lambda one: one[0], reverse=request.query.get("orderBy") == "-created")
        page = [{"id": str(at), "body": body, "created": _at(at)} for at, body in found[start : start + size]]
        return Answer.of({"comments": page, "maxResults": size, "startAt": start, "total": len(found)})

    def _comment(self, item: Item, asked: dict[str, Any]) -> Answer:
        problem = (
            "not known of a comment"
            if set(asked) - {"body", "visibility", "properties"}
            else self._document_problem(asked.get("body"))
        )
        if problem:
            return Answer.of({"errorMessages": [], "errors": {"comment": problem}}, status=400)
        item.comments.append((self.wall(), asked["body"]))
        return Answer.of({"id": str(len(item.comments)), "body": asked["body"], "created": _at(self.wall())}, status=201)

    def _transition(self, item: Item, asked: dict[str, Any]) -> Answer:
        found = self.workflow.get((asked.get("transition") or {}).get("id", ""))
        if found is None:
            return _failed(400, "It seems that you have tried to perform a workflow operation that is not valid.")
        self._move(item, found)
        return Answer(status=204)

    def _move(self, item: Item, to: Status) -> None:
        item.status, item.resolution = to, to.resolution
        item.resolved = self.wall() if to.category == "done" else None

    def _search(self, request: Request) -> Answer:
        asked = json.loads(request.body)
        known = {
            "jql",
            "fields",
            "properties",
            "maxResults",
            "nextPageToken",
            "reconcileIssues",
            "expand",
            "fieldsByKeys",
            "failFast",
        }
        if set(asked) - known or not isinstance(asked.get("fields"), list):
            return _failed(
                400, "a search takes jql and fields; this fake is stricter than Jira, which shows only ids without them"
            )
        found = re.fullmatch(
            r'project = "(?P<project>\w+)" AND (?:labels = "(?P<label>[^"]+)"|description ~ "(?P<word>\w+)")'
            r" ORDER BY created ASC",
            asked.get("jql", ""),
        )
        if found is None:
            return _failed(400, "this fake does not know such JQL, or it is not bounded")
        if found["project"] != self.project:
            return _failed(400, f"The value '{found['project']}' does not exist for the field 'project'.")
        visible = [one for one in self.issues.values() if one.created <= self.wall() - round(self.lag_s * 10**9)]
        if found["label"]:
            visible = [one for one in visible if found["label"] in one.fields.get("labels", ())]
        else:
            visible = [one for one in visible if found["word"] in re.findall(r"\w+", plain_text(one.fields.get("description")))]
        start, size = int(asked.get("nextPageToken", "0")), min(asked.get("maxResults", 50), 100)
        page = [self._told(one, asked["fields"]) for one in visible[start : start + size]]
        last = start + size >= len(visible)
        return Answer.of({"issues": page, "isLast": last, **({} if last else {"nextPageToken": str(start + size)})})

    def _told(self, item: Item, fields: list[str]) -> dict[str, Any]:
        category = {"new": "To Do", "indeterminate": "In Progress", "done": "Done"}[item.status.category]
        every = {
            **item.fields,
            "status": {"name": item.status.name, "statusCategory": {"key": item.status.category, "name": category}},
            "resolution": {"name": item.resolution} if item.resolution else None,
            "resolutiondate": _at(item.resolved) if item.resolved and item.resolution else None,
            "statuscategorychangedate": _at(item.resolved or item.created),
            "creator": {"accountId": item.creator, "accountType": "app"},
        }
        wanted = {name: every.get(name) for name in (every if "*all" in fields else fields)}
        return {"id": str(item.number), "key": item.key, "fields": wanted, "properties": item.properties}


def _transition(number: str, to: Status) -> dict[str, Any]:
    return {"id": number, "name": to.name, "to": {"name": to.name, "statusCategory": {"key": to.category}}, "hasScreen": False}


def _at(wall_ns: int) -> str:
    return f"{iso(wall_ns)[:-1]}+0000"


def _failed(status: int, *messages: str) -> Answer:
    return Answer.of({"errorMessages": list(messages), "errors": {}}, status=status)


async def _main() -> None:
    parser = argparse.ArgumentParser(description="A fake of a Jira Cloud project on loopback.")
    parser.add_argument("--user", required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--lag", type=float, default=0.0)
    asked = parser.parse_args()
    async with serving(FakeJira(user=asked.user, token=asked.token, lag_s=asked.lag)) as url:
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main())
