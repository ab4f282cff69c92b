"""What is told of nights that come one after the other: what begins, goes on, changes and ends, and what is not told."""

from __future__ import annotations

from msgspec import structs
from notify_worlds import DAY, SECOND, START, Shown, World, occasions, routes

from meshkit_chaos.deliver.cause import Cause
from meshkit_chaos.deliver.deciding import decide, night_of
from meshkit_chaos.deliver.explaining import explained

FAILS = Shown("leader-killed", "fail")
PASSES = Shown("leader-killed")


def test_a_green_night_is_one_good_summary() -> None:
    """Nothing but a summary, on the chat and not on the tracker, and it is good."""
    actions = World().night(0, PASSES)
    assert [(one.channel, one.occasion, one.message.tone) for one in actions] == [("chat", "summary", "good")]


def test_a_first_failure_is_told_at_once_and_says_why() -> None:
    """It comes loudly to the chat and as a ticket, with the cause key, the command, since when, and the reason in words."""
    world = World(routes(routes="[{id: release-blockers, to: [chat, issues], severity: high}]"))
    world.night(0, PASSES)
    actions = world.night(1, FAILS)
    assert occasions(actions) == ["first-failure", "summary"]
    first = actions[0]
    assert first.loud
    assert first.reason == "leader-killed, converge: first failure; severity high ≥ high; route release-blockers"
    assert (
        first.message.cause
        == Cause(kind="missed", environment_class="lab-1", scenario="leader-killed", objective="converge").key
    )
    assert first.message.command == "meshkit-chaos run leader-killed --seed 4711"
    facts = {fact.label: fact.value for fact in first.message.facts}
    assert facts["last good"].startswith("2026-10-01 02:00Z")
    assert facts["first bad"].startswith("2026-10-02 02:00Z")
    assert first.message.mention == ("mesh-team",)
    ticket = next(one for one in actions if one.channel == "issues").ticket
    assert ticket is not None
    assert (ticket.wish, ticket.failed_at, ticket.owner) == ("failing", START + DAY, "mesh-team")


def test_what_goes_on_is_a_digest_and_no_repetition() -> None:
    """Ten bad nights are one first failure and one digest after a week; each night has its summary."""
    world = World()
    for day in range(10):
        world.night(day, FAILS)
    assert [one.occasion for one in world.sent("chat") if one.occasion != "summary"] == ["first-failure", "still-failing"]
    digest = world.sent("chat", "still-failing")[0]
    assert digest.not_before == START + 1800 * SECOND + 7 * DAY
    assert "it shows in 7 of 7 results since" in digest.message.lead
    assert len([one for one in world.told if one.state == "pending"]) == 2
    assert len(world.sent("chat", "summary")) == 10


def test_the_second_failure_is_a_comment_on_the_ticket() -> None:
    """A tracker learns at once that it was seen twice; after that it has digests, too."""
    world = World()
    for day in range(6):
        world.night(day, FAILS)
    assert [one.occasion for one in world.sent("issues")] == ["first-failure", "still-failing"]


def test_a_flap_is_not_a_recovery() -> None:
    """Good and bad nights in turn end nothing: no recovery is told, and no second first failure."""
    world = World()
    for day in range(6):
        world.night(day, FAILS if day % 2 == 0 else PASSES)
    assert [one.occasion for one in world.sent("chat") if one.occasion != "summary"] == ["first-failure"]


def test_three_passes_in_a_row_end_it() -> None:
    """The third pass is told as recovered, once, with what was waiting no longer sent; the ticket is to be closed."""
    world = World()
    world.night(0, FAILS)
    world.night(1, FAILS)
    for day in (2, 3):
        actions = world.night(day, PASSES)
        assert occasions(actions) == ["still-failing", "summary"]
        assert actions[0].not_before == START + 1800 * SECOND + 7 * DAY
        assert (actions[0].message.title, actions[0].message.tone) == (
            "Clean so far: MeshKit: leader-killed, converge",
            "unsure",
        )
    actions = world.night(4, PASSES)
    assert occasions(actions) == ["recovered", "summary"]
    assert actions[0].message.tone == "good"
    assert "3 passes in a row since 2026-10-03 02:00Z" in actions[0].message.lead
    ticket = next(one for one in actions if one.channel == "issues").ticket
    assert ticket is not None
    assert (ticket.wish, ticket.clean) == ("clean", 3)
    assert occasions(world.night(5, PASSES)) == ["summary"]
    assert "still-failing" not in {one.action.occasion for one in world.told if one.state == "pending"}


def test_what_proves_nothing_ends_the_row() -> None:
    """Passes around an inconclusive night are not three in a row."""
    world = World()
    world.night(0, FAILS)
    for day, verdict in enumerate(("pass", "pass", "inconclusive", "pass", "pass"), 1):
        assert "recovered" not in occasions(world.night(day, Shown("leader-killed", verdict)))
    assert "recovered" in occasions(world.night(6, PASSES))


def test_what_comes_back_soon_is_the_same_again() -> None:
    """The same thread begins its second episode and says so; after two reopenings it flaps, and its ticket stays open."""
    world = World(routes("{close_after: 1}"))
    keys = set()
    for day in range(6):
        actions = world.night(day, FAILS if day % 2 == 0 else PASSES)
        keys |= {one.key for one in actions}
    begun = world.sent("issues", "first-failure")
    assert [one.episode for one in begun] == [1, 2, 3]
    assert len({one.thread for one in begun}) == 1
    assert "came back, 2 times by now" in begun[2].message.lead
    assert [one.ticket.flapping for one in world.sent("issues", "recovered") if one.ticket] == [False, False, True]


def test_another_objective_is_a_change_in_the_same_thread() -> None:
    """The scenario fails otherwise: the old thread says so, and no new one begins. Both must pass before it is over."""
    world = World(routes("{close_after: 1}"))
    world.night(0, FAILS)
    actions = world.night(1, Shown("leader-killed", "fail", missed=("stay",)))
    assert occasions(actions) == ["changed", "summary"]
    changed = actions[0]
    assert changed.thread == world.sent("chat", "first-failure")[0].thread
    assert "leader-killed, converge: missed" in changed.message.lead
    assert occasions(world.night(2, FAILS)) == ["still-failing", "summary"]
    assert occasions(world.night(3, PASSES)) == ["recovered", "summary"]


def test_two_objectives_at_once_are_two_causes() -> None:
    """What fails besides is a cause of its own."""
    world = World()
    world.night(0, FAILS)
    actions = world.night(1, Shown("leader-killed", "fail", missed=("converge", "stay")))
    assert occasions(actions) == ["first-failure", "still-failing", "summary"]


def test_no_evidence_is_quiet_until_the_third_time() -> None:
    """Two nights that prove nothing are in the summary only, which is not good; the third is told like a failure."""
    world = World()
    for day, verdict in enumerate(("invalid", "inconclusive")):
        actions = world.night(day, Shown("leader-killed", verdict))
        assert [(one.occasion, one.message.tone) for one in actions] == [("summary", "unsure")]
        assert actions[0].message.sections[0].heading == "proved nothing"
    actions = world.night(2, Shown("leader-killed", "invalid"))
    assert occasions(actions) == ["first-failure", "summary"]
    assert actions[0].message.tone == "unsure"
    assert "3 results in a row prove nothing" in actions[0].message.lead
    assert occasions(world.night(3, Shown("leader-killed", "inconclusive"))) == ["still-failing", "summary"]


def test_a_failure_after_no_evidence_is_a_change_at_once() -> None:
    """Evidence of a miss needs no third time."""
    world = World(routes("{unproven_after: 1}"))
    world.night(0, Shown("leader-killed", "invalid"))
    assert occasions(world.night(1, FAILS)) == ["changed", "summary"]


def test_a_scenario_without_a_result_is_no_pass() -> None:
    """It was announced and left nothing: the summary says so, and from the third night on it is told."""
    world = World()
    for day in range(2):
        actions = world.night(day, PASSES, Shown("shard-lost", "inconclusive", runs=0))
        assert actions[0].message.tone == "unsure"
    actions = world.night(2, PASSES, Shown("shard-lost", "inconclusive", runs=0))
    assert next(one.message.title for one in actions if one.occasion == "first-failure") == "MeshKit: shard-lost: no result"


def test_fourteen_scenarios_with_one_module_are_one_message() -> None:
    """A storm is one thread and one ticket; its members open none while it is open, and it ends with all of them."""
    world = World(routes("{close_after: 1}"))
    storm = [Shown(f"leader-{number}", "fail") for number in range(14)]
    others = [Shown(f"shard-{number}", module="shards") for number in range(14)]
    actions = world.night(0, *storm, *others)
    assert occasions(actions) == ["first-failure", "summary"]
    assert actions[0].message.title == "MeshKit: 14 scenarios, one cause: module leadership: missed"
    assert len(actions[0].message.sections[0].points) == 14
    assert occasions(world.night(1, *storm[:2], *others)) == ["still-failing", "summary"]
    more = world.night(2, Shown("leader-99", "fail"), *storm[:1], *others)
    assert occasions(more) == ["changed", "summary"]
    assert more[0].message.title == "MeshKit: 1 more scenario, module leadership"
    assert occasions(world.night(3, *(Shown(one.scenario) for one in storm), Shown("leader-99"))) == ["recovered", "summary"]
    assert len({one.thread for one in world.sent("issues")}) == 1


def test_a_storm_takes_what_its_causes_share() -> None:
    """By module first, then by indicator, then by environment where most of what was run fails."""
    by_indicator = [Shown(f"s{number}", "fail", module=f"m{number}", indicator="lag") for number in range(3)]
    other = [Shown(f"ok{number}") for number in range(9)]
    assert "indicator lag" in World().night(0, *by_indicator, *other)[0].message.title
    alone = [Shown(f"s{number}", "fail", module=f"m{number}", indicator=f"i{number}") for number in range(3)]
    assert occasions(World().night(0, *alone, *other)) == ["first-failure"] * 3 + ["summary"]
    assert "environment lab-1" in World().night(0, *alone)[0].message.title
    many = [Shown(f"s{number}", "fail", module=f"m{number // 3}") for number in range(9)]
    assert "9 scenarios, one cause: environment lab-1" in World().night(0, *many)[0].message.title


def test_an_environment_left_dirty_is_told_at_once() -> None:
    """Loudly, and before anything else; a second one within a day waits; a verified clean one ends it."""
    world = World()
    dirty = Shown("leader-killed", environment="dirty")
    actions = world.night(0, dirty)
    assert (actions[0].occasion, actions[0].loud, actions[0].message.tone) == ("environment-dirty", True, "bad")
    assert actions[0].message.command == "meshkit-chaos recover"
    assert [one.message.tone for one in actions if one.occasion == "summary"] == ["bad"]
    again = world.night(0.2, dirty)
    assert [one.not_before > 0 for one in again if one.occasion == "still-failing" and one.channel == "chat"] == [True]
    assert "recovered" not in occasions(world.night(0.3, Shown("leader-killed", environment="untouched")))
    assert "recovered" in occasions(world.night(0.4, PASSES))


def test_shards_of_one_night_edit_one_summary() -> None:
    """Invocations of one branch before and after midnight are one night: the second message replaces the first."""
    world = World()
    first = world.night(0, PASSES)
    second = world.night(0.01, Shown("shard-lost", "fail"))
    summaries = [one for one in (*first, *second) if one.occasion == "summary"]
    assert len({one.thread for one in summaries}) == 1
    assert summaries[1].edits
    assert summaries[1].message.title == "MeshKit, night to 2026-10-01: 1 of 2 scenarios did not pass"
    assert night_of(START - 3 * 3600 * SECOND) == night_of(START) == "2026-10-01"
    elsewhere = world.night(0.02, PASSES, branch="release-1.4")
    assert elsewhere[0].thread != summaries[0].thread


def test_a_later_pass_does_not_undo_the_night() -> None:
    """A scenario that failed and then passed in the same night did not pass that night."""
    world = World()
    world.night(0, FAILS)
    summary = world.night(0.01, PASSES)[-1]
    assert summary.message.tone == "bad"
    assert summary.message.title.endswith("1 of 1 scenario did not pass")


def test_only_nightlies_are_summed_up_where_routes_say_so() -> None:
    """With ``nightly:`` another invocation has no summary; what it shows is told all the same."""
    world = World(routes(more="nightly: {trigger: nightly}"))
    assert occasions(world.night(0, FAILS)) == ["first-failure"]
    assert occasions(world.night(1, PASSES, trigger="nightly")) == ["summary"]


def test_what_people_set_aside_is_not_told_as_a_failure() -> None:
    """An invalidated run is neither a failure nor a pass: no first failure, and a summary that is not good."""
    actions = World().night(0, Shown("leader-killed", "fail", invalidated="the lab was down"))
    assert [(one.occasion, one.message.tone) for one in actions] == [("summary", "unsure")]
    assert actions[0].message.sections[0].points[0].text == "leader-killed (fail): the lab was down"


def test_deciding_again_adds_nothing_and_a_grown_one_only_what_is_new() -> None:
    """The same invocation gives nothing the second time; with one more failure, that one and the summary."""
    world = World()
    invocation, results = world.came(0, FAILS, Shown("shard-lost", "fail", module="shards"))
    assert occasions(world.decided(invocation, results[:1])) == ["first-failure", "summary"]
    grown = world.decided(invocation, results)
    assert occasions(grown)[:1] == ["first-failure"]
    assert world.decided(invocation, results) == ()
    assert len(world.sent("chat", "first-failure")) == 2


def test_a_thousand_pipelines_with_five_causes_are_five_messages() -> None:
    """One first failure for each cause, one digest that waits and is replaced, one summary a branch and night."""
    world = World(routes(more="nightly: {trigger: nightly}"))
    for number in range(60):
        name = f"s{number % 5}"
        world.night(number / 1000, Shown(name, "fail", module=name, indicator=name), branch=f"pr-{number}")
    assert len(world.sent("chat")) == 5
    assert len(world.sent("issues", "first-failure")) == 5
    assert len([one for one in world.told if one.state == "pending" and one.action.channel == "chat"]) == 5


def test_another_branch_that_passes_ends_nothing() -> None:
    """Only where it was seen failing can it be seen gone: passes of other branches do not count."""
    world = World(routes("{close_after: 1}"))
    world.night(0, FAILS)
    assert "recovered" not in occasions(world.night(1, PASSES, branch="feature"))
    assert "recovered" in occasions(world.night(2, PASSES))


def test_an_old_failure_that_comes_late_is_not_news() -> None:
    """A result that is taken in after newer passes of its branch is summed up, and no more."""
    world = World()
    world.night(5, PASSES)
    assert occasions(world.night(2, FAILS)) == ["summary"]


def test_what_nobody_received_is_told_again() -> None:
    """Where the first message died, the next failing night is told at once."""
    world = World()
    invocation, results = world.came(0, FAILS)
    actions = decide(invocation, results, history=world.history, told=(), routing=world.routing, now=invocation.at)
    world.take(actions)
    world.deliver(invocation.at, state="dead")
    again = world.night(1, FAILS)
    assert [one.not_before for one in again if one.occasion == "still-failing"] == [0, 0]


def test_a_channel_that_is_new_is_told_what_goes_on() -> None:
    """Threads are of a channel: one that was added in the middle has its own first failure."""
    world = World(routes(routes="[{id: all, to: [chat]}, {id: none, to: [issues], severity: critical}]"))
    world.night(0, FAILS)
    world.routing = routes()
    assert occasions(world.night(1, FAILS), "issues") == ["first-failure"]
    assert structs.asdict(world.sent("issues")[0])["episode"] == 1


def test_a_preview_says_why_each_route_takes_something_or_not() -> None:
    """Every route answers in words, what is quiet says so, and what no route takes is known as untold."""
    world = World(
        routes(
            routes="[{id: high, to: [chat], severity: high, occasions: [first-failure]},"
            " {id: shards, to: [issues], modules: [shards], subject: {branch: main}}]"
        )
    )
    shown = (FAILS, Shown("gossip-slow", "fail", severity="low"), Shown("raft-stuck", "invalid"))
    invocation, results = world.came(0, *shown)
    found = {one.what: one for one in explained(invocation, results, history=world.history, routing=world.routing)}
    answers = {one.route: (one.taken, one.why) for one in found["leader-killed, converge: missed"].matches}
    assert answers == {
        "high": (True, "severity high ≥ high; route high"),
        "shards": (False, "no scenario of it has a module like shards"),
    }
    assert found["gossip-slow, converge: missed"].untold
    assert found["raft-stuck: nothing was tested (invalid)"].quiet == "1 result of the 3 in a row that are told"
    assert [(one.taken, one.why) for one in found["the night"].matches] == [
        (False, "it takes first-failure"),
        (False, "no scenario of it has a module like shards"),
    ]


def test_a_new_branch_looks_back_on_the_nightlies() -> None:
    """A first failure on a branch without results of its own says when the nightlies were last good, and shows their times."""
    world = World(routes(more="nightly: {trigger: nightly}"))
    for day in range(4):
        world.night(day, PASSES, trigger="nightly")
    message = world.night(3.3, FAILS, branch="change")[0].message
    facts = {fact.label: fact.value for fact in message.facts}
    assert facts["last good"].startswith("2026-10-04 02:00Z")
    assert message.trend is not None
    assert (message.trend.values, message.trend.limit) == ((2.0, 2.0, 2.0, 2.0, 9.0), 5.0)
