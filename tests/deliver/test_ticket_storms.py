"""A worker, a tracker that lags, and a network that breaks at every request: nothing is lost and nothing doubled."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from fake_github import FakeGitHub
from served import Fault
from tracker_world import World, action, github, jira

from meshkit_chaos.deliver.action import Action, Again, CannotLook, Delivered, Found, Told, Unsure
from meshkit_chaos.deliver.adf import plain_text
from meshkit_chaos.deliver.ticket_text import delivery_key, marks_delivery
from meshkit_chaos.measure.loopback import Answer

FAULTS: tuple[Fault, ...] = (
    "cut-before",
    "cut-after",
    "half",
    Answer(status=500),
    Answer(status=502),
    Answer(status=429, headers={"Retry-After": "5"}),
    Answer.of({"message": "oh"}, status=200),
)
LAG_S = 20.0
KINDS: dict[str, Callable[..., AbstractContextManager[World[Any]]]] = {"github": github, "jira": jira}


def deliver(world: World[Any], sent: Action, chance: random.Random) -> int:
    """What the outbox does with one action, until it is delivered; gives the number of attempts."""
    for attempt in range(1, 200):
        world.faulty.faults = [chance.choice(FAULTS) if chance.random() < 0.35 else None for _ in range(12)]  # type: ignore[misc]  # None is no fault
        outcome = world.sender.send(sent, world.thread)
        world.days(chance.uniform(1, 10) / 86_400)
        if isinstance(outcome, Delivered):
            world.thread.append(Told(action=sent, state="delivered", attempts=attempt, receipt=outcome.receipt))
            return attempt
        assert isinstance(outcome, Again | Unsure), outcome
        if isinstance(outcome, Unsure):
            world.days((LAG_S + 1) / 86_400)
            look = world.sender.look(sent, world.thread)
            while isinstance(look, CannotLook):
                look = world.sender.look(sent, world.thread)
            if isinstance(look, Found):
                world.thread.append(Told(action=sent, state="delivered", attempts=attempt, receipt=look.receipt))
                return attempt
    raise AssertionError("never delivered")


def texts(world: World[Any]) -> list[str]:
    """Everything that stands in the tracker."""
    if isinstance(world.fake, FakeGitHub):
        issues = list(world.fake.issues.values())
        return [*(one.body for one in issues), *(comment.body for one in issues for comment in one.comments)]
    items = list(world.fake.issues.values())
    return [
        *(plain_text(one.fields["description"]) for one in items),
        *(plain_text(body) for one in items for _, body in one.comments),
    ]


def is_open(world: World[Any]) -> bool:
    (ticket,) = world.fake.issues.values()
    return bool(ticket.state == "open" if isinstance(world.fake, FakeGitHub) else ticket.status.category != "done")


def stormy(folder: Path, kind: str, seed: int) -> int:
    """One cause's months under a seed; gives the number of attempts."""
    chance = random.Random(seed)
    attempts = 0
    with KINDS[kind](folder, lag_s=LAG_S) as world:
        told: list[Action] = []
        for number in range(1, 9):
            night = world.days(1)
            clean = chance.random() < 0.4 and number > 1
            sent = action(number, "clean", at=night, clean=3) if clean else action(number, at=night)
            told.append(sent)
            attempts += deliver(world, sent, chance)
        written = Counter(one.key for one in told for text in texts(world) if marks_delivery(text, delivery_key(one)))
        assert len(world.fake.issues) == 1, f"seed {seed}"
        assert max(written.values()) == 1, f"seed {seed}: {written}"
        assert all(
            written[one.key] == 1
            for one, record in zip(told, world.thread, strict=True)
            if record.receipt and record.receipt.did != "left"
        ), f"seed {seed}"
        last = told[-1].ticket
        assert last is not None
        assert is_open(world) is (last.wish != "clean"), f"seed {seed}"
        assert world.fake.wrong == []
    return attempts


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("seed", range(4))
def test_a_broken_network_neither_loses_nor_doubles(tmp_path: Path, kind: str, seed: int) -> None:
    """Every third request breaks in some way: one ticket, each text once, and the state that the last night asks for."""
    assert stormy(tmp_path, kind, seed) >= 8


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_broken_network_neither_loses_nor_doubles_at_many_seeds(tmp_path: Path, kind: str) -> None:
    """The same, at thirty other seeds."""
    attempts = sum(stormy(tmp_path, kind, seed) for seed in range(100, 130))
    assert attempts > 30 * 10, "the network was broken indeed"
