"""The search: what is found, by which words, and how much a page of it can hold."""

from __future__ import annotations

import re

import pytest
from gate_worlds import NOW, history, one_run, overrides, result

from meshkit_chaos.clock import ManualClock
from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.found import IN_SIGHT, MOST_FOUND
from meshkit_chaos.dashboard.search import search_page
from meshkit_chaos.dashboard.site import Site
from meshkit_chaos.dashboard.sources import GateFiles, Settings, Sources
from meshkit_chaos.deliver.action import Action, Receipt, Told
from meshkit_chaos.deliver.message import Message
from meshkit_chaos.gate.log import NOTHING, LogEntry, sealed
from meshkit_chaos.gate.overrides import Overrides
from meshkit_chaos.history.memory import MemoryHistory
from meshkit_chaos.history.model import PastScenario
from meshkit_chaos.slo.codec import encode


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


ACCEPTED = """version: 1
overrides:
  - {id: slower, subject: {commit: c0ffee}, scenario: leader-killed, objective: converge-one-leader, accept: {within: 9s},
     reason: on purpose, ticket: MESH-214, author: ann, approver: bo, created: 2026-11-20, expires: 2026-12-01}
"""


def logged(*bodies: tuple[str, dict[str, object]]) -> bytes:
    """A log with a line for each kind and body."""
    lines, before = [], NOTHING
    for seq, (kind, body) in enumerate(bodies):
        entry = sealed(LogEntry(seq=seq, at=NOW, kind=kind, body=body, before=before))
        lines.append(encode(entry) + b"\n")
        before = entry.hash
    return b"".join(lines)


def decided(*, used: bool) -> tuple[str, dict[str, object]]:
    use = {"id": "slower", "refusal": "" if used else "expired", "sentence": "accepts up to 9s (MESH-214: on purpose)"}
    return "decision", {"open": used, "sentence": "it is so", "subject": {"commit": "c0ffee"}, "overrides": [use]}


def with_ticket(question: str | None, log: bytes | None = None, accepted: str = ACCEPTED) -> str:
    """What a search finds where something was accepted; None: the index of an export."""
    files = GateFiles(overrides=lambda: overrides(accepted) if accepted else Overrides(), log=lambda: log)
    settings = Settings(project="mesh", served=question is not None)
    made_of = Sources(reader=history(RESULT), settings=settings, clock=ManualClock(wall_ns=NOW), gate_files=files)
    return Site(made_of).page(paths.SEARCH, {"q": question} if question is not None else {}) or ""


def links(page: str) -> list[str]:
    return re.findall(r'<li data-search><a href="([^"]+)"', page)


@pytest.mark.parametrize("question", ["MESH-214", "mesh-214"])
def test_a_ticket_of_an_override_finds_the_override_its_scenario_and_the_decision(question: str) -> None:
    """Whoever has only the ticket gets to what was accepted, of what, and where the gate used it."""
    found = links(with_ticket(question, logged(decided(used=False), decided(used=True))))
    place = f"gate.html#override-{overrides(ACCEPTED).entries[0].digest[:12]}"
    assert found == ["scenario/leader-killed.html", place, "gate.html#entry-1"]


def test_an_export_lists_tickets_of_overrides_too() -> None:
    """Its page holds them without a server."""
    page = with_ticket(None, logged(decided(used=True)))
    assert page.count("MESH-214") >= 3
    assert "gate.html#entry-0" in links(page)


def test_a_ticket_is_found_in_the_log_when_the_override_has_left_its_file() -> None:
    """What `gate override --log` wrote stays findable by its ticket."""
    written = overrides(ACCEPTED).entries[0]
    body = {"sentence": "slower: accepted", "override": {"id": "slower", "ticket": "MESH-214", "scenario": written.scenario}}
    found = links(with_ticket("MESH-214", logged(("override", body)), accepted=""))
    assert found == ["scenario/leader-killed.html", "gate.html#entry-0"]


@pytest.mark.parametrize(
    ("scenario", "found"), [("leader-*", True), ("*-cut", False), (["leader-killed"], False), (None, False)]
)
def test_an_override_of_several_scenarios_is_found_at_each_when_it_has_left_its_file(scenario: object, found: bool) -> None:
    """Its pattern holds in the log as it holds in the file; what is no name is nobody's."""
    body: dict[str, object] = {"override": {"id": "slower", "ticket": "MESH-214", "scenario": scenario}}
    links_found = links(with_ticket("MESH-214", logged(("override", body)), accepted=""))
    assert ("scenario/leader-killed.html" in links_found) is found
    assert "gate.html#entry-0" in links_found


def test_a_log_that_was_changed_is_not_searched() -> None:
    """Nothing in it counts, so nothing of it is found; the override itself is."""
    log = logged(decided(used=True)).replace(b"it is so", b"it is SO")
    assert not [one for one in links(with_ticket("MESH-214", log)) if "#entry" in one]


def test_the_places_that_a_ticket_leads_to_are_there() -> None:
    """The page of the gate has an anchor for each override, and for each line of its log that it lists."""
    files = GateFiles(overrides=lambda: overrides(ACCEPTED), log=lambda: logged(decided(used=True)))
    made_of = Sources(reader=history(RESULT), settings=Settings(project="m"), clock=ManualClock(wall_ns=NOW), gate_files=files)
    page = Site(made_of).page(paths.GATE) or ""
    for link in links(with_ticket("MESH-214", logged(decided(used=True)))):
        _, _, anchor = link.partition("#")
        assert f'id="{anchor}"' in page or "scenario/" in link


def test_a_kind_with_many_answers_shows_some_and_opens_the_rest() -> None:
    """A word that everything has keeps every kind in sight: what is beyond a dozen stands behind a line that opens."""
    many = [result("pass", scenario=f"s{number:02}", invocation=f"I{number}", runs=()) for number in range(40)]
    page = site(history(*many), served=True).page(paths.SEARCH, {"q": "about"}) or ""
    group = page.partition("<h2>scenarios</h2>")[2].partition("</section>")[0]
    shown, _, behind = group.partition("<details data-more>")
    assert shown.count("<li data-search>") == IN_SIGHT
    assert behind.startswith("<summary>28 more</summary>")
    assert behind.count("<li data-search>") == 28
    one_more = search_page(many[: IN_SIGHT + 1], (), (), (), question="about", here=paths.SEARCH).groups[0]
    assert not one_more.behind
