"""The issues of one GitHub repository, as far as tickets need them: a real HTTP server that checks every request.

Requests are checked against GitHub's own OpenAPI description (``contracts/github.json``: npm @octokit/openapi), and stricter:
an undescribed property is refused too. What is wrong is answered as GitHub does and remembered in ``wrong``. An issue is listed
``lag_s`` seconds after it was created, and found by its number at once; limits, archived repositories, disabled issues and
people's hands are there to be used. Answers have the fields of GitHub's schema. Never compared with the live service.

As a process of its own: ``python fake_github.py --token T [--lag 2]`` prints its address; ``GET /_fake/state`` shows
everything, ``POST /_fake/close`` with ``{"number": 1, "reason": "not_planned"}`` is a person.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from contract import Contract

from meshkit_chaos.clock import iso
from meshkit_chaos.measure.loopback import Answer, Request, serving

BOT = "chaos-bot"
LONGEST_BODY = 65_536
LONGEST_TITLE = 256
LONGEST_LABEL = 50


@dataclass(slots=True, kw_only=True)
class Comment:
    id: int
    body: str
    author: str
    at: int
    association: str = "MEMBER"


@dataclass(slots=True, kw_only=True)
class Issue:
    """Instants are wall-clock ns."""

    number: int
    title: str
    body: str
    labels: list[str]
    assignees: list[str]
    author: str
    created: int
    updated: int
    state: str = "open"
    reason: str | None = None
    closed: int | None = None
    closed_by: str = ""
    locked: bool = False
    pull: bool = False
    association: str = "MEMBER"
    comments: list[Comment] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class FakeGitHub:
    """``may_label`` False: the token has no push access, and GitHub drops labels and assignees silently. ``secondary_after``:
    so many creations, and the secondary limit answers. ``knows_reasons`` False: an older Enterprise Server.
    """

    token: str
    repository: str = "acme/mesh"
    lag_s: float = 0.0
    wall: Callable[[], int] = time.time_ns
    assignable: tuple[str, ...] = ("octocat",)
    may_label: bool = True
    disabled: bool = False
    archived: bool = False
    knows_reasons: bool = True
    secondary_after: int | None = None
    issues: dict[int, Issue] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    contract: Contract = field(default_factory=lambda: Contract.kept("github"))
    created: int = 0

    async def __call__(self, request: Request) -> Answer:
        if request.path.startswith("/_fake/"):
            return self._controlled(request)
        self.asked.append(f"{request.method} {request.path}")
        answer = self._answer(request)
        if answer.status in {400, 415, 422} or (answer.status == 404 and not self._is_ours(request.path)):
            self.wrong.append(f"{request.method} {request.path}: {answer.status} {answer.body.decode()}")
        if request.method == "GET" and answer.status == 200:
            etag = f'"{hashlib.sha256(answer.body).hexdigest()[:32]}"'
            if request.headers.get("if-none-match") == etag:
                return Answer(status=304, headers={"ETag": etag})
            return Answer(status=200, body=answer.body, headers={**answer.headers, "ETag": etag})
        return answer

    # what people do

    def close_by_hand(self, number: int, *, reason: str = "completed", by: str = "mona") -> None:
        self._close(self.issues[number], reason=reason, by=by)

    def reopen_by_hand(self, number: int) -> None:
        self._open(self.issues[number])

    def opened_by_hand(
        self, *, title: str, body: str, labels: tuple[str, ...] = (), by: str = "mona", association: str = "MEMBER"
    ) -> Issue:
        issue = self._created(title=title, body=body, labels=list(labels), assignees=[], author=by)
        issue.association = association
        return issue

    def open_ones(self) -> list[Issue]:
        return [issue for issue in self.issues.values() if issue.state == "open"]

    # what the API does

    def _is_ours(self, path: str) -> bool:
        return path.startswith(f"/repos/{self.repository}/")

    def _answer(self, request: Request) -> Answer:
        if (refused := self._refused(request)) is not None:
            return refused
        if not self._is_ours(request.path) and request.path != "/user":
            return _failed(404, "Not Found")
        problems = self.contract.problems(request.method, request.path, query=request.query, body=request.body)
        if problems:
            status = 400 if "Problems parsing JSON" in problems else 422
            return _failed(status, "Problems parsing JSON" if status == 400 else f"Invalid request. {'; '.join(problems)}")
        if request.path == "/user":
            return _json({**_user(BOT), **_ACCOUNT})
        match request.method, request.path.removeprefix(f"/repos/{self.repository}/issues").strip("/").split("/"):
            case "GET", [""]:
                return self._list(request)
            case "POST", [""]:
                return self._create(json.loads(request.body))
            case method, [number, *rest] if re.fullmatch(r"\d+", number):
                return self._one(method, int(number), rest, request)
        return _failed(404, "Not Found")

    def _refused(self, request: Request) -> Answer | None:
        """What stands before any look at the request's content."""
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return _failed(401, "Bad credentials")
        if not request.headers.get("user-agent"):
            return _failed(
                403, "Request forbidden by administrative rules. Please make sure your request has a User-Agent header"
            )
        if request.headers.get("x-github-api-version") != "2022-11-28":
            return _failed(400, "the version of the API is missing (this fake is stricter than GitHub)")
        if self.disabled:
            return _failed(410, "Issues has been disabled in this repository.")
        return None if request.method == "GET" else self._not_written(request)

    def _not_written(self, request: Request) -> Answer | None:
        if self.archived:
            return _failed(403, "Repository was archived so is read-only.")
        if request.method == "POST" and self.secondary_after is not None and self.created >= self.secondary_after:
            return _failed(403, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.")
        return None

    def _one(self, method: str, number: int, rest: list[str], request: Request) -> Answer:
        if number in self.gone:
            return _failed(410, "This issue was deleted")
        issue = self.issues.get(number)
        if issue is None:
            return _failed(404, "Not Found")
        match method, rest:
            case "GET", []:
                return _json(self._told(issue))
            case "PATCH", []:
                return self._patch(issue, json.loads(request.body))
            case "GET", ["comments"]:
                return self._comments(issue, request)
            case "POST", ["comments"]:
                return self._comment(issue, json.loads(request.body)["body"])
        return _failed(404, "Not Found")

    def _list(self, request: Request) -> Answer:
        wanted = {name for name in request.query.get("labels", "").split(",") if name}
        state = request.query.get("state", "open")
        newest_visible = self.wall() - round(self.lag_s * 10**9)
        found = [
            issue
            for issue in self.issues.values()
            if issue.created <= newest_visible and wanted <= set(issue.labels) and state in {"all", issue.state}
        ]
        found.sort(key=lambda issue: issue.number, reverse=request.query.get("direction", "desc") == "desc")
        return _json([self._told(issue) for issue in _page(found, request)])

    def _create(self, asked: dict[str, Any]) -> Answer:
        title, body = str(asked["title"]), asked.get("body") or ""
        labels = [label if isinstance(label, str) else label["name"] for label in asked.get("labels", ())]
        if not title.strip() or len(title) > LONGEST_TITLE:
            return _invalid("title", "title is too long (maximum is 256 characters)")
        if len(body) > LONGEST_BODY:
            return _invalid("body", f"body is too long (maximum is {LONGEST_BODY} characters)")
        if any(len(label) > LONGEST_LABEL or not label for label in labels) or len(labels) > 100:
            return _invalid("labels", "label is too long (maximum is 50 characters)")
        assignees = list(asked.get("assignees", ()))
        if self.may_label and not set(assignees) <= set(self.assignable):
            return _invalid("assignees", "invalid")
        kept = (labels, assignees) if self.may_label else ([], [])
        issue = self._created(title=title, body=body, labels=kept[0], assignees=kept[1], author=BOT)
        issue.association = "COLLABORATOR" if self.may_label else "NONE"
        self.created += 1
        return _json(self._told(issue), status=201)

    def _created(self, *, title: str, body: str, labels: list[str], assignees: list[str], author: str) -> Issue:
        number, now = max(self.issues, default=0) + 1, self.wall()
        self.issues[number] = Issue(
            number=number, title=title, body=body, labels=labels, assignees=assignees, author=author, created=now, updated=now
        )
        return self.issues[number]

    def _patch(self, issue: Issue, asked: dict[str, Any]) -> Answer:
        if not self.knows_reasons and asked.get("state_reason") == "duplicate":
            return _invalid("state_reason", "invalid")
        if set(asked) - {"state", "state_reason"}:
            self.wrong.append(f"PATCH {issue.number}: a person's title, text, labels or assignees would be overwritten")
        if asked.get("state") == "closed" and issue.state == "open":
            self._close(issue, reason=asked.get("state_reason") or "completed", by=BOT)
        elif asked.get("state") == "open" and issue.state == "closed":
            self._open(issue)
        return _json(self._told(issue))

    def _close(self, issue: Issue, *, reason: str, by: str) -> None:
        issue.state, issue.reason, issue.closed, issue.closed_by = "closed", reason, self.wall(), by
        issue.updated = self.wall()

    def _open(self, issue: Issue) -> None:
        issue.state, issue.reason, issue.closed, issue.closed_by = "open", "reopened", None, ""
        issue.updated = self.wall()

    def _comments(self, issue: Issue, request: Request) -> Answer:
        since = request.query.get("since", "")
        found = [comment for comment in issue.comments if iso(comment.at)[:19] >= since[:19]]
        return _json([self._told_comment(issue, comment) for comment in _page(found, request)])

    def _comment(self, issue: Issue, body: str) -> Answer:
        if issue.locked:
            return _failed(403, "Unable to create comment because issue is locked.")
        if not body.strip() or len(body) > LONGEST_BODY:
            return _invalid("body", f"body is too long (maximum is {LONGEST_BODY} characters)")
        number = sum(len(other.comments) for other in self.issues.values()) + 1
        association = "COLLABORATOR" if self.may_label else "NONE"
        issue.comments.append(Comment(id=number, body=body, author=BOT, at=self.wall(), association=association))
        issue.updated = self.wall()
        self.created += 1
        return _json(self._told_comment(issue, issue.comments[-1]), status=201)

    # how it is told

    def _told(self, issue: Issue) -> dict[str, object]:
        url = f"https://api.github.test/repos/{self.repository}/issues/{issue.number}"
        return {
            "id": 1000 + issue.number,
            "node_id": f"I_{issue.number}",
            "url": url,
            "repository_url": f"https://api.github.test/repos/{self.repository}",
            "labels_url": f"{url}/labels{{/name}}",
            "comments_url": f"{url}/comments",
            "events_url": f"{url}/events",
            "html_url": f"https://github.test/{self.repository}/issues/{issue.number}",
            "number": issue.number,
            "state": issue.state,
            "state_reason": issue.reason,
            "title": issue.title,
            "body": issue.body,
            "user": _user(issue.author),
            "labels": [_told_label(name) for name in issue.labels],
            "assignee": _user(issue.assignees[0]) if issue.assignees else None,
            "assignees": [_user(name) for name in issue.assignees],
            "milestone": None,
            "locked": issue.locked,
            "comments": len(issue.comments),
            "created_at": _at(issue.created),
            "updated_at": _at(issue.updated),
            "closed_at": _at(issue.closed) if issue.closed is not None else None,
            "closed_by": _user(issue.closed_by) if issue.closed_by else None,
            "author_association": issue.association,
            **({"pull_request": {"url": url, "html_url": url, "diff_url": url, "patch_url": url}} if issue.pull else {}),
        }

    def _told_comment(self, issue: Issue, comment: Comment) -> dict[str, object]:
        url = f"https://api.github.test/repos/{self.repository}/issues/comments/{comment.id}"
        return {
            "id": comment.id,
            "node_id": f"IC_{comment.id}",
            "url": url,
            "html_url": f"https://github.test/{self.repository}/issues/{issue.number}#issuecomment-{comment.id}",
            "issue_url": f"https://api.github.test/repos/{self.repository}/issues/{issue.number}",
            "body": comment.body,
            "user": _user(comment.author),
            "created_at": _at(comment.at),
            "updated_at": _at(comment.at),
            "author_association": comment.association,
        }

    def _controlled(self, request: Request) -> Answer:
        if request.path == "/_fake/close" and request.method == "POST":
            asked = json.loads(request.body)
            self.close_by_hand(asked["number"], reason=asked.get("reason", "completed"))
        state = {
            "issues": [self._told(issue) for issue in self.issues.values()],
            "comments": {number: [one.body for one in issue.comments] for number, issue in self.issues.items()},
            "wrong": self.wrong,
            "asked": self.asked,
        }
        return _json(state)


def _page(found: list[Any], request: Request) -> list[Any]:
    size, page = min(int(request.query.get("per_page", "30")), 100), int(request.query.get("page", "1"))
    return found[(page - 1) * size : page * size]


def _at(wall_ns: int) -> str:
    return f"{iso(wall_ns)[:19]}Z"


def _json(document: object, *, status: int = 200) -> Answer:
    return Answer.of(document, status=status)


def _failed(status: int, message: str) -> Answer:
    return Answer.of(
        {"message": message, "documentation_url": "https://docs.github.com/rest", "status": str(status)}, status=status
    )


def _invalid(what: str, message: str) -> Answer:
    errors = [{"resource": "Issue", "field": what, "code": "invalid", "message": message}]
    return Answer.of(
        {"message": "Validation Failed", "errors": errors, "documentation_url": "https://docs.github.com/rest"}, status=422
    )


def _told_label(name: str) -> dict[str, object]:
    digits = int(hashlib.sha256(name.encode()).hexdigest()[:6], 16)
    url = f"https://api.github.test/labels/{digits}"
    return {"id": digits, "node_id": name, "url": url, "name": name, "description": None, "color": "ededed", "default": False}


def _user(login: str) -> dict[str, object]:
    url = f"https://api.github.test/users/{login}"
    below = ("followers", "subscriptions", "organizations", "repos", "received_events")
    return {
        "login": login,
        "id": int(hashlib.sha256(login.encode()).hexdigest()[:6], 16),
        "node_id": login,
        "avatar_url": f"{url}/avatar",
        "gravatar_id": "",
        "url": url,
        "html_url": f"https://github.test/{login}",
        "following_url": f"{url}/following{{/other_user}}",
        "gists_url": f"{url}/gists{{/gist_id}}",
        "starred_url": f"{url}/starred{{/owner}}{{/repo}}",
        "events_url": f"{url}/events{{/privacy}}",
        **{f"{name}_url": f"{url}/{name}" for name in below},
        "type": "User",
        "site_admin": False,
    }


_ACCOUNT = {
    "name": None,
    "company": None,
    "blog": None,
    "location": None,
    "email": None,
    "hireable": None,
    "bio": None,
    "public_repos": 0,
    "public_gists": 0,
    "followers": 0,
    "following": 0,
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
}
"""What GitHub tells of an account beside what it tells of every user."""


async def _main() -> None:
    parser = argparse.ArgumentParser(description="A fake of GitHub's issues on loopback.")
    parser.add_argument("--token", required=True)
    parser.add_argument("--repository", default="acme/mesh")
    parser.add_argument("--lag", type=float, default=0.0)
    asked = parser.parse_args()
    async with serving(FakeGitHub(token=asked.token, repository=asked.repository, lag_s=asked.lag)) as url:
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main())
