"""What a browser shows where there is no page: why, and the ways to the others. Programs are told as before."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from dashboard_server import Client, answering
from gate_worlds import NOW, history, result

from meshkit_chaos.clock import ManualClock
from meshkit_chaos.dashboard.site import Site
from meshkit_chaos.dashboard.sources import GateFiles, Settings, Sources
from meshkit_chaos.errors import HistoryProblem

HOSTILE = "<script>alert(1)</script>"
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def unreadable() -> Any:
    """Overrides that nobody can read, with a name that is markup."""
    raise HistoryProblem(f"{HOSTILE}.yaml:2:1: not YAML", hint="mend it")


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """A server whose overrides cannot be read, so that readiness cannot be told."""
    from meshkit_chaos.dashboard.serve import Served  # noqa: PLC0415  # needs what dashboard_server looks for

    clock, files = ManualClock(wall_ns=NOW), GateFiles(overrides=unreadable)
    site = Site(Sources(reader=history(result("pass")), settings=Settings(project="mesh"), clock=clock, gate_files=files))
    parts: Any = None
    with answering(Served(site=site, feeds=parts, api=parts, download=lambda path: None)) as one:
        yield one


@pytest.mark.parametrize(("path", "up"), [("/nothing.html", ""), ("/run/NO.html", "../"), ("/a/b/c", "../../"), ("/a%2Fb", "")])
def test_a_browser_is_led_on_from_where_nothing_is(client: Client, path: str, up: str) -> None:
    """The page is one of ours, and its links lead to the others from any depth."""
    answer = client.get(path, headers=BROWSER)
    assert answer.status == 404
    assert f'href="{up}grid.html"' in answer.text
    assert "No such page" in answer.text
    assert "frame-ancestors" in answer.headers["content-security-policy"]


def test_a_page_that_cannot_be_told_says_what_to_mend(client: Client) -> None:
    """Status 503, the reason as text, and no word that anything passes."""
    answer = client.get("/", headers=BROWSER)
    assert answer.status == 503
    assert "not YAML" in answer.text
    assert "mend it" in answer.text
    assert HOSTILE not in answer.text
    main = answer.text.partition("<main")[2].partition("</main>")[0]
    assert "sign-pass" not in main
    assert client.get("/grid.html", headers=BROWSER).status == 200


def test_whoever_is_no_browser_is_told_in_two_lines(client: Client) -> None:
    """A terminal shows what is wrong and what to do, without any markup of ours."""
    answer = client.get("/")
    assert answer.status == 503
    assert answer.text == f"{HOSTILE}.yaml:2:1: not YAML\nmend it\n"
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_program_is_told_as_json_whatever_it_takes(client: Client) -> None:
    """The API answers in one form."""
    answer = client.get("/api/v1/nothing", headers=BROWSER)
    assert answer.status == 404
    assert re.match(r'\{"error":"there is no such', answer.text)
