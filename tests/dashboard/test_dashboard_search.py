"""The search: what is found, by which words, and how much a page of it can hold."""

from __future__ import annotations

import re

import pytest
from gate_worlds import NOW, history, one_run, result

from meshkit_chaos.clock import ManualClock
from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.search import MOST_FOUND, search_page
from meshkit_chaos.dashboard.site import Site
from meshkit_chaos.dashboard.sources import Settings, Sources
from meshkit_chaos.deliver.action import Action, Receipt, Told
from meshkit_chaos.deliver.message import Message
from meshkit_chaos.history.memory import MemoryHistory
from meshkit_chaos.history.model import PastScenario


def told(url: str = "https://forge/issues/7") -> Told:
    action = Action(
        key="k",
        channel="tracker",
        thread="t",
        occasion="first-failure",
        message=Message(title="A leader stays dead", lead="", tone="bad"),
        reason="it failed",
        at=NOW,
    )
    return Told(action=action, state="delivered", receipt=Receipt(did="opened #7", url=url))


def site(held: MemoryHistory, *, served: bool = False) -> Site:
    settings = Settings(project="mesh", served=served)
    return Site(Sources(reader=held, settings=settings, clock=ManualClock(wall_ns=NOW), told=lambda count: (told(),)[:count]))


RESULT = result(
    "fail", modules=("leadership",), owner="control-plane", tags=("nightly",), invocation="I1", runs=(one_run("fail"),)
)


def found(question: str) -> list[str]:
    """Where its links lead."""
    page = site(history(RESULT, result("pass", scenario="other", invocation="I2")), served=True).page(
        paths.SEARCH, {"q": question}
    )
    return re.findall(r'<li data-search><a href="([^"]+)"', page or "")


@pytest.mark.parametrize(
    ("question", "href"),
    [
        ("leader-killed", "scenario/leader-killed.html"),
        ("ABOUT killed", "scenario/leader-killed.html"),
        ("#nightly", "scenario/leader-killed.html"),
        ("leadership", "grid.html#filter=leadership"),
        ("control-plane", "grid.html#filter=control-plane"),
        ("c0ffee", "invocation/I1.html"),
        ("version 1.4.2", "invocation/I1.html"),
        ("r1", "run/R1.html"),
        ("#7", "https://forge/issues/7"),
    ],
)
def test_everything_is_found_by_its_words(question: str, href: str) -> None:
    """Scenarios, modules, owners, tags, builds, runs and tickets lead to their pages."""
    assert href in found(question)


def test_all_words_are_needed() -> None:
    """What has only some of them is not found, and the page says that nothing is."""
    assert found("leader-killed nonsense") == []
    page = site(history(RESULT), served=True).page(paths.SEARCH, {"q": "nonsense"}) or ""
    assert "nothing has all of these words" in page


def test_without_a_question_everything_is_listed() -> None:
    """An export's page holds the whole index and needs no server: its form has no action."""
    page = site(history(RESULT)).page(paths.SEARCH) or ""
    assert len(re.findall("<li data-search>", page)) == 6
    assert "action=" not in page.partition("<main")[2].partition("<script")[0]


def test_thousands_of_scenarios_fit_on_a_page_and_the_rest_is_counted() -> None:
    """An index is bounded in bytes, whatever the names are, and says how many it leaves out."""
    many = [
        result(
            "pass",
            scenario=f"scenario-{number:05}",
            owner="o" * 40,
            modules=("\N{GRINNING FACE}" * 30,),
            runs=(),
            invocation="I",
        )
        for number in range(4000)
    ]
    page = site(history(*many)).page(paths.SEARCH) or ""
    assert len(page.encode()) < 300_000
    shown = len(re.findall(r'<a href="scenario/', page))
    assert f"{4000 - shown} more scenarios are not listed" in page
    asked = site(history(*many), served=True).page(paths.SEARCH, {"q": "scenario-03999"}) or ""
    assert 'href="scenario/scenario-03999.html"' in asked


def test_an_answer_is_bounded() -> None:
    """A word that everything has gives so many of a kind, and counts the others."""
    known: list[PastScenario] = [result("pass", scenario=f"s{number}") for number in range(MOST_FOUND + 5)]
    group = search_page(known, (), (), (), question="about", here=paths.SEARCH).groups[0]
    assert (len(group.entries), group.left) == (MOST_FOUND, 5)


def test_a_ticket_that_is_no_web_page_leads_to_the_deliveries() -> None:
    """A link from a server is followed only where it is http."""
    page = search_page((), (), (), (told("javascript:alert(1)"),), question="", here=paths.SEARCH)
    assert [one.href for group in page.groups for one in group.entries] == ["deliveries.html"]


def test_an_empty_history_says_what_to_do() -> None:
    """There is nothing to find, and the page names the command that changes that."""
    held = Site(Sources(reader=MemoryHistory(), settings=Settings(project="mesh"), clock=ManualClock(wall_ns=NOW)))
    assert "history import" in (held.page(paths.SEARCH) or "")
