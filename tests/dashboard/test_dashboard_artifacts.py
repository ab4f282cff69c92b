"""Deliveries and binaries: what needs somebody, and where a size jumped."""

from __future__ import annotations

from typing import Any

import pytest
from gate_worlds import HOUR, NOW, history, result

from meshkit_chaos.clock import ManualClock
from meshkit_chaos.dashboard.binaries import binaries
from meshkit_chaos.dashboard.deliveries import MEANINGS, deliveries
from meshkit_chaos.dashboard.feeds import Feeds
from meshkit_chaos.dashboard.sizes import readable
from meshkit_chaos.dashboard.sources import Settings, Sources
from meshkit_chaos.deliver.action import DROPPED, Action, Receipt, State, Told
from meshkit_chaos.deliver.message import Message
from meshkit_chaos.history.model import Built


def told(state: State, *, channel: str = "chat", **changes: Any) -> Told:
    action = Action(
        key=f"v1:{state}",
        channel=channel,
        thread="t",
        occasion="summary",
        message=Message(title=f"about {state}", lead="", tone="bad"),
        reason="r",
        at=NOW,
    )
    return Told(action=action, state=state, **changes)


def test_what_needs_somebody_stands_first_with_what_to_do() -> None:
    """Dead and ambiguous ones name the key to settle them by; the others do not."""
    page = deliveries([told("delivered"), told("pending", attempts=3), told("dead"), told("superseded"), told("ambiguous")])
    assert [one.state for one in page.lines[:3]] == ["dead", "ambiguous", "pending"]
    assert [one.key for one in page.lines] == ["v1:dead", "v1:ambiguous", "", "", ""]
    assert page.sentence == "2 deliveries need somebody, and 1 did not get through yet"
    assert page.tone == "fail"


def test_channels_are_counted_by_state() -> None:
    """The channel that needs somebody stands first."""
    page = deliveries(
        [told("delivered"), told("delivered"), told("dead", channel="tracker"), told("delivered", channel="tracker")]
    )
    assert [(one.channel, [(state, count) for state, _, count in one.counts]) for one in page.channels] == [
        ("tracker", [("dead", 1), ("delivered", 1)]),
        ("chat", [("delivered", 2)]),
    ]


def test_only_states_that_occur_are_explained() -> None:
    """What is ambiguous is said where something is."""
    assert [state for state, _, _ in deliveries([told("ambiguous")]).states] == ["ambiguous"]
    assert set(MEANINGS) >= {"dead", "ambiguous", "pending", "sending", "delivered", "superseded"}


@pytest.mark.parametrize("state", ["pending", "sending", "superseded"])
def test_what_did_not_arrive_is_not_green(state: State) -> None:
    """Only what a channel took is shown as good."""
    page = deliveries([told(state)])
    assert page.lines[0].tone == "not-run"
    assert page.channels[0].tone == "not-run"
    assert page.tone == "not-run"


def dropped(by: str = "ann", **changes: Any) -> Told:
    receipt = Receipt(did=DROPPED, note=f"{by} gave it up" if by else "")
    return told("dead", settled_at=NOW - HOUR, error="no such channel", receipt=receipt, **changes)


def test_what_a_person_dropped_needs_nobody_and_was_not_delivered() -> None:
    """It is an end: who dropped it, and when, is told; no command is offered, and nothing of it is green or red."""
    page = deliveries([told("delivered"), dropped()])
    assert page.sentence == "all in order, 2 in all, 1 of them dropped by a person"
    assert page.tone == "pass"
    line = next(one for one in page.lines if one.state == "dropped")
    assert (line.tone, line.key, line.did, line.when) == ("not-run", "", "ann gave it up", "2026-11-25 07:00 UTC")
    assert [(state, count) for state, _, count in page.channels[0].counts] == [("delivered", 1), ("dropped", 1)]
    assert page.channels[0].tone == "pass"
    assert {state for state, _, _ in page.states} == {"delivered", "dropped"}


def test_what_was_only_dropped_is_no_good_sign() -> None:
    """Where nothing arrived, nothing is green; who dropped it may be unknown."""
    page = deliveries([dropped(by="")])
    assert page.tone == "not-run"
    assert page.channels[0].tone == "not-run"
    assert page.lines[0].did == "a person gave it up"


def test_one_that_died_still_needs_somebody_beside_one_that_was_dropped() -> None:
    """Dropping one settles no other."""
    page = deliveries([dropped(), told("dead")])
    assert page.sentence == "1 delivery needs somebody"
    assert page.tone == "fail"
    assert [one.state for one in page.lines] == ["dead", "dropped"]


def test_what_is_settled_raises_no_alarm() -> None:
    """That a later message says it, or that it was refused before a person dropped it, is told quietly; an error is not."""
    page = deliveries([dropped(), told("superseded", error="said by another"), told("dead", error="refused")])
    assert {one.state: one.settled for one in page.lines} == {"dropped": True, "superseded": True, "dead": False}


def test_metrics_tell_dropped_from_dead() -> None:
    """The alert that comes with the tool asks for dead ones: a person's decision must not wake anybody."""
    clock = ManualClock(wall_ns=NOW)
    held = (dropped(), told("dead"), told("delivered"))
    feeds = Feeds(
        Sources(reader=history(result("pass")), settings=Settings(project="m"), clock=clock, told=lambda count: held[:count])
    )
    said = feeds.metrics()
    assert 'meshkit_chaos_deliveries_recent{state="dead"} 1' in said
    assert 'meshkit_chaos_deliveries_recent{state="dropped"} 1' in said
    assert 'meshkit_chaos_deliveries_recent{state="delivered"} 1' in said


def test_nothing_sent_is_no_good_sign() -> None:
    """An empty outbox has no tone of success."""
    assert deliveries(()).tone == "not-run"


def built(*several: int, name: str = "node") -> list[Built]:
    """Newest last in the arguments, newest first in what comes back; equal sizes are equal digests."""
    ones = [
        Built(
            invocation=f"I{number}",
            at=NOW - (len(several) - number) * 24 * HOUR,
            subject={"version": "1", "commit": f"c{number}"},
            name=name,
            digest=f"d{size}",
            size=size,
            kind="native",
        )
        for number, size in enumerate(several)
    ]
    return ones[::-1]


def test_a_jump_names_its_build() -> None:
    """The drawing and the sentence say by how much and in which build."""
    [block] = binaries(built(1_000_000, 1_000_000, 1_080_000, 1_081_000), here="binaries.html")
    assert "the largest jump is +8.0 %, in c2" in block.sentence
    assert "+8.0 % c2" in block.drawing
    assert [row.jump for row in block.rows] == [False, True, False]
    assert 'href="invocation/I2.html"' in block.drawing


def test_the_same_bytes_are_one_row() -> None:
    """Nights that deployed one digest are one row, and every night stands in the drawing."""
    [block] = binaries(built(500, 500, 500), here="binaries.html")
    assert len(block.rows) == 1
    assert block.drawing.count("<a ") == 3
    assert "no build changed its size by 2 % or more" in block.sentence


@pytest.mark.parametrize("several", [(1,), (0, 0), (0, 5), (7, 7), (10**12, 1)])
def test_any_sizes_can_be_drawn(several: tuple[int, ...]) -> None:
    """One build, none of a size, and sizes that differ beyond measure."""
    assert binaries(built(*several), here="binaries.html")[0].drawing.startswith("<svg")


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 bytes"), (1, "1 byte"), (1500, "1.50 kB"), (4_200_000, "4.20 MB"), (2 * 10**9, "2.00 GB")]
)
def test_sizes_are_readable(size: int, text: str) -> None:
    """In the largest unit that fits."""
    assert readable(size) == text
