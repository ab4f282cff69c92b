"""Trap 30: a chat answers 429, 5xx, 200-but-not-shown, or never. Elsewhere the message is lost, or comes again and again.

Here the real senders stand before fakes that misbehave, behind the real outbox, in virtual time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from chat_world import HTTP_KINDS, Kind, action, arrived, opened, settings, world
from history_builder import opened as history
from scripted_channel import MINUTE, World
from served import Fault, closed_address

from meshkit_chaos.deliver.backoff import Patience
from meshkit_chaos.deliver.claiming import Wait
from meshkit_chaos.deliver.outbox import Outbox, enqueue
from meshkit_chaos.deliver.sending import Sender
from meshkit_chaos.deliver.worker import Courier, Going, Heard
from meshkit_chaos.measure.loopback import Answer

STUMBLES: tuple[Fault, ...] = (
    Answer(status=429, headers={"Retry-After": "30"}),
    Answer(status=503, headers={"Retry-After": "5"}),
    "cut-before",
    Answer(status=500),
    Answer(status=429),
    "cut-after",
)
TOLD = action("first-failure")


@contextmanager
def outbox(folder: Path, clock: World) -> Iterator[Outbox]:
    with history(folder) as found:
        box = Outbox(found.database, now=clock.wall)
        with box.database.writing() as connection:
            enqueue(connection, [TOLD])
        yield box


def drain(box: Outbox, sender: Sender, clock: World) -> None:
    """Step until nothing is left to do, time passing as fast as it may."""
    going = Going(patience=Patience(attempts=20, lease=MINUTE), chance=lambda: 1.0, hide=str)
    courier = Courier("here", sender, box, going=going, watching=Heard())
    for _ in range(200):
        match courier.step():
            case Wait(until=until):
                clock.now = until
            case None:
                return
    raise AssertionError("it never ends")


@pytest.mark.parametrize("kind", HTTP_KINDS)
def test_trap_30_a_channel_that_stumbles_loses_nothing(kind: Kind, tmp_path: Path) -> None:
    """In the end it is delivered, exactly once where the channel can be asked or knows the key."""
    clock = World()
    with world(kind, tmp_path, *STUMBLES, timeout="20s") as here, outbox(tmp_path / "h", clock) as box:
        drain(box, here.sender, clock)
        (row,) = box.entries(keys=(TOLD.key,))
        assert row.told.state == "delivered", row
        assert row.told.receipt is not None
        assert row.told.receipt.shown is (kind != "teams")
        count = {"slack": 1, "webhook": 2}.get(kind, 2)  # the webhook's receiver knows the second one by its key
        assert len(arrived(here.fake)) == count


@pytest.mark.parametrize("kind", HTTP_KINDS)
def test_trap_30_a_channel_that_is_not_there_is_visible(kind: Kind, tmp_path: Path) -> None:
    """Nobody listens: it is given up in the end, and stands among what was not delivered."""
    clock = World()
    with outbox(tmp_path / "h", clock) as box:
        drain(box, opened(*settings(kind, closed_address()), tmp_path), clock)
        (row,) = box.entries(keys=(TOLD.key,))
        assert row.told.state == "dead"
        assert "cannot connect" in row.told.error
        assert row.undelivered(clock.now)
