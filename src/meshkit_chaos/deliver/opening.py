"""From a channel's settings to something that sends: the one place where a kind of channel is bound to its code.

Takes a channel of the routes file and what all senders share; gives a ``Sender``, which is the caller's to close. Only the code
of the kind that is asked for is imported. Raises ``CannotRun`` where a secret or a certificate is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from meshkit_chaos.clock import Clock
from meshkit_chaos.deliver.sending import Sender
from meshkit_chaos.deliver.settings import Channel, Owner, Rules
from meshkit_chaos.errors import CannotRun
from meshkit_chaos.measure.access import Secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What senders share. ``folder``: that of the routes file, which its files are relative to."""

    secrets: Secrets
    clock: Clock
    folder: Path
    rules: Rules = Rules()
    owners: tuple[Owner, ...] = ()


def open_sender(channel: Channel, around: Surroundings) -> Sender:
    """The sender of one channel, ready to send."""
    match channel:
        case _:
            raise CannotRun(f"{channel.id}: no sender of this kind is there yet")
