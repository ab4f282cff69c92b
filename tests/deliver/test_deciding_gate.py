"""What is told of the gate, of overrides and of a nightly that did not come."""

from __future__ import annotations

import pytest
from gate_worlds import HOUR, NOW, decided, history, overrides, result
from msgspec import structs
from notify_worlds import DAY, World, occasions, routes

from meshkit_chaos.deliver.action import Action, Receipt
from meshkit_chaos.deliver.deciding_gate import decide_gate, decide_overrides
from meshkit_chaos.deliver.deciding_nightly import decide_nightly
from meshkit_chaos.deliver.outbox import DROPPED
from meshkit_chaos.gate.decision import Decision
from meshkit_chaos.gate.policy import Nightly
from meshkit_chaos.history.memory import MemoryHistory
from meshkit_chaos.slo import Duration

OVERRIDE = """version: 1
overrides:
  - {id: slow-leader, subject: {commit: c0ffee}, scenario: leader-killed, objective: converge-one-leader,
     accept: {within: 9s}, reason: fixed in 1.4.3, ticket: MESH-1, author: ann, approver: bo,
     created: "2026-11-20", expires: "2026-11-27"}
"""
BLOCKED = decided(history(result("fail"), result("pass", hours=30)))
UNPROVEN = decided(history())
OPEN = decided(history(result("pass")))


def told_of(world: World, decision: Decision, *, days: float = 0) -> tuple[Action, ...]:
    now = NOW + int(days * DAY)
    known = history(result("fail"))
    actions = decide_gate(decision, history=known, told=world.told, routing=world.routing, now=now)
    world.take(actions)
    world.deliver(now)
    return actions


def test_a_closed_gate_is_told_once_with_what_opens_it() -> None:
    """Loudly, to the chat and not to the tracker, with since when and the remedy; the same again only as a digest."""
    world = World()
    actions = told_of(world, BLOCKED)
    assert [(one.channel, one.occasion, one.loud, one.message.tone) for one in actions] == [
        ("chat", "gate-blocked", True, "bad")
    ]
    facts = {fact.label for fact in actions[0].message.facts}
    assert {"commit", "first bad", "last good", "to open"} <= facts
    assert told_of(world, BLOCKED, days=1) == ()
    assert occasions(told_of(world, BLOCKED, days=7)) == ["gate-blocked"]


def test_other_reasons_are_news() -> None:
    """A gate that stays closed for something else is told again; one that lacks evidence is unsure, not bad."""
    world = World()
    told_of(world, BLOCKED)
    actions = told_of(world, UNPROVEN)
    assert [(one.occasion, one.message.tone) for one in actions] == [("gate-blocked", "unsure")]
    assert "for other reasons" in actions[0].reason


def test_an_open_gate_is_told_only_after_a_closed_one() -> None:
    """Nobody is told that everything is as it was."""
    world = World()
    assert told_of(world, OPEN) == ()
    told_of(world, BLOCKED)
    actions = told_of(world, OPEN)
    assert [(one.occasion, one.message.tone) for one in actions] == [("gate-opened", "good")]
    assert told_of(world, OPEN) == ()


def test_a_closed_gate_that_nobody_heard_of_is_told_again() -> None:
    """The channel refused it: the same decision again is news, for nobody received it; what a person gave up is not."""
    world = World()
    told_of(world, BLOCKED)
    (told,) = world.told
    world.told = [structs.replace(told, state="dead", receipt=None)]
    assert occasions(told_of(world, BLOCKED)) == ["gate-blocked"]
    world.told = [structs.replace(told, state="dead", receipt=Receipt(did=DROPPED))]
    assert told_of(world, BLOCKED) == ()


def test_an_old_decision_that_comes_late_says_nothing() -> None:
    """A job that is run again brings its old decision along: that the gate was open then is no news of a closed one."""
    world = World()
    told_of(world, structs.replace(BLOCKED, at=NOW + HOUR))
    assert told_of(world, structs.replace(OPEN, at=NOW)) == ()
    assert told_of(world, structs.replace(UNPROVEN, at=NOW)) == ()
    assert occasions(told_of(world, structs.replace(OPEN, at=NOW + 2 * HOUR))) == ["gate-opened"]
    assert told_of(world, structs.replace(BLOCKED, at=NOW + HOUR)) == ()


def test_an_override_that_opens_the_gate_is_told_once_and_is_not_good() -> None:
    """Who let what through is said once, however often the gate is asked; the gate's own message is not good either."""
    world = World()
    told_of(world, BLOCKED)
    waived = decided(history(result("fail")), file=overrides(OVERRIDE))
    assert waived.open
    actions = told_of(world, waived)
    assert [(one.occasion, one.message.tone) for one in actions] == [("gate-opened", "unsure"), ("override-used", "unsure")]
    assert told_of(world, waived) == ()


@pytest.mark.parametrize(("hours", "occasion"), [(-72, []), (-20, ["override-expiring"]), (48, [])])
def test_an_override_is_told_before_it_ends(hours: int, occasion: list[str]) -> None:
    """Within the last three days, once; not before, and not when it is over."""
    world = World()
    now = NOW + hours * HOUR
    for expected in (occasion, []):
        actions = decide_overrides(overrides(OVERRIDE), history=history(), told=world.told, routing=world.routing, now=now)
        world.take(actions)
        assert occasions(actions) == expected
    assert all("ends in 2 days" in one.message.title for one in world.sent())


NIGHTLY = Nightly(cron="0 2 * * *", timezone="UTC", grace=Duration.parse("4h"), subject={"branch": "main"})


def watched(world: World, reader: MemoryHistory, *, now: int) -> tuple[Action, ...]:
    actions = decide_nightly(NIGHTLY, history=reader, told=world.told, routing=world.routing, now=now)
    world.take(actions)
    world.deliver(now)
    return actions


def test_a_nightly_that_did_not_come_is_told_once() -> None:
    """The first is loud, later ones wait as a digest, watching more often adds nothing, and one that comes ends it."""
    world, reader = World(), history(result("pass", hours=30))
    for _ in range(3):
        actions = watched(world, reader, now=NOW)
        assert all(one.loud and one.message.tone == "unsure" for one in actions)
    assert [one.occasion for one in world.sent()] == ["nightly-missing", "nightly-missing"]
    assert "The last one came on 2026-11-24 02:00Z" in world.sent()[0].message.lead
    assert [one.not_before > NOW for one in watched(world, reader, now=NOW + DAY)] == [True, True]
    again = result("fail", hours=-43)
    reader.add(history(again).invocations()[0], [again])
    actions = watched(world, reader, now=NOW + 2 * DAY)
    assert [(one.occasion, one.message.tone) for one in actions if one.channel == "chat"] == [("recovered", "neutral")]
    assert not any(one.state == "pending" for one in world.told)
    assert watched(world, reader, now=NOW + 2 * DAY) == ()


def test_a_nightly_that_came_is_not_missed() -> None:
    """Whatever it says: that is told by its results."""
    assert watched(World(), history(result("fail", hours=6)), now=NOW) == ()


def test_a_nightly_of_another_branch_is_none() -> None:
    """Only an invocation with the schedule's pairs in its subject counts."""
    other = result("pass", hours=6, subject={"branch": "feature"})
    assert occasions(watched(World(), history(other), now=NOW)) == ["nightly-missing"]


def test_who_is_told_of_a_closed_gate_follows_from_what_blocks() -> None:
    """A route for an owner takes it if a scenario of that owner blocks."""
    world = World(routes(routes="[{id: ours, to: [chat], owners: [mesh-team]}, {id: theirs, to: [issues], owners: [x]}]"))
    mine = history(result("fail", owner="mesh-team"))
    actions = decide_gate(BLOCKED, history=mine, told=(), routing=world.routing, now=NOW)
    assert [one.reason for one in actions] == ["the gate is closed; owner mesh-team; route ours"]
