"""Joining and leaving through a mesh's own list: whoever is up is asked, and what is refused is asked for again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from meshkit_chaos.environments.membership import Roster
from meshkit_chaos.environments.secrets import Secrets
from meshkit_chaos.environments.virtual_time import VirtualTimeLoop, run_virtually
from meshkit_chaos.errors import EnvironmentProblem
from meshkit_chaos.scenario.environment import MembershipCall, MembershipDescription, MembershipList
from meshkit_chaos.slo import Duration

HOW = MembershipDescription(
    list=MembershipList(
        call=MembershipCall(url="http://${member.name}/list"), entries="all", id="id", key="at.0", equals="${member.name}:1"
    ),
    add=MembershipCall(url="http://${member.name}/add", body="${member.name}:1"),
    remove=MembershipCall(url="http://${member.name}/remove", body="${member.id}"),
    within=Duration(10**10),
)
NAMES = ("node-1", "node-10", "node-2")


@dataclass
class Book(httpx2.AsyncBaseTransport):
    """A mesh that keeps its list under numbers, refuses the first ``refusals`` changes, and whose ``silent`` never answer."""

    entries: dict[str, int] = field(default_factory=lambda: {f"{name}:1": number for number, name in enumerate(NAMES)})
    refusals: int = 0
    silent: set[str] = field(default_factory=set)
    changes: list[str] = field(default_factory=list)
    answer: str | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        body = (await request.aread()).decode()
        if request.url.host in self.silent:
            await asyncio.Event().wait()
        if request.url.path == "/list":
            told = {"all": [{"id": number, "at": [where]} for where, number in self.entries.items()]}
            return httpx2.Response(200, text=self.answer if self.answer is not None else json.dumps(told))
        self.changes.append(f"{request.url.host}{request.url.path} {body}")
        if self.refusals:
            self.refusals -= 1
            return httpx2.Response(503, text="unhealthy cluster")
        if request.url.path == "/add":
            self.entries[body] = 77
        else:
            self.entries = {where: number for where, number in self.entries.items() if str(number) != body}
        return httpx2.Response(200, text="{}")


def roster(book: Book, *up: str) -> Roster:
    values = {name: {"member.name": name} for name in NAMES}
    client = httpx2.AsyncClient(transport=book, trust_env=False)
    return Roster(HOW, values=values, up=lambda: up, secrets=Secrets({}, folder=Path()), client=client)


def virtually(work: Coroutine[Any, Any, Any]) -> Any:
    return run_virtually(VirtualTimeLoop(), work)


def test_the_one_that_is_named_leaves_and_no_other() -> None:
    """Names that contain each other are told apart, and the number to remove is read from the list."""
    book = Book()
    virtually(roster(book, "node-2").remove("node-1"))
    assert book.changes == ["node-2/remove 0"]
    assert set(book.entries) == {"node-10:1", "node-2:1"}


@pytest.mark.parametrize("change", [lambda of: of.add("node-1"), lambda of: of.remove("node-3")], ids=["add", "remove"])
def test_what_is_so_already_is_not_asked_for(change: Callable[[Roster], Coroutine[Any, Any, None]]) -> None:
    """A join of one that is in, and a leave of one that is out, change nothing."""
    book = Book()
    virtually(change(roster(book, "node-2")))
    assert book.changes == []


def test_a_refusal_is_asked_again_until_the_mesh_agrees() -> None:
    """A mesh that is not ready for a change yet gets it once it is."""
    book = Book(refusals=5)
    virtually(roster(book, "node-2").remove("node-1"))
    assert len(book.changes) == 6


def test_a_mesh_that_never_agrees_is_a_problem_with_its_own_words() -> None:
    """When the time is over, what the mesh said last is told."""
    with pytest.raises(EnvironmentProblem, match="did not let node-1 leave within 10s: node-2: status 503: unhealthy cluster"):
        virtually(roster(Book(refusals=10**6), "node-2").remove("node-1"))


def test_one_that_answers_is_enough() -> None:
    """A member that is silent holds nobody up."""
    book = Book(silent={"node-1"})
    virtually(roster(book, "node-1", "node-2").remove("node-10"))
    assert "node-10:1" not in book.entries


@pytest.mark.parametrize("answer", ["", "null", "[]", '{"all": {}}', '{"other": []}'])
def test_an_answer_without_a_list_says_nothing_of_anybody(answer: str) -> None:
    """What cannot be read is unknown, never out: nobody would notice that a member is still there."""
    assert set(virtually(roster(Book(answer=answer), "node-2").membership()).values()) == {"unknown"}


def test_nobody_up_is_unknown_and_no_change_comes_of_it() -> None:
    """Where nobody can be asked, membership is not to be told, and a leave is an error."""
    assert set(virtually(roster(Book()).membership()).values()) == {"unknown"}
    with pytest.raises(EnvironmentProblem, match="nobody who is up says who is a member"):
        virtually(roster(Book()).remove("node-1"))
    with pytest.raises(EnvironmentProblem, match="whether node-1 is a member"):
        virtually(roster(Book()).has("node-1"))


def test_members_are_told_in_or_out() -> None:
    """Each member of the environment is one or the other."""
    book = Book()
    del book.entries["node-10:1"]
    assert virtually(roster(book, "node-2").membership()) == {"node-1": "in", "node-10": "out", "node-2": "in"}
