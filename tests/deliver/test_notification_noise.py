"""Sixty simulated nights: what each person received is what the rules promise, and little beside a message on every failure."""

from __future__ import annotations

import pytest
from noise import NIGHTS, Team, lived


@pytest.fixture(scope="module")
def team() -> Team:
    return lived()


def test_everybody_is_told_far_less_than_every_failure(team: Team) -> None:
    """The chat has a fifth of it at most, without summaries; there is one summary for each night that came."""
    chat = team.sent("chat")
    told = [one for one in chat if one.occasion != "summary"]
    assert len(told) * 5 < len(team.failures)
    assert len({one.thread for one in chat if one.occasion == "summary"}) == NIGHTS - 1
    for name in ("ann", "bo"):
        mine = [one for one in told if name in one.message.mention]
        assert 0 < len(mine) * 5 < sum(one.owner == name for one in team.failures)


def test_every_cause_of_the_story_is_told_once(team: Team) -> None:
    """Whatever failed began a thread, and one thread at a time; all of the lasting trouble is named."""
    begun = [one for one in team.sent("chat") if one.occasion == "first-failure"]
    named = {cause.scenario for one in begun for cause in one.causes if cause.scenario}
    assert {one.scenario for one in team.failures if one.verdict == "fail"} <= named
    titles = [one.message.title for one in begun]
    for words in ("8 scenarios, one cause: module leadership: missed", "24 scenarios, one cause: environment lab-3"):
        assert sum(words in title for title in titles) == 1
    assert sum("leadership-3, recover" in title for title in titles) == 1
    assert sum("replication-1, recover" in title for title in titles) == 1


def test_tickets_end_as_people_and_passes_say(team: Team) -> None:
    """What was fixed is closed, what a person refused stays closed, and nothing else is left open."""
    assert [one for shown in team.tickets.values() for one in shown if one.open] == []
    refused = [one for shown in team.tickets.values() for one in shown if one.refused]
    assert len(refused) == 1
    assert max(sum(one.open for one in shown) for shown in team.tickets.values()) <= 1


def test_each_of_the_rare_things_reaches_its_person(team: Team) -> None:
    """Cy hears of the override when it is used and before it ends, Dee of the dirty lab and of the missing nightly."""
    cy = [one.occasion for one in team.sent("cy")]
    assert (cy.count("override-used"), cy.count("override-expiring")) == (1, 1)
    dee = [one.occasion for one in team.sent("dee")]
    assert (dee.count("environment-dirty"), dee.count("nightly-missing"), dee.count("recovered")) == (1, 1, 2)
