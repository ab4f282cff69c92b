"""What holds of deciding whatever the nights bring."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from notify_worlds import DAY, START, Shown, World, routes

from meshkit_chaos.deliver.action import Action
from meshkit_chaos.deliver.course import causes_of, clean
from meshkit_chaos.deliver.deciding import decide, night_of
from meshkit_chaos.history.model import PastInvocation, PastScenario

LAW = settings(max_examples=40, deadline=None, derandomize=True, phases=(Phase.explicit, Phase.generate), print_blob=False)
"""Shrinking a story takes minutes and hides more than it shows: one that breaks a law is printed night by night."""
VERDICTS = st.sampled_from(("pass", "pass", "pass", "fail", "fail", "inconclusive", "invalid", "not-run"))
MISSED = st.sampled_from((("converge",), ("stay",), ("converge", "stay")))


@st.composite
def scenarios(draw: st.DrawFn) -> tuple[Shown, ...]:
    """Some of six scenarios of two modules; now and then one is dirty, without runs or set aside."""
    numbers = draw(st.lists(st.integers(0, 5), unique=True, max_size=6))
    return tuple(_shown(draw, number) for number in numbers)


def _shown(draw: st.DrawFn, number: int) -> Shown:
    verdict = draw(VERDICTS)
    odd = draw(st.integers(0, 19))
    changes: dict[str, Any] = {"runs": 0 if odd == 0 and verdict not in ("pass", "fail") else 1}
    if odd == 1:
        changes["environment"] = "dirty"
    if odd == 2:
        changes["invalidated"] = "the lab was down"
    return Shown(f"s{number}", verdict, draw(MISSED), module=f"m{number % 2}", indicator=f"i{number}", **changes)


@st.composite
def stories(draw: st.DrawFn) -> tuple[World, list[tuple[PastInvocation, tuple[PastScenario, ...], tuple[Action, ...]]]]:
    """Up to ten invocations on two branches, decided in their order."""
    storm, close, unproven = draw(st.integers(2, 4)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    rules = f"{{storm_at: {storm}, close_after: {close}, unproven_after: {unproven}, digest_every: 2d}}"
    world, day = World(routes(rules)), 0.0
    story = []
    for _ in range(draw(st.integers(1, 10))):
        day += draw(st.sampled_from((0.01, 0.4, 1.0, 1.0)))
        invocation, results = world.came(day, *draw(scenarios()), branch=draw(st.sampled_from(("main", "main", "feature"))))
        story.append((invocation, results, world.decided(invocation, results)))
    return world, story


@LAW
@given(stories())
def test_deciding_again_adds_nothing(lived: Any) -> None:
    """Every invocation of a story, decided again at its end, gives no action that is not there."""
    world, story = lived
    for invocation, results, _ in story:
        again = decide(invocation, results, history=world.history, told=world.told, routing=world.routing, now=START + 30 * DAY)
        assert [(one.key, one.reason) for one in again] == []


@LAW
@given(stories(), st.randoms(use_true_random=False))
def test_order_makes_no_difference(lived: Any, chance: random.Random) -> None:
    """Results and earlier deliveries in another order give the same actions, and so the same keys."""
    world, story = lived
    invocation, results, _ = story[-1]
    told = [one for one in world.told if invocation.invocation not in one.action.invocations]
    mixed, shuffled = chance.sample(told, len(told)), chance.sample(results, len(results))
    now = START + 30 * DAY
    plain = decide(invocation, results, history=world.history, told=told, routing=world.routing, now=now)
    assert decide(invocation, shuffled, history=world.history, told=mixed, routing=world.routing, now=now) == plain
    assert len({one.key for one in plain}) == len(plain)


@LAW
@given(stories())
def test_whatever_did_not_pass_is_told(lived: Any) -> None:
    """Each result that is no pass stands in the last summary of its night and branch, and that is not good."""
    world, story = lived
    last = {one.thread: one for one in world.sent("chat", "summary")}
    for invocation, results, actions in story:
        thread = next(one.thread for one in actions if one.occasion == "summary")
        message = last[thread].message
        said = " ".join(point.text for section in message.sections for point in section.points)
        for one in results:
            if one.verdict != "pass" or not one.counts:
                assert one.scenario in said
                assert message.tone != "good"
        assert not results or thread.startswith(f"night:{night_of(invocation.at)}:")
        assert results or message.tone != "good"


@LAW
@given(stories())
def test_good_news_has_a_pass_in_evidence(lived: Any) -> None:
    """Recovered follows a failure on the same channel and thread, and what it says is gone passed in that very invocation."""
    _, story = lived
    open_threads: set[tuple[str, str]] = set()
    for _, results, actions in story:
        for one in actions:
            place = (one.channel, one.thread)
            if one.occasion == "recovered":
                assert place in open_threads
                open_threads.remove(place)
                ran = {result.scenario: result for result in results if result.counts}
                for cause in one.causes:
                    if cause.kind == "dirty":
                        assert any(result.environment == "clean" for result in results)
                    elif cause.scenario in ran:
                        assert clean(ran[cause.scenario], cause)
                        verdicts = {ran[cause.scenario].verdict, ran[cause.scenario].objectives.get(cause.objective)}
                        assert "pass" in verdicts or one.message.tone != "good"
            elif one.occasion in ("first-failure", "environment-dirty"):
                assert place not in open_threads
                open_threads.add(place)
                assert one.message.tone in ("bad", "unsure")


@LAW
@given(stories())
def test_no_cause_is_told_more_than_it_changes(lived: Any) -> None:
    """In each episode: one beginning, at most one end, a change for a cause at most once, and digests as seldom as promised."""
    world, story = lived
    days = (story[-1][0].at - story[0][0].at) / DAY
    by_episode: dict[tuple[str, int], list[Action]] = {}
    for one in world.sent("chat"):
        if one.causes:
            by_episode.setdefault((one.thread, one.episode), []).append(one)
    for actions in by_episode.values():
        tally = Counter(one.occasion for one in actions)
        assert tally["first-failure"] + tally["environment-dirty"] == 1
        assert tally["recovered"] <= 1
        every = 1 if actions[0].occasion == "environment-dirty" else 2
        assert tally["still-failing"] <= days / every + 1
        news = [cause for one in actions if one.occasion in ("first-failure", "changed") for cause in one.causes[1:]]
        assert len(news) == len(set(news))


@LAW
@given(stories())
def test_what_is_told_first_was_seen(lived: Any) -> None:
    """A first failure and a change name causes that a result of that very invocation shows."""
    _, story = lived
    for _, results, actions in story:
        shown = {cause for one in results if one.counts for cause in causes_of(one)}
        for one in actions:
            if one.occasion in ("first-failure", "changed"):
                named = {cause for cause in one.causes if not cause.storm}
                own = named if one.occasion == "first-failure" else named - {one.causes[0]}
                assert own <= shown
